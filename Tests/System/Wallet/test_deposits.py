"""Deposits on a real Litecoin node: each is credited once, whatever is killed and wherever."""
import os
import random

import pytest
from kills import killed_at
from link_watch import DEPOSIT_COMMANDS
from wallet_bench import CONFIRMATIONS, KEY, NAMES, WalletBench

ROUNDS = int(os.environ.get("BOURSE_WALLET_ROUNDS", "12"))
SEED = int(os.environ.get("BOURSE_SEED", random.randrange(1 << 32)))


@pytest.fixture
def bench(tmp_path):
    made = WalletBench(tmp_path)
    try:
        made.begin()
        yield made
    finally:
        made.end()


def test_a_deposit_is_shown_and_credited_after_its_confirmations(bench):
    bench.start_wallet()
    bench.node.pay(bench.addresses["ann"], 150_000_001)
    bench.node.mine()
    bench.await_("pending", lambda: bench.status and bench.status["pending"] == 1)
    assert bench.balances()["ann"] == 0
    shown = bench.ctl("wallet", "status")
    assert "1 deposits wait for confirmations" in shown.stdout and not shown.stderr
    bench.node.mine(CONFIRMATIONS - 2)
    bench.await_("read", lambda: bench.status["read"] == bench.node.height)
    assert bench.balances()["ann"] == 0
    bench.node.mine()
    assert bench.check() == {"ann": 150_000_001, "ben": 0, "cid": 0}
    assert bench.stop("walletd") == 0
    assert "no connection to matchd" in bench.ctl("wallet", "status").stderr
    # What came while it was away.
    bench.node.pay(bench.addresses["ben"], 70_000)
    bench.node.mine(CONFIRMATIONS)
    bench.start_wallet()
    assert bench.check()["ben"] == 70_000


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", DEPOSIT_COMMANDS)
def test_killed_at_each_command_it_credits_once(bench, tmp_path, point, when):
    for name in NAMES:
        bench.node.pay(bench.addresses[name], 1_000_000)
    bench.node.mine()
    with killed_at(bench, tmp_path, point, when) as watch:
        if point == "note":
            assert watch.has_struck.wait(60)
        bench.node.mine(CONFIRMATIONS)
    bench.start_wallet()
    assert set(bench.check().values()) == {1_000_000}


def test_random_kills_and_reorganisations(bench):
    print(f"BOURSE_SEED={SEED}")
    chance = random.Random(SEED)
    bench.start_wallet()
    for _ in range(ROUNDS):
        for _ in range(chance.randrange(3)):
            bench.node.pay(bench.addresses[chance.choice(NAMES)], chance.randrange(10_000, 10**8))
        mined = bench.node.mine(chance.randrange(1, 4))
        match chance.choice(["walletd", "matchd", "node", "reorganise", "none"]):
            case "walletd":
                bench.kill("walletd")
                bench.start_wallet()
            case "matchd":
                bench.kill("matchd")
                bench.start("matchd")
            case "node":
                bench.node.flush()
                bench.node.kill()
                bench.node.start()
            case "reorganise":
                # Short of the confirmations: what was in these blocks is mined again.
                bench.node.call("invalidateblock", mined[-1])
                bench.node.mine(2)
    bench.node.mine(CONFIRMATIONS)
    due = bench.check()
    assert sum(due.values()) > 0
    bench.check_alive()


def test_a_reorganisation_behind_the_confirmations_stops_and_says_so(bench):
    bench.start_wallet()
    bench.node.pay(bench.addresses["ann"], 500_000)
    [block] = bench.node.mine()
    bench.node.mine(CONFIRMATIONS)
    bench.check()
    bench.node.call("invalidateblock", block)
    bench.node.call("generateblock", bench.node.home, [])
    for _ in range(CONFIRMATIONS + 3):
        bench.node.call("generateblock", bench.node.home, [])
    bench.node.pay(bench.addresses["ben"], 900_000)
    bench.node.mine(CONFIRMATIONS)
    said = bench.await_condition("forked")
    assert "wallet chain set" in said["text"] and not said["isSound"]
    assert bench.balances() == {"ann": 500_000, "ben": 0, "cid": 0}
    # Withdrawals of the asset are stopped with it.
    bench.await_("stopped", lambda: any(
        row["asset"] == "LTC" and row["stopped"] for row in bench.ctl_json("wallet", "status")
        ["assets"]))
    # It goes on by itself once the node is on the old chain again.
    other = bench.node.call("getblockhash", said["credited"])
    bench.node.call("reconsiderblock", block)
    bench.node.call("invalidateblock", other)
    bench.node.mine(12)
    assert bench.check()["ann"] == 500_000


def test_a_chain_that_is_set_again_is_read_from_there(bench):
    """While walletd catches up, and again when it is in step."""
    for name in NAMES:
        bench.node.pay(bench.addresses[name], 40_000)
    bench.node.mine(200)
    again = ["wallet", "chain", "set", "1", "litecoin-regtest", "--key", KEY, "--yes"]
    bench.ctl(*again, "--first-block", "250")
    bench.start_wallet()
    bench.ctl(*again, "--first-block", "150")
    bench.ctl(*again, "--first-block", "1")
    assert set(bench.check().values()) == {40_000}
    bench.ctl(*again, "--first-block", "2")
    assert set(bench.check().values()) == {40_000}


def test_a_node_that_is_away_or_another_chain_s_credits_nothing(bench):
    bench.start_wallet()
    bench.await_in_step()
    bench.node.flush()
    bench.node.kill()
    said = bench.await_condition("no node")
    assert "127.0.0.1" in said["text"]
    bench.node.start()
    bench.await_condition("in step")
    bench.stop("walletd")
    bench.set("walletd", "nodes", bench.node.setting.replace("litecoin-regtest", "litecoin"))
    bench.start_wallet()
    said = bench.await_condition("unusable")
    assert "[walletd] nodes" in said["text"]


def test_closed_deposits_wait_and_come_when_it_opens(bench):
    network = ["wallet", "network", "set", "LTC", "1"]
    bench.ctl(*network, "--no-deposits")
    bench.start_wallet()
    bench.node.pay(bench.addresses["cid"], 250_000)
    bench.node.mine(CONFIRMATIONS + 2)
    bench.await_("seen", lambda: bench.status and bench.status["pending"] == 1
                 and bench.status["read"] == bench.node.height)
    assert bench.status["condition"] == "closed" and bench.balances()["cid"] == 0
    bench.ctl(*network, "--deposits")
    assert bench.check()["cid"] == 250_000


@pytest.mark.parametrize("nodes, said", [
    ("dogecoin=http://127.0.0.1:1", "there is no chain dogecoin"),
    ("litecoin=ftp://127.0.0.1:1", "is no address of a node"),
    ("litecoin=https://127.0.0.1:1", "nodes have no TLS"),
    ("litecoin", "expected each chain once"),
    (" ".join(f"litecoin=http://127.0.0.1:{port}" for port in (1, 2, 3)),
     "expected each chain once or twice"),
])
def test_settings_of_nodes_that_cannot_be(exchange, nodes, said):
    exchange.set("walletd", "nodes", nodes)
    exchange.spawn("walletd")
    assert exchange.running.pop("walletd").wait(30) == 78
    assert said in exchange.log_tail("walletd")
