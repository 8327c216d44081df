"""Every reason has its paragraph for operators, and the paragraphs know no other words."""

import re
from pathlib import Path

from vipa.reasons import Reason

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


def paragraphs() -> dict[str, str]:
    """Text under each level-three heading."""
    parts = re.split(r"^### (\w+)$", OPERATIONS.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_reason_has_a_paragraph() -> None:
    assert set(Reason) - paragraphs().keys() == set()


def test_every_paragraph_has_a_reason_and_says_something() -> None:
    assert paragraphs().keys() - set(Reason) == set()
    assert [word for word, text in paragraphs().items() if len(text.split("\n## ")[0].split()) < 8] == []


def test_no_heading_stands_twice() -> None:
    words = re.findall(r"^### (\w+)$", OPERATIONS.read_text(), flags=re.MULTILINE)
    assert len(words) == len(set(words))
