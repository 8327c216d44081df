"""What an agent does first: it takes over what the kernel still serves from before, and removes the rest (rule 8)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from vipa.election import events as ev

if TYPE_CHECKING:
    from vipa_sim.duties import Duties
    from vipa_sim.process import Process
    from vipa_sim.transactions import Commit


def take_stock(process: Process, duties: Duties) -> Generator[Commit, bool, list[ev.HeldAtStart]]:
    """Renew what is still alive; un-elect and unbind the rest."""
    held: list[ev.HeldAtStart] = []
    saved, kernel = process.machine.saved, process.kernel
    for interface, permit_s in saved.permits.items():
        started, asked_s = process.now, process.engine.now
        ok = yield duties.commit("Adopt", lambda i=interface, p=permit_s: _renew(process, i, p))  # type: ignore[misc]
        process.world.trace.note(process.machine.name, "adopt", interface, ok, asked_s)
        for address, where in sorted(kernel.elected):
            if where == interface and ok and (address, where) not in kernel.steady:
                term = saved.terms.get(address, 0)
                held.append(ev.HeldAtStart((address,), interface, started + permit_s, term))
    for address, where in sorted(kernel.steady):
        held.append(ev.HeldAtStart((address,), where, None, saved.terms.get(address, 0)))
    kept = {event.addresses[0] for event in held}
    copies = {address for vip in process.machine.plan.vips if vip.everywhere for address in vip.addresses}
    process.audit.bound = {address: where for address, where in kernel.bound.items() if address in kept}
    for address in sorted(set(kernel.bound) - copies | {a for a, _ in kernel.elected}):
        if address not in kept:
            yield duties.commit("CleanUp", lambda a=address: _drop(process, a))  # type: ignore[misc]
    return held


def _renew(process: Process, interface: str, permit_s: float) -> bool:
    now = process.engine.now
    return process.machine.permit_set(interface, process.kernel.renew(interface, process.until(permit_s), now))


def _drop(process: Process, address: str) -> bool:
    for _, interface in [key for key in process.kernel.elected if key[0] == address]:
        process.kernel.revoke((address,), interface)
    if not any(vip.everywhere and address in vip.addresses for vip in process.machine.plan.vips):
        process.kernel.unbind((address,))
    return True
