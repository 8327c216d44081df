"""Logging that never makes the event loop wait: lines go to a bounded queue, a thread writes them out.

When whoever reads our output stops reading, the thread waits; lines beyond the queue are dropped and counted, and once
writing works again a line says how many are missing. What the standard library and other packages log takes the same
way. Messages are constant, what varies stands beside them as key-values: ``log.info("address bound", vip="erp")``.
"""

import json
import logging
import os
import queue
import select
import threading
import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import structlog

QUEUE_LINES: Final = 4096
"""Lines kept for a slow reader: some 1 MiB, and seconds of the busiest logging there is (2,000 VIPs moving)."""

_NOTE_EVERY_S: Final = 1.0
"""How often a slow, not blocked, reader is told of drops: not with every line."""


class LogFormat(StrEnum):
    """How a line looks."""

    JSON = "json"
    TEXT = "text"


class LogWriter:
    """Writes lines to a file descriptor from a thread. :meth:`put` never waits and never raises."""

    def __init__(self, fd: int, log_format: LogFormat, queue_lines: int = QUEUE_LINES) -> None:
        self.format = log_format
        self._fd = fd
        self._limit = queue_lines
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._dropped = 0  # counted up by who logs
        self._noted = 0  # and caught up with by the thread
        self._ahead: bytes | None = None  # taken, and too much for the last write
        self._written_all = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Lines dropped and not yet spoken of."""
        return self._dropped - self._noted

    def put(self, line: bytes) -> None:
        """Queue one line without its newline, or count it as dropped. The limit is kept to within a thread or two."""
        if self._lines.qsize() >= self._limit:
            self._dropped += 1
        else:
            self._lines.put(line)

    def close(self, timeout_s: float = 1.0) -> bool:
        """Write out what is queued and stop. False when the reader did not take it in time: the rest is lost."""
        self._lines.put(None)
        return self._written_all.wait(timeout_s)

    def _run(self) -> None:
        noted = 0.0
        while lines := self._next():
            self._write(b"\n".join(lines))
            now = time.monotonic()
            if self.dropped and (self._lines.empty() or now - noted >= _NOTE_EVERY_S):
                self._write_note()
                noted = now
        if self.dropped:
            self._write_note()
        self._written_all.set()

    def _next(self) -> list[bytes]:
        """All that waits, as far as one write takes it in one piece; nothing at the end. The event loop and this thread
        share one interpreter, and each change between them costs both."""
        found: list[bytes] = []
        size = 0
        while not found or not (self._ahead or self._lines.empty()):
            line, self._ahead = self._ahead or self._lines.get(), None
            if line is None:
                if found:
                    self._lines.put(None)  # the end, once more
                break
            size += len(line) + 1
            if found and size > select.PIPE_BUF:
                self._ahead = line
            else:
                found.append(line)
        return found

    def _write_note(self) -> None:
        count = self.dropped
        self._noted += count
        note = {"event": "log lines dropped", "level": "warning", "count": count}
        self._write(_render(self.format, note))

    def _write(self, line: bytes) -> None:
        rest = memoryview(line + b"\n")
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:  # somebody who shares the pipe made it non-blocking
                select.select([], [self._fd], [])
            except OSError:
                return  # nobody will ever read it: closed pipe, full disk


def configure(writer: LogWriter, level: int = logging.INFO) -> None:
    """Send structlog's and the standard library's messages of ``level`` and above to ``writer``, process-wide."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            lambda _logger, _method, event: _render(writer.format, event),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Lines(writer),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_FromStandardLibrary(writer)], level=max(level, logging.WARNING), force=True)


class _Lines:
    """What structlog calls with the rendered line."""

    def __init__(self, writer: LogWriter) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = writer.put


class _FromStandardLibrary(logging.Handler):
    """asyncio and other packages: their text is the message, their logger's name a key."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Queue one record of another package."""
        try:
            event: dict[str, object] = {"event": record.getMessage(), "level": record.levelname.lower()}
            event["logger"] = record.name
            if record.exc_info:
                event["exception"] = logging.Formatter().formatException(record.exc_info)
            self._writer.put(_render(self._writer.format, event))
        except Exception:  # a message that cannot be formatted must not end its author
            self._writer.put(
                _render(self._writer.format, {"event": "log message without sense", "logger": record.name})
            )


def _render(log_format: LogFormat, event: MutableMapping[str, Any]) -> bytes:
    time_text = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    message, level = event.pop("event", ""), event.pop("level", "info")
    if log_format is LogFormat.JSON:
        line = {"time": time_text, "level": level, "message": message, **event}
        # The standard library's: it writes any string, lone surrogates from file names too, and never raises.
        return json.dumps(line, default=str, skipkeys=True).encode()
    exception = event.pop("exception", "")
    pairs = "".join(f" {key}={_text(value)}" for key, value in event.items())
    return f"{time_text} {level:<8} {message}{pairs}{_indented(exception)}".encode(errors="backslashreplace")


def _text(value: object) -> str:
    text = str(value)
    plain = text and text.isprintable() and not set(text) & set(' "=')
    return text if plain else json.dumps(text)


def _indented(exception: str) -> str:
    return "".join(f"\n    {line}" for line in exception.splitlines())
