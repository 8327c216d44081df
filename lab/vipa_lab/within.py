"""This thread on a visit to a machine's network.

:meth:`vipa_lab.namespace.Namespace.call` has a thread that lives there, and that one cannot start threads, since it
makes its children in another PID namespace (clone(2), CLONE_THREAD). What starts threads goes there by itself.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from vipa_lab.host import Host
from vipa_lab.syscalls import CLONE_NEWNET, setns

_T = TypeVar("_T")


@contextmanager
def inside(host: Host) -> Iterator[None]:
    """The block runs in the machine's network namespace; sockets opened there stay there."""
    outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(host.namespace.fd, CLONE_NEWNET)
        yield
    finally:
        setns(outside, CLONE_NEWNET)
        os.close(outside)


def within(host: Host, function: Callable[[], _T]) -> _T:
    """Run ``function`` there and give back its result or raise its exception."""
    with inside(host):
        return function()
