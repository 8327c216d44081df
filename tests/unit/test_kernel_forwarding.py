"""Settings that guests need are put back: after renames and refusals too, and by another agent than the one that set
them."""

import errno
from collections.abc import Mapping

import pytest

from vipa_agent.kernel import sets
from vipa_agent.kernel.errors import NetlinkRefused
from vipa_agent.kernel.forwarding import Before, Forwarding
from vipa_agent.kernel.knobs import ALL, DELAY4, FORWARDING, NDP, PROXY_ARP, Key
from vipa_agent.kernel.nfnl import SetRef, value

HERE = {"eth1": 2, "br0": 7}
FOUND = {
    **{Key(setting, ifindex): 0 for setting in (FORWARDING, PROXY_ARP) for ifindex in (2, 3, 7)},
    **{Key(DELAY4, ifindex): 800 for ifindex in (2, 3, 7)},
}
SET = {Key(FORWARDING, 2): 1, Key(FORWARDING, 7): 1, Key(PROXY_ARP, 7): 1, Key(DELAY4, 2): 0}


class Node:
    """The kernel's settings; ``refuses``: what it does not let itself be set to now."""

    def __init__(self) -> None:
        self.is_set = dict(FOUND)
        self.refuses: set[Key] = set()

    def read(self) -> dict[Key, int]:
        return dict(self.is_set)

    def write(self, key: Key, to: int) -> bool:
        if key in self.refuses:
            raise NetlinkRefused(errno.EPERM, f"{key}")
        known = key in self.is_set
        self.is_set |= {key: to} if known else {}
        return known

    def forwards4(self) -> bool:
        return False

    def changed(self) -> dict[Key, int]:
        return {key: to for key, to in self.is_set.items() if FOUND.get(key) != to}


class Tables:
    """The kernel's sets, as :class:`vipa_agent.kernel.mirror.Mirror` has them."""

    def __init__(self) -> None:
        self.known: dict[SetRef, dict[bytes, bytes]] = {sets.BEFORE: {}}

    def sync(self, wanted: Mapping[SetRef, Mapping[bytes, bytes]]) -> None:
        self.known |= {ref: dict(elements) for ref, elements in wanted.items()}


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def tables() -> Tables:
    return Tables()


def agent(node: Node, tables: Tables) -> Forwarding:
    return Forwarding(node, Before(tables))  # type: ignore[arg-type]  # the two things of a mirror that it uses


def serve(made: Forwarding, indexes: Mapping[str, int] = HERE) -> None:
    made.apply(["eth1"], ["br0"], six=False, indexes=indexes)


def test_what_guests_need_is_set_and_put_back_by_whoever_comes_later(node: Node, tables: Tables) -> None:
    serve(agent(node, tables))
    assert node.changed() == SET
    later = agent(node, tables)
    serve(later)
    assert node.changed() == SET
    agent(node, tables).remove(HERE)
    assert (node.changed(), tables.known[sets.BEFORE]) == ({}, {})


@pytest.mark.parametrize("restarted", [False, True])
def test_an_interface_that_was_renamed_is_put_back_under_its_new_name(
    node: Node, tables: Tables, restarted: bool
) -> None:
    made = agent(node, tables)
    serve(made)
    renamed = {"lan1": 2, "br9": 7}
    made = agent(node, tables) if restarted else made
    made.remove(renamed)
    assert (node.changed(), tables.known[sets.BEFORE]) == ({}, {})


def test_what_is_refused_holds_nothing_up_and_is_tried_again(node: Node, tables: Tables) -> None:
    made = agent(node, tables)
    serve(made)
    stuck = Key(FORWARDING, 2)
    node.refuses = {stuck}
    with pytest.raises(NetlinkRefused):
        made.remove(HERE)
    assert node.changed() == {stuck: 1}
    node.refuses = set()
    agent(node, tables).remove(HERE)
    assert (node.changed(), tables.known[sets.BEFORE]) == ({}, {})


def test_an_interface_that_was_made_anew_has_settings_of_its_own(node: Node, tables: Tables) -> None:
    made = agent(node, tables)
    serve(made)
    for key in [key for key in node.is_set if key.ifindex == 2]:
        del node.is_set[key]
    node.is_set[Key(FORWARDING, 3)] = 1  # somebody else's wish
    made.remove({"eth1": 3, "br0": 7})
    assert node.is_set[Key(FORWARDING, 3)] == 1
    assert tables.known[sets.BEFORE] == {}


def test_what_may_not_be_written_is_not_remembered(node: Node, tables: Tables) -> None:
    """As proxy_ndp in a pod: the node's owner sets it, and it is theirs."""
    node.is_set[Key(NDP, ALL)] = 0
    write = node.write
    node.write = lambda key, to: key.setting != NDP and write(key, to)  # type: ignore[method-assign]
    made = agent(node, tables)
    made.apply(["eth1"], ["br0"], six=True, indexes=HERE)
    node.write = write  # type: ignore[method-assign]
    node.is_set[Key(NDP, ALL)] = 1
    made.remove(HERE)
    assert node.is_set[Key(NDP, ALL)] == 1


def test_memories_of_before_interfaces_had_numbers_are_read(node: Node, tables: Tables) -> None:
    tables.known[sets.BEFORE] = {sets.interface_key("eth1") + b"\x01\0\0\0": value(b"\0\0\0\0")}
    node.is_set[Key(FORWARDING, 2)] = 1
    agent(node, tables).remove(HERE)
    assert (node.changed(), tables.known[sets.BEFORE]) == ({}, {})


def test_one_that_is_gone_or_changed_is_named(node: Node, tables: Tables) -> None:
    made = agent(node, tables)
    serve(made)
    assert made.lacking(HERE) == ""
    node.is_set[Key(PROXY_ARP, 7)] = 0
    assert made.lacking(HERE) == "proxy_arp of br0"
