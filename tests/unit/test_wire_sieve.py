"""What of a storm of ARP the election is shown."""

from socket import inet_aton

from vipa import frames
from vipa_agent.wire.sieve import CLAIMANTS, CLAIMANTS_S, INSTANT_S, STRANGERS_S, Sieve

VIP, PEER, ME = "10.1.1.7", "10.1.1.6", "02:00:00:00:00:01"
OURS = "02:00:00:00:00:02"


class Seen:
    """A sieve at one instant after the other."""

    def __init__(self) -> None:
        virtual, matters = {inet_aton(VIP)}, {inet_aton(VIP), inet_aton(PEER)}
        self.sieve = Sieve(matters.__contains__, lambda mac: mac == frames.pack_mac(OURS), virtual.__contains__)
        self.now_s = 100.0

    def passes(self, frame: bytes) -> bool:
        return self.sieve.passes(self.now_s, frame, frame[22:28], frame[28:32])

    def count(self, *many: bytes) -> int:
        return sum(map(self.passes, many))


def mac(number: int) -> str:
    return f"02:00:00:01:{number // 256:02x}:{number % 256:02x}"


def test_repetitions_are_shown_once_in_an_instant() -> None:
    seen = Seen()
    request, reply = frames.announcements(mac(1), VIP)
    assert seen.count(*[request, reply] * 50) == 2
    seen.now_s += CLAIMANTS_S
    assert seen.count(*[request, reply] * 50) == 2


def test_answers_to_this_station_are_all_shown_but_repetitions_of_one_instant() -> None:
    seen = Seen()
    answers = [frames.arp_request(mac(n), VIP, PEER, ME) for n in range(100)]
    assert seen.count(*answers) == 100
    assert seen.count(*answers) == 0
    seen.now_s += INSTANT_S
    assert seen.count(*answers) == 100


def test_strangers_are_heard_and_no_more() -> None:
    seen = Seen()
    asks = [frames.arp_request(mac(n), f"10.1.2.{n}", f"10.1.3.{n}") for n in range(200)]
    assert seen.count(*asks) == 1
    seen.now_s += STRANGERS_S
    assert seen.count(*asks) == 1


def test_questions_of_a_node_of_ours_tell_of_life_only_and_do_not_hide_strangers() -> None:
    seen = Seen()
    questions = [frames.arp_request(OURS, PEER, f"10.1.2.{n}") for n in range(200)]
    assert seen.count(*questions) == 1
    assert seen.passes(frames.arp_request(mac(1), "10.1.2.1", "10.1.3.1"))
    assert seen.count(*frames.announcements(OURS, VIP)) == 2
    seen.now_s += STRANGERS_S
    assert seen.count(*questions) == 1


def test_hundreds_of_claimants_leave_room_for_others_and_for_ours() -> None:
    seen = Seen()
    assert seen.count(*(frames.announcements(mac(n), VIP)[0] for n in range(200))) == CLAIMANTS
    assert seen.count(*(frames.announcements(mac(n), PEER)[0] for n in range(200))) == CLAIMANTS
    assert seen.count(*frames.announcements(OURS, VIP)) == 2
    assert seen.count(frames.arp_request(mac(1), "10.1.2.1", "10.1.3.1")) == 1


def test_a_clock_that_stands_still_or_begins_at_zero_shows_the_first() -> None:
    seen = Seen()
    seen.now_s = 0.0
    assert seen.passes(frames.announcements(mac(1), VIP)[0])
