"""An unmodified ccxt client gets an address, is paid there on a real chain, and sees its deposit."""
import sys
from pathlib import Path
from types import SimpleNamespace

import ccxt
import pytest
from wallet_bench import CONFIRMATIONS, WalletBench

sys.path.append(str(Path(__file__).resolve().parents[2] / "Clients" / "ccxt"))

from pointed import pointed  # noqa: E402


@pytest.fixture
def bench(tmp_path):
    made = WalletBench(tmp_path)
    try:
        made.begin()
        made.start("gatewayd")
        made.start_wallet()
        yield made
    finally:
        made.end()


def test_deposits_by_ccxt(bench):
    client = pointed(ccxt.binance, SimpleNamespace(url=bench.url))
    key = bench.add_key("ann", "read")
    client.apiKey, client.secret = key["keyID"], key["secret"]
    address = client.fetch_deposit_address("LTC")["address"]
    assert address == bench.addresses["ann"]
    paid = bench.node.pay(address, 123_456_789)
    bench.node.mine()
    [seen] = bench.await_("shown", lambda: client.fetch_deposits("LTC"))
    assert (seen["txid"], seen["amount"], seen["status"]) == (paid, 1.23456789, "pending")
    assert client.fetch_balance()["total"].get("LTC", 0) == 0
    bench.node.mine(CONFIRMATIONS - 1)
    bench.await_("credited", lambda: client.fetch_deposits("LTC")[0]["status"] == "ok")
    [deposit] = client.fetch_deposits("LTC")
    assert (deposit["txid"], deposit["amount"]) == (paid, 1.23456789)
    assert client.fetch_balance()["free"]["LTC"] == 1.23456789
    assert bench.check()["ann"] == 123_456_789
