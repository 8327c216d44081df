"""Changes of objects that are there. Core judges an object alone; what may become of it, only the API server."""

from typing import Final

from judged.case import Change
from judged.virtualips import GOOD

BEHIND_BR0: Final = {**GOOD, "attachment": {"type": "VirtualEthernet", "bridge": "br0"}}
BEHIND_BR1: Final = {**GOOD, "attachment": {"type": "VirtualEthernet", "bridge": "br1"}}
LIVES: Final = "where an address lives cannot be changed"

CHANGES: Final = (
    Change("VirtualIP", GOOD, {"addresses": ["10.1.1.8"]}),
    Change("VirtualIP", GOOD, {"pool": "office"}),
    Change("VirtualIP", GOOD, {**GOOD, "binding": "EveryCandidate", "partition": "Single"}),
    Change("VirtualIP", GOOD, {**GOOD, "attachment": {"type": "Host"}}),
    Change("VirtualIP", BEHIND_BR0, {**BEHIND_BR0, "paused": True}),
    Change("VirtualIP", GOOD, BEHIND_BR0, "spec.attachment", LIVES),
    Change("VirtualIP", BEHIND_BR0, GOOD, "spec.attachment", LIVES),
    Change("VirtualIP", BEHIND_BR0, BEHIND_BR1, "spec.attachment", LIVES),
    Change("VirtualIPNode", {"epoch": 7}, {"epoch": 7}),
    Change("VirtualIPNode", {"epoch": 7}, {"epoch": 9}),
    Change("VirtualIPNode", {}, {"epoch": 1}),
    Change("VirtualIPNode", {"epoch": 7}, {"epoch": 6}, "spec.epoch", "an epoch never goes back"),
    Change("VirtualIPNode", {"epoch": 7}, {}, "spec.epoch", "an epoch never goes back"),
)
