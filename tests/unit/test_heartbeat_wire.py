"""The wire format of heartbeats: golden frames pin it, and whatever is no heartbeat is named and dropped."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vipa.errors import PeerError
from vipa.heartbeat import (
    Beat,
    Echo,
    EndpointState,
    Handover,
    HandoverStep,
    Key,
    PathEcho,
    Relay,
    RoleEntry,
    WireRole,
    decode,
    encode,
)
from vipa.heartbeat.codec import BYTES_MAX
from vipa.heartbeat.keys import MAC_BYTES

KEY = Key(0x0A0B0C0D, b"golden secret of the test")
CLUSTER = 0x11223344

MINIMAL = Beat(node="n1", incarnation=1, boot_id=2, seq=3, epoch=0, interval_s=0.02)
FULL = Beat(
    node="node-1.example",
    incarnation=0x0102030405060708,
    boot_id=0x1112131415161718,
    seq=0xFFFFFFFE,
    epoch=7,
    interval_s=0.005,
    permit_left_s=0.25,
    isolated=True,
    stopping=True,
    digest=0x2122232425262728,
    endpoints=(EndpointState("10.1.1.4", True, 2, 12.5), EndpointState("fd00::4", False, 255, 0.0)),
    echoes=(Echo(0x31, 0x41, (PathEcho("10.1.1.4", "10.1.1.6", 9), PathEcho("fd00::4", "fd00::6", 8))), Echo(5, 6, ())),
    roles=(RoleEntry(0x51, WireRole.HOLDER, 3, 0, 0x61), RoleEntry(0x52, WireRole.EXCLUDED, 0, 255, 0x62)),
    relays=(Relay(0x51, 0x71, 7, 1, False, 0.015),),
    handovers=(Handover(0x51, 0x81, HandoverStep.GO, 4, 7),),
)
GOLDEN_MINIMAL = (
    "766970610100112233440a0b0c0d000000000000000100000000000000020000000300000000000000000000000000c8"
    "00000100026e31e86944fe57d95574c902f676c2efa19d"
)
GOLDEN_FULL = (
    "766970610103112233440a0b0c0d01020304050607081112131415161718fffffffe0000000721222324252627280032"
    "00fa01000e6e6f64652d312e6578616d706c65020022040a0101040102000030d410fd00000000000000000000000000"
    "000400ff000000000300560000000000000031000000000000004102040a010104040a0101060000000910fd00000000"
    "000000000000000000000410fd0000000000000000000000000000060000000800000000000000050000000000000006"
    "0004002400000000000000510300000003000000006100000000000000520500000000ff000000620500180000000000"
    "0000510000000000000071000000070100000f06001900000000000000510000000000000081030000000400000007a8"
    "828247b8a0de398fa57930481c0145"
)


@pytest.mark.parametrize(("beat", "golden"), [(MINIMAL, GOLDEN_MINIMAL), (FULL, GOLDEN_FULL)], ids=["minimal", "full"])
def test_golden_frames_both_ways(beat: Beat, golden: str) -> None:
    assert encode(beat, KEY, CLUSTER).hex() == golden
    assert decode(bytes.fromhex(golden), [KEY], {CLUSTER}) == beat


def test_the_numbers_of_roles_and_steps_stay() -> None:
    names = ["SPARE", "CLAIMING", "HOLDER", "YIELDING", "EXCLUDED", "PERMITTING"]
    assert [WireRole[name] for name in names] == [1, 2, 3, 4, 5, 6]
    assert [HandoverStep[name] for name in ("OFFER", "READY", "GO")] == [1, 2, 3]


addresses = st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str))
u8, u32, u64 = st.integers(0, 255), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
milliseconds = st.integers(0, 65535).map(lambda ms: ms / 1000)
beats = st.builds(
    Beat,
    node=st.text(min_size=1, max_size=63),
    incarnation=u64,
    boot_id=u64,
    seq=u32,
    epoch=u32,
    interval_s=st.integers(0, 65535).map(lambda tenths: tenths / 10_000),
    permit_left_s=milliseconds,
    isolated=st.booleans(),
    stopping=st.booleans(),
    digest=u64,
    endpoints=st.lists(
        st.builds(EndpointState, addresses, st.booleans(), u8, u32.map(lambda ms: ms / 1000)), max_size=4
    ).map(tuple),
    echoes=st.lists(
        st.builds(Echo, u64, u64, st.lists(st.builds(PathEcho, addresses, addresses, u32), max_size=4).map(tuple)),
        max_size=4,
    ).map(tuple),
    roles=st.lists(st.builds(RoleEntry, u64, st.sampled_from(WireRole), u32, u8, u32), max_size=8).map(tuple),
    relays=st.lists(st.builds(Relay, u64, u64, u32, u8, st.booleans(), milliseconds), max_size=4).map(tuple),
    handovers=st.lists(st.builds(Handover, u64, u64, st.sampled_from(HandoverStep), u32, u32), max_size=4).map(tuple),
    unknown_fields=st.just(0),
)


@given(beats)
def test_what_is_encoded_is_decoded(beat: Beat) -> None:
    assert decode(encode(beat, KEY, CLUSTER), [KEY], {CLUSTER}) == beat


def signed(body: bytes) -> bytes:
    return body + KEY.tag(body)


def test_unknown_fields_are_skipped_and_counted() -> None:
    plain = encode(FULL, KEY, CLUSTER)[:-MAC_BYTES]
    newer = signed(plain + struct.pack("!BH", 200, 3) + b"new" + struct.pack("!BH", 7, 0))
    beat = decode(newer, [KEY], {CLUSTER})
    assert beat.unknown_fields == 2
    assert (beat.roles, beat.handovers) == (FULL.roles, FULL.handovers)


@given(st.binary(max_size=200))
def test_noise_is_garbled(noise: bytes) -> None:
    with pytest.raises(PeerError) as caught:
        decode(noise, [KEY], {CLUSTER})
    assert caught.value.result in {"garbled", "version", "cluster", "key", "forged"}


@given(st.binary(max_size=120))
def test_an_authentic_header_with_noise_after_it_raises_nothing_else(noise: bytes) -> None:
    head = encode(Beat("", 1, 2, 3, 4, 0.02), KEY, CLUSTER)[:-MAC_BYTES]
    result = ""
    try:
        decode(signed(head + noise), [KEY], {CLUSTER})
    except PeerError as error:
        result = error.result
    assert result in {"", "garbled"}


@given(st.data())
def test_any_flipped_bit_is_refused(data: st.DataObject) -> None:
    good = encode(FULL, KEY, CLUSTER)
    bit = data.draw(st.integers(0, len(good) * 8 - 1))
    bad = bytearray(good)
    bad[bit // 8] ^= 1 << bit % 8
    with pytest.raises(PeerError):
        decode(bytes(bad), [KEY], {CLUSTER})


@given(st.integers(0, 400))
def test_a_truncated_heartbeat_is_refused(length: int) -> None:
    good = encode(FULL, KEY, CLUSTER)
    with pytest.raises(PeerError):
        decode(good[: min(length, len(good) - 1)], [KEY], {CLUSTER})


def test_each_refusal_has_its_own_word() -> None:
    good = encode(MINIMAL, KEY, CLUSTER)
    version = good[:4] + b"\x63" + good[5:]
    for payload, keys, cluster, word in [
        (b"vapi" + good[4:], [KEY], CLUSTER, "garbled"),
        (good[:40], [KEY], CLUSTER, "garbled"),
        (version, [KEY], CLUSTER, "version"),
        (good, [KEY], CLUSTER + 1, "cluster"),
        (good, [Key(KEY.id + 1, KEY.secret)], CLUSTER, "key"),
        (good, [Key(KEY.id, b"another secret of that id")], CLUSTER, "forged"),
        (good[:60] + b"X" + good[61:], [KEY], CLUSTER, "forged"),
    ]:
        with pytest.raises(PeerError) as caught:
            decode(payload, keys, {cluster})
        assert caught.value.result == word


def test_the_second_key_is_accepted_too() -> None:
    new = Key(9, b"the key that is being rolled out")
    assert decode(encode(MINIMAL, KEY, CLUSTER), [new, KEY], {CLUSTER}) == MINIMAL


def test_values_beyond_a_field_are_capped_not_wrapped() -> None:
    beat = Beat("n", 1, 2, 3, 4, 10.0, permit_left_s=100.0, endpoints=(EndpointState("10.1.1.4", True, 999, 1e9),))
    got = decode(encode(beat, KEY, CLUSTER), [KEY], {CLUSTER})
    assert (got.interval_s, got.permit_left_s) == (6.5535, 65.535)
    assert got.endpoints[0].flaps == 255
    assert got.endpoints[0].healthy_for_s == pytest.approx(2**32 / 1000, rel=1e-6)


def test_four_peers_on_four_paths_with_forty_roles_fit() -> None:
    mine = [f"10.1.1.{i}" for i in range(1, 5)]
    echoes = tuple(
        Echo(2**64 - peer, 2**64 - 1, tuple(PathEcho(m, f"10.1.{peer}.{i}", 2**32 - 1) for i, m in enumerate(mine)))
        for peer in range(1, 5)
    )
    beat = Beat(
        "worker-12",
        2**64 - 1,
        2**64 - 1,
        2**32 - 1,
        2**32 - 1,
        0.02,
        endpoints=tuple(EndpointState(m, True, 3, 1000.0) for m in mine),
        echoes=echoes,
        roles=tuple(RoleEntry(2**64 - 1 - n, WireRole.HOLDER, 2**31, n, 2**32 - 1) for n in range(40)),
    )
    assert len(encode(beat, KEY, CLUSTER)) <= BYTES_MAX == 1200
