"""Makes ``unit.fakes`` importable (test files import nothing from each other) and hands out a fresh net."""

import sys
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parents[1]))

from unit.fakes.apiserver import FakeCluster, three_nodes
from unit.fakes.net import Net

# No example is too slow: what a busy machine makes of it says nothing of the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture
def net() -> Net:
    """A LAN without anybody on it yet."""
    return Net()


@pytest.fixture
def three() -> FakeCluster:
    """Three nodes, and a virtual IP that the first serves."""
    return three_nodes()
