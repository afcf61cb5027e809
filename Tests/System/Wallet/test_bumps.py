"""Payments that wait for their block, on a real Litecoin node: they are replaced for a higher fee,
either may be mined, and what can never be final is seen."""
import subprocess
import time

import pytest
from exchange import BIN
from link_watch import LinkWatch
from signer_watch import SignerWatch
from wallet_bench import CONFIRMATIONS, FEE, KEY, WORDS, WalletBench
from wallet_keys import deposit_key

COIN = 100_000_000


@pytest.fixture
def bench(tmp_path, request):
    # Litecoin's nodes replace nothing unless they are told to.
    options = getattr(request, "param", ["-mempoolreplacement=1"])
    with WalletBench(tmp_path, *options).signing() as made:
        yield made


def restart(bench, seconds):
    """Starts the wallet, which replaces payments after so many seconds."""
    if "walletd" in bench.running:
        bench.kill("walletd")
    bench.set("walletd", "bump_seconds", seconds)
    bench.start_wallet()


def pay(bench):
    """One withdrawal whose payment is in the pool; its id, its address and the transaction."""
    bench.fund("ann", COIN, COIN)
    there = bench.node.call("getnewaddress")
    ident = bench.withdraw("ann", there, COIN // 2)
    (txid,) = bench.await_("in the pool", lambda: bench.node.call("getrawmempool"))
    return ident, there, txid


def payments(bench, ident):
    return [one["transaction"] for one in bench.withdrawals[ident]["payments"]]


def await_replaced(bench, ident, count):
    """Blocks pass its payment over until it was replaced so often."""
    deadline = time.monotonic() + 60
    while len(payments(bench, ident)) < count:
        assert time.monotonic() < deadline, bench.status
        bench.node.call("generateblock", bench.node.home, [])
        time.sleep(0.5)
    return payments(bench, ident)[-1]


def in_pool(bench, txid):
    return bench.node.call("getrawmempool") == [txid]


def check(bench, there, txid):
    """That this transaction is final and everything else gone."""
    bench.await_("settled", lambda: not bench.withdrawals)
    bench.check_paid([(there, COIN // 2)])
    assert bench.balances()["ann"] == 2 * COIN - COIN // 2 - FEE
    left = 2 * COIN - COIN // 2 - bench.node.fee(txid)
    payouts = bench.await_("sums", lambda: bench.status["payouts"]["total"] == left
                           and bench.status["payouts"])
    assert payouts["free"] == left and payouts["open"] == 0 and payouts["isSound"]


@pytest.mark.parametrize("mined", ["first", "second", "last"])
def test_a_payment_is_replaced_twice_and_any_of_them_settles(bench, mined):
    restart(bench, 0)
    ident, there, first = pay(bench)
    raw = {first: bench.node.call("getrawtransaction", first)}
    fees = [bench.node.call("getmempoolentry", first)["fee"]]
    restart(bench, 2)
    for count in (2, 3):
        await_replaced(bench, ident, count)
        restart(bench, 0)
        newest = payments(bench, ident)[-1]
        bench.await_("the newest is in the pool", lambda: in_pool(bench, newest))
        raw[newest] = bench.node.call("getrawtransaction", newest)
        fees.append(bench.node.call("getmempoolentry", newest)["fee"])
        if count == 2:
            restart(bench, 2)
    assert [float(fee) for fee in fees] == sorted({float(fee) for fee in fees}), fees
    chosen = {"first": 0, "second": 1, "last": len(raw) - 1}[mined]
    txid = list(raw)[chosen]
    bench.node.call("generateblock", bench.node.home, [raw[txid]])
    bench.node.mine(CONFIRMATIONS - 1)
    check(bench, there, txid)


def test_an_operator_has_a_payment_replaced_and_a_restart_goes_on(bench):
    restart(bench, 0)
    ident, there, first = pay(bench)
    assert bench.ctl_json("wallet", "bump", ident)["payments"] == [first]
    bench.await_("replaced", lambda: len(payments(bench, ident)) == 2)
    bench.kill("walletd")
    # A node that has lost its pool gets the newest one only.
    bench.node.flush()
    bench.node.kill()
    (bench.node.folder / "regtest" / "mempool.dat").unlink(missing_ok=True)
    bench.node.start()
    bench.start_wallet()
    newest = payments(bench, ident)[-1]
    bench.await_("the newest is in the pool", lambda: in_pool(bench, newest))
    assert bench.status["payouts"]["isSound"], bench.status
    bench.node.mine(CONFIRMATIONS)
    check(bench, there, newest)


@pytest.mark.parametrize("bench", [[]], indirect=True)
def test_a_node_that_replaces_nothing_is_reported_and_no_more_are_signed(bench):
    restart(bench, 1)
    ident, there, first = pay(bench)
    await_replaced(bench, ident, 2)
    payouts = bench.await_("said", lambda: bench.status["payouts"]["condition"] == "slow"
                           and bench.status["payouts"])
    assert "mempoolreplacement" in payouts["text"] and in_pool(bench, first)
    time.sleep(5)
    assert len(payments(bench, ident)) == 2
    bench.node.mine(CONFIRMATIONS)
    check(bench, there, first)


def test_killed_around_the_signature_of_a_replacement_it_pays_once(bench):
    restart(bench, 0)
    ident, there, _ = pay(bench)
    for _ in range(4):
        bench.ctl("wallet", "bump", ident)
        time.sleep(1.2)
        bench.kill("signerd")
        bench.kill("walletd")
        bench.start_signer()
        bench.start_wallet()
    count = len(payments(bench, ident))
    assert 2 <= count <= 5
    bench.await_paid()
    bench.check_paid([(there, COIN // 2)])


@pytest.mark.parametrize("point", ["signature", "log"])
def test_a_block_that_comes_while_a_payment_is_replaced_settles_it(bench, tmp_path, point):
    restart(bench, 0)
    ident, there, first = pay(bench)
    raw = bench.node.call("getrawtransaction", first)
    bench.kill("walletd")
    bench.set("walletd", "bump_seconds", 1)
    time.sleep(1)

    def block():
        bench.node.call("generateblock", bench.node.home, [raw])
    if point == "signature":
        # Signed, and the answer lost with a block that has the payment.
        watch = SignerWatch(tmp_path / "watch", bench.state / "run" / "signer.sock", "after",
                            block)
        bench.start_wallet(signer=tmp_path / "watch")
    else:
        watch = LinkWatch(tmp_path / "watch", bench.state / "run" / "match.sock", "sign", "after",
                          block)
        bench.start_wallet(tmp_path / "watch")
    try:
        # Blocks that pass the payment over make it due.
        deadline = time.monotonic() + 60
        while not watch.has_struck.wait(0.5):
            assert time.monotonic() < deadline, bench.log_tail("walletd")
            if bench.status and bench.status["condition"] == "in step":
                bench.node.call("generateblock", bench.node.home, [])
        bench.await_("read", lambda: bench.status["read"] == bench.node.height)
        time.sleep(3)
        assert bench.status["payouts"]["isSound"], bench.status
        assert len(payments(bench, ident)) == (1 if point == "signature" else 2)
        bench.node.mine(CONFIRMATIONS - 1)
        check(bench, there, first)
    finally:
        watch.close()


def spend(bench, name, txid, index=0):
    """Spends a coin of the wallet's by its seed, as a thief would: the transaction's bytes."""
    script = bench.node.call("validateaddress", bench.addresses[name])["scriptPubKey"]
    output = bench.node.call("gettxout", txid, index, False)
    assert output["scriptPubKey"]["hex"] == script
    # To nobody's script: the node's wallet would broadcast what pays to it again.
    away = bench.node.call("decodescript", "51")["segwit"]["addresses"][0]
    raw = bench.node.call(
        "createrawtransaction", [{"txid": txid, "vout": index}],
        [{away: f"{float(output['value']) - 0.001:.8f}"}])
    keys = [deposit_key(WORDS, number) for number in range(1, 6)]
    signed = bench.node.call("signrawtransactionwithkey", raw, keys)
    assert signed["complete"], signed
    return signed["hex"]


def test_a_coin_that_is_spent_elsewhere_is_seen(bench):
    restart(bench, 2)
    bench.fund("ann", COIN)
    there = bench.node.call("getnewaddress")
    bench.withdraw("ann", there, COIN // 2)
    (txid,) = bench.await_("in the pool", lambda: bench.node.call("getrawmempool"))
    (coin,) = bench.node.call("getrawtransaction", txid, True)["vin"]
    theft = spend(bench, "ann", coin["txid"], coin["vout"])
    bench.kill("walletd")
    bench.node.call("generateblock", bench.node.home, [theft])
    bench.start_wallet()

    def is_seen():
        payouts = bench.status and bench.status["payouts"]
        return payouts and payouts["condition"] == "coins spent elsewhere" and payouts
    payouts = bench.await_("seen", is_seen)
    assert not payouts["isSound"] and coin["txid"] in payouts["text"]
    assert "wallet drop" in payouts["text"]
    # Nothing else is signed for it, and what is said stays so over a restart.
    count = len(next(iter(bench.withdrawals.values()))["payments"])
    restart(bench, 2)
    bench.await_("seen again", is_seen)
    assert len(next(iter(bench.withdrawals.values()))["payments"]) == count
    assert not bench.node.call("getrawmempool")
    # Where a reorganisation takes the theft away the payment goes on.
    bench.node.call("invalidateblock", bench.node.call("getbestblockhash"))
    bench.node.flush()
    bench.node.kill()
    (bench.node.folder / "regtest" / "mempool.dat").unlink(missing_ok=True)
    bench.node.start()
    bench.node.call("generateblock", bench.node.home, [])
    bench.node.call("generateblock", bench.node.home, [])
    bench.await_("sound", lambda: bench.status["payouts"]["isSound"])
    bench.await_paid()
    bench.check_paid([(there, COIN // 2)])


def forget(bench, txid, answer):
    return subprocess.run(
        [str(BIN / "bourse-signerd"), "--config", str(bench.config), "--forget", txid],
        input=answer + "\n", capture_output=True, text=True, timeout=60)


def test_a_payment_that_a_block_has_which_was_not_read_is_not_lost(bench):
    restart(bench, 0)
    ident, there, txid = pay(bench)
    bench.kill("walletd")
    bench.node.mine(2 * CONFIRMATIONS)
    # The chain is set to be read from behind its block.
    bench.ctl("wallet", "chain", "set", "1", "litecoin-regtest", "--key", KEY, "--first-block",
              bench.node.height - 1, "--yes")
    bench.start_wallet()
    bench.await_("told", lambda: bench.status
                 and "wallet rescan" in bench.status["payouts"]["text"])
    bench.node.mine(2 * CONFIRMATIONS)
    time.sleep(6)
    assert not any(one["isFinal"] for one in bench.status["payouts"]["lost"])
    assert bench.ctl("wallet", "drop", txid, check=False).returncode != 0
    bench.ctl("wallet", "rescan", "LTC", "1", "--yes")
    check(bench, there, txid)
    assert ident not in bench.withdrawals


def test_a_lost_payment_is_dropped_forgotten_and_paid_from_other_coins(bench):
    restart(bench, 0)
    bench.fund("ann", COIN)
    there = bench.node.call("getnewaddress")
    ident = bench.withdraw("ann", there, COIN // 2)
    (txid,) = bench.await_("in the pool", lambda: bench.node.call("getrawmempool"))
    (coin,) = bench.node.call("getrawtransaction", txid, True)["vin"]
    # While nothing is spent elsewhere it is not dropped just so.
    refused = bench.ctl("wallet", "drop", txid, check=False)
    assert refused.returncode != 0 and "--force" in refused.stderr
    refused = bench.ctl("wallet", "drop", txid, "--force", "--confirm", coin["txid"], check=False)
    assert refused.returncode != 0 and payments(bench, ident) == [txid]
    theft = spend(bench, "ann", coin["txid"], coin["vout"])
    bench.node.call("generateblock", bench.node.home, [theft])
    bench.await_("lost", lambda: bench.status["payouts"]["lost"])
    assert not bench.status["payouts"]["lost"][0]["isFinal"]
    assert bench.ctl("wallet", "drop", txid, check=False).returncode != 0
    bench.node.mine(CONFIRMATIONS)
    bench.await_("final", lambda: bench.status["payouts"]["lost"][0]["isFinal"])
    # A signer that runs is not disturbed, and what is not confirmed is not forgotten.
    assert "signerd.lock" in forget(bench, txid, txid).stderr
    bench.stop("signerd")
    dropped = bench.ctl_json("wallet", "drop", txid)
    assert dropped["released"] == [ident]
    assert forget(bench, txid, "yes").returncode != 0
    done = forget(bench, txid, txid)
    assert done.returncode == 0 and "PAID TWICE" in done.stdout, done.stderr
    assert forget(bench, txid, txid).returncode != 0
    bench.start_signer()
    bench.fund("ben", COIN)
    # The theft stopped them; the owner makes up for it.
    bench.kill("walletd")
    bench.set("walletd", "elsewhere", "LTC 1")
    bench.start_wallet()
    bench.await_("made up for", lambda: bench.status["books"]["difference"] == "0")
    bench.ctl("wallet", "resume", "LTC", "--reason", "made up for")
    bench.await_paid()
    bench.check_paid([(there, COIN // 2)])
