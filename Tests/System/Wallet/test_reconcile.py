"""Ledger and chain are compared at each record and block; what is missing stops withdrawals."""
import json
import subprocess
import time
from datetime import datetime

import pytest
from exchange import BIN
from litecoin import COIN
from red_keys import Thief
from wallet_bench import CONFIRMATIONS, FEE, KEY, WORDS, WalletBench

SECONDS_TO_STOP = 1.0


@pytest.fixture
def bench(tmp_path):
    wallet = WalletBench(tmp_path)
    try:
        wallet.begin()
        wallet.begin_signer()
        wallet.start_wallet()
        wallet.fund("ann", 2 * COIN, 3 * COIN)
        yield wallet
    finally:
        wallet.end()


def is_stopped(bench):
    return bench.ctl_json("wallet", "status")["assets"][0]["stopped"]


def await_books(bench, condition):
    return bench.await_(condition, lambda: bench.status
                        and bench.status["books"]["condition"] == condition
                        and bench.status["books"])


def logged(bench, kind):
    """When the records of a kind were written, in seconds."""
    lines = bench.ctl("journal", "dump", "--kind", kind, "--output", "json").stdout.splitlines()
    return [datetime.fromisoformat(json.loads(line)["time"]).timestamp() for line in lines]


def reconcile(bench):
    """What the verb prints: its status and its rows."""
    done = subprocess.run(
        [str(BIN / "boursectl"), "--config", str(bench.config), "--output", "json", "wallet",
         "reconcile", "LTC"], capture_output=True, text=True, timeout=60)
    return done.returncode, json.loads(done.stdout)


def test_what_came_in_is_there_and_what_went_out_is_not(bench):
    books = await_books(bench, "balanced")
    assert int(books["custody"]) == int(books["onChain"]) == 5 * COIN
    bench.withdraw("ann", bench.node.call("getnewaddress"), COIN)
    bench.await_paid()
    books = bench.await_("a new sum", lambda: bench.status["books"]["condition"] == "balanced"
                         and int(bench.status["books"]["onChain"]) < 4 * COIN
                         and bench.status["books"])
    status, rows = reconcile(bench)
    assert status == 0
    assert rows[0]["books"]["difference"] == "0" and rows[0]["books"]["coinsVanished"] == 0
    bench.await_("all are looked for", lambda: bench.status["books"]["block"] == bench.node.height)
    assert not is_stopped(bench)


def test_a_booking_by_hand_stops_withdrawals_within_a_second(bench):
    await_books(bench, "balanced")
    bench.ctl("credit", "ben", "LTC", "0.5", "--reference", "1", "--reason", "planted")
    bench.await_("a stop", lambda: is_stopped(bench))
    planted, stop = (logged(bench, kind)[-1] for kind in ("adjustBalance", "stopWithdrawals"))
    print(f"a booking to its stop: {stop - planted:.3f} s by the log's clock")
    assert stop - planted < SECONDS_TO_STOP
    books = await_books(bench, "short")
    assert int(books["difference"]) == -COIN // 2 and not books["isSound"]
    assert reconcile(bench)[0] == 1
    # Resumed while it is still so, they stop again.
    bench.ctl("wallet", "resume", "LTC", "--reason", "too early")
    bench.await_("a second stop", lambda: is_stopped(bench))
    # Taken back, they go on, and what is asked for is paid.
    bench.ctl("debit", "ben", "LTC", "0.5", "--reference", "2", "--reason", "taken back")
    await_books(bench, "balanced")
    bench.ctl("wallet", "resume", "LTC", "--reason", "mended")
    bench.withdraw("ann", bench.node.call("getnewaddress"), COIN)
    bench.await_paid()


def test_what_is_kept_elsewhere_counts(bench):
    bench.kill("walletd")
    bench.ctl("credit", "ben", "LTC", "7.25", "--reference", "1", "--reason", "cold storage")
    bench.set("walletd", "elsewhere", "LTC 7.25")
    bench.start_wallet()
    books = bench.await_("it is stated", lambda: bench.status
                         and int(bench.status["books"]["elsewhere"]) and bench.status["books"])
    assert books["condition"] == "balanced" and int(books["elsewhere"]) == 725 * COIN // 100
    assert not is_stopped(bench)


def steal(bench, name, units):
    """Spends an account's coin of so much as somebody else who has the seed."""
    address = bench.addresses[name]
    coin = next(coin for coin in bench.node.paid([address])[address] if coin[2] == units)
    return Thief(bench.node, WORDS).steal(coin[:2], units, bench.node.call("getnewaddress"))


def test_a_coin_that_is_spent_by_others_is_seen_in_its_block(bench):
    await_books(bench, "balanced")
    stolen = steal(bench, "ann", 2 * COIN)
    bench.node.mine()
    began = time.monotonic()
    bench.await_("a stop", lambda: is_stopped(bench))
    assert time.monotonic() - began < SECONDS_TO_STOP + 2
    books = await_books(bench, "coins vanished")
    assert stolen in books["text"] and int(books["vanished"]) == 2 * COIN
    status, rows = reconcile(bench)
    assert status == 1 and rows[0]["books"]["coinsVanished"] == 1
    # It stays known when its block is final, and after a start.
    bench.node.mine(CONFIRMATIONS + 1)
    bench.await_in_step()
    assert bench.status["books"]["condition"] == "coins vanished"
    bench.kill("walletd")
    bench.start_wallet()
    books = await_books(bench, "coins vanished")
    assert int(books["vanished"]) == 2 * COIN


def test_a_theft_that_a_reorganisation_takes_back_is_over(bench):
    await_books(bench, "balanced")
    steal(bench, "ann", 2 * COIN)
    block = bench.node.mine()[-1]
    await_books(bench, "coins vanished")
    bench.node.call("invalidateblock", block)
    # Without the transactions that wait.
    home = bench.node.call("getnewaddress")
    for _ in range(2):
        bench.node.call("generateblock", home, [])
    await_books(bench, "balanced")
    # An operator, who has looked into it, lets them go on.
    assert is_stopped(bench)


def test_a_rescan_credits_what_was_missed_and_nothing_twice(bench):
    await_books(bench, "balanced")
    # Deposits before the first block of the chain are not credited: here is one of them.
    bench.ctl("wallet", "chain", "set", "1", "litecoin-regtest", "--key", KEY, "--first-block",
              bench.node.height + CONFIRMATIONS + 2, "--yes")
    bench.node.pay(bench.addresses["ben"], 4 * COIN)
    bench.node.mine(CONFIRMATIONS + 3)
    bench.await_("it is read", lambda: bench.status["read"] == bench.node.height)
    first = bench.balances()
    assert first["ben"] == 0
    done = bench.ctl_json("wallet", "rescan", "LTC", "1", "--yes")
    assert done["creditedUpTo"] >= bench.node.height - CONFIRMATIONS + 1
    after = bench.balances()
    assert after == {**first, "ben": 4 * COIN}
    again = bench.ctl_json("wallet", "rescan", "LTC", "1", str(bench.node.height - 5), "--yes")
    assert again["creditedUpTo"] and bench.balances() == after
    refused = bench.ctl("wallet", "rescan", "LTC", str(bench.node.height + 5), "--yes", check=False)
    assert refused.returncode == 64 and "would never be credited" in refused.stderr
    bench.check()
    await_books(bench, "balanced")


def test_a_lost_coin_that_is_written_off_stops_nothing_any_more(bench):
    await_books(bench, "balanced")
    txid = steal(bench, "ann", 2 * COIN)
    (coin,) = bench.node.call("getrawtransaction", txid, True)["vin"]
    bench.node.mine(CONFIRMATIONS + 1)
    bench.await_("a stop", lambda: is_stopped(bench))
    bench.kill("walletd")
    bench.set("walletd", "written_off", f"{coin['txid']}:{coin['vout']}")
    bench.set("walletd", "elsewhere", "LTC 2")
    bench.start_wallet()
    bench.await_("balanced", lambda: bench.status["books"]["condition"] == "balanced"
                 and int(bench.status["books"]["onChain"]) == 3 * COIN)
    bench.ctl("wallet", "resume", "LTC", "--reason", "made up for")
    bench.withdraw("ann", bench.node.call("getnewaddress"), COIN)
    bench.await_paid()
    assert not is_stopped(bench)


def dropped(bench):
    """A withdrawal whose payment is dropped, and waits at the node all the same: its id, where it
    goes and the transaction. Neither wallet nor signer runs."""
    await_books(bench, "balanced")
    there = bench.node.call("getnewaddress")
    ident = bench.withdraw("ann", there, COIN)
    (txid,) = bench.await_("in the pool", lambda: bench.node.call("getrawmempool"))
    for daemon in ("walletd", "signerd"):
        bench.kill(daemon)
    bench.ctl("wallet", "drop", txid, "--force", "--confirm", txid)
    assert bench.withdrawals[ident]["status"] == "approved"
    return ident, there, txid


def test_a_dropped_payment_that_is_mined_is_adopted_as_what_it_pays(bench):
    ident, there, txid = dropped(bench)
    bench.start_wallet()
    bench.node.mine()
    # It is not adopted before it is final.
    books = await_books(bench, "coins vanished")
    assert txid in books["text"] and "wallet adopt" in books["text"]
    bench.await_("a stop", lambda: is_stopped(bench))
    bench.ctl("wallet", "adopt", "1", txid, "--yes")
    time.sleep(2)
    assert ident in bench.withdrawals
    bench.node.mine(CONFIRMATIONS - 1)
    # Nothing is signed meanwhile; the stop is an operator's to end.
    said = bench.await_("waits", lambda: bench.status["payouts"]["condition"] ==
                        "foreign transaction" and bench.status["payouts"])
    assert f"withdrawals {ident}" in said["text"] and "wallet resume" in said["text"]
    bench.start_signer()
    time.sleep(2)
    assert bench.withdrawals[ident]["status"] == "approved"
    bench.ctl("wallet", "resume", "LTC", "--reason", "it was dropped, and paid")
    bench.await_("adopted", lambda: not bench.withdrawals)
    bench.check_paid([(there, COIN)])
    bench.await_("balanced", lambda: bench.status["books"]["condition"] in
                 ("balanced", "house owes") and bench.status["books"]["vanished"] == "0")
    assert not is_stopped(bench)
    assert bench.balances()["ann"] == 5 * COIN - COIN - FEE
    # Its change is a coin as any other.
    assert bench.status["payouts"]["total"] == 5 * COIN - COIN - bench.node.fee(txid)
    assert bench.status["payouts"]["free"] == bench.status["payouts"]["total"]
    again = bench.node.call("getnewaddress")
    bench.withdraw("ann", again, 3 * COIN)
    bench.await_paid()
    bench.check_paid([(there, COIN), (again, 3 * COIN)])
    bench.ctl("wallet", "adopt", "1", txid, "--yes")
    bench.await_("refused", lambda: "is not adopted" in bench.log_tail("walletd", 50))


def test_a_dropped_payment_of_a_refused_withdrawal_is_adopted_and_booked_by_hand(bench):
    ident, there, txid = dropped(bench)
    bench.ctl("wallet", "refuse", ident, "--reason", "taken for lost")
    assert bench.balances()["ann"] == 5 * COIN
    bench.node.mine(CONFIRMATIONS + 2)
    height = bench.node.height - CONFIRMATIONS - 1
    bench.start_signer()
    bench.start_wallet()
    books = await_books(bench, "coins vanished")
    assert txid in books["text"]
    # After another start nobody knows in which block it was.
    bench.await_in_step()
    bench.kill("walletd")
    bench.start_wallet()
    await_books(bench, "coins vanished")
    bench.ctl("wallet", "adopt", "1", txid, "--yes")
    bench.await_("asked", lambda: "--block" in bench.log_tail("walletd", 50))
    bench.ctl("wallet", "adopt", "1", txid, "--block", height - 1, "--yes")
    bench.await_("not there", lambda: f"in block {height - 1}" in bench.log_tail("walletd", 50))
    bench.ctl("wallet", "adopt", "litecoin-regtest", txid, "--block", height, "--yes")
    bench.await_("adopted", lambda: "pays nobody who waits" in bench.log_tail("walletd", 50))
    # What it paid is missing until it is booked; its change is not.
    books = await_books(bench, "short")
    assert int(books["difference"]) == -COIN and int(books["vanished"]) == 0
    assert int(books["onChain"]) == 5 * COIN - COIN - bench.node.fee(txid)
    bench.ctl("debit", "ann", "LTC", "1", "--reference", "1", "--reason", "it had paid")
    bench.await_("balanced", lambda: bench.status["books"]["condition"] in
                 ("balanced", "house owes"))
    bench.ctl("wallet", "resume", "LTC", "--reason", "booked")
    again = bench.node.call("getnewaddress")
    bench.withdraw("ann", again, 3 * COIN)
    bench.await_paid()
    bench.check_paid([(there, COIN), (again, 3 * COIN)])


def test_what_is_not_the_wallets_is_not_adopted(bench):
    await_books(bench, "balanced")
    other = bench.node.pay(bench.node.call("getnewaddress"), COIN)
    bench.node.mine(CONFIRMATIONS)
    bench.await_in_step()
    bench.ctl("wallet", "adopt", "1", other, "--block", bench.node.height - 2, "--yes")
    bench.await_("refused", lambda: "not the wallet's by the log" in bench.log_tail("walletd", 50))
    assert bench.ctl("wallet", "adopt", "1", other, "--block", 0, "--yes",
                     check=False).returncode == 64
    assert bench.ctl("wallet", "adopt", "7", other, "--yes", check=False).returncode != 0


def test_an_elsewhere_of_no_asset_is_told(bench):
    bench.kill("walletd")
    bench.set("walletd", "elsewhere", "LTX 2")
    bench.start_wallet()
    bench.await_("told", lambda: "names LTX" in bench.status["books"]["text"])


def test_many_coins_are_all_looked_for_while_payments_spend_them(bench):
    address = bench.addresses["cid"]
    for _ in range(3):
        for _ in range(90):
            bench.node.pay(address, COIN // 100)
        bench.node.mine()
    bench.node.mine(CONFIRMATIONS)
    bench.await_in_step()
    assert bench.status["books"]["coins"] > 250
    for _ in range(3):
        bench.withdraw("cid", bench.node.call("getnewaddress"), COIN // 2)
        bench.mine_until("paid", lambda: not bench.withdrawals)
    bench.await_("all are looked for", lambda: bench.status["books"]["block"] == bench.node.height)
    # So many small inputs cost more than the withdrawals' fees.
    assert bench.status["books"]["condition"] in ("balanced", "house owes")
    assert not is_stopped(bench)
