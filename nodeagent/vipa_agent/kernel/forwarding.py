"""What the kernel must be set to for guests behind bridges: forward, and answer for others at once.

What was found otherwise is remembered in a map of the gate's table, so that it can be put back by whoever comes later.
IPv6 forwarding is left alone: switching it on turns a host into a router, which heeds router advertisements no more.
"""

import struct
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from vipa_agent.kernel import sets
from vipa_agent.kernel.errors import NetlinkRefused
from vipa_agent.kernel.knobs import ALL, DELAY4, DELAY6, FORWARDING, NAMES, NDP, PROXY_ARP, Key
from vipa_agent.kernel.mirror import Mirror
from vipa_agent.kernel.nfnl import value, value_of

_U32: Final = struct.Struct("=I")
_INDEX_SHIFT: Final = 12
_INDEX_BITS: Final = 20
"""Where the interface's number stands beside the setting's, which is less than 4,096."""
_EVERYWHERE: Final = "all"


class Settings(Protocol):
    """:class:`vipa_agent.kernel.knobs.Knobs`."""

    def read(self) -> dict[Key, int]:
        """All that there is."""

    def write(self, key: Key, to: int) -> bool:
        """Set one; False when there is nothing to set. Raises NetlinkRefused."""

    def forwards4(self) -> bool:
        """Whether the node forwards IPv4 everywhere."""


class Memory(Protocol):
    """:class:`Before`."""

    def load(self, indexes: Mapping[str, int]) -> dict[Key, int]:
        """What is to be put back."""

    def save(self, before: Mapping[Key, int], names: Mapping[int, str]) -> None:
        """Exactly this is."""


class Before:
    """The memory that outlives this process. Interfaces are told by number; the name beside it is for people, and for
    memories of versions that knew no numbers."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    def load(self, indexes: Mapping[str, int]) -> dict[Key, int]:
        """As far as the kernel still has it: as long as nobody deletes our table."""
        found: dict[Key, int] = {}
        for raw, data in self._mirror.known.get(sets.BEFORE, {}).items():
            number, name = _U32.unpack(raw[sets.IFNAMSIZ :])[0], sets.interface_of(raw[: sets.IFNAMSIZ])
            setting, ifindex = number & ((1 << _INDEX_SHIFT) - 1), number >> _INDEX_SHIFT
            ifindex = ifindex or indexes.get(name, ALL)
            if ifindex or name == _EVERYWHERE:
                found[Key(setting, ifindex)] = int(_U32.unpack(value_of(data))[0])
        return found

    def save(self, before: Mapping[Key, int], names: Mapping[int, str]) -> None:
        """Raises NetlinkRefused."""
        elements = {_raw(key, names[key.ifindex]): value(_U32.pack(was)) for key, was in before.items()}
        self._mirror.sync({sets.BEFORE: elements})


def _raw(key: Key, name: str) -> bytes:
    ifindex = key.ifindex if key.ifindex < 1 << _INDEX_BITS else 0  # after a million interfaces: by name
    return sets.interface_key(name) + _U32.pack(key.setting | ifindex << _INDEX_SHIFT)


class Forwarding:
    """The settings of one node. The caller holds the gate's lock."""

    def __init__(self, settings: Settings, memory: Memory) -> None:
        self._settings = settings
        self._memory = memory
        self._before: dict[Key, int] = {}
        self._wanted: dict[Key, int] = {}

    def apply(self, nics: Iterable[str], bridges: Iterable[str], *, six: bool, indexes: Mapping[str, int]) -> None:
        """Forward between these interfaces and bridges, and answer for guests: whole set; what is not wanted any more
        is as it was. ``six``: some have IPv6 addresses. Raises NetlinkRefused, after all else was done."""
        inner = {indexes[name] for name in bridges if name in indexes}
        outer = {indexes[name] for name in nics if name in indexes}
        wanted: dict[Key, int] = {}
        if inner:
            wanted |= {Key(FORWARDING, i): 1 for i in inner | outer} | {Key(PROXY_ARP, i): 1 for i in inner}
            wanted |= {Key(DELAY4, i): 0 for i in outer}
            wanted |= {Key(DELAY6, i): 0 for i in outer if six} | ({Key(NDP, ALL): 1} if six else {})
        self._wanted = wanted
        names = {ALL: _EVERYWHERE} | {ifindex: name for name, ifindex in indexes.items()}
        before = self._before | self._memory.load(indexes)
        if not wanted and not before:
            return
        before = {key: was for key, was in before.items() if key.ifindex in names}  # with an interface its settings go
        now = self._settings.read()
        other = {key: now[key] for key, to in wanted.items() if now.get(key, to) != to}
        back = {key: was for key, was in before.items() if key not in wanted}
        if (
            back and self._settings.forwards4()
        ):  # somebody switched it on for all meanwhile, Docker or a CNI say: theirs
            back = {key: was for key, was in back.items() if key.setting != FORWARDING}
        self._before = other | {key: was for key, was in before.items() if key in wanted or key in back}
        if other:  # first: who is killed in between leaves no change without its memory
            self._memory.save(self._before, names)
        try:
            self._write({key: wanted[key] for key in other}, back)
        finally:
            self._memory.save(self._before, names)

    def remove(self, indexes: Mapping[str, int]) -> None:
        """Put everything back. Raises NetlinkRefused, after all else was done."""
        self.apply((), (), six=False, indexes=indexes)

    def lacking(self, indexes: Mapping[str, int]) -> str:
        """A setting that somebody changed, for people; "" for none."""
        if not self._wanted:
            return ""
        now, names = self._settings.read(), {ifindex: name for name, ifindex in indexes.items()}
        wrong = (key for key, to in self._wanted.items() if key.setting != NDP and now.get(key, to) != to)
        return next((f"{NAMES[key.setting]} of {names[key.ifindex]}" for key in wrong if key.ifindex in names), "")

    def _write(self, new: Mapping[Key, int], back: Mapping[Key, int]) -> None:
        """Change all, and forget what was put back or is not ours to change. Raises the first refusal after trying
        all: what is not put back yet stays remembered."""
        refused: NetlinkRefused | None = None
        for key, to in (*new.items(), *back.items()):
            try:
                done = self._settings.write(key, to)
            except NetlinkRefused as error:
                refused = refused or error
                continue
            if key in back or not done:
                self._before.pop(key, None)
        if refused:
            raise refused
