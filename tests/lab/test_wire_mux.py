"""All packet sockets of a node, opened and closed as interfaces come and go."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from vipa import frames
from vipa.election.actions import Announce, Probe, SendBeat
from vipa.election.events import ArpKind, ArpSeen
from vipa_agent.wire import Dropped, Mux, Nic, NicSocket, Sent
from vipa_lab.until import until
from vipa_lab.wire_rig import IP_A, IP_B, MAC_A, MAC_B, PORT, Wire, beat
from vipa_lab.within import inside


class Story:
    """A mux on this thread's machine, and which interface numbers it opened and closed sockets of."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []
        self.mux = Mux(PORT, lambda s: self.told.append(("opened", s.nic.ifindex)), self._closing)

    def _closing(self, sock: NicSocket) -> None:
        assert min(*sock.beat_filenos(), *sock.arp_filenos()) >= 0, "still open when it is told"
        self.told.append(("closing", sock.nic.ifindex))


@pytest.fixture
def story(wire: Wire) -> Iterator[Story]:
    """On A, and this thread with it."""
    with inside(wire.a):
        made = Story()
        with closing(made.mux):
            yield made


def test_another_address_is_no_reason_for_a_new_socket(wire: Wire, story: Story) -> None:
    assert story.mux.sync([wire.nic_a]) == {}
    assert story.mux.sync([replace(wire.nic_a, addresses=(IP_A, "10.1.1.40"))]) == {}
    assert story.told == [("opened", wire.nic_a.ifindex)]


def test_what_is_sent_leaves_by_the_named_interface(wire: Wire, story: Story) -> None:
    mux = story.mux
    assert mux.sync([wire.nic_a]) == {}
    assert mux.send_beat(SendBeat("eth1", IP_A, IP_B, "", b"x")) is Sent.SENT
    assert mux.probe(Probe("eth1", IP_B, IP_A)) is Sent.SENT
    until(lambda: ArpSeen("eth1", ArpKind.REPLY, MAC_B, IP_B, IP_A) in mux.drain())
    assert mux.announce(Announce("erp", ("10.1.1.7", "10.1.1.8"), "eth1")) == [Sent.SENT] * 4
    assert mux.send_beat(SendBeat("eth9", IP_A, IP_B, "", b"x")) is Sent.GONE
    assert mux.probe(Probe("eth9", IP_B, IP_A)) is Sent.GONE
    assert mux.announce(Announce("erp", ("10.1.1.7",), "eth9")) == [Sent.GONE] * 2


def test_a_new_interface_of_the_same_name_gets_new_sockets(wire: Wire, story: Story) -> None:
    mux, first = story.mux, wire.nic_a
    assert mux.sync([first]) == {}
    wire.unplug()
    wire.plug()
    again = wire.nic_a
    assert again.ifindex != first.ifindex
    assert mux.sync([again]) == {}
    assert story.told == [("opened", first.ifindex), ("closing", first.ifindex), ("opened", again.ifindex)]
    assert mux.send_beat(SendBeat("eth1", IP_A, IP_B, "", b"x")) is Sent.SENT

    # Stale news: the name is there, the index is not; and an interface that never was.
    problems = mux.sync([first, Nic("eth9", 99, MAC_A)])
    assert set(problems) == {"eth1", "eth9"}
    assert "no longer interface number" in problems["eth1"]
    assert mux.sync([again]) == {}, "and the next look opens it"
    assert mux.sync([]) == {}
    assert story.told[-1] == ("closing", again.ifindex)


def test_counts_of_closed_sockets_are_kept(wire: Wire) -> None:
    raw = wire.raw_a()
    with inside(wire.b), closing(Mux(PORT, lambda _: None, lambda _: None)) as mux:
        mux.sync([wire.nic_b])
        raw.send(beat(target="10.1.1.5", mac=frames.BROADCAST_MAC))

        def counted() -> bool:
            mux.drain()
            return mux.dropped()[Dropped.NOT_FOR_US] == 1

        until(counted)
        mux.sync([])
        assert mux.dropped() == {Dropped.NOT_FOR_US: 1}
