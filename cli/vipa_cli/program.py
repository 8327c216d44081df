"""What every program of the command line shares: its help, its exit codes, how it ends."""

import argparse
import os
import sys
from typing import Final

from vipa import __version__
from vipa_cli import exits

_BROKEN_PIPE: Final = 128 + 13
"""128 + SIGPIPE, as shells say it."""


def new_parser(name: str) -> "tuple[argparse.ArgumentParser, argparse._SubParsersAction[argparse.ArgumentParser]]":
    """A parser, and where commands are added to it."""
    parser = argparse.ArgumentParser(
        prog=name,
        description="Virtual IPs that outlive the adapters and machines under them.",
        epilog="Exit codes: 0 good, 1 the thing asked about is not good, 2 usage, 3 cannot tell.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"vipa {__version__}")
    return parser, parser.add_subparsers(metavar="COMMAND", title="commands")


def run(parser: argparse.ArgumentParser) -> None:
    """Parse the words of this process, run the command, end with its exit code."""
    if len(sys.argv) == 1:
        parser.print_help(sys.stderr)
        raise SystemExit(exits.USAGE)
    arguments = parser.parse_args()
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = exits.INTERRUPTED
    except BrokenPipeError:
        # Who reads has had enough (| head). Python would complain once more as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = _BROKEN_PIPE
    raise SystemExit(code)
