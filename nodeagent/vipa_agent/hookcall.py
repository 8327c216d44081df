"""One call of a hook, in a forked child of the hook runner: a program is executed, a URL gets a POST.

A program gets what keepalived gives to ``notify`` scripts, so that those can be taken over::

    PROGRAM INSTANCE <virtual IP> MASTER|BACKUP|FAULT|STOP|DELETED <priority>

and besides the event as JSON on standard input and as variables ``VIPA_…`` of its environment.
"""

import ctypes
import json
import os
import signal
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

STATES: Final = {"Holder": "MASTER", "Spare": "BACKUP", "Excluded": "FAULT"}
STOPPED: Final = "Shutdown"
"""Reason of the last event of an agent that ends."""
PRIORITY_MAX: Final = 254
"""The highest that keepalived gives to anybody but the owner of an address (RFC 5798 §5.2.4)."""
CANNOT: Final = 126
"""Exit code when the call itself failed, as shells have it."""

_PR_SET_PDEATHSIG: Final = 1
_RESET: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE)
_libc = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Program:
    """``--notify``: an absolute path."""

    target: str

    @property
    def name(self) -> str:
        """As logs and metrics call it."""
        return self.target


@dataclass(frozen=True, slots=True)
class Webhook:
    """``--notify-url``."""

    target: str

    @property
    def name(self) -> str:
        """As logs and metrics call it: without path and query, which may hold a secret."""
        parts = urllib.parse.urlsplit(self.target)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


Hook = Program | Webhook


def hooks_of(programs: Iterable[str], urls: Iterable[str]) -> list[Hook]:
    """In the order of the command line, programs first."""
    return [*map(Program, programs), *map(Webhook, urls)]


def arguments(event: dict[str, Any]) -> list[str]:
    """The words after the program's path."""
    gone = "STOP" if event["reason"] == STOPPED else "DELETED"
    place = event["place"]
    priority = max(PRIORITY_MAX + 1 - place, 1) if place else 0
    return ["INSTANCE", event["vip"], STATES.get(event["to"], gone), str(priority)]


def environment(event: dict[str, Any]) -> dict[str, str]:
    """What the program finds in its environment besides that of the agent."""
    found = {"VIPA_FROM_INTERFACE": event["fromInterface"], "VIPA_ADDRESSES": " ".join(event["addresses"])}
    for name in ("time", "node", "vip", "from", "to", "interface", "reason", "term", "place"):
        found[f"VIPA_{name.upper()}"] = str(event[name])
    return found


def become(hook: Hook, body: bytes, stdin: int, stderr: int, timeout_s: float, parent: int) -> None:
    """In the forked child: do it and end, whatever happens. Never returns."""
    code = CANNOT
    try:
        _stand_alone(stdin, stderr, parent)
        event = json.loads(body)
        if isinstance(hook, Program):
            words = [hook.target, *arguments(event)]
            os.execve(hook.target, words, os.environ | environment(event))
        code = _post(hook.target, body, timeout_s)
    except BaseException as error:
        os.write(2, str(error).encode(errors="replace"))
    finally:
        os._exit(code)


def _stand_alone(stdin: int, stderr: int, parent: int) -> None:
    """A session of its own, so that all of it can be killed; and it ends with the runner, however that ends."""
    signal.set_wakeup_fd(-1)
    for number in _RESET:
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(CANNOT)
    os.dup2(stdin, 0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(stderr, 2)
    os.chdir("/")


def _post(url: str, body: bytes, timeout_s: float) -> int:
    # loaded by the runner before it forks, if any hook is a URL; agents without never load it
    import urllib.error
    import urllib.request

    headers = {"Content-Type": "application/json", "User-Agent": "vipa-agent"}
    request = urllib.request.Request(url, body, headers)
    try:
        urllib.request.urlopen(request, timeout=timeout_s).close()
    except urllib.error.HTTPError as error:
        os.write(2, f"HTTP {error.code} {error.reason}".encode(errors="replace"))
        return 1
    except urllib.error.URLError as error:
        os.write(2, str(error.reason).encode(errors="replace"))
        return 1
    return 0
