"""One object with the judgement that core and the API server must agree on."""

import re
from dataclasses import dataclass
from typing import Any, Final

from vipa.resources.meta import API_VERSION

Body = dict[str, Any]
NAME: Final = "judged"


@dataclass(frozen=True, slots=True)
class Case:
    """An object of ``kind`` with ``body`` (spec, status). Accepted when ``field`` is empty: then core finds nothing, or
    only what is NotSupportedYet. Otherwise core names ``field``, and the API server names ``api_field`` (left out: the
    same, or the list it stands in) and says ``says``, which for a CEL rule is how its message begins."""

    kind: str
    body: Body
    field: str = ""
    says: str = ""
    api_field: str = ""
    name: str = NAME

    @property
    def object(self) -> Body:
        """As it is sent."""
        return {"apiVersion": API_VERSION, "kind": self.kind, "metadata": {"name": self.name}, **self.body}

    @property
    def place(self) -> str:
        """Where the API server is to see it, with [] for any entry: ``spec.addresses[]``."""
        return re.sub(r"\[\d+\]", "[]", self.api_field or self.field)

    def __str__(self) -> str:
        return f"{self.kind} {self.body}"


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of an object's spec; refused with ``says`` at ``field``, or accepted when that is empty."""

    kind: str
    before: Body
    after: Body
    field: str = ""
    says: str = ""

    @property
    def place(self) -> str:
        """As :attr:`Case.place`."""
        return self.field

    def __str__(self) -> str:
        return f"{self.kind} {self.before} -> {self.after}"


def names(found: str, wanted: str) -> bool:
    """Whether the field ``found`` in an answer is ``wanted`` or the list that it is an entry of."""
    return found == wanted or wanted.startswith(f"{found}[")
