"""Hot coins go to cold storage on a real Litecoin node: once, whatever is killed, and nowhere else;
and many small coins become one."""
import copy
import json
import struct
from collections import Counter

import pytest
from kills import killed_around_signature, killed_at
from linkwire import Link
from link_watch import PAYMENT_COMMANDS
from proxies import ask_signer
from red_judge import captured_request
from red_keys import ACCOUNT, Thief
from red_team import Output, Transaction, messages, transactions
from wallet_bench import CONFIRMATIONS, FEE, KEY, WORDS, WalletBench
from wallet_keys import secret, text

COIN = 100_000_000
SET_COLD_STORAGE = 74
# Keys of the test's own: whose they are is of no account here.
BRANCH = 7
COLD = f"wpkh({KEY}/{BRANCH}/*)"


def is_whole(books):
    """Whether nothing is missing; the house may owe the miners' fees."""
    return books["condition"] in ("balanced", "house owes") and books["difference"] == "0"


class ColdBench(WalletBench):
    def set_cold(self, ceiling, target, descriptor=COLD):
        """Names cold storage, as an operator does."""
        asset = next(row["id"] for row in self.ctl_json("asset", "list") if row["code"] == "LTC")
        words = descriptor.encode()
        payload = struct.pack("<HH12x", asset, 1)
        payload += ceiling.to_bytes(16, "little") + target.to_bytes(16, "little")
        payload += struct.pack("<H", len(words)) + words + b"olga".ljust(40, b"\0")
        payload += struct.pack("<H", 4) + b"test"
        link = Link(str(self.state / "run" / "match.sock"), "operator/cold")
        try:
            session = link.open("operator/cold")[3]
            link.submit(session, [(1, SET_COLD_STORAGE, payload + bytes(-len(payload) % 8))])
            acks = []
            while not acks:
                acks = link.acks(10)
            assert acks[0][4] == 0, acks
        finally:
            link.close()

    def cold_addresses(self, count=4):
        named = self.node.call("getdescriptorinfo", COLD)["descriptor"]
        return self.node.call("deriveaddresses", named, [0, count - 1])

    def cold_outputs(self):
        """What the chain has for cold storage, by the index of the address."""
        addresses = self.cold_addresses()
        paid = self.node.paid(addresses)
        return {index: [units for _, _, units in paid[address]]
                for index, address in enumerate(addresses) if paid[address]}

    @property
    def transfers(self):
        """The transfers that the log ever had."""
        lines = self.ctl("journal", "dump", "--kind", "signWithdrawals", "--output",
                         "json").stdout.splitlines()
        rows = [json.loads(line) for line in lines]
        return [row for row in rows if not row.get("withdrawals")]

    def books(self):
        return self.status and self.status["books"]

    def await_cold(self, hot):
        """Mines until the wallet has so much beside cold storage, but for what a fee was planned
        too high, and ledger and chain agree."""
        def is_so():
            books = self.books()
            return (books and is_whole(books)
                    and hot <= int(books["hot"]) < hot + 100
                    and self.status["payouts"]["open"] == 0 and books)
        self.mine_until(f"{hot} are hot", is_so)
        return self.books()


@pytest.fixture
def bench(tmp_path):
    with ColdBench(tmp_path).signing() as made:
        yield made


def check_once(bench, moved):
    """The chain has one output in cold storage, of so much with the fee, and the log one transfer
    that is not dropped."""
    (outputs,) = bench.cold_outputs().values()
    (units,) = outputs
    assert moved - 20_000 < units < moved
    assert len(bench.transfers) == 1


def test_what_is_above_the_ceiling_goes_to_cold_storage(bench):
    bench.set_cold(2 * COIN, COIN)
    bench.start_wallet()
    bench.fund("ann", COIN, COIN)
    # Up to the ceiling nothing is moved.
    assert bench.books()["remark"] is None and not bench.transfers
    bench.fund("ben", 3 * COIN)
    bench.await_("in the pool", lambda: bench.node.call("getrawmempool"))
    assert "to cold storage" in bench.status["payouts"]["remark"]
    books = bench.await_cold(COIN)
    check_once(bench, 4 * COIN)
    assert int(books["cold"]) == bench.cold_outputs()[0][0]
    assert (books["ceiling"], books["target"]) == (str(2 * COIN), str(COIN))
    assert is_whole(books)
    # What customers have is the same; the miner's fee is the house's.
    assert bench.balances()["ann"] == 2 * COIN and bench.balances()["ben"] == 3 * COIN
    # It goes on from its file, and the next transfer has an address of its own.
    bench.kill("walletd")
    bench.start_wallet()
    bench.fund("ann", 2 * COIN)
    bench.await_cold(COIN)
    assert sorted(bench.cold_outputs()) == [0, 1]
    bench.await_("all are looked for", lambda: bench.books()["block"] == bench.node.height)
    assert bench.books()["vanished"] == "0"
    # What is paid out makes it less than its target, which is said.
    bench.withdraw("ann", bench.node.elsewhere(), COIN // 2)
    bench.await_paid()
    books = bench.await_("below", lambda: bench.books()["remark"] and bench.books())
    assert books["remark"] == "below the target: bring some from cold storage (boursectl wallet cold export)"
    assert is_whole(books)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", PAYMENT_COMMANDS)
def test_walletd_killed_at_each_command_moves_once(bench, tmp_path, point, when):
    bench.start_wallet()
    bench.fund("ann", 2 * COIN, 2 * COIN)
    bench.kill("walletd")
    bench.set_cold(2 * COIN, COIN)
    with killed_at(bench, tmp_path, point, when):
        if point in ("final block", "settle"):
            bench.await_("in the pool", lambda: bench.node.call("getrawmempool"))
            bench.node.mine(CONFIRMATIONS)
    bench.start_wallet()
    bench.await_cold(COIN)
    check_once(bench, 3 * COIN)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("victim", ["walletd", "signerd", "matchd"])
def test_killed_around_the_signature_it_moves_once(bench, tmp_path, victim, when):
    bench.start_wallet()
    bench.fund("ann", 2 * COIN, 2 * COIN)
    bench.kill("walletd")
    bench.set_cold(2 * COIN, COIN)
    with killed_around_signature(bench, tmp_path, victim, when) as watch:
        bench.await_cold(COIN)
    check_once(bench, 3 * COIN)
    # All that was signed is one transaction.
    signed = {json.loads(line).get("signed", {}).get("transaction") for line in watch.answers}
    assert len(signed - {None}) == 1


def test_cold_storage_that_this_host_does_not_name_is_metered(tmp_path):
    bench = ColdBench(tmp_path)
    try:
        bench.begin()
        bench.begin_signer("litecoin-regtest 0.0002 0")
        bench.set_cold(2 * COIN, COIN)
        bench.start_wallet()
        bench.fund("ann", 2 * COIN, 2 * COIN)
        # Half as much is asked for each time; that nothing ever fits is an alarm.
        bench.await_("the alarm", lambda: bench.status["payouts"]["condition"] == "not moved")
        assert "limit" in bench.status["payouts"]["text"] and not bench.transfers
        assert bench.books()["remark"] == "above the ceiling"
        bench.kill("signerd")
        bench.set("signerd", "limits", "litecoin-regtest 2 0")
        bench.set("signerd", "cold", f"LTC@litecoin-regtest={COLD}")
        bench.start_signer()
        bench.await_cold(COIN)
        check_once(bench, 3 * COIN)
        # Only its fee has counted.
        bench.withdraw("ann", bench.node.elsewhere(), COIN // 2)
        bench.await_paid()
    finally:
        bench.end()


def test_to_cold_storage_goes_what_the_limit_has_room_for(tmp_path):
    bench = ColdBench(tmp_path)
    try:
        bench.begin()
        bench.begin_signer("litecoin-regtest 2 0")
        bench.set_cold(2 * COIN, COIN)
        bench.start_wallet()
        bench.fund("ann", 2 * COIN, 2 * COIN)
        # Of three coins above the target at most one: half of the limit is left.
        bench.await_("a transfer", lambda: bench.transfers)
        bench.node.mine(CONFIRMATIONS)
        books = bench.await_("in cold storage", lambda: int(bench.books()["cold"]) and bench.books())
        assert COIN // 2 <= int(books["cold"]) <= COIN
        bench.withdraw("ann", bench.node.elsewhere(), COIN // 2)
        bench.await_paid()
    finally:
        bench.end()


def test_a_cold_coin_that_is_spent_elsewhere_stops_withdrawals(bench):
    bench.set_cold(2 * COIN, COIN)
    bench.start_wallet()
    bench.fund("ann", 4 * COIN)
    bench.await_cold(COIN)
    (address,) = bench.cold_addresses(1)
    ((coin, output, units),) = bench.node.paid([address])[address]
    thief = Thief(bench.node, WORDS)
    thief.keys.append(text(secret(WORDS, [*ACCOUNT, BRANCH, 0])))
    thief.steal((coin, output), units, bench.node.elsewhere())
    bench.node.mine()
    bench.await_("a stop", lambda: bench.ctl_json("wallet", "status")["assets"][0]["stopped"])
    books = bench.await_("gone", lambda: bench.books()["condition"] == "coins vanished"
                         and bench.books())
    assert int(books["vanished"]) == units and coin in books["text"]


def test_withdrawals_wait_for_the_coins_of_a_transfer_and_say_so(bench):
    bench.set_cold(2 * COIN, COIN)
    bench.start_wallet()
    bench.fund("ann", 4 * COIN)
    bench.await_("in the pool", lambda: bench.node.call("getrawmempool"))
    there = bench.node.elsewhere()
    bench.withdraw("ann", there, COIN // 2)
    bench.await_("it says so", lambda: "the transfer" in bench.status["payouts"]["text"])
    assert bench.status["payouts"]["condition"] == "not enough coins"
    bench.await_paid()
    bench.check_paid([(there, COIN // 2)])
    assert bench.balances()["ann"] == 4 * COIN - COIN // 2 - FEE


def test_a_dropped_transfer_gives_its_coins_back(bench):
    bench.set_cold(2 * COIN, COIN)
    bench.start_wallet()
    bench.fund("ann", 4 * COIN)
    (first,) = bench.await_("in the pool", lambda: bench.node.call("getrawmempool"))
    bench.kill("walletd")
    bench.ctl("wallet", "drop", first, "--force", "--confirm", first)
    # No cold storage any more: nothing is moved, and nothing is gone.
    bench.set_cold(100 * COIN, COIN)
    bench.start_wallet()
    bench.await_("balanced", lambda: bench.books() and is_whole(bench.books())
                 and int(bench.books()["hot"]) == 4 * COIN
                 and bench.status["payouts"]["open"] == 0)
    # The node still had it, and it gets into a block: the log has it again.
    bench.await_cold(COIN)
    assert [len(units) for units in bench.cold_outputs().values()] == [1]
    assert bench.node.transaction(first) and len(bench.transfers) == 2
    bench.ctl("wallet", "resume", "LTC", "--reason", "it was dropped too early")
    there = bench.node.elsewhere()
    bench.withdraw("ann", there, COIN // 2)
    bench.await_paid()
    bench.check_paid([(there, COIN // 2)])


def test_many_small_coins_become_one(bench):
    bench.set("walletd", "consolidate_above", 6)
    bench.set("walletd", "consolidate_fee", 500_000)
    bench.start_wallet()
    bench.fund("ann", COIN, *[COIN // 100 + number for number in range(9)])
    before = int(bench.books()["hot"])
    (merged,) = bench.await_("in the pool", lambda: bench.node.call("getrawmempool"))
    bench.mine_until("it is settled", lambda: bench.status["payouts"]["open"] == 0
                     and bench.books()["coins"] < 7)
    transaction = bench.node.transaction(merged)
    assert len(transaction["vin"]) == 8 and len(transaction["vout"]) == 1
    assert int(bench.books()["hot"]) == before - bench.node.fee(merged)
    assert is_whole(bench.books()) and bench.books()["coins"] == 3
    assert len(bench.transfers) == 1


def test_whatever_is_asked_the_signer_moves_coins_nowhere_else(bench, tmp_path):
    """Every field of a transfer's request and transaction, changed: what is signed goes to cold
    storage's next address and to the wallet's own, from the wallet's coins."""
    bench.start_wallet()
    bench.fund("ann", 2 * COIN, 2 * COIN)
    bench.kill("walletd")
    coins = {(txid, output): units for txid, output, units
             in bench.node.paid([bench.addresses["ann"]])[bench.addresses["ann"]]}
    bench.set_cold(2 * COIN, COIN)
    asked = captured_request(bench, tmp_path / "sign")
    assert asked["withdrawals"] == []
    tx = Transaction.read(bytes.fromhex(asked["transaction"]))
    (cold,) = [bench.node.call("validateaddress", one)["scriptPubKey"]
               for one in bench.cold_addresses(1)]
    (own,) = {one.script.hex() for one in tx.outputs} - {cold}
    thief = bench.node.call("validateaddress", bench.node.elsewhere())["scriptPubKey"]
    spare = [coin for coin in coins if coin not in tx.places]
    # First: once one is signed, it is given for all that share coins.
    for index, output in enumerate(tx.outputs):
        stolen = copy.deepcopy(tx)
        stolen.outputs[index] = Output(output.amount, bytes.fromhex(thief))
        said = ask_signer(bench.state / "run" / "signer.sock",
                          asked | {"transaction": stolen.bytes.hex()})
        assert said["refused"] == "outputs", (index, said)
    requests = [(what, asked | {"transaction": made.bytes.hex()})
                for what, made in transactions(tx, bytes.fromhex(thief), spare[:2])]
    requests += messages(asked)
    said_all = Counter()
    for what, message in requests:
        said = ask_signer(bench.state / "run" / "signer.sock", message)
        said_all[said and said.get("refused", "signed")] += 1
        if not said or "signed" not in said:
            continue
        made = Transaction.read(bytes.fromhex(said["signed"]["bytes"]))
        scripts = [one.script.hex() for one in made.outputs]
        assert sorted(scripts) == sorted(set(scripts)) and set(scripts) <= {cold, own}, what
        assert all(place in coins for place in made.places), what
        moved = sum(one.amount for one in made.outputs if one.script.hex() == cold)
        paid = sum(one.amount for one in made.outputs)
        fee = sum(coins[place] for place in made.places) - paid
        assert 0 < fee < 500_000 and moved <= 3 * COIN, (what, fee, moved)
    print(dict(said_all))
    assert said_all["signed"] and said_all["malformed"] and said_all["coins"]
    bench.start_wallet()
    bench.await_cold(COIN)
    assert len(bench.transfers) == 1
