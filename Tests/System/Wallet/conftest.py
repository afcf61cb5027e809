"""Lets the tests here read and write the Link's bytes."""
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Faults"))


@pytest.fixture
def chance():
    """Random numbers of a seed that a failed test prints."""
    from red_rounds import SEED
    print(f"BOURSE_SEED={SEED}")
    return random.Random(SEED)
