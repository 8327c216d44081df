"""Planning must not cost VIPs × nodes. Bounds are twenty times what a slow machine took: they catch a wrong order of
growth, not a slow day."""

import time

from vipa.plan import Plan
from vipa.planner import InterfaceView, NodeView, World, plan
from vipa.resources import ObjectMeta, VirtualIP, VirtualIPSpec


def world(nodes: int, vips: int, lans: int) -> World:
    return World(
        tuple(
            VirtualIP(
                metadata=ObjectMeta(name=f"v{i}"),
                spec=VirtualIPSpec((f"10.{i % lans}.{200 + i // lans // 250}.{i // lans % 250 + 1}",)),
            )
            for i in range(vips)
        ),
        (),
        tuple(
            NodeView(
                f"n{i}",
                {},
                (InterfaceView("eth1", (f"10.{i % lans}.{i // lans // 250}.{i // lans % 250 + 1}/16",)),),
            )
            for i in range(nodes)
        ),
    )


def timed(nodes: int, vips: int, lans: int) -> tuple[float, Plan]:
    given = world(nodes, vips, lans)
    start = time.perf_counter()
    planned = plan(given)
    return time.perf_counter() - start, planned


def test_a_thousand_nodes_and_ten_thousand_vips() -> None:
    took_s, planned = timed(1000, 10_000, 20)
    assert len(planned.vips) == 10_000
    assert took_s < 20


def test_all_of_them_on_one_lan() -> None:
    took_s, planned = timed(1000, 10_000, 1)
    assert len(planned.vips) == 10_000
    assert took_s < 30
