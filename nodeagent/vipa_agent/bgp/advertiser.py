"""The agent's side of BGP: what it serves, told to the runner that tells FRR; never waited for.

A look after each turn of the loop costs a comparison while nothing changed. What the runner's socket does not take at
once is told at the next look. What is told holds for :data:`LEASE_S`.
"""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from vipa.election.actions import Notice, Transition
from vipa.election.node import Node
from vipa.reasons import Reason
from vipa_agent.bgp import serving
from vipa_agent.bgp.runner import OWNER_NAME
from vipa_agent.bgp.view import NO_BGP, BgpView
from vipa_agent.child import spawn
from vipa_agent.kernel.clock import boottime_s

log = structlog.get_logger()

LEASE_S: Final = 3.0
"""What a frozen agent advertised is withdrawn after so long: no earlier than its kernel falls silent (Calm's permit: 2
s), for whoever takes over then has routers prefer it, and who nobody takes over from still serves."""
RENEW_S: Final = LEASE_S / 3
CHANGES_MAX: Final = 500
"""In one message, of some 40 bytes each: a socket of this kind takes 200 kB by default."""
END_S: Final = 0.5
"""For the runner to withdraw what is left, when the agent ends."""

_READS_MAX: Final = 32
_READ_BYTES: Final = 1 << 18


class Advertiser:
    """To be made while nothing is served yet: starting a process takes milliseconds of the loop. OSError when it cannot
    be started."""

    def __init__(self, directory: Path, state_dir: Path) -> None:
        self._loop = asyncio.get_running_loop()
        self._node: Node | None = None
        self._told: dict[str, int] = {}
        self._well: frozenset[str] = frozenset()
        self._lost = 0
        """Times that an adapter of this node was lost."""
        self._dirty = False
        self._renew: asyncio.TimerHandle | None = None
        self.view = NO_BGP
        """What people are told."""
        self._changed: Callable[[], None] = lambda: None
        self._gone = asyncio.Event()
        self._ending = False
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._socket.setblocking(False)
            words = [str(directory), str(state_dir / OWNER_NAME)]
            self._pid = spawn("vipa_agent.bgp.runner", words, theirs.fileno(), own_group=True)
        self._pidfd = os.pidfd_open(self._pid)
        self._loop.add_reader(self._socket, self._readable)
        self._loop.add_reader(self._pidfd, self._ended)

    # --- what the agent says

    def begin(self, node: Node, changed: Callable[[], None]) -> None:
        """The election knows what this node serves, what the agent before it served too. ``changed``: there is
        something new for people."""
        self._node, self._changed = node, changed
        self._well = serving.well(node)
        self._renewal()

    def happened(self, action: Transition | Notice) -> None:
        """The election reports something."""
        self._dirty |= isinstance(action, Transition)

    def look(self) -> None:
        """After a turn of the loop: tell what changed in it."""
        if self._node is None or self._ending:
            return
        well = serving.well(self._node)
        if well != self._well:
            self._lost += bool(self._well - well)
            self._well, self._dirty = well, True
        if self._dirty:
            self._tell()

    async def finish(self) -> None:
        """Withdraw all that is left, and wait for that a moment: the agent ends."""
        await self._end({"finish": True})

    async def leave(self) -> None:
        """A successor goes on with what FRR has."""
        await self._end({"leave": True})

    # --- the runner

    def _tell(self) -> None:
        assert self._node is not None
        now_s = boottime_s()
        wanted, next_s = serving.served(self._node, self._told, now_s)
        self._dirty = next_s <= now_s
        setting = {prefix: term for prefix, term in wanted.items() if self._told.get(prefix) != term}
        dropping = [prefix for prefix in self._told if prefix not in wanted]
        while self._send(_some(setting, dropping, self._lost)):
            for prefix in islice(setting, CHANGES_MAX):
                self._told[prefix] = setting[prefix]
            for prefix in dropping[:CHANGES_MAX]:
                del self._told[prefix]
            setting = dict(islice(setting.items(), CHANGES_MAX, None))
            dropping = dropping[CHANGES_MAX:]
            if not setting and not dropping:
                break
        else:
            self._dirty = True
        if next_s < now_s + RENEW_S:
            self._loop.call_later(next_s - now_s, self._again)

    def _again(self) -> None:
        self._dirty = True
        self.look()

    def _renewal(self) -> None:
        self._renew = self._loop.call_later(RENEW_S, self._renewal)
        self._again()

    def _send(self, message: dict[str, Any]) -> bool:
        try:
            self._socket.send(json.dumps(message).encode())
        except BlockingIOError:
            return False
        except OSError:  # it is gone: _ended says so in a moment
            return True
        return True

    def _readable(self) -> None:
        for _ in range(_READS_MAX):
            try:
                said = self._socket.recv(_READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                said = b""
            if not said:
                self._loop.remove_reader(self._socket)
                return
            self._news(msgspec.json.decode(said, type=BgpView))

    def _news(self, said: BgpView) -> None:
        if said.lapsed:
            log.warning("bgp: this agent stood still, so what it advertised was withdrawn; it says all anew")
            self._told.clear()
            self._again()
            return
        if said.reason != self.view.reason:
            say = log.info if said.reason == Reason.HEALTHY else log.warning
            say("bgp", reason=said.reason, detail=said.message)
        self.view = said
        self._changed()

    async def _end(self, message: dict[str, Any]) -> None:
        self._ending = True
        if self._renew is not None:
            self._renew.cancel()
        self._send(message)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._gone.wait(), END_S)
        if not self._gone.is_set():
            log.warning("bgp: FRR took too long to be told the last")
            os.kill(self._pid, signal.SIGKILL)  # not reaped yet, so the number is its own
            await self._gone.wait()  # nothing keeps a killed process

    def _ended(self) -> None:
        self._loop.remove_reader(self._pidfd)
        self._readable()
        os.waitpid(self._pid, 0)  # ended, as its descriptor says: does not wait
        os.close(self._pidfd)
        self._loop.remove_reader(self._socket)
        self._socket.close()
        self._gone.set()
        if not self._ending:
            self.view = BgpView(Reason.FRR_UNREACHABLE, "the process that talks to FRR ended")
            self._changed()
            log.error("bgp: the process that talks to FRR is gone: nothing is advertised or withdrawn until a restart")


def _some(setting: dict[str, int], dropping: list[str], lost: int) -> dict[str, Any]:
    first = dict(islice(setting.items(), CHANGES_MAX))
    return {"set": first, "drop": dropping[:CHANGES_MAX], "lost": lost, "lease_s": LEASE_S}
