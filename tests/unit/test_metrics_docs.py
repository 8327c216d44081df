"""docs/metrics.md tells what the programs serve: every metric, its kind and its labels, and nothing else."""

import re
from collections import Counter
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from vipa.reasons import Reason
from vipa.remote.groups import Table
from vipa.remote.hearing import Hop
from vipa_agent.metrics import Metrics, Picture
from vipa_operator.metrics import Metrics as OperatorMetrics
from vipa_router.metrics import RouterMetrics

TEXT = (Path(__file__).parents[2] / "docs/metrics.md").read_text()
Told = dict[str, tuple[str, set[str]]]


def of_agent() -> CollectorRegistry:
    metrics = Metrics(now=lambda: 1.0)
    up, sent = {"10.1.1.1": True}, {"10.1.1.1": 2}
    metrics.show(
        Picture({("erp", "eth1"): True}, {"eth1": True}, {"erp": False}, {"erp": True}, {"g1": "eth1"}, {}, up, sent)
    )
    metrics.transition("erp", Reason.TOP_OF_LIST)
    metrics.announcements("eth1", "sent")
    metrics.heartbeats("sent", "sent")
    metrics.repaired("address")
    metrics.notifications("/etc/vipa/hook", "done")
    metrics.api_heard()
    return metrics.registry


def of_operator() -> CollectorRegistry:
    metrics = OperatorMetrics()
    metrics.show({})
    return metrics.registry


def of_router() -> CollectorRegistry:
    metrics = RouterMetrics(Counter(accepted=1))
    hop = Hop("10.1.1.4", "eth1")
    metrics.changed(Table({hop: 1}, {2: (hop,)}, {"10.1.1.7": 2}))
    return metrics.registry


def served(registry: CollectorRegistry) -> Told:
    """Name, as it is asked for in a query, to kind and labels."""
    found: Told = {}
    for family in registry.collect():
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[family.name + "_total" * (family.type == "counter")] = (family.type, labels)
    return found


def documented(section: str) -> Told:
    text = TEXT.split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(vipa_\w+)` \| (\w+) \|([^|]*)\|", text, re.MULTILINE)
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


@pytest.mark.parametrize(
    ("section", "registry"), [("Agent", of_agent()), ("Operator", of_operator()), ("Router", of_router())]
)
def test_every_metric_is_told_with_its_kind_and_labels(section: str, registry: CollectorRegistry) -> None:
    assert documented(section) == served(registry)


def test_alerts_are_on_metrics_that_exist() -> None:
    known = documented("Agent").keys() | documented("Operator").keys() | documented("Router").keys()
    asked = set(re.findall(r"vipa_[a-z_]+", TEXT.split("\n## What to alert on\n")[1]))
    assert len(asked) > 5
    assert asked <= known
