"""A program running on a machine of the lab: start, kill, freeze, thaw, end, and what it wrote."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from vipa_lab.errors import LabError
from vipa_lab.namespace import Namespace

# What the agent needs and no more; the lab starts agents with just these (docs: "Runs with NET_ADMIN + NET_RAW only").
AGENT_CAPABILITIES: Final = ("net_admin", "net_raw")

# SIGSTOP takes effect when the process next enters the kernel: microseconds, but a busy machine may need longer.
_FREEZE_TIMEOUT_S: Final = 5.0
_OUTPUT_POLL_S: Final = 0.005


class Process:
    """One program. Its output (both streams) goes to ``log``. ``capabilities`` limits what it may ever do."""

    def __init__(
        self,
        namespace: Namespace,
        argv: Sequence[str],
        log: Path,
        *,
        capabilities: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.argv = list(argv)
        self.log = log
        command = self.argv if capabilities is None else [*_limit(capabilities), *self.argv]
        with log.open("ab") as output:
            self._popen = namespace.popen(command, output, None if env is None else {**os.environ, **env})

    @property
    def pid(self) -> int:
        """As seen from the lab (inside its machine it has another)."""
        return self._popen.pid

    @property
    def alive(self) -> bool:
        """True while it has not ended; frozen counts as alive."""
        return self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while alive; negative is the signal that ended it."""
        return self._popen.poll()

    def output(self) -> str:
        """All it has written so far."""
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone. Nothing happens when it already is."""
        self._signal(signal.SIGKILL)
        self._popen.wait()

    def terminate(self, timeout_s: float = 5.0) -> int:
        """SIGTERM and wait; gives the exit code. LabError, after a SIGKILL, when it does not end in time."""
        self._signal(signal.SIGTERM)
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise LabError(f"{self._name} did not end within {timeout_s:g} s of SIGTERM and was killed") from None

    def freeze(self) -> None:
        """SIGSTOP, and wait until it really stands still."""
        self._signal(signal.SIGSTOP)
        deadline = time.monotonic() + _FREEZE_TIMEOUT_S
        while not is_stopped(self.pid):
            if not self.alive or time.monotonic() > deadline:
                raise LabError(f"{self._name} could not be frozen: {self._state()}")
            time.sleep(0.0005)

    def thaw(self) -> None:
        """SIGCONT: it goes on as if no time had passed."""
        self._signal(signal.SIGCONT)

    def wait(self, timeout_s: float) -> int:
        """Wait until it ends by itself; LabError with its last words when it does not."""
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self._name} still runs after {timeout_s:g} s: {self.last_words()}") from None

    def wait_output(self, text: str, timeout_s: float) -> None:
        """Wait until it has written ``text``; LabError with its last words when it ends or does not."""
        deadline = time.monotonic() + timeout_s
        while text not in self.output():
            if not self.alive or time.monotonic() > deadline:
                raise LabError(f"{self._name} did not say {text!r} within {timeout_s:g} s: {self.last_words()}")
            time.sleep(_OUTPUT_POLL_S)

    def last_words(self, characters: int = 2000) -> str:
        """The end of what it wrote, and how it ended: for messages."""
        return f"{self._state()}; last output:\n{self.output()[-characters:]}"

    @property
    def _name(self) -> str:
        return f"process {self.pid} ({self.log.stem})"

    def _state(self) -> str:
        code = self.exit_code
        return "it is running" if code is None else f"it ended with {code}"

    def _signal(self, number: int) -> None:
        # Programs are leaders of their own session, so the group is the program and its helpers.
        if self.alive:
            os.killpg(self.pid, number)


def is_stopped(pid: int) -> bool:
    """True when a process that was sent SIGSTOP will run nothing more (or is gone): it is stopped, or in an
    uninterruptible wait and stops before it leaves it (a shell between vfork and its stopped child's exec does so)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    # The state follows the name, which is in brackets and may hold anything (proc(5)).
    return text.rpartition(")")[2].split()[0] in "TDZX"


def processes_with(text: str) -> dict[int, str]:
    """Processes of this machine, but this one, whose command line or environment holds ``text``: by pid, the command
    line. Whoever sets a variable for a program finds all that it started."""
    found: dict[int, str] = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = Path(f"/proc/{entry}/cmdline").read_bytes()
            environment = Path(f"/proc/{entry}/environ").read_bytes()
        except OSError:
            continue  # it ended meanwhile, or is another user's
        if text.encode() in command + environment and int(entry) != os.getpid():
            found[int(entry)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def _limit(capabilities: Sequence[str]) -> list[str]:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise LabError("setpriv is missing: install util-linux")
    # Root's rights after exec are those of the bounding set (capabilities(7)), so limiting it is enough.
    wanted = ",".join(["-all", *(f"+{name}" for name in capabilities)])
    return [setpriv, f"--bounding-set={wanted}", "--inh-caps=-all", "--"]


def processor_s(pid: int) -> float:
    """Seconds of processor time that a process's threads took so far; finer than the 10 ms of /proc/PID/stat."""
    nanoseconds = (path.read_text().split()[0] for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(map(int, nanoseconds)) / 1e9
