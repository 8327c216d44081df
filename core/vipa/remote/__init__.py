"""Remote clients: what a router in front of the LAN hears from agents, and which way it sends what is for a virtual IP.

Nothing here takes part in an election: a router asks and listens, in frames that no heartbeat reader understands.
"""
