"""FRR on a machine of the lab: zebra, bfdd and bgpd out of Debian's package, without its scripts.

The daemons' sockets are in the machine's own /run/frr, where the package's are. They run as root, not as the user frr:
in a user namespace there is no other. FRR wants its user to be in the group frrvty, so they see an /etc/group by which
root is.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from vipa_lab.errors import LabError
from vipa_lab.host import Host
from vipa_lab.process import Process
from vipa_lab.until import until

_PROGRAMS: Final = Path("/usr/lib/frr")
# zebra first: the others are its clients and try again only after seconds.
_DAEMONS: Final = ("zebra", "bfdd", "bgpd")
_IN_GROUP: Final = ("unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/group && exec "$@"')
_START_S: Final = 20.0
BFD_PROFILE: Final = "fast"


def get_frr() -> None:
    """Debian's package is there, or is installed now, as root. LabError in one line when it cannot be had: what needs
    FRR fails then, it is never left out."""
    if (_PROGRAMS / "bgpd").exists():
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        for words in ("update", "install -y --no-install-recommends frr"):
            subprocess.run(["apt-get", "-qq", *words.split()], env=environment, check=False, capture_output=True)
    if not (_PROGRAMS / "bgpd").exists():
        raise LabError("FRR is missing, and BGP cannot be tested without it: 'apt install frr' as root")


class Frr:
    """``bgp``: lines of bgpd.conf. Started at once; :meth:`stop` it, or let the machine lose its power."""

    def __init__(self, host: Host, bgp: str) -> None:
        get_frr()
        self.host = host
        self.run_dir = host.run_dir / "frr"
        self._bgp = bgp
        self.daemons: dict[str, Process] = {}
        self.start()

    def start(self) -> None:
        """All daemons, with the configuration they had at first."""
        configurations = {"zebra": "", "bfdd": _BFD, "bgpd": self._bgp}
        folder = self.host.dir / "frr"
        for path in (folder, self.run_dir):
            path.mkdir(exist_ok=True)
        groups = folder / "group"
        groups.write_text("root:x:0:\nfrrvty:x:0:root\n")
        for daemon in _DAEMONS:
            file = folder / f"{daemon}.conf"
            file.write_text(configurations[daemon])
            # the names under which the machine itself sees its /run
            own = ["--vty_socket", "/run/frr", "-i", f"/run/frr/{daemon}.pid", "-z", "/run/frr/zserv.api"]
            more = ["--bfdctl", "/run/frr/bfdd.sock"] if daemon == "bfdd" else []
            command = [
                *_IN_GROUP,
                str(groups),
                str(_PROGRAMS / daemon),
                "-u",
                "root",
                "-g",
                "root",
                "-f",
                str(file),
                "-P",
                "0",
                *own,
                *more,
            ]
            self.daemons[daemon] = self.host.start(command, daemon)
            vty = self.run_dir / f"{daemon}.vty"
            until(vty.exists, lambda d=daemon: f"{d} runs: {self.daemons[d].last_words()}", _START_S)  # type: ignore[misc]

    def stop(self) -> None:
        """All of it, without a farewell."""
        for process in self.daemons.values():
            process.kill()
        shutil.rmtree(self.run_dir, ignore_errors=True)

    def show(self, command: str) -> str:
        """What bgpd prints."""
        return self.host.run(["vtysh", "--vty_socket", "/run/frr", "-d", "bgpd", "-c", command])


_BFD: Final = f"bfd\n profile {BFD_PROFILE}\n  receive-interval 50\n  transmit-interval 50\n  detect-multiplier 3\n"
