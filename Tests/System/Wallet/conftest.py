"""Lets the tests here read and write the Link's bytes."""
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "Faults"), str(HERE)]

from random_fixture import chance  # noqa: E402, F401
