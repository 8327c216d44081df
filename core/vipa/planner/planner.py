"""The planner: a world in, a plan out. Pure, and independent of the order of its input: two planners agree."""

from vipa.plan import Plan, PlannedVip
from vipa.planner.incremental import Planner
from vipa.planner.world import World


def plan(world: World) -> Plan:
    """All successions of ``world`` by rule 1, sorted by name, and a refusal for every object not accepted.

    Each VIP is judged alone: a refused one changes nothing for the others. Health never enters. Never raises on
    typed input.
    """
    planner = Planner()
    planner.update(
        vips={v.metadata.name: v for v in world.vips},
        lists={p.metadata.name: p for p in world.lists},
        nodes=world.nodes,
        refused=world.refused,
    )
    answers = [planner.answers[name] for name in sorted(planner.answers)]
    vips = tuple(answer for answer in answers if isinstance(answer, PlannedVip))
    return Plan(world.epoch, vips, planner.refusals())
