"""A compact timeline of one run: the last lines are what a person reads when a seed fails."""

from collections import deque
from collections.abc import Iterator

from vipa_sim.engine import Engine

KEPT = 4000


class Trace:
    """Keeps the newest lines, formatted only when read."""

    __slots__ = ("_engine", "_lines")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lines: deque[tuple[float, str, str, tuple[object, ...]]] = deque(maxlen=KEPT)

    def note(self, who: str, what: str, *details: object) -> None:
        """Add one line at the present time."""
        self._lines.append((self._engine.now, who, what, details))

    def moments(self) -> Iterator[tuple[float, str, str]]:
        """(seconds, who, what) of all lines kept."""
        return ((at_s, who, what) for at_s, who, what, _ in self._lines)

    def lines(self, until_s: float | None = None, count: int = 60) -> list[str]:
        """The last ``count`` lines up to ``until_s`` (all when None): ``seconds  who  what details``."""
        chosen = [line for line in self._lines if until_s is None or line[0] <= until_s]
        return [
            f"{at_s:10.4f}  {who:<10} {what} {' '.join(str(d) for d in details)}".rstrip()
            for at_s, who, what, details in chosen[-count:]
        ]
