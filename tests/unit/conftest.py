"""Makes ``unit.fakes`` importable (test files import nothing from each other) and hands out a fresh net."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from unit.fakes.net import Net


@pytest.fixture
def net() -> Net:
    """A LAN without anybody on it yet."""
    return Net()
