"""walletd goes on from the coins that it saved, and reads the log where these are no good."""
import pytest
from wallet_bench import CONFIRMATIONS, WalletBench

COIN = 100_000_000


@pytest.fixture
def bench(tmp_path):
    made = WalletBench(tmp_path)
    try:
        made.begin()
        made.begin_signer()
        yield made
    finally:
        made.end()


def pay(bench, due):
    there = bench.node.call("getnewaddress")
    bench.withdraw("ann", there, COIN // 10)
    due.append((there, COIN // 10))
    bench.await_paid()
    bench.check_paid(due)


def test_saved_coins_are_those_of_the_log(bench):
    due = []
    coins = bench.state / "walletd.coins"
    bench.start_wallet()
    bench.fund("ann", COIN, COIN)
    pay(bench, due)
    assert bench.stop("walletd") == 0
    saved = coins.read_bytes()
    bench.start_wallet()
    pay(bench, due)
    assert "goes on behind record" in bench.log_tail("walletd", 50)
    # Killed, the older file is as good: the log has what came since.
    bench.kill("walletd")
    assert coins.read_bytes() == saved
    bench.start_wallet()
    pay(bench, due)
    assert bench.stop("walletd") == 0
    # One that is damaged, and one whose log would be longer than this one.
    newest = coins.read_bytes()
    assert newest != saved
    coins.write_bytes(newest[:-1])
    bench.start_wallet()
    pay(bench, due)
    assert "not whole" in bench.log_tail("walletd", 50)
    total = bench.status["payouts"]["total"]
    assert bench.stop("walletd") == 0
    bench.start_wallet()
    bench.await_in_step()
    bench.await_("sums", lambda: bench.status["payouts"]["total"] == total)


def test_coins_of_another_journal_are_not_used(bench, tmp_path):
    bench.start_wallet()
    bench.fund("ann", COIN)
    assert bench.stop("walletd") == 0
    other = WalletBench(tmp_path / "other")
    try:
        other.begin()
        other.start_wallet()
        other.fund("ann", COIN)
        assert other.stop("walletd") == 0
        (bench.state / "walletd.coins").write_bytes((other.state / "walletd.coins").read_bytes())
    finally:
        other.end()
    bench.start_wallet()
    pay(bench, [])
    assert "another journal" in bench.log_tail("walletd", 50)
    bench.node.mine(CONFIRMATIONS)
    bench.await_in_step()
