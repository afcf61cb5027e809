"""Cold storage of a real EVM chain: what the account that pays has too much of goes there once,
whatever is killed; what comes back is signed by another program; and what leaves it otherwise stops
withdrawals. The checker reads the chain itself."""
import json
import time

import pytest
from evm_bench import KIND, UNIT, WEI, EVMWalletBench
from kills import killed_around_signature, killed_at, mine_until_struck
from proxies import NodeProxy
from wallet_bench import CONFIRMATIONS

COIN = 10**8
TOKEN = 10**6
# Keys that anybody can spend from, and not the wallet's.
COLD_WORDS = " ".join(["test"] * 11 + ["junk"])
COLD_PATH = "m/44'/60'/0'/0/0"
COLD = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


class ColdBench(EVMWalletBench):
    sweep_above = ""

    def name(self, code="ETH", ceiling=10, target=4, address=COLD):
        """Has the log say where an asset's coins go that are more than the ceiling."""
        self.ctl("wallet", "cold", "set", code, "1", "--descriptor", address, "--ceiling", ceiling,
                 "--target", target, "--reason", "test", "--yes")

    def fill(self, ether=20, tokens=5_000):
        """Has the account that pays get what customers pay in."""
        self.supply(ether=1, tokens=0)
        if ether:
            self.fund("ann", ether * COIN)
        if tokens:
            self.fund("ben", tokens * TOKEN, code="TST")
        self.mine_until("swept", lambda: all(
            self.node.balance(one) < WEI // 200 and self.node.balance(one, self.tokens["TST"]) == 0
            for one in self.addresses.values()))
        self.settle()

    def settle(self):
        """Until nothing is open, also not what was only begun."""
        for _ in range(2):
            self.node.mine(CONFIRMATIONS)
            self.await_in_step()
            self.mine_until("settled", lambda: self.payouts.get("open") == 0)
        self.await_in_step()

    def to_cold(self):
        """What the account that pays sent to cold storage, by the chain: (units, asset) of each."""
        found = []
        for transaction, receipt in self.own():
            if transaction["from"] != self.hot.lower():
                continue
            call = transaction["input"]
            if transaction["to"] == COLD.lower():
                assert receipt["status"] == "0x1" and call == "0x"
                found.append((int(transaction["value"], 16) // UNIT, "ETH"))
            elif call[34:74] == COLD[2:].lower():
                code = next(code for code, one in self.tokens.items()
                            if one.lower() == transaction["to"])
                found.append((int(call[74:], 16), code))
        return found

    def in_cold(self, code="ETH"):
        return self.node.balance(COLD, self.tokens.get(code))

    def wallet_sum(self, code="ETH"):
        return super().wallet_sum(code) + self.in_cold(code)

    def bring(self, code, amount, folder):
        """A transfer from cold storage as another program signs it: its raw bytes."""
        path = folder / f"{code}.json"
        self.await_("the nonce", lambda: self.status and any(
            row["asset"] == code for row in self.status["coldAccounts"]))
        self.ctl("wallet", "cold", "export", code, "1", amount, "--out", path)
        unsigned = json.loads(path.read_text())
        return self.sign(unsigned["transaction"]), unsigned

    def sign(self, transaction, words=COLD_WORDS):
        return self.node.call("test_sign", words, COLD_PATH, transaction)

    def take(self, raw, folder, check=True):
        path = folder / "signed.hex"
        path.write_text(raw + "\n")
        return self.ctl("wallet", "cold", "import", path, "--yes", check=check)

    def give(self, raw):
        """Past boursectl: the request as whoever may write it would make it."""
        (self.state / "walletd.cold").write_text(
            f"1 {raw.removeprefix('0x')} {time.time_ns()}\n")

    def await_said(self, words):
        self.await_(words, lambda: words in self.log_tail("walletd", 50))


def made(tmp_path, limits=f"{KIND} 1000 0, {KIND}:TST 1000000 0", **tokens):
    bench = ColdBench(tmp_path)
    try:
        bench.begin(**tokens)
        bench.begin_signer(limits + "".join(f", {KIND}:{code} 1000000 0" for code in tokens))
    except BaseException:
        bench.end()
        raise
    return bench


@pytest.fixture
def bench(tmp_path):
    bench = made(tmp_path)
    try:
        yield bench
    finally:
        bench.end()


def test_what_is_too_much_goes_to_cold_storage_once(bench):
    bench.start_wallet()
    bench.fill()
    bench.name()
    bench.name("TST", 1_000, 500)
    bench.mine_until("moved", lambda: bench.in_cold() and bench.in_cold("TST"))
    bench.settle()
    moved = dict((code, units) for units, code in bench.to_cold())
    assert len(bench.to_cold()) == 2 and moved["TST"] == 4_500 * TOKEN
    assert 15 * COIN < moved["ETH"] <= 16 * COIN
    # What is left is the target, the owner's own coin for gas beside it.
    assert 4 * WEI <= bench.node.balance(bench.hot) < 6 * WEI
    assert bench.node.balance(bench.hot, bench.tokens["TST"]) == 500 * TOKEN
    for code in ("ETH", "TST"):
        bench.await_(f"{code} is counted", lambda code=code: bench.books(code).get("cold") not in (
            None, "0"))
        books = bench.await_whole(code)
        unit = UNIT if code == "ETH" else 1
        assert int(books["cold"]) == bench.in_cold(code) // unit and not books["remark"]
        assert not bench.is_stopped(code)
    # It is not done again, and what is left pays withdrawals.
    there = bench.address()
    bench.withdraw("ann", there, 2 * COIN)
    bench.await_paid()
    bench.node.mine(2 * CONFIRMATIONS)
    bench.settle()
    time.sleep(4)
    assert len(bench.to_cold()) == 2 and bench.node.balance(there) == 2 * WEI
    books = bench.await_("below", lambda: bench.books().get("remark") and bench.books())
    assert "below the target" in books["remark"]
    bench.await_whole()
    bench.check_sums(given=WEI)


def test_a_withdrawal_that_waits_comes_first(bench):
    bench.start_wallet()
    bench.fill(tokens=0)
    bench.kill("signerd")
    there = bench.address()
    bench.withdraw("ann", there, 12 * COIN)
    bench.name()
    bench.node.mine(CONFIRMATIONS)
    bench.await_in_step()
    time.sleep(4)
    bench.start_signer()
    bench.await_paid()
    bench.settle()
    # Of the nine that are left nothing is too much.
    time.sleep(4)
    assert bench.to_cold() == [] and bench.node.balance(there) == 12 * WEI
    bench.check_sums(given=WEI)


@pytest.mark.parametrize("point, when", [
    ("sign", "before"), ("sign", "after"), ("settle", "before"), ("settle", "after")])
def test_killed_at_each_command_it_moves_once(bench, tmp_path, point, when):
    bench.start_wallet()
    bench.fill(tokens=0)
    bench.kill("walletd")
    bench.name()
    with killed_at(bench, tmp_path, point, when) as watch:
        mine_until_struck(bench, watch)
    # What waited at the node is gone as well.
    bench.node.kill()
    bench.node.start()
    bench.start_wallet()
    bench.mine_until("moved", bench.in_cold)
    bench.settle()
    bench.node.mine(CONFIRMATIONS)
    bench.await_in_step()
    time.sleep(4)
    assert len(bench.to_cold()) == 1
    bench.check_sums(given=WEI)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("victim", ["walletd", "signerd"])
def test_killed_around_the_signature_it_moves_once(bench, tmp_path, victim, when):
    bench.start_wallet()
    bench.fill(ether=0)
    bench.kill("walletd")
    bench.name("TST", 1_000, 500)
    with killed_around_signature(bench, tmp_path, victim, when) as watch:
        # What the signer does not answer is asked again after a minute.
        deadline = time.monotonic() + 120
        while not bench.in_cold("TST"):
            assert time.monotonic() < deadline, bench.log_tail("walletd")
            bench.node.mine()
            time.sleep(0.3)
    bench.settle()
    assert bench.to_cold() == [(4_500 * TOKEN, "TST")]
    bench.check_others(watch.answers)
    bench.check_sums(given=WEI)


def test_the_limits_hold_what_this_host_does_not_name(tmp_path):
    bench = made(tmp_path, f"{KIND} 5 0, {KIND}:TST 1000000 0")
    try:
        bench.start_wallet()
        bench.fill(tokens=0)
        bench.name()
        said = bench.await_payouts("not moved")
        assert "limit" in said["text"] and not said["isSound"]
        assert bench.to_cold() == []
        # The owner's own word, on the host that signs: then gas alone counts.
        for name in ("walletd", "signerd"):
            bench.kill(name)
        bench.set("signerd", "cold", f"ETH@{KIND}={COLD.lower()}")
        bench.start_signer()
        bench.start_wallet()
        bench.mine_until("moved", bench.in_cold)
        bench.settle()
        assert len(bench.to_cold()) == 1 and bench.in_cold() > 15 * WEI
        bench.check_sums(given=WEI)
    finally:
        bench.end()


def test_a_transfer_of_long_ago_is_settled_by_its_receipt(bench):
    """Its node keeps no balances of the blocks in which it was."""
    bench.start_wallet()
    bench.fill(ether=0)
    bench.name("TST", 1_000, 500)
    bench.mine_until("in a block", lambda: bench.in_cold("TST"))
    bench.kill("walletd")
    [block] = {receipt["blockHash"] for one, receipt in bench.own()
               if one["input"][34:74] == COLD[2:].lower()}
    gone = {block, bench.node.call("eth_getBlockByHash", block, False)["parentHash"]}

    def answer(said, call):
        if call["method"] != "eth_call" or not any(one in str(call["params"]) for one in gone):
            return said
        return {"id": said["id"], "jsonrpc": "2.0",
                "error": {"code": -32_000, "message": "missing trie node 5a5a"}}
    proxy = NodeProxy(bench.node, answer=answer)
    try:
        bench.node.mine(110)
        bench.set("walletd", "nodes", proxy.setting)
        bench.start_wallet()
        bench.mine_until("settled", lambda: bench.payouts.get("open") == 0)
        bench.settle()
        assert bench.to_cold() == [(4_500 * TOKEN, "TST")]
        bench.await_whole("TST")
        bench.check_sums(given=WEI)
    finally:
        proxy.close()


def test_what_others_bring_to_cold_storage_hides_nothing(bench):
    bench.start_wallet()
    bench.fill(tokens=0)
    bench.name()
    bench.mine_until("moved", bench.in_cold)
    bench.settle()
    bench.await_whole()
    moved = bench.to_cold()[0][0]
    bench.node.pay(COLD, 3 * WEI)
    bench.node.mine(CONFIRMATIONS)
    bench.await_in_step()
    bench.await_("counted", lambda: bench.books("ETH").get("block", 0)
                 >= bench.node.height - CONFIRMATIONS + 1)
    assert int(bench.books("ETH")["cold"]) == moved


def test_a_token_that_moves_nothing_is_not_moved_again_at_once(tmp_path):
    bench = made(tmp_path, TRN="TurncoatToken")
    try:
        bench.start_wallet()
        bench.supply(ether=1, tokens=0)
        bench.fund("ben", 5_000 * TOKEN, code="TRN")
        bench.mine_until("swept", lambda: bench.node.balance(
            bench.hot, bench.tokens["TRN"]) == 5_000 * TOKEN)
        bench.settle()
        bench.node.run(bench.tokens["TRN"], "close()")
        bench.node.mine()
        bench.name("TRN", 1_000, 500)
        bench.mine_until("it is final", lambda: bench.payouts.get("condition")
                         == "not moved")
        assert "moved nothing" in bench.payouts["text"]
        bench.node.mine(2 * CONFIRMATIONS)
        bench.settle()
        time.sleep(7)
        bench.settle()
        assert bench.to_cold() == [(4_500 * TOKEN, "TRN")]
        assert bench.node.balance(bench.hot, bench.tokens["TRN"]) == 5_000 * TOKEN
        bench.await_whole("TRN")
        bench.check_sums(given=WEI)
    finally:
        bench.end()


def test_what_another_program_signs_comes_back(bench, tmp_path):
    bench.start_wallet()
    bench.fill()
    bench.name()
    bench.name("TST", 1_000, 500)
    bench.mine_until("moved", lambda: bench.in_cold() and bench.in_cold("TST"))
    bench.settle()
    for code, amount in (("ETH", 3), ("TST", 250)):
        before = bench.node.balance(bench.hot, bench.tokens.get(code))
        raw, unsigned = bench.bring(code, amount, tmp_path)
        assert unsigned["from"] == COLD and unsigned["to"] == bench.hot
        bench.take(raw, tmp_path)
        bench.mine_until("it is there", lambda: bench.node.balance(
            bench.hot, bench.tokens.get(code)) != before)
        bench.settle()
        units = amount * (WEI if code == "ETH" else TOKEN)
        assert bench.node.balance(bench.hot, bench.tokens.get(code)) == before + units
        bench.await_whole(code)
    # The same once more, past boursectl as well.
    done = bench.take(raw, tmp_path, check=False)
    if done.returncode == 0:
        bench.await_said("is not taken")
    bench.give(raw)
    time.sleep(3)
    assert bench.payouts["open"] == 0
    bench.check_sums(given=WEI)


def test_what_is_no_transfer_to_the_wallet_is_refused(bench, tmp_path):
    bench.start_wallet()
    bench.fill()
    bench.name()
    bench.name("TST", 1_000, 500)
    bench.mine_until("moved", lambda: bench.in_cold() and bench.in_cold("TST"))
    bench.settle()
    raw, unsigned = bench.bring("ETH", 3, tmp_path)
    fields = unsigned["transaction"]
    token = bench.bring("TST", 3, tmp_path)[1]["transaction"]
    thief = "0x" + "66" * 20
    tampered = raw[:60] + f"{int(raw[60], 16) ^ 1:x}" + raw[61:]
    elsewhere = token["data"].replace(bench.hot[2:].lower(), thief[2:])
    assert elsewhere != token["data"]
    wrong = [
        (bench.sign(fields | {"to": thief}), "goes to"),
        (bench.sign(token | {"data": elsewhere}), "goes to"),
        (bench.sign(token | {"to": thief}), "none of the tokens"),
        (bench.sign(fields, words=" ".join(["abandon"] * 11 + ["about"])), "no cold storage"),
        (bench.sign(fields | {"value": "0x0"}), "neither the chain's coin nor a token"),
        (bench.sign(fields | {"maxFeePerGas": hex(10**12)}), "above what the wallet pays"),
        (bench.sign({key: value for key, value in fields.items()
                     if not key.startswith(("max", "type"))}
                    | {"gasPrice": fields["maxFeePerGas"]}), "EIP-1559"),
        (tampered, ""), (raw[:-2], ""), (raw + "00", ""), ("0x" + "ff" * 5_000, ""),
    ]
    for bad, words in wrong:
        done = bench.take(bad, tmp_path, check=False)
        assert done.returncode != 0, bad
        assert words in " ".join((done.stdout + done.stderr).split()), (words, done.stderr)
        bench.give(bad)
        bench.await_("taken", lambda: not (bench.state / "walletd.cold").exists())
    other = bench.sign(fields | {"chainId": "0x1"})
    done = bench.take(other, tmp_path, check=False)
    assert done.returncode != 0 and "chain" in done.stderr
    for bad, words in [
            (bench.sign(fields | {"nonce": "0x7"}), "its nonce is 7"),
            (bench.sign(fields | {"value": hex(1_000 * WEI)}), "too little"), (other, "chain")]:
        bench.give(bad)
        bench.await_("taken", lambda: not (bench.state / "walletd.cold").exists())
        bench.await_said(words)
    assert bench.payouts["open"] == 0 and not bench.is_stopped()
    # It was not the bytes that kept it.
    bench.take(raw, tmp_path)
    bench.await_("signed", lambda: bench.payouts.get("open") == 1)
    bench.settle()
    bench.check_sums(given=WEI)


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_the_log_it_comes_back_once(bench, tmp_path, when):
    bench.start_wallet()
    bench.fill(tokens=0)
    bench.name()
    bench.mine_until("moved", bench.in_cold)
    bench.settle()
    raw, _ = bench.bring("ETH", 3, tmp_path)
    bench.kill("walletd")
    before = bench.node.balance(bench.hot)
    with killed_at(bench, tmp_path, "sign", when):
        bench.await_in_step()
        bench.take(raw, tmp_path)
    # Nothing is sent that the log does not have.
    if when == "before":
        assert bench.node.call("eth_getTransactionCount", COLD, "pending") == "0x0"
    bench.start_wallet()
    bench.await_in_step()
    if when == "before":
        bench.take(raw, tmp_path)
    bench.await_("signed", lambda: bench.payouts.get("open") == 1)
    bench.settle()
    assert bench.node.balance(bench.hot) == before + 3 * WEI
    bench.check_sums(given=WEI)


def test_what_leaves_cold_storage_otherwise_stops_withdrawals(bench):
    bench.start_wallet()
    bench.fill(tokens=0)
    bench.name()
    bench.mine_until("moved", bench.in_cold)
    bench.settle()
    bench.await_whole()
    stolen = bench.node.call("test_send", COLD_WORDS, COLD_PATH, bench.address(), hex(5 * WEI))
    bench.node.mine(CONFIRMATIONS)
    said = bench.await_books("short")
    # One coin is the owner's own, for gas.
    assert int(said["difference"]) * UNIT < -(3 * WEI)
    bench.await_("stopped", bench.is_stopped)
    # Adopted, its gas is booked; what it moved is missing all the same.
    bench.ctl("wallet", "adopt", KIND, stolen, "--yes")
    bench.await_said("is adopted")
    bench.node.mine(CONFIRMATIONS)
    assert bench.await_books("short")["condition"] == "short"
