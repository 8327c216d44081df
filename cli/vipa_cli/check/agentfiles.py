"""What an agent needs of the disk: a state folder it can write to, and a key that is nobody else's."""

import os
import stat
import tempfile
from pathlib import Path

from vipa.errors import ConfigError, KeyFileError
from vipa_agent.keyfile import read_keys
from vipa_cli.check.finding import Finding, fail, ok, warn


def state_dir(path: Path) -> Finding:
    """The folder, or the nearest one above it that is there, is written to for a moment."""
    nearest = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    effect = "the agent has no status socket and no lock, so it does not start"
    if not nearest.is_dir():
        return fail("state folder", f"{nearest} is no folder", f"move it, or give --state-dir: {path}", effect)
    try:
        descriptor, name = tempfile.mkstemp(prefix=".vipa-check-", dir=nearest)
        os.close(descriptor)
        Path(name).unlink()
    except OSError as error:
        found = f"{path} cannot be written to ({nearest}: {error.strerror})"
        return fail("state folder", found, "mount it writable, or give the agent another --state-dir", effect)
    return ok("state folder", f"{path} can be written to")


def key_file(path: Path) -> list[Finding]:
    """The heartbeat key. Secrets are never part of what is said."""
    try:
        keys = read_keys(path)
        status = path.stat()
    except (ConfigError, KeyFileError, OSError) as error:
        remedy = f"(umask 077; echo k1:$(openssl rand -hex 32) > {path}), the same on every node"
        return [fail("heartbeat key", str(error).removeprefix("--key-file: "), remedy, "the agent does not start")]
    mode = stat.S_IMODE(status.st_mode)
    found = []
    if mode & (stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP) or (mode & stat.S_IRGRP and status.st_gid != 0):
        who = "anybody" if mode & (stat.S_IROTH | stat.S_IWOTH) else "a group of users"
        verb = "write" if mode & (stat.S_IWOTH | stat.S_IWGRP) else "read"
        found.append(
            warn(
                "heartbeat key",
                f"{who} on this machine can {verb} {path} (mode {mode:04o})",
                f"chmod 600 {path}; when it may have been read: new keys, docs/operations.md",
                "who knows the key can forge heartbeats, and so take virtual IPs away",
            )
        )
    if status.st_uid not in (0, os.geteuid()):
        found.append(
            warn(
                "heartbeat key",
                f"{path} belongs to user {status.st_uid}, not to root",
                f"chown root: {path}",
                "that user can change it, so that this node and the others no longer hear each other",
            )
        )
    return found or [ok("heartbeat key", f"{path} holds {len(keys)}, and only its owner can read it")]
