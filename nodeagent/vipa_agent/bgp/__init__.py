"""Virtual IPs for routers that speak BGP, through the FRR that runs on the node (docs/design/0009-bgp.md)."""
