"""Heartbeat keys: one per line, ``ID:SECRET`` or a bare secret; the first signs, all are accepted."""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from vipa.errors import KeyFileError

MAC_BYTES: Final = 16
"""128-bit tags: forging one takes 2^128 tries; RFC 2104 §5 allows truncation to half the hash."""

SECRET_BYTES_MIN: Final = 16
"""Shorter secrets can be guessed offline from one captured heartbeat."""


@dataclass(frozen=True, slots=True)
class Key:
    """One shared secret. ``id`` (32 bits) names it on the wire; 0 means "no key", accepted only with --insecure."""

    id: int
    secret: bytes = field(repr=False)
    label: str = field(default="", compare=False)
    """ID of the key file's line; "" for a bare secret."""

    @property
    def name(self) -> str:
        """What people call it: its label, or the id that it has on the wire."""
        return self.label or f"{self.id:08x}"

    def tag(self, message: bytes) -> bytes:
        """MAC of ``message``: keyed BLAKE2b (RFC 7693 §2.9), the fastest MAC of the standard library."""
        return hashlib.blake2b(message, digest_size=MAC_BYTES, key=self.secret).digest()


INSECURE: Final = Key(0, b"")


def parse_keys(text: str, name: str) -> tuple[Key, ...]:
    """Keys of a key file's text; ``name`` is the file's name for messages.

    Raises KeyFileError when a line is too short or names a key a second time, or when there is no key.
    """
    keys: list[Key] = []
    lines: dict[int, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        label, colon, secret = stripped.partition(":")
        if not colon:
            label, secret = "", stripped
        if len(secret) < SECRET_BYTES_MIN:
            raise KeyFileError(
                f"{name}:{number}: the secret has {len(secret)} characters; at least {SECRET_BYTES_MIN} are needed "
                "(for example the output of: openssl rand -hex 32)"
            )
        # a bare secret is its own name, so that two files with the same secret agree whatever else is in them
        identity = hashlib.blake2b((label or secret).encode(), digest_size=4, person=b"vipa-key-id").digest()
        derived = hashlib.blake2b(secret.encode(), digest_size=32, person=b"vipa-beat").digest()
        key = Key(int.from_bytes(identity, "big") or 1, derived, label)
        if first := lines.get(key.id):
            raise KeyFileError(
                f"{name}:{number}: key {key.name} is already in line {first}; a new secret needs an ID of its own, "
                "and the same secret stands there once"
            )
        lines[key.id] = number
        keys.append(key)
    if not keys:
        raise KeyFileError(f"{name}: no key in it; write one line with a secret, or ID:SECRET")
    return tuple(keys)
