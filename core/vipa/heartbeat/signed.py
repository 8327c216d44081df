"""Who signed a datagram: the same check for heartbeats and for what agents and routers tell each other."""

import hmac
from collections.abc import Container, Sequence

from vipa.errors import PeerError
from vipa.heartbeat.keys import MAC_BYTES, Key


def verified(payload: bytes, cluster: int, key_id: int, keys: Sequence[Key], clusters: Container[int]) -> bytes:
    """``payload`` without its tag, when that is of one of ``keys`` and ``cluster`` one of ``clusters``. It has room for
    a tag. Raises PeerError whose ``result`` is cluster, key or forged."""
    if cluster not in clusters:
        raise PeerError("cluster", f"{cluster:08x}")
    key = next((k for k in keys if k.id == key_id), None)
    if key is None:
        raise PeerError("key", f"{key_id:08x}")
    signed = payload[:-MAC_BYTES]
    if not hmac.compare_digest(key.tag(signed), payload[-MAC_BYTES:]):
        raise PeerError("forged")
    return signed
