"""A world for each test, ended whatever happens."""
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "tools")]

from world import World, host_state  # noqa: E402


@pytest.fixture
def idle(tmp_path):
    """Nothing started yet; the agent has a host to report."""
    made = World(tmp_path)
    made.agent.state = host_state()
    try:
        yield made
    finally:
        made.end_all()


@pytest.fixture
def world(idle):
    """Everything started."""
    return idle.start()
