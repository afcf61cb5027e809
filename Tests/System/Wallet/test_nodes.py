"""Nodes that are not what they should be, with a withdrawal that waits and a deposit that came: an
alarm each time, nothing credited, nothing sent twice, and it goes on by itself once the node is
right again. And a coin of the wallet's that somebody else spent with its keys."""
import shutil
import time

import pytest
from chain_ledger import ChainLedger, Theft
from node_lies import Lie, failed, result
from red_keys import Thief
from wallet_bench import CONFIRMATIONS, FEE, KEY, WORDS, WalletBench

COIN = 100_000_000


@pytest.fixture
def bench(tmp_path):
    with WalletBench(tmp_path).signing() as made:
        yield made


def test_nodes_that_are_pruned_of_another_network_syncing_or_short(bench):
    lie = Lie(bench)
    try:
        bench.start_wallet()
        bench.fund("ann", COIN, COIN, COIN, COIN)
        due = [
            # What Bitcoin Core says, and Litecoin Core.
            lie.holds(lambda said, call: said if call["method"] != "getblock" else failed(
                -1, "Block not available (pruned data)") | {"id": said["id"]}, "no node", 100_001),
            lie.holds(lambda said, call: said if call["method"] != "getblockhash"
                      or call["params"] != [0] else said | result(said["result"][::-1]),
                      "no node", 100_002),
            lie.holds(lambda said, call: said if call["method"] != "getblockchaininfo" else said
                      | result(said["result"] | {"headers": said["result"]["headers"] + 5}),
                      "node syncing", 100_003),
        ]
        bench.check_paid(due)
        paid = sum(units + FEE for _, units in due)
        assert bench.balances()["ann"] == 4 * COIN - paid
        ledger = ChainLedger(bench.node, KEY).read()
        ledger.check_paid(due)
    finally:
        lie.proxy.close()


def test_a_node_that_was_restored_from_an_older_copy(bench, tmp_path):
    bench.start_wallet()
    bench.fund("ann", COIN, COIN)
    node, older, newer = bench.node, tmp_path / "older", tmp_path / "newer"
    node.flush()
    node.call("stop")
    node.process.wait(60)
    shutil.copytree(node.folder, older)
    node.start()
    bench.fund("ben", COIN)
    there = node.call("getnewaddress")
    bench.withdraw("ann", there, COIN // 2)
    bench.await_paid()
    node.call("stop")
    node.process.wait(60)
    node.folder.rename(newer)
    shutil.copytree(older, node.folder)
    node.start()
    said = bench.await_condition("node behind")
    assert not said["isSound"]
    second = node.call("getnewaddress")
    bench.withdraw("ann", second, COIN // 4)
    time.sleep(2)
    assert bench.withdrawals and not node.call("getrawmempool")
    # It goes on from there by itself: the chain is another one, and withdrawals stop.
    node.pay(bench.addresses["ben"], COIN)
    node.mine(30)
    said = bench.await_condition("forked")
    assert not said["isSound"]
    bench.await_("stopped", lambda: any(
        row["stopped"] for row in bench.ctl_json("wallet", "status")["assets"]))
    assert bench.balances()["ben"] == COIN and not node.call("getrawmempool")
    # The right one comes back, and an operator resumes.
    node.call("stop")
    node.process.wait(60)
    shutil.rmtree(node.folder)
    newer.rename(node.folder)
    node.start()
    bench.await_("in step", lambda: bench.status["condition"] == "in step")
    assert bench.withdrawals and not node.call("getrawmempool")
    bench.ctl("wallet", "resume", "LTC", "--reason", "the node was restored")
    bench.await_paid()
    bench.await_in_step()
    ChainLedger(node, KEY).read().check_paid([(there, COIN // 2), (second, COIN // 4)])


def test_a_coin_that_was_spent_with_the_keys_elsewhere_is_seen(bench):
    bench.start_wallet()
    bench.fund("ann", COIN)
    ledger = ChainLedger(bench.node, KEY)
    (coin, amount), = ledger.read().coins.items()
    there = bench.node.elsewhere()
    bench.withdraw("ann", there, COIN // 2)
    bench.await_("in the pool", lambda: bench.node.call("getrawmempool"))
    bench.kill("walletd")
    # The pool loses the payment, and the thief's spends its coin.
    bench.node.flush()
    bench.node.kill()
    (bench.node.folder / "regtest" / "mempool.dat").unlink(missing_ok=True)
    bench.node.start()
    assert not bench.node.call("getrawmempool")
    stolen = Thief(bench.node, WORDS).steal(coin, amount, bench.node.elsewhere())
    bench.node.mine()
    bench.start_wallet()
    payouts = bench.await_("it is seen", lambda: bench.status and not (
        found := bench.status["payouts"])["isSound"] and found)
    print(payouts["condition"], payouts["text"])
    bench.node.mine(2 * CONFIRMATIONS)
    bench.await_("read", lambda: bench.status["read"] == bench.node.height)
    (open_,) = bench.withdrawals.values()
    assert open_["status"] == "signed" and not bench.status["payouts"]["isSound"]
    # Nothing else is paid in its place; and what the chain has is no payment of the wallet's.
    ledger.read()
    assert list(ledger.payments) == [stolen] and not bench.node.call("getrawmempool")
    with pytest.raises(Theft):
        ledger.check_owed([(there, COIN // 2)])
