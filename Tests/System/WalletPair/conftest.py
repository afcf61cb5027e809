"""Two hosts with a wallet, made once for the suite, as each test goes on where one ended."""
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "Pair"), str(HERE.parent / "Wallet")]

from wallet_pair import WalletPair  # noqa: E402


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Both hosts in sync with a funded wallet; host a leads."""
    made = WalletPair(tmp_path_factory.mktemp("pair"))
    try:
        made.begin()
        yield made
    finally:
        made.end()
