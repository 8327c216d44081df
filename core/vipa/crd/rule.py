"""One rule in the Common Expression Language that the API server judges objects by (``x-kubernetes-validations``)."""

from enum import StrEnum

import msgspec


class Fault(StrEnum):
    """How the API server classes a refusal; a client sees the word. There is no FieldValueDuplicate: the API server
    leaves out the message of a rule that has it."""

    INVALID = "FieldValueInvalid"
    FORBIDDEN = "FieldValueForbidden"
    REQUIRED = "FieldValueRequired"


class Rule(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """``rule`` is true of what is right. ``message`` is one sentence that says what is wrong and what would be right;
    ``field_path`` names the field below the value that the rule stands at, ".pool". Encoded, it is the API server's
    spelling. There is no messageExpression: one that tells what to write instead, string(ip(self)), makes a text of
    whose length the API server knows no bound, and is refused as too costly."""

    rule: str
    message: str
    field_path: str = ""
    reason: Fault = Fault.INVALID

    def or_empty(self) -> "Rule":
        """The same for a text that may be empty, which means the same as left out."""
        return msgspec.structs.replace(self, rule=f"self == '' || ({self.rule})")


def fullmatch(pattern: str, of: str = "self") -> str:
    """CEL: the text ``of`` is one of ``pattern`` from its first to its last character."""
    return f"{of}.matches({quoted(f'^({pattern})$')})"


def quoted(text: str) -> str:
    """``text`` as a literal of CEL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
