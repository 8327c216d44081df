"""Planned moves under fire (rule 4): every kind of move × every point of its exchange × every fault × every victim.

An undisturbed run tells when anything happens in the exchange; one seed is one run, so the same run can be struck at
each of these points, and between any two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise, product
from random import Random
from typing import TYPE_CHECKING

from vipa_sim.faults import Faults
from vipa_sim.judge import Overlap
from vipa_sim.meddling import MEDDLINGS, Meddler, Meddling, Message, world_reader
from vipa_sim.moves import MOVES, PlannedMove
from vipa_sim.runs import LOOK_S, SETTLE_MAX_S, settle
from vipa_sim.world import World, real_cores

if TYPE_CHECKING:
    from vipa_sim.lan import Frame, Port

CLIENT_S = 0.001  # the clients' pace: what the figures' resolution is
EXCHANGE_MAX_S = 4.0  # failback: listening, half a second healthy, then the exchange
WATCHED_S = 2.6  # after the strike: a permit, an offer's life, a claim; or a linger and the plan that follows
BEFORE_S = 0.030  # points from so long before the first message on
LINGER_S = (0.02, 0.2, 0.6, 1.1, 1.45, 1.55)  # points after *Holder* was heard: while the old holder lingers, and after
FIRST_S = 0.5  # a silence, a claim, a slow commit each for its element and its permit
SETTLED_MAX_S = 0.5  # an offer's life
SHORT_S, LONG_S = 0.1, 1.2  # frozen for less than a permit, and for longer than one and a claim
BACK_S = 0.05  # a killed agent is back


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault of one part of the world. ``row``: its line in the table; ``what`` says whose part it is."""

    row: str
    what: str
    do: Callable[[Faults], None]


@dataclass(slots=True)
class Verdict:
    """What came of one run. ``lost_ms``: longest time in which a client with a cached entry had no answer;
    ``struck``: False when the fault never met what it waited for."""

    move: str
    row: str
    what: str
    at_s: float
    lost_ms: float
    overlaps: list[Overlap]
    wrong: list[str]
    struck: bool = True
    trace: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        overlaps = "; ".join(map(str, self.overlaps)) or "no overlap"
        wrong = "; ".join(self.wrong) or "one holder"
        return f"{self.move}: {self.what} at {self.at_s:.6f}: lost {self.lost_ms:.0f} ms, {overlaps}, {wrong}"


def strikes(move: PlannedMove) -> tuple[Strike, ...]:
    """Every adapter, port, agent and machine of the two nodes, each in every way it can fail."""
    found: list[Strike] = []
    for node, whose in ((move.old, "old holder"), (move.new, "successor")):
        for nic in ("eth1", "eth2"):
            adapter = f"{whose}'s adapter" if nic == "eth1" else f"{whose}'s other adapter"
            found.append(Strike(f"{adapter}: carrier", f"carrier {node}/{nic}", partial(_carrier, node=node, nic=nic)))
            found += [
                Strike(f"{adapter}: port {how}", f"{how} {node}/{nic}", partial(_port, node=node, nic=nic, how=how))
                for how in ("blocked", "deaf", "mute")
            ]
        found += [
            Strike(f"{whose}'s agent killed", f"kill {node}", partial(Faults.kill, node=node)),
            Strike(
                f"{whose}'s agent killed, back", f"restart {node}", partial(Faults.kill, node=node, back_after_s=BACK_S)
            ),
            Strike(f"{whose}'s agent frozen, 0.1 s", f"freeze {node}", partial(_freeze, node=node, lasts_s=SHORT_S)),
            Strike(
                f"{whose}'s agent frozen, 1.2 s", f"freeze {node} long", partial(_freeze, node=node, lasts_s=LONG_S)
            ),
            Strike(f"{whose} loses power", f"power-off {node}", partial(Faults.power_off, node=node)),
        ]
    return tuple(found)


def _carrier(faults: Faults, node: str, nic: str) -> None:
    faults.carrier(node, nic, up=False)


def _port(faults: Faults, node: str, nic: str, how: str) -> None:
    faults.path(node, nic, **{how: True})


def _freeze(faults: Faults, node: str, lasts_s: float) -> None:
    faults.freeze(node)
    faults.after(lasts_s, partial(faults.thaw, node))


class Exchange:
    """One world with one planned move, up to the moment in which it begins."""

    def __init__(self, name: str, seed: int, noisy: bool = False) -> None:
        self.name, self.move = name, MOVES[name]
        shape = replace(self.move.shape, stalls_per_s=0.3, slow_commits=0.1) if noisy else self.move.shape
        self.world = World(seed, shape, real_cores())
        self.reader = world_reader(self.world)
        for client in self.world.clients:
            client.period_s = CLIENT_S
        rng = Random(f"under fire {seed}")
        self.world.start_stations()
        Faults(self.world).start(self.move.old, 0.0)  # first, so that it holds
        self.world.run(FIRST_S)
        for node in self.world.machines:
            if node not in self.move.absent:
                Faults(self.world).start(node, rng.random() * 0.1)
        self.world.run(0.2)
        self.wrong = [f"cold start: {wrong}" for wrong in settle(self.world, SETTLE_MAX_S)]
        self.world.run(1.0 + 0.1 * rng.random())
        self.begun_s = self.world.engine.now

    def begin(self) -> None:
        """Start the move."""
        self.move.begin(self.world)

    def finish(self, row: str, what: str, at_s: float, until_s: float) -> Verdict:
        """Let it end, and judge."""
        world = self.world
        world.engine.run_until(until_s)
        outages = [o for client in world.clients for o in client.outages if o.end_s > self.begun_s]
        lost_ms = max((1000.0 * (o.end_s - o.start_s) for o in outages), default=0.0)
        overlaps = [o for o in world.judge.overlaps() if o.end_s > self.begun_s]
        wrong = [*self.wrong, *world.judge.accusations]
        settled_s = world.engine.now + SETTLED_MAX_S
        while world.holder(world.addresses[0]) is None and world.engine.now < settled_s:
            world.run(LOOK_S)  # it may move once more just now
        if world.holder(world.addresses[0]) is None:
            who = [f"{n}/{c.name}" for part in world.judge.answering(world.addresses[0]).values() for n, c in part]
            wrong.append(f"answered by {', '.join(who) or 'nobody'} at the end")
        return Verdict(self.name, row, what, at_s, lost_ms, overlaps, wrong)


@dataclass(frozen=True, slots=True)
class Course:
    """When what happened in an undisturbed run: ``points``, world seconds in order, and ``moved_s``, when the old
    holder heard *Holder*."""

    points: tuple[float, ...]
    moved_s: float


def course(name: str, seed: int, noisy: bool = False) -> Course:
    """Every moment of the exchange at which one of the two nodes does something or hears a message of it."""
    exchange = Exchange(name, seed, noisy)
    world, move = exchange.world, exchange.move
    heard: list[tuple[float, str, Message]] = []

    def note(source: Port, target: Port, frame: Frame) -> tuple[float, ...]:
        node = source.name.split("/", 1)[0]
        if node in (move.old, move.new):
            heard.extend((world.engine.now, node, message) for message in exchange.reader.read(frame))
        return (0.0,)

    world.lan.meddle = note
    exchange.begin()
    world.run(EXCHANGE_MAX_S)
    said = [at for at, _, message in heard if message in (Message.OFFER, Message.READY, Message.GO)]
    first = min(said, default=exchange.begun_s)
    moved = min((at for at, node, m in heard if node == move.new and m is Message.HOLDER), default=first) + 0.001
    acted = {at for at, who, what in world.trace.moments() if who in (move.old, move.new) and what != "probe"}
    edges = sorted(at for at in {*acted, *said} if max(exchange.begun_s, first - BEFORE_S) <= at <= moved)
    between = [(a + b) / 2 for a, b in pairwise(edges)]
    return Course(tuple(sorted({*edges, *between, *(moved + s for s in LINGER_S)})), moved)


def struck(name: str, seed: int, noisy: bool, strike: Strike, at_s: float, trace: int = 0) -> Verdict:
    """One run with ``strike`` at world time ``at_s``."""
    exchange = Exchange(name, seed, noisy)
    exchange.world.engine.at(at_s, strike.do, Faults(exchange.world))
    exchange.begin()
    verdict = exchange.finish(strike.row, strike.what, at_s, at_s + WATCHED_S)
    verdict.trace = exchange.world.trace.lines(count=trace) if trace else []
    return verdict


def meddled(name: str, seed: int, noisy: bool, meddling: Meddling, trace: int = 0) -> Verdict:
    """One run in which a message of the exchange is lost, doubled or late."""
    exchange = Exchange(name, seed, noisy)
    move = exchange.move
    sender = move.new if meddling.message in (Message.READY, Message.HOLDER, Message.ANNOUNCEMENT) else move.old
    meddler = Meddler(exchange.world, exchange.reader, meddling, sender)
    exchange.world.lan.meddle = meddler
    exchange.begin()
    until_s = exchange.begun_s + EXCHANGE_MAX_S
    verdict = exchange.finish(str(meddling), str(meddling), exchange.begun_s, until_s)
    verdict.struck = meddler.struck > 0
    verdict.trace = exchange.world.trace.lines(count=trace) if trace else []
    return verdict


Job = Callable[[], Verdict]


def jobs(name: str, seed: int, noisy: bool = False, every: int = 1, offset: int = 0) -> Iterator[Job]:
    """All runs for one kind of move; ``every`` > 1 takes only that part of the points, another for each victim."""
    for meddling in MEDDLINGS:
        yield partial(meddled, name, seed, noisy, meddling)
    points = course(name, seed, noisy).points
    for number, (strike, (place, at_s)) in enumerate(product(strikes(MOVES[name]), enumerate(points))):
        if (place + number // len(points) + offset) % every == 0:
            yield partial(struck, name, seed, noisy, strike, at_s)
