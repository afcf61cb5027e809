"""Lets the tests of each folder import its modules and the tools all system tests share."""
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "Crash"), str(HERE.parent / "tools")]

from exchange import Exchange  # noqa: E402


@pytest.fixture
def exchange(tmp_path):
    """An exchange with a state directory, nothing started yet; ended whatever happens."""
    made = Exchange(tmp_path / "state")
    try:
        yield made.init()
    finally:
        made.end()
