"""Transfers that are not final as they were planned, on a real Litecoin node: those that were
dropped, and those that spend the same coin. Whichever a block takes is booked, once."""
import json
import signal
import time

import pytest
from link_watch import LinkWatch
from red_keys import Thief
from red_rounds import SIGN, signing, submit
from test_cold import COIN, ColdBench, is_whole
from wallet_bench import CONFIRMATIONS, KEY, WORDS

# Litecoin's nodes replace nothing unless they are told to.
REPLACES = "-mempoolreplacement=1"
# Too little for the fee rate to rise by a quarter only: nodes want more for a replacement.
CHEAP = "-minrelaytxfee=0.000002"
RIVAL_FEE = 10_000


@pytest.fixture
def bench(tmp_path, request):
    with ColdBench(tmp_path, REPLACES, *getattr(request, "param", [])).signing() as made:
        yield made


def logged(bench, kind):
    """The transactions of the commands of a kind that the log took, in its order."""
    lines = bench.ctl("journal", "dump", "--kind", kind, "--output", "json").stdout.splitlines()
    return [json.loads(line)["transaction"] for line in lines]


def begin_transfer(bench):
    """More than the ceiling goes on its way to cold storage: the transaction, which waits for a
    block."""
    bench.set_cold(2 * COIN, COIN)
    bench.start_wallet()
    bench.fund("ann", 4 * COIN)
    (txid,) = bench.await_("in the pool", lambda: bench.node.call("getrawmempool"))
    return txid


def await_hot(bench, hot):
    """Waits, without another block, until so much is hot, nothing is open and books balance."""
    def is_so():
        books = bench.books()
        return (books and is_whole(books) and int(books["vanished"]) == 0
                and hot <= int(books["hot"]) < hot + 100 and bench.status["payouts"]["open"] == 0)
    bench.await_(f"{hot} are hot", is_so)


def await_ended(bench, txids):
    """Waits until the log has given up these, in their order, and nothing else; none is open."""
    bench.await_("given up", lambda: logged(bench, "dropTransaction") == txids)
    for txid in txids:
        assert "no open payment" in bench.ctl("wallet", "drop", txid, check=False).stderr


def check_goes_on(bench):
    """What is hot still pays."""
    if bench.ctl_json("wallet", "status")["assets"][0]["stopped"]:
        bench.ctl("wallet", "resume", "LTC", "--reason", "looked into")
    there = bench.node.elsewhere()
    bench.withdraw("ann", there, COIN // 2)
    bench.await_paid()
    bench.node.mine(CONFIRMATIONS)
    bench.check_paid([(there, COIN // 2)])


# Two that spend the same coin.

def rival(bench, txid):
    """Another transfer of a transfer's coin, signed with the wallet's seed as another host would:
    its id and its bytes."""
    (coin,) = bench.node.call("getrawtransaction", txid, True)["vin"]
    named = bench.node.call("getdescriptorinfo", f"wpkh({KEY}/1/0)")["descriptor"]
    (own,) = bench.node.call("deriveaddresses", named)
    left = 4 * COIN - RIVAL_FEE
    made = bench.node.call(
        "createrawtransaction", [{"txid": coin["txid"], "vout": coin["vout"]}],
        [{own: f"{left // COIN}.{left % COIN:08}"}])
    raw = Thief(bench.node, WORDS).sign(made)
    return bench.node.call("decoderawtransaction", raw)["txid"], raw


@pytest.mark.parametrize("is_killed", [False, True], ids=["at once", "after a restart"])
def test_of_two_transfers_of_one_coin_the_log_keeps_neither_open(bench, tmp_path, is_killed):
    first = begin_transfer(bench)
    bench.kill("walletd")
    # Nothing else goes to cold storage.
    bench.set_cold(100 * COIN, COIN)
    other, raw = rival(bench, first)
    asset = next(row["id"] for row in bench.ctl_json("asset", "list") if row["code"] == "LTC")
    payload = signing(asset, [], bytes.fromhex(other), bytes.fromhex(raw))
    assert submit(bench, SIGN, payload) == 0
    bench.node.call("generateblock", bench.node.home, [raw])
    if is_killed:
        # Settled, and the other one is open in the engine alone.
        watch = LinkWatch(tmp_path / "watch", bench.state / "run" / "match.sock", "settle",
                          "after", lambda: bench.running["walletd"].send_signal(signal.SIGKILL))
        try:
            bench.start_wallet(tmp_path / "watch")
            bench.node.mine(CONFIRMATIONS - 1)
            assert watch.has_struck.wait(60), bench.log_tail("walletd")
            assert bench.running.pop("walletd").wait(60) == -signal.SIGKILL
        finally:
            watch.close()
        assert logged(bench, "settleTransaction") == [other]
        assert logged(bench, "dropTransaction") == []
        bench.start_wallet()
    else:
        bench.start_wallet()
        # Both are open as long as a reorganisation may bring the first.
        bench.await_("read", lambda: bench.status and bench.status["read"] == bench.node.height)
        time.sleep(2)
        assert logged(bench, "dropTransaction") == []
        bench.node.mine(CONFIRMATIONS - 1)
    await_ended(bench, [first])
    await_hot(bench, 4 * COIN - RIVAL_FEE)
    assert logged(bench, "settleTransaction") == [other] and not bench.cold_outputs()
    assert bench.status["payouts"]["isSound"], bench.status
    check_goes_on(bench)


# Dropped, and final all the same.

@pytest.mark.parametrize("is_read", [True, False], ids=["read", "not read"])
def test_a_dropped_transfer_that_is_final_before_the_wallet_starts_is_booked(bench, is_read):
    bench.ctl("wallet", "network", "set", "LTC", "1", "--confirmations", 1)
    first = begin_transfer(bench)
    bench.kill("walletd")
    bench.ctl("wallet", "drop", first, "--force", "--confirm", first)
    bench.node.mine(CONFIRMATIONS)
    assert bench.node.transaction(first)
    if not is_read:
        # Nobody reads its block any more: what is gone is known by the coins alone.
        bench.ctl("wallet", "chain", "set", "1", "litecoin-regtest", "--key", KEY, "--first-block",
                  bench.node.height, "--yes")
    bench.start_wallet()
    await_hot(bench, COIN)
    assert logged(bench, "signWithdrawals") == [first, first]
    assert logged(bench, "settleTransaction") == [first]
    assert [len(units) for units in bench.cold_outputs().values()] == [1]
    assert int(bench.books()["cold"]) == bench.cold_outputs()[0][0]
    check_goes_on(bench)
    await_ended(bench, [first])


# Too slow.

def cost(bench, txid):
    """What a transaction of the pool pays, in base units, and its size in virtual bytes."""
    entry = bench.node.call("getmempoolentry", txid)
    return round(float(entry["fee"]) * COIN), entry["vsize"]


@pytest.mark.parametrize("mined", ["first", "second"])
@pytest.mark.parametrize("bench", [[], [CHEAP]], indirect=True, ids=["5 a byte", "1 a byte"])
def test_a_slow_transfer_that_is_dropped_is_planned_anew_for_more(bench, mined):
    bench.set("walletd", "bump_seconds", 2)
    first = begin_transfer(bench)
    raw = bench.node.call("getrawtransaction", first)
    paid, size = cost(bench, first)

    def is_slow():
        # Blocks come and pass it over.
        bench.node.call("generateblock", bench.node.home, [])
        time.sleep(0.5)
        payouts = bench.status["payouts"]
        return payouts["condition"] == "slow" and payouts
    payouts = bench.await_("slow", is_slow)
    assert first in payouts["text"] and "boursectl wallet drop" in payouts["text"]
    assert "higher fee" in payouts["text"] and not payouts["isSound"]
    assert logged(bench, "signWithdrawals") == [first]
    bench.ctl("wallet", "drop", first, "--force", "--confirm", first)
    # The node still has the first, and takes the second in its place.
    (second,) = bench.await_("the second", lambda: [
        one for one in bench.node.call("getrawmempool") if one != first])
    assert bench.node.call("getrawmempool") == [second]
    assert logged(bench, "signWithdrawals") == [first, second]
    more, new_size = cost(bench, second)
    rate = paid * 1_000 // size
    assert more * 1_000 * 4 >= rate * 5 * new_size, (paid, size, more, new_size)
    if mined == "second":
        bench.node.mine(CONFIRMATIONS)
        await_hot(bench, COIN)
        await_ended(bench, [first])
        assert logged(bench, "settleTransaction") == [second]
    else:
        bench.node.call("generateblock", bench.node.home, [raw])
        bench.node.mine(CONFIRMATIONS - 1)
        await_ended(bench, [first, second])
        await_hot(bench, COIN)
        assert logged(bench, "signWithdrawals") == [first, second, first]
        assert logged(bench, "settleTransaction") == [first]
    assert [len(units) for units in bench.cold_outputs().values()] == [1]
    check_goes_on(bench)
