"""Layouts and texts of the kernel layer that need no kernel."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vipa_agent.kernel import marks, ruleset, sets
from vipa_agent.kernel.errors import Unsupported
from vipa_agent.kernel.netlink import attribute, attribute_list, attributes, message, messages, nested
from vipa_agent.kernel.nfnl import Batch, Element, chain_of, jump, missing, value, value_of

NFT_ADD_ELEMENT = bytes.fromhex(
    # What nft 1.0.6 sends for `add element arp vipa elected { 10.1.1.8 . "eth1" }` (nft --debug=mnl), less the set id.
    "03000000"
    "0900010076697061 00000000"
    "0c000200656c656374656400"
    "24000380 20000180 1c000180 18000100"
    "0a010108 65746831 00000000 00000000 00000000"
)


def test_an_element_is_laid_out_as_nft_does() -> None:
    batch = Batch()
    batch.add(sets.IPV4.record.elected, [Element(sets.pair_key("10.1.1.8", "eth1"))])
    begin, add, end = messages(batch.build().payload)
    assert (begin.kind, add.kind, end.kind) == (0x10, 10 << 8 | 12, 0x11)
    assert add.body == NFT_ADD_ELEMENT


def test_only_the_last_message_asks_for_an_answer() -> None:
    batch = Batch()
    batch.delete(sets.ALIVE[0], [sets.interface_key("eth1")], tag="old")
    batch.add(sets.ALIVE[0], [Element(sets.interface_key("eth1"), timeout_ms=500)], tag="new")
    built = batch.build()
    assert [got.flags & 4 for got in messages(built.payload)] == [0, 0, 4, 0]
    assert built.tags == ("old", "new")


def test_many_elements_are_split_over_messages() -> None:
    batch = Batch()
    batch.add(sets.IPV4.guarded, [Element(n.to_bytes(4, "big")) for n in range(1001)], tag="all")
    assert batch.build().tags == ("all", "all", "all")


@given(st.lists(st.tuples(st.integers(0, 0x3FFF), st.binary(max_size=40))))
def test_attributes_come_back(pairs: list[tuple[int, bytes]]) -> None:
    data = b"".join(attribute(kind, payload) for kind, payload in pairs)
    assert list(attribute_list(data)) == pairs
    assert attributes(nested(7, data))[7] == data


@given(st.binary(max_size=200))
def test_garbage_ends_the_parsing(garbage: bytes) -> None:
    list(messages(garbage))
    list(attribute_list(garbage))


@given(st.lists(st.binary(max_size=40)))
def test_messages_come_back(bodies: list[bytes]) -> None:
    datagram = b"".join(message(20, 5, number, body) for number, body in enumerate(bodies))
    assert [got.body for got in messages(datagram)] == bodies


def test_map_data_comes_back() -> None:
    assert chain_of(jump("mark_3")) == "mark_3"
    assert value_of(value(b"\x0a\x01\x01\x04")) == b"\x0a\x01\x01\x04"
    assert (chain_of(value(b"abcd")), value_of(jump("x"))) == ("", b"")


@given(st.ip_addresses(v=4).map(str), st.text("abcxyz0189.-", min_size=1, max_size=15))
def test_keys_come_back(address: str, interface: str) -> None:
    assert sets.pair_of(sets.pair_key(address, interface)) == (address, interface)
    assert len(sets.pair_key(address, interface)) == 20


def test_missing_wants_every_failure_named() -> None:
    batch = Batch()
    assert len(batch) == 0
    assert not missing((), "alive")


def test_devices_get_one_chain_each_and_others_stay_untouched() -> None:
    assert ruleset.devices({3: "eth1"}, ["fence", "out_3"]) == ""
    text = ruleset.devices({3: "eth1", 9: "eth2"}, ["fence", "out_3", "out_5"])
    assert 'device "eth2"' in text
    assert "eth1" not in text
    assert "delete chain netdev vipa out_5" in text
    with pytest.raises(Unsupported, match="quotes"):
        ruleset.devices({3: 'e"1'}, [])


def test_marks_only_touch_their_mask() -> None:
    text = ruleset.marks({2: marks.mark_of(2, 0x00F00000)}, 0x00F00000, forwarded_replies=False)
    assert "meta mark & 0xff0fffff | 0x00200000" in text
    assert " ct " not in text, "conntrack must not be switched on where nothing uses it"


def test_only_interfaces_sharing_a_lan_are_marked() -> None:
    own = [("eth1", "10.1.1.4/24"), ("eth2", "10.1.1.5/24"), ("eth3", "10.2.0.1/24"), ("eth3", "10.3.0.1/24")]
    assert marks.shared_lans(own) == {"eth1", "eth2"}
    assert marks.shared_lans(own[1:]) == set()


@given(st.sets(st.sampled_from("abcdefghijklmno"), max_size=15), st.sets(st.sampled_from("abcdefghijklmno")))
def test_slots_are_unique_and_stay(wanted: set[str], before: set[str]) -> None:
    present = marks.slots(before, {}, marks.DEFAULT_MASK)
    given_slots = marks.slots(wanted, present, marks.DEFAULT_MASK)
    assert given_slots.keys() == wanted
    assert len(set(given_slots.values())) == len(wanted)
    assert all(1 <= slot <= 15 for slot in given_slots.values())
    assert all(given_slots[name] == present[name] for name in wanted & before)


def test_a_mask_too_small_or_torn_is_refused() -> None:
    with pytest.raises(Unsupported, match="room for 1 interfaces, 2 need one"):
        marks.slots(("eth1", "eth2"), {}, 0x1)
    for mask in (0, 0x00A00000, 1 << 32):
        with pytest.raises(Unsupported, match="adjacent bits"):
            marks.limit(mask)


def test_protocols_are_named_by_number() -> None:
    """nft would look their names up in a file that the image does not have."""
    texts = ruleset.gate() + ruleset.marks({1: 0x100000}, 0xF00000, forwarded_replies=True)
    named = re.findall(r"(?:l4proto|nexthdr|protocol) (?:!= )?(\S+)", texts)
    assert named
    assert all(name.isdigit() for name in named), named
