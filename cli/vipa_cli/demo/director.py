"""Plays the acts in order: bring about, wait, watch, judge; tells a view what happens."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec

from vipa_cli.demo.acts import BEFORE, Act
from vipa_cli.demo.interrupt import Interrupt
from vipa_cli.demo.judge import Measured, Row, Stretch, Verdict, judge, stretches
from vipa_cli.demo.measuring import SILENT_MS, Client, Wire
from vipa_cli.demo.situation import Situation, steps
from vipa_cli.playground import NodeView, Playground
from vipa_lab.results import Live
from vipa_lab.stalls import Stalls

_TICK_S: Final = 0.02
# Probes start in about 0.3 s; a busy machine was seen to take 2 s.
_WARM_TIMEOUT_S: Final = 20.0
# The situation before an act is reached by a failback at most: 2 s, doubled for each flap of the story.
_REACH_TIMEOUT_S: Final = 45.0
# Watched after a takeover, so that moving back and forth is seen: twice a permit.
_WATCH_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """For a live view. ``live``: the client's counters, None while no client runs. ``remote``: the machine that answers
    each flow of clients behind the router, "" where none does."""

    at_s: float
    nodes: tuple[NodeView, ...]
    answerer: str
    live: Live | None
    remote: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that was done, or lost (``until_s``), at a CLOCK_MONOTONIC second."""

    at_s: float
    text: str
    until_s: float = 0.0
    lost: int = 0


@dataclass(slots=True)
class Story:
    """All that a timeline needs. ``rows``: one per act, two for a repeated one (the first has verdict LATE)."""

    start_s: float
    end_s: float = 0.0
    rows: list[Row] = field(default_factory=list)
    faults: list[Mark] = field(default_factory=list)
    losses: list[Mark] = field(default_factory=list)
    served: list[Stretch] = field(default_factory=list)


class View(Protocol):
    """Who watches."""

    def begin(self, acts: Sequence[Act]) -> None:
        """The lab stands."""

    def act(self, number: int, act: Act, *, again: bool) -> None:
        """An act begins; ``again``: because probe or machine was late."""

    def step(self, text: str) -> None:
        """Something is done to the LAN."""

    def tick(self, snapshot: Snapshot) -> None:
        """Time passes."""

    def row(self, row: Row) -> None:
        """An act was judged."""


class Director:
    """``story`` grows while :meth:`run` plays; after an interruption it holds what was played."""

    def __init__(
        self, playground: Playground, view: View, interrupt: Interrupt | None = None, before: Situation = BEFORE
    ) -> None:
        self._interrupt = interrupt
        self._playground = playground
        self._view = view
        self._wire = Wire(playground)
        self._client: Client | None = None
        self._stalls = Stalls(playground.scenario.router)
        self._situation = before
        self.story = Story(time.monotonic())

    def run(self, acts: Sequence[Act]) -> None:
        """Play all. LabError when the lab itself fails, an agent ends by itself, or the observer lost frames;
        KeyboardInterrupt when ``interrupt`` was asked for."""
        self._view.begin(acts)
        for number, act in enumerate(acts, 1):
            before = self._situation
            row = self._perform(number, act, before, again=False)
            if row.verdict is Verdict.LATE:
                row = self._perform(number, act, before, again=True)
        self._wire.stop()
        self.finish()

    def finish(self) -> None:
        """Note who served when, also of a story that was interrupted."""
        claims, _ = self._wire.since(self.story.start_s)
        self.story.served = stretches(claims, self._wire.asker_port, self._wire.names)
        self.story.end_s = time.monotonic()

    def _perform(self, number: int, act: Act, before: Situation, *, again: bool) -> Row:
        self._view.act(number, act, again=again)
        self._bring_about(before)
        if before.serves:
            self._wait(lambda: self._wire.answerer() == before.serves, _REACH_TIMEOUT_S)
        measured = self._measure(act)
        row = judge(act, measured, self._wire.asker_port)
        if again:
            row = msgspec.structs.replace(row, repeated=True)
        self.story.rows.append(row)
        self._view.row(row)
        return row

    def _measure(self, act: Act) -> Measured:
        self._client = client = Client(self._playground, session=not act.cold)
        begun_s = time.monotonic()
        if not act.cold:
            self._wait(client.is_served, _WARM_TIMEOUT_S)
        start_s = time.monotonic()
        self._bring_about(act.situation)
        done_s = time.monotonic()
        served = self._wait(lambda: self._serves(act.situation.serves), act.limit_s)
        self._sleep(start_s + act.held_s - time.monotonic())
        if act.then is None:
            self._sleep(_WATCH_S)
            last = self._wire.answerer()
        else:
            last = self._wire.answerer()  # who took over; what is mended now may bring another back
            self._bring_about(act.then)
            self._sleep(_WATCH_S)
        spread = self._spread(act, client)
        udp, tcp = client.stop()
        reached = client.beyond.stop(spread) if client.beyond is not None else None
        self._client = None
        claims, overlaps = self._wire.since(begun_s)
        answers_s = [c.at_s for c in claims if c.kind == "answer" and c.at_s >= done_s]
        self.story.losses += (
            [] if act.cold else [Mark(o.start_s, act.name, o.start_s + o.ms / 1000, o.lost) for o in udp.outages]
        )
        end_s = time.monotonic()
        return Measured(
            start_s=start_s,
            end_s=end_s,
            udp=udp,
            tcp=tcp,
            claims=tuple(claims),
            overlaps=tuple(overlaps),
            served=served,
            last=last,
            took_s=min(answers_s, default=time.monotonic()) - done_s,
            stall_ms=self._stalls.worst_ms(begun_s, end_s),
            remote=reached,
        )

    def _spread(self, act: Act, client: Client) -> Counter[str]:
        """Who answers new clients behind the router, asked until it is as promised or the act's limit is over."""
        if act.remote is None or client.beyond is None:
            return Counter()
        deadline = time.monotonic() + act.limit_s
        while (by := client.beyond.answered()).keys() != act.remote.by and time.monotonic() < deadline:
            self._tick()
        return by

    def _serves(self, endpoint: str) -> bool:
        client = self._client
        return self._wire.answerer() == endpoint and (client is None or client.node() == endpoint.partition("/")[0])

    def _bring_about(self, situation: Situation) -> None:
        for step in steps(self._situation, situation):
            self.story.faults.append(Mark(time.monotonic(), str(step)))
            self._view.step(str(step))
            self._playground.do(step)
        self._situation = situation

    def _wait(self, condition: Callable[[], bool], limit_s: float) -> bool:
        deadline = time.monotonic() + limit_s
        while not (met := condition()) and time.monotonic() < deadline:
            self._tick()
        return met

    def _sleep(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._tick()

    def _tick(self) -> None:
        if self._interrupt is not None:
            self._interrupt.check()
        self._playground.check_agents()
        live = self._client.live() if self._client else None
        remote = self._client.beyond.nodes(SILENT_MS) if self._client and self._client.beyond else ()
        self._view.tick(Snapshot(time.monotonic(), self._playground.look(), self._wire.answerer(), live, remote))
        time.sleep(_TICK_S)
