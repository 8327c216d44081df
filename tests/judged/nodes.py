"""VirtualIPNodes: what the operator assigns and the agent reports."""

from typing import Any, Final

from judged.case import Case

KIND: Final = "VirtualIPNode"
ETH1: Final = {"name": "eth1", "addresses": ["10.1.1.4/24", "fd00::4/64", "fe80::4/64"]}


def assigned(*addresses: str, field: str = "", says: str = "", **fields: object) -> Case:
    """A case of a node with an assignment of these addresses."""
    assignment = {"name": "erp", "addresses": list(addresses), "succession": [{"address": "10.1.1.4"}], **fields}
    return Case(KIND, {"spec": {"epoch": 7, "assignments": [assignment]}}, field, says)


def reported(*interfaces: dict[str, Any], field: str = "", says: str = "", api_field: str = "") -> Case:
    """A case of a node that reports these interfaces."""
    return Case(KIND, {"status": {"interfaces": list(interfaces)}}, field, says, api_field)


ENTRY: Final = "status.interfaces[1]"
DELAY: Final = "spec.assignments[0].failback.delay"
AT: Final = "spec.assignments[0].addresses[0]"

CASES: Final = (
    Case(KIND, {}),
    Case(KIND, {"spec": {}}, name="w1.example.com"),
    Case(KIND, {"spec": {"epoch": -1}}, "spec.epoch", "should be greater than or equal to 0"),
    assigned("10.1.1.7"),
    assigned("10.1.1.7", "fd00::7"),
    *(
        assigned(text, field=AT, says="not a unicast address")
        for text in ("10.1.1.300", "10.1.1.7/24", "FD00::7", "127.0.0.1", "224.0.0.1", "0.1.2.3", "255.255.255.255", "")
    ),
    assigned("10.1.1.7", "10.1.1.8", "10.1.1.9", field="spec.assignments[0].addresses", says="Too many"),
    assigned("10.1.1.7", failback={"policy": "Delayed", "delay": "1m30s"}),
    assigned("10.1.1.7", failback={"delay": "30"}, field=DELAY, says="no duration"),
    assigned("10.1.1.7", failback={"delay": "25h"}, field=DELAY, says="longer than a day"),
    Case(KIND, {"spec": {"assignments": [{}]}}, "spec.assignments[0].name", "Required value"),
    reported(ETH1, {"name": "eth2"}),
    reported(ETH1, {"name": "eth1"}, field=f"{ENTRY}.name", says="Duplicate value", api_field=ENTRY),
    reported({"name": ""}, field="status.interfaces[0].name", says="should be at least 1 chars long"),
    reported({"addresses": []}, field="status.interfaces[0].name", says="Required value"),
    *(
        reported({"name": "eth1", "addresses": [text]}, field="status.interfaces[0].addresses[0]", says="cidr")
        for text in ("10.1.1.4", "10.1.1.4/33", "x/24", "10.1.1.4/", "fe80::4%eth1/64")
    ),
)
