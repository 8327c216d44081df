"""Addresses, MACs and the key of the fake LAN."""

from vipa.heartbeat import Key

VIP = "10.1.1.7"
KEY = Key(7, b"sixteen bytes or more of a secret")
CLUSTER = "test"


def ip(last: int) -> str:
    """10.1.1.<last>."""
    return f"10.1.1.{last}"


def mac_of(address: str) -> str:
    """The MAC of the NIC with this address."""
    return f"52:54:00:00:00:{int(address.rpartition('.')[2]):02x}"
