"""The kernel layer: the only place that talks netlink and nftables. See docs/design/0003-kernel.md.

Everything here is synchronous and acts on the network namespace its sockets were opened in.
"""
