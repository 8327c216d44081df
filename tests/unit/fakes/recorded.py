"""The recorded objects of a small cluster, for what the cluster commands conclude from objects."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Object = dict[str, Any]
RECORDED: dict[str, list[Object]] = json.loads((Path(__file__).parents[2] / "recorded" / "cluster.json").read_text())


def vip(name: str = "erp", change: Callable[[Object], object] = lambda _: None) -> Object:
    """A VirtualIP after ``change``."""
    found = copy.deepcopy(next(v for v in RECORDED["VirtualIP"] if v["metadata"]["name"] == name))
    change(found)
    return found
