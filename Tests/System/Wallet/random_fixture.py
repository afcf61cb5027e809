"""The random numbers of the wallet's tests, for the conftest.py of their folders."""
import random

import pytest
from red_rounds import SEED


@pytest.fixture
def chance():
    """Random numbers of a seed that a failed test prints."""
    print(f"BOURSE_SEED={SEED}")
    return random.Random(SEED)
