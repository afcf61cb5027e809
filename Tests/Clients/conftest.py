"""One exchange for all tests of a client: demo markets, two funded demo accounts, quiet books."""
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))

from exchange import Exchange  # noqa: E402


class Venue:
    """The running exchange and the demo accounts' keys."""

    def __init__(self, exchange, keys):
        self.exchange = exchange
        self.url = exchange.url
        self.keys = keys  # account → (key id, secret)

    def key(self, account):
        return self.keys[account]


@pytest.fixture(scope="session")
def venue(tmp_path_factory):
    exchange = Exchange(tmp_path_factory.mktemp("venue") / "state")
    try:
        exchange.init().start()
        demo = exchange.demo()
        yield Venue(exchange, {row["account"]: (row["keyID"], row["secret"])
                               for row in demo["accounts"]})
        exchange.check_alive()
        codes = exchange.stop_all()
        assert set(codes.values()) == {0}, f"exit codes {codes}"
    finally:
        exchange.end()
