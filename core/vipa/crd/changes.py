"""Rules about a change: what may not become of an object that is there (docs/design/0004-resources.md, "Changes")."""

from collections.abc import Mapping
from typing import Final

from vipa.crd.rule import Fault, Rule

CHANGE_RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    # Nodes learn of a change one after the other. In between, one would have the address bound on itself while another
    # answers ARP for the machine behind a bridge: the first swallows what the second is to forward.
    "VirtualIP.spec": (
        Rule(
            "self.attachment == oldSelf.attachment",
            "where an address lives cannot be changed; delete the VirtualIP and create it anew",
            ".attachment",
            Fault.FORBIDDEN,
        ),
    ),
    # The election takes the lower epoch for the older plan (rule 13): in duels and hand-overs the node would yield to
    # those that know less than it.
    "VirtualIPNodeSpec.epoch": (Rule("self >= oldSelf", "an epoch never goes back; write a higher one"),),
}
