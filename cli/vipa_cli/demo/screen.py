"""The live view: the LAN, who answers, the client's datagrams, what is being done, the table so far. Fits 80 × 24."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live as RichLive
from rich.text import Text

from vipa_cli.demo import table
from vipa_cli.demo.acts import VIP, Act
from vipa_cli.demo.director import Snapshot
from vipa_cli.demo.figures import Figure
from vipa_cli.demo.judge import Row
from vipa_cli.demo.ticker import Ticker
from vipa_cli.playground import AdapterView, NodeView

# A frame costs 5-10 ms of CPU, which the agents under test share; eight a second look alive.
_FRAME_S: Final = 0.125
_TICKER_MIN: Final = 20
# What is written before and after the ticker's strip.
_TICKER_FRAME: Final = 36

_STATES: Final = {
    "up": ("●", "green", ""),
    "pulled": ("✂", "red", "no cable"),
    "blocked": ("●", "red", "link up, path dead"),
    "off": ("○", "dim", ""),
}
_AGENTS: Final = {
    "runs": ("agent runs", "green"),
    "frozen": ("agent FROZEN", "cyan"),
    "killed": ("agent KILLED", "red"),
    "stopped": ("no agent", "dim"),
    "ended": ("agent ended", "red"),
    "off": ("POWER OFF", "red"),
}


class Screen:
    """A view for terminals; use it as a context manager. It draws in the caller's thread."""

    def __init__(self, console: Console, figure: Figure) -> None:
        self._console = console
        self._figure = figure
        self._live = RichLive(console=console, auto_refresh=False, transient=True, vertical_overflow="crop")
        self._start_s = time.monotonic()
        self._acts: Sequence[Act] = ()
        self._act: Act | None = None
        self._number = 0
        self._again = False
        self._doing = ""
        self._rows: list[Row] = []
        self._ticker = Ticker()
        self._drawn_s = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def begin(self, acts: Sequence[Act]) -> None:
        """See View."""
        self._acts = acts

    def act(self, number: int, act: Act, *, again: bool) -> None:
        """See View."""
        self._number, self._act, self._again, self._doing = number, act, again, ""

    def step(self, text: str) -> None:
        """See View."""
        self._doing = f"{self._doing}, {text}" if self._doing else text

    def row(self, row: Row) -> None:
        """See View."""
        self._rows.append(row)

    def tick(self, snapshot: Snapshot) -> None:
        """See View."""
        self._ticker.take(snapshot.live)
        if snapshot.at_s - self._drawn_s >= _FRAME_S:
            self._drawn_s = snapshot.at_s
            self._live.update(self._draw(snapshot), refresh=True)

    def _draw(self, snapshot: Snapshot) -> RenderableType:
        playing = self._act.key if self._act else ""
        return Group(
            self._head(),
            *_topology(snapshot, self._figure.way),
            self._done(),
            self._story(),
            self._client(snapshot),
            *_remote(snapshot),
            Text(""),
            table.build(self._acts, self._rows, playing),
        )

    def _head(self) -> Text:
        seconds = time.monotonic() - self._start_s
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append("vipa", "bold")
        text.append(f"  virtual IP {VIP}   act {self._number}/{len(self._acts)}   ")
        text.append(f"{int(seconds) // 60}:{int(seconds) % 60:02}", "dim")
        return text

    def _done(self) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        if self._doing:
            text.append(f"⚡ {self._doing}", "bold red")
        return text

    def _story(self) -> Text:
        text = Text()
        if self._again:
            text.append("Again, the machine was too busy. ", "yellow")
        if self._act is not None:
            text.append(self._act.story, "italic")
        # Two lines at any width of 80 or more, or the table below would jump.
        lines = text.wrap(self._console, self._console.width)
        return Text("\n").join([*lines, Text(), Text()][:2])

    def _client(self, snapshot: Snapshot) -> Text:
        width = max(_TICKER_MIN, self._console.width - _TICKER_FRAME)
        text = Text("client ", no_wrap=True)
        text.append_text(self._ticker.strip(width))
        if snapshot.live is None:
            text.append("  …", "dim")
        elif self._ticker.outage_ms:
            text.append(f"  silent for {self._ticker.outage_ms:.0f} ms", "bold red")
        else:
            text.append(f"  {snapshot.live.answered} answered")
        return text


def _remote(snapshot: Snapshot) -> list[Text]:
    """Which machine answers each client behind the router, where there are some beside the local one."""
    if not snapshot.remote:
        return []
    text = Text("behind the router, by flow: ", no_wrap=True)
    for node in snapshot.remote:
        text.append(f" {node or '–'}", "green" if node else "bold red")
    return [text]


def _topology(snapshot: Snapshot, way: str) -> list[Text]:
    """The LAN, one line per adapter, after ``way``: "client ── switch ─┬─ ● eth1 10.1.1.4 ◀ answers"."""
    lines = []
    adapters = [(node, adapter) for node in snapshot.nodes for adapter in node.adapters]
    for i, (node, adapter) in enumerate(adapters):
        edge = "┬" if i == 0 else "└" if i == len(adapters) - 1 else "├"
        text = Text(f"{way}─" if i == 0 else " " * (len(way) - 1), no_wrap=True, overflow="ellipsis")
        text.append(f" {edge}─ " if i else f"{edge}─ ")
        _adapter(text, node, adapter, answers=adapter.name == snapshot.answerer)
        lines.append(text)
    return lines


def _adapter(text: Text, node: NodeView, adapter: AdapterView, *, answers: bool) -> None:
    sign, style, remark = _STATES[adapter.state]
    text.append(f"{sign} ", style)
    text.append(f"{adapter.name} {adapter.address}", "bold" if answers else "")
    agent, agent_style = _AGENTS[node.agent]
    text.append(f"  {agent}", agent_style)
    if remark:
        text.append(f"  {remark}", style)
    if answers:
        text.append(f"  ◀ answers for {VIP}", "bold green")
