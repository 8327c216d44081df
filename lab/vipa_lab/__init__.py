"""A network-namespace lab: nodes, switch, clients, faults, probes and an observer."""
