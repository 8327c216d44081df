"""Entry point of ``vipa-operator``."""

import asyncio
import signal
import sys
from collections.abc import Sequence
from typing import Final

import structlog

from vipa.errors import ConfigError, VipaError
from vipa_operator.logs import configure
from vipa_operator.service import Service
from vipa_operator.settings import Settings, parse

EXIT_GOOD: Final = 0
EXIT_BAD: Final = 1
EXIT_USAGE: Final = 2


def main() -> None:
    """Console script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Exit code for these command-line words: 0 stopped when asked to, 1 could not go on, 2 usage."""
    chosen = parse(arguments)
    configure(chosen.log_format)
    try:
        asyncio.run(_run(chosen))
    except ConfigError as error:
        sys.stderr.write(f"vipa-operator: {error}\n")
        return EXIT_USAGE
    except (VipaError, OSError) as error:
        structlog.get_logger().error("ended", error=str(error))
        return EXIT_BAD
    return EXIT_GOOD


async def _run(chosen: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Service(chosen).run(stop)


if __name__ == "__main__":
    main()
