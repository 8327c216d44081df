"""Heartbeats: what agents tell each other, and its wire format (docs/design/0002-election.md, "Heartbeat")."""

from vipa.heartbeat.codec import decode, encode
from vipa.heartbeat.keys import Key, parse_keys
from vipa.heartbeat.model import Beat, Echo, EndpointState, Handover, HandoverStep, PathEcho, Relay, RoleEntry, WireRole

__all__ = [
    "Beat",
    "Echo",
    "EndpointState",
    "Handover",
    "HandoverStep",
    "Key",
    "PathEcho",
    "Relay",
    "RoleEntry",
    "WireRole",
    "decode",
    "encode",
    "parse_keys",
]
