"""Log lines: one JSON object each, or text; messages are constant and what varies are their fields."""

import logging
import sys
from collections.abc import MutableMapping
from enum import StrEnum
from typing import Any

import structlog


class LogFormat(StrEnum):
    """How a line is written."""

    JSON = "json"
    TEXT = "text"


def configure(form: LogFormat) -> None:
    """structlog, and through it what kopf and aiohttp log from warnings up."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.EventRenamer("message"),
    ]
    renderer: Any = structlog.processors.JSONRenderer() if form is LogFormat.JSON else _as_text
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    # Each of its watches tells of each try while the API server is away; our own requests tell it once.
    logging.getLogger("kopf").setLevel(logging.CRITICAL)


def _as_text(_logger: object, _name: str, event: MutableMapping[str, Any]) -> str:
    time, level, message = event.pop("timestamp", ""), event.pop("level", ""), event.pop("message", "")
    return f"{time} {level:<7} {message}" + "".join(f" {key}={value}" for key, value in event.items())
