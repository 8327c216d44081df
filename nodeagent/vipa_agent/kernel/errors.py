"""What can go wrong between the agent and the kernel, on one screen."""

import errno
import os


class KernelError(Exception):
    """Base of everything this package raises; the message is one sentence for people."""


class LibraryMissing(KernelError):
    """libnftables could not be loaded."""


class Unsupported(KernelError):
    """The request is well-formed but this build or this kernel cannot do it."""


class NetlinkRefused(KernelError):
    """The kernel answered a netlink request with an error. ``code`` is the errno."""

    def __init__(self, code: int, what: str) -> None:
        hint = " (CAP_NET_ADMIN is needed)" if code == errno.EPERM else ""
        super().__init__(f"{what}: {os.strerror(code)}{hint}")
        self.code = code


class RulesetRefused(KernelError):
    """nftables refused set-up text; the message carries nft's own words."""
