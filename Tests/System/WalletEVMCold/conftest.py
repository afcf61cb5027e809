"""The modules of these tests stand beside those of UTXO chains, whose benches they share."""
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "Faults"), str(HERE.parent / "Wallet")]

from random_fixture import chance  # noqa: E402, F401
