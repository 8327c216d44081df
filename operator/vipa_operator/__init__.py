"""The operator: watches the API server, plans with core's planner, and writes each node's share and each VIP's status.

It decides the order of candidates, never who holds: agents fail over without it.
"""
