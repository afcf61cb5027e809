"""Deposits on a real EVM chain: each is credited once, by what its address has, whatever is killed
and wherever."""
import os
import random
import sys
from pathlib import Path
from types import SimpleNamespace

import ccxt
import pytest
from evm_bench import KIND, UNIT, WEI, EVMWalletBench
from exchange import Refused
from kills import killed_at
from link_watch import DEPOSIT_COMMANDS
from wallet_bench import CONFIRMATIONS, NAMES

sys.path.append(str(Path(__file__).resolve().parents[2] / "Clients" / "ccxt"))

from pointed import pointed  # noqa: E402

ROUNDS = int(os.environ.get("BOURSE_WALLET_ROUNDS", "12"))
SEED = int(os.environ.get("BOURSE_SEED", random.randrange(1 << 32)))


@pytest.fixture
def bench(tmp_path):
    made = EVMWalletBench(tmp_path)
    try:
        made.begin()
        yield made
    finally:
        made.end()


def test_deposits_by_ccxt(bench):
    bench.start("gatewayd")
    bench.start_wallet()
    client = pointed(ccxt.binance, SimpleNamespace(url=bench.url))
    key = bench.add_key("ann", "read")
    client.apiKey, client.secret = key["keyID"], key["secret"]
    address = client.fetch_deposit_address("ETH")["address"]
    # One address for the chain's coin and its tokens, with the checksum in its letters' case.
    assert address == client.fetch_deposit_address("TST")["address"] == bench.addresses["ann"]
    assert address.startswith("0x") and address not in (address.lower(), address.upper())
    paid = bench.node.pay(address, 1_234_567_890_000_000_001)
    token = bench.pay("ann", 2_500_001, "TST")
    bench.node.mine()
    [seen] = bench.await_("shown", lambda: client.fetch_deposits("ETH"))
    assert (seen["txid"], seen["amount"], seen["status"]) == (paid, 1.23456789, "pending")
    assert client.fetch_balance()["total"].get("ETH", 0) == 0
    bench.node.mine(CONFIRMATIONS - 1)
    for code, txid, amount in (("ETH", paid, 1.23456789), ("TST", token, 2.500001)):
        bench.await_("credited", lambda: client.fetch_deposits(code)[0]["status"] == "ok")
        [deposit] = client.fetch_deposits(code)
        assert (deposit["txid"], deposit["amount"]) == (txid, amount)
        assert client.fetch_balance()["free"][code] == amount
    assert client.fetch_deposits("ETH", params={"txId": paid})[0]["txid"] == paid
    bench.check()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", DEPOSIT_COMMANDS)
def test_killed_at_each_command_it_credits_once(bench, tmp_path, point, when):
    for name in NAMES:
        bench.pay(name, 1_000_000)
        bench.pay(name, 2_000_000, "TST")
    bench.node.mine()
    with killed_at(bench, tmp_path, point, when) as watch:
        if point == "note":
            assert watch.has_struck.wait(60)
        bench.node.mine(CONFIRMATIONS)
    # The node goes as well.
    bench.node.kill()
    bench.node.start()
    bench.start_wallet()
    due = bench.check()
    assert set(due["ETH"].values()) == {1_000_000} and set(due["TST"].values()) == {2_000_000}


def test_random_kills_and_reorganisations(bench):
    print(f"BOURSE_SEED={SEED}")
    chance = random.Random(SEED)
    bench.start_wallet()
    for _ in range(ROUNDS):
        before = bench.node.call("evm_snapshot")
        for _ in range(chance.randrange(3)):
            bench.pay(chance.choice(NAMES), chance.randrange(10_000, 10**8))
        for _ in range(chance.randrange(2)):
            bench.pay(chance.choice(NAMES), chance.randrange(1, 10**8), "TST")
        bench.node.mine(chance.randrange(1, CONFIRMATIONS))
        match chance.choice(["walletd", "matchd", "node", "reorganise", "none"]):
            case "walletd":
                bench.kill("walletd")
                bench.start_wallet()
            case "matchd":
                bench.kill("matchd")
                bench.start("matchd")
            case "node":
                bench.node.kill()
                bench.node.start()
            case "reorganise":
                # Short of the confirmations: what was in these blocks is gone, and less comes.
                bench.node.call("evm_revert", before)
                bench.pay(chance.choice(NAMES), chance.randrange(10_000, 10**8))
                bench.node.mine(CONFIRMATIONS - 1)
    bench.pay("cid", 77)
    bench.node.mine(CONFIRMATIONS)
    due = bench.check()
    assert sum(due["ETH"].values()) > 0
    bench.check_alive()


def test_a_reorganisation_behind_the_confirmations_stops_and_says_so(bench):
    bench.start_wallet()
    before = bench.node.call("evm_snapshot")
    bench.pay("ann", 500_000)
    bench.node.mine(CONFIRMATIONS)
    bench.check()
    old = bench.node.call("evm_snapshot")
    bench.node.call("evm_revert", before)
    bench.pay("ben", 900_000)
    bench.node.mine(2 * CONFIRMATIONS)
    said = bench.await_condition("forked")
    assert "wallet chain set" in said["text"] and not said["isSound"]
    assert bench.balances() == {"ann": 500_000, "ben": 0, "cid": 0}
    # Withdrawals of all its assets are stopped with it.
    bench.await_("stopped", lambda: {row["asset"] for row in bench.ctl_json("wallet", "status")
                                     ["assets"] if row["stopped"]} == {"ETH", "TST"})
    # It goes on by itself once the node is on the old chain again.
    bench.node.call("evm_revert", old)
    bench.node.mine(CONFIRMATIONS)
    assert bench.check()["ETH"]["ann"] == 500_000


def test_what_the_balance_shows_is_credited_and_not_what_a_log_says(tmp_path):
    bench = EVMWalletBench(tmp_path)
    try:
        bench.begin(FEE="FeeToken", LIE="LyingToken", OLD="SilentToken", BAD="RefusingToken")
        bench.start_wallet()
        for code in ("FEE", "LIE", "OLD", "BAD"):
            bench.pay("ann", 1_000, code)
        # By a contract's internal call: no transaction names the address.
        payer = bench.node.deploy("Payer")
        bench.node.run(payer, "payAndFail(address)", bench.addresses["ben"], value=5 * WEI)
        # A token that nobody listed.
        other = bench.node.deploy("Token")
        bench.node.run(other, "transfer(address,uint256)", bench.addresses["ann"], 5_000)
        bench.node.mine(CONFIRMATIONS)
        bench.await_in_step()
        assert [bench.balances(code)["ann"] for code in ("FEE", "LIE", "OLD", "BAD", "TST")] == [
            900, 0, 1_000, 0, 0]
        assert bench.balances() == dict.fromkeys(NAMES, 0)
        bench.await_("remarks", lambda: "less arrived" in bench.log_tail("walletd", 100))
        bench.check()
    finally:
        bench.end()


def test_less_than_a_unit_is_credited_to_nobody_and_much_is_exact(bench):
    bench.start_wallet()
    bench.node.pay(bench.addresses["ann"], UNIT - 1)
    bench.node.pay(bench.addresses["ben"], 900_000 * WEI + 1)
    bench.node.mine(CONFIRMATIONS)
    bench.await_in_step()
    assert bench.balances() == {"ann": 0, "ben": 900_000 * WEI // UNIT, "cid": 0}


def test_an_asset_that_is_not_listed_stops_its_chain(bench):
    bench.ctl("asset", "add", "NEW", "--scale", 6)
    network = ["wallet", "network", "set", "NEW", "1", "--name", "ETH", "--confirmations", "3",
               "--minimum", "1", "--fee", "0"]
    with pytest.raises(Refused, match="does not say what NEW is"):
        bench.ctl(*network)
    setting = bench.config.read_text()
    assets = f"NEW=ethereum-regtest:{bench.node.deploy('Token')}:6"
    bench.set("walletd", "assets", f"ETH=ethereum-regtest {assets}")
    bench.ctl(*network)
    # This host's list lacks it: its blocks would be checked without it.
    bench.config.write_text(setting)
    bench.start_wallet()
    said = bench.await_condition("unusable")
    assert "NEW" in said["text"] and "assets" in said["text"]
    bench.kill("walletd")
    bench.set("walletd", "assets", f"ETH=ethereum-regtest TST=ethereum-regtest:"
              f"{bench.tokens['TST']}:6 {assets}")
    bench.pay("ann", 70_000)
    bench.node.mine(CONFIRMATIONS)
    bench.start_wallet()
    assert bench.check()["ETH"]["ann"] == 70_000


def test_an_asset_whose_contract_has_other_decimals_stands_still_alone(tmp_path):
    bench = EVMWalletBench(tmp_path)
    try:
        bench.begin(ODD="Token")
        right = bench.config.read_text()
        # Its contract has 6.
        bench.config.write_text(right.replace(
            f"{bench.tokens['ODD']}:6", f"{bench.tokens['ODD']}:8"))
        bench.begin_signer(f"{KIND} 1000 0, {KIND}:TST 1000000 0, {KIND}:ODD 1000000 0")
        bench.supply()
        bench.start_wallet()
        first = bench.node.height
        for code in ("ODD", "TST", "ETH"):
            bench.pay("ann", 5_000_000, code)
        bench.node.mine(CONFIRMATIONS)
        bench.await_in_step()
        assert [bench.balances(code)["ann"] for code in ("ODD", "TST", "ETH")] == [
            0, 5_000_000, 5_000_000]
        said = bench.await_books("not comparable", "ODD")
        assert "6 decimals by its contract and 8 by" in said["text"] and not said["isSound"]
        assert not bench.is_stopped("ODD"), "it is not missing"
        # What was credited before, or is booked by hand, is not paid either; the others are.
        bench.ctl("credit", "ann", "ODD", "9", "--reference", "x", "--reason", "test")
        there = [bench.address(), bench.address(), bench.address()]
        for address, code in zip(there, ("ODD", "TST", "ETH")):
            bench.withdraw("ann", address, 2_000_000, code)
        bench.mine_until("the others are paid", lambda: len(bench.withdrawals) == 1)
        bench.await_("said", lambda: "6 decimals" in bench.payouts.get("text", ""))
        assert bench.node.balance(there[0], bench.tokens["ODD"]) == 0
        bench.await_books("balanced", "TST")
        # Corrected, it goes on, and nothing is lost.
        for daemon in ("walletd", "signerd"):
            bench.kill(daemon)
        bench.config.write_text(bench.config.read_text().replace(
            f"{bench.tokens['ODD']}:8", f"{bench.tokens['ODD']}:6"))
        bench.start_signer()
        bench.start_wallet()
        bench.ctl("wallet", "rescan", "ODD", first, "--yes")
        bench.await_("credited", lambda: bench.balances("ODD")["ann"] >= 5_000_000)
        bench.await_paid()
        assert bench.node.balance(there[0], bench.tokens["ODD"]) == 2_000_000
    finally:
        bench.end()


@pytest.mark.parametrize("fault", [1, 2, 3])
def test_a_token_that_breaks_stops_nothing_else(tmp_path, fault):
    bench = EVMWalletBench(tmp_path)
    try:
        bench.begin(BAD="BrokenToken")
        bench.begin_signer(f"{KIND} 1000 0, {KIND}:TST 1000000 0, {KIND}:BAD 1000000 0")
        bench.supply()
        bench.start_wallet()
        bench.pay("ann", 7_000_000, "BAD")
        bench.node.mine(CONFIRMATIONS)
        bench.await_("credited", lambda: bench.balances("BAD")["ann"] == 7_000_000)
        bench.node.run(bench.tokens["BAD"], "damage(uint256)", fault)
        bench.node.mine()
        for code in ("BAD", "TST", "ETH"):
            bench.pay("ann", 5_000_000, code)
        bench.node.mine(CONFIRMATIONS)
        bench.await_in_step()
        assert [bench.balances(code)["ann"] for code in ("BAD", "TST", "ETH")] == [
            7_000_000, 5_000_000, 5_000_000]
        bench.await_("remark", lambda: "does not say its balance" in
                     bench.log_tail("walletd", 100))
        there = [bench.address(), bench.address(), bench.address()]
        for address, code in zip(there, ("BAD", "TST", "ETH")):
            bench.withdraw("ann", address, 2_000_000, code)
        bench.mine_until("the others are paid", lambda: len(bench.withdrawals) == 1)
        bench.await_("said", lambda: "the contract of BAD does not say" in
                     bench.payouts.get("text", ""))
        said = bench.await_books("coins not seen", "BAD")
        assert "the contract of BAD does not say" in said["text"] and not said["isSound"]
        for code in ("TST", "ETH"):
            bench.await_whole(code)
        # Repaired, it goes on as before; what could not be paid was left out for a minute.
        bench.node.run(bench.tokens["BAD"], "damage(uint256)", 0)
        bench.kill("walletd")
        bench.start_wallet()
        bench.mine_until("paid", lambda: not bench.withdrawals)
        assert bench.node.balance(there[0], bench.tokens["BAD"]) == 2_000_000
        bench.await_books("balanced", "BAD")
        assert bench.balances("BAD")["ann"] == 5_000_000 - 100
        # What came while it was broken is on the chain, and an operator's to book.
        bench.ctl("credit", "ann", "BAD", "5", "--reference", "x", "--reason", "seen")
        bench.await_("booked", lambda: bench.balances("BAD")["ann"] == 10_000_000 - 100)
        bench.await_books("balanced", "BAD")
    finally:
        bench.end()


def test_a_wrong_setting_is_refused_at_the_start(bench):
    for assets in ("ETH", "ETH=bitcoin", "ETH=ethereum-regtest:0x00:6", "A=ethereum B=ethereum"):
        bench.set("walletd", "assets", assets)
        bench.start_wallet()
        assert bench.running.pop("walletd").wait(60) != 0
        assert "walletd.assets" in bench.log_tail("walletd")


def test_addresses_are_found_and_checked(bench):
    address = bench.addresses["ben"]
    found = bench.ctl_json("wallet", "address", "find", address.lower())
    assert (found["account"], found["address"]) == ("ben", address)
    for wrong in (address.swapcase().replace("0X", "0x"), "0x" + "00" * 20, address[:-1]):
        with pytest.raises(Refused):
            bench.ctl("wallet", "withdraw", "ben", "ETH", "1", wrong, "1")
