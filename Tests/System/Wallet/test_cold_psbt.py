"""Cold storage: set with its descriptor, and brought back by PSBTs that its devices (embit) sign.
Whatever is changed on the way is refused, and whatever is killed, coins come back once."""
import base64
import subprocess
import time

import pytest
from cold_devices import REGTEST, ColdDevices
from embit import bip32, psbt, script
from embit.finalizer import finalize_psbt
from exchange import BIN
from kills import killed_at
from litecoin import COIN
from wallet_bench import KEY, WalletBench

CEILING, TARGET = 3 * COIN, 1 * COIN


@pytest.fixture
def bench(tmp_path):
    # Litecoin's nodes replace nothing unless they are told to.
    with WalletBench(tmp_path, "-mempoolreplacement=1").signing() as made:
        yield made


@pytest.fixture(params=[(None, 1), (2, 3)], ids=["one key", "2 of 3"])
def devices(request):
    return ColdDevices(*request.param)


def set_cold(bench, devices, ceiling=CEILING, target=TARGET):
    return bench.ctl_json(
        "wallet", "cold", "set", "LTC", "1", "--descriptor", devices.descriptor, "--ceiling",
        ceiling / COIN, "--target", target / COIN, "--reason", "test", "--yes")


def refused(bench, *words):
    """The words with which boursectl refuses."""
    done = bench.ctl(*words, check=False)
    assert done.returncode in (1, 64), (done.returncode, done.stdout, done.stderr)
    return done.stderr


def freeze(bench, units=4 * COIN):
    """Has coins of a deposit go to cold storage; returns how much is there."""
    bench.start_wallet()
    bench.fund("ann", units // 2, units - units // 2)
    bench.await_("it goes to cold storage", lambda: bench.node.call("getrawmempool"))
    bench.mine_until("it is there", lambda: cold(bench)["coins"])
    bench.await_in_step()
    return int(cold(bench)["storages"][0]["amount"])


def cold(bench):
    return bench.status["cold"]


def export(bench, amount, file, *options):
    return bench.ctl_json("wallet", "cold", "export", "LTC", "1", amount, "--out", file, *options)


def bring(bench, *files):
    return bench.ctl_json("wallet", "cold", "import", *files, "--yes")


def is_balanced(bench):
    """Whether books and chain agree; the fees of transfers are the house's, who pays nothing in
    here."""
    books = bench.status["books"]
    assert books["condition"] in ("balanced", "house owes", "not compared"), books
    return books["condition"] != "not compared" and books["difference"] == "0"


def settle(bench):
    """Mines until the log has nothing open, after what it just got."""
    bench.await_("it is open", lambda: bench.status["payouts"]["open"])
    bench.mine_until("settled", lambda: bench.status["payouts"]["open"] == 0)
    bench.await_in_step()
    bench.await_("the books are balanced", lambda: is_balanced(bench))


def sign_all(devices, source, folder):
    """As many devices as it takes sign, each its own copy."""
    return [devices.sign(source, folder / f"signed-{index}.psbt", index)
            for index in range(2 if len(devices.roots) > 1 else 1)]


def merged_of(files):
    """One PSBT with the signatures of all files."""
    merged = psbt.PSBT.parse(files[0].read_bytes())
    for one in files[1:]:
        for own, other in zip(merged.inputs, psbt.PSBT.parse(one.read_bytes()).inputs):
            own.partial_sigs.update(other.partial_sigs)
    return merged


# Set, remove, list.

def test_addresses_are_those_of_the_device_and_of_the_node(bench, devices):
    done = set_cold(bench, devices)
    assert done["addresses"] == [devices.address(index) for index in range(3)]
    (row,) = bench.ctl_json("wallet", "cold", "list")
    text = row["descriptor"]
    assert text.split("#")[0] == devices.descriptor
    assert float(row["ceiling"]) == 3 and float(row["target"]) == 1
    # The node is the third that derives them, and checks the checksum that is written.
    assert bench.node.call("deriveaddresses", text, [0, 2]) == done["addresses"]
    assert bench.node.call("getdescriptorinfo", text)["checksum"] == text[-8:]
    bench.ctl("wallet", "cold", "remove", "LTC", "1", "--reason", "test")
    assert bench.ctl_json("wallet", "cold", "list") == []
    assert "no cold storage" in refused(bench, "wallet", "cold", "remove", "LTC", "1")


def test_what_is_no_cold_storage_is_refused(bench):
    devices = ColdDevices()
    private = devices.roots[0].derive("m/48h/1h/0h/2h").to_base58()

    def refusal(text, *options):
        return refused(bench, "wallet", "cold", "set", "LTC", "1", "--descriptor", text,
                       *(options or ("--ceiling", "3", "--target", "1")), "--yes")

    for text in (private, f"wpkh({private}/0/*)", f"wsh(sortedmulti(1,{private}/0/*))"):
        said = refusal(text)
        assert "private key" in said and private[:20] not in said
    assert "checksum" in refusal(devices.descriptor + "#00000000")
    assert "wallet's own" in refusal(f"wpkh({KEY}/0/*)")
    assert "wallet's own" in refusal(bench.addresses["ben"])
    own = devices.roots[0].derive("m/1").key.get_public_key()
    for hopeless in (script.p2pkh(own), script.p2sh(script.p2wpkh(own)),
                     script.p2wsh(script.p2wpkh(own))):
        assert "takes to spend" in refusal(hopeless.address(REGTEST))
    # Nothing gets by: keys are compared by their bytes, an address with all that may be assigned.
    ahead = bip32.HDKey.from_string(KEY).derive("m/0/2500")
    for own in (f"wpkh({ahead.to_base58()}/*)", script.p2wpkh(ahead.key).address(REGTEST),
                script.p2tr(ahead.key).address(REGTEST)):
        assert "wallet's own" in refusal(own)
    key = devices.key(devices.roots[0])
    for same in (key, key.replace("/0/*", "/1/*"), key[key.index("]") + 1:]):
        assert "same account" in refusal(f"wsh(sortedmulti(2,{key},{same}))")
    assert "address of bitcoin" in refusal("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")
    assert "--target" in refusal(devices.descriptor, "--ceiling", "1", "--target", "2")
    assert "--ceiling" in refusal(devices.descriptor, "--ceiling", "0", "--target", "0")
    done = bench.ctl("wallet", "cold", "set", "LTC", "1", "--descriptor", devices.descriptor,
                     "--ceiling", "3", "--target", "1", check=False)
    assert done.returncode == 64 and devices.address(2) in done.stderr
    assert bench.ctl_json("wallet", "cold", "list") == []


# Out and in.

def test_coins_come_back_once(bench, devices, tmp_path):
    set_cold(bench, devices)
    there = freeze(bench)
    assert bench.node.call("getrawmempool") == []
    bench.await_("the books are balanced", lambda: is_balanced(bench))
    file = tmp_path / "out.psbt"
    made = export(bench, "1.5", file)
    assert base64.b64encode(file.read_bytes()).decode() == made["psbt"]
    assert made["restAddress"] == devices.address(1) and float(made["amount"]) == 1.5
    read = psbt.PSBT.parse(file.read_bytes())
    assert read.tx.txid().hex() == made["transaction"]
    hot_before = int(cold(bench)["hot"])
    signed = sign_all(devices, file, tmp_path)
    done = bring(bench, *signed)
    assert done["transaction"] == made["transaction"] and float(done["amount"]) == 1.5
    assert bench.node.call("getrawmempool") == [made["transaction"]]
    # Once more, also as text: it is the same.
    text = tmp_path / "text.psbt"
    merged = merged_of(signed)
    text.write_text("\n".join(
        base64.b64encode(merged.serialize()).decode()[at:at + 64]
        for at in range(0, 4 * len(merged.serialize()), 64)) + "\n")
    assert "already" in bring(bench, text)["text"]
    settle(bench)
    fee = bench.node.fee(made["transaction"])
    assert cold(bench)["hot"] == str(hot_before + COIN * 3 // 2)
    assert cold(bench)["storages"][0]["amount"] == str(there - COIN * 3 // 2 - fee)
    assert bench.ctl_json("wallet", "status")["assets"][0]["openWithdrawals"] == 0
    said = refused(bench, "wallet", "cold", "import", *signed, "--yes")
    assert "no coin of cold storage" in said
    # What came back pays.
    address = bench.node.call("getnewaddress")
    bench.withdraw("ann", address, 2 * COIN)
    bench.await_paid()
    bench.check_paid([(address, 2 * COIN)])
    # And the rest, with all that there is.
    last = tmp_path / "all.psbt"
    made = export(bench, "all", last, "--feerate", "20")
    assert made["rest"] is None and made["feeRate"] == 20
    bring(bench, *sign_all(devices, last, tmp_path))
    settle(bench)
    assert cold(bench)["coins"] == [] and cold(bench)["storages"][0]["amount"] == "0"
    assert "nothing" in refused(bench, "wallet", "cold", "export", "LTC", "1", "1", "--out", last,
                                "--force")


def test_another_storage_takes_what_is_left(bench, tmp_path):
    old, new = ColdDevices(), ColdDevices(2, 3, first=20)
    set_cold(bench, old)
    freeze(bench)
    # So that nothing goes back by itself.
    set_cold(bench, new, ceiling=10 * COIN)
    bench.await_("both are known", lambda: len(cold(bench)["storages"]) == 2)
    file = tmp_path / "out.psbt"
    assert "nothing" in refused(bench, "wallet", "cold", "export", "LTC", "1", "1", "--out", file)
    made = export(bench, "1", file, "--storage", "0")
    assert made["restAddress"] == new.address(0)
    bring(bench, old.sign(file, tmp_path / "signed.psbt"))
    settle(bench)
    amounts = [int(one["amount"]) for one in cold(bench)["storages"]]
    assert amounts[0] == 0 and amounts[1] > 0
    # And that has its own signers.
    assert "there already" in refused(
        bench, "wallet", "cold", "export", "LTC", "1", "all", "--out", file)
    made = export(bench, "all", file, "--force")
    bring(bench, *sign_all(new, file, tmp_path))
    settle(bench)
    assert cold(bench)["coins"] == []


def test_a_transfer_that_gets_into_no_block_is_replaced(bench, tmp_path):
    devices = ColdDevices(2, 3)
    set_cold(bench, devices)
    freeze(bench)
    hot = int(cold(bench)["hot"])
    slow = export(bench, "1", tmp_path / "slow.psbt", "--feerate", "2")
    bring(bench, *sign_all(devices, tmp_path / "slow.psbt", tmp_path))
    bench.await_("it is taken", lambda: cold(bench)["taken"])
    assert cold(bench)["coins"] == []
    # As much is too little for the place of another.
    file = tmp_path / "same.psbt"
    export(bench, "1", file, "--feerate", "2", "--replaces", slow["transaction"])
    same = sign_all(devices, file, tmp_path)
    said = refused(bench, "wallet", "cold", "import", *same, "--yes")
    assert "place of" in said, said
    file = tmp_path / "quick.psbt"
    quick = export(bench, "1", file, "--replaces", slow["transaction"], "--feerate", "30")
    assert quick["inputs"] == slow["inputs"]
    done = bring(bench, *sign_all(devices, file, tmp_path))
    assert done["transaction"] == quick["transaction"]
    bench.await_("the node has it",
                 lambda: bench.node.call("getrawmempool") == [quick["transaction"]])
    bench.mine_until("one of them is final", lambda: cold(bench)["hot"] == str(hot + COIN))
    assert len(cold(bench)["coins"]) == 1 and cold(bench)["taken"] == []


def changed(source, target, change):
    """A file with one change."""
    read = psbt.PSBT.parse(source.read_bytes())
    change(read)
    target.write_bytes(read.serialize())
    return target


def test_what_was_changed_on_the_way_is_refused(bench, devices, tmp_path):
    set_cold(bench, devices)
    freeze(bench)
    file = tmp_path / "out.psbt"
    export(bench, "1", file)
    signed = sign_all(devices, file, tmp_path)
    bad = tmp_path / "bad.psbt"
    thief = bench.node.call("getnewaddress")
    foreign = script.Script(bytes.fromhex(
        bench.node.call("getaddressinfo", thief)["scriptPubKey"]))

    def refusal(*files):
        return refused(bench, "wallet", "cold", "import", *files, "--yes")

    def refusal_of(change, resign=True):
        """A change before the devices sign, which they do not notice, or behind them."""
        if not resign:
            return refusal(changed(signed[0], bad, change), *signed[1:])
        changed(file, bad, change)
        return refusal(*[devices.sign(bad, tmp_path / f"bad-{index}.psbt", index)
                         for index in range(len(signed))])

    def set_script(read):
        read.outputs[0].script_pubkey = foreign

    def set_amount(read):
        read.outputs[0].value += 1_000_000

    def set_both(read):
        for one in read.outputs:
            one.script_pubkey = foreign

    def set_input(read):
        read.inputs[0].txid = b"\x11" * 32

    def set_lock(read):
        read.tx_version, read.locktime = 2, 400

    def set_utxo(read):
        read.inputs[0].witness_utxo.value += 1

    def spoil(read):
        for key, value in list(read.inputs[0].partial_sigs.items()):
            read.inputs[0].partial_sigs[key] = value[:12] + bytes([value[12] ^ 1]) + value[13:]

    def unsign(read):
        read.inputs[0].partial_sigs.clear()

    assert "neither the wallet's own address" in refusal_of(set_script)
    assert "neither the wallet's own address" in refusal_of(set_both)
    assert "fee" in refusal_of(set_amount) or "more than it spends" in refusal_of(set_amount)
    assert "no coin of cold storage" in refusal_of(set_input)
    assert "lock time" in refusal_of(set_lock)
    assert "not what the log has" in refusal_of(set_utxo)
    for change in (set_script, set_amount):
        said = refusal_of(change, resign=False)
        assert "not taken" in said or "do not fit together" in said or "not signed" in said
    assert "not signed" in refusal_of(spoil, resign=False)
    assert "not signed" in refusal_of(unsign, resign=False)
    assert "not signed" in refusal(file)
    if len(signed) > 1:
        assert "1 of the 2 signatures" in refusal(signed[0])
    other = tmp_path / "other.psbt"
    export(bench, "1.1", other)
    assert "do not fit together" in refusal(signed[0], other)
    whole = signed[0].read_bytes()
    for content in (b"", b"psbt", whole[:len(whole) // 2], whole[:-1], whole + b"\0", b"hello",
                    b"psbt\xff" + b"\0" * 40, b"\xff" * 1_000,
                    base64.b64encode(whole)[:-3], b"A" * 22_000_000):
        bad.write_bytes(content)
        assert "is no PSBT" in refusal(bad)
    assert "missing.psbt" in refusal(tmp_path / "missing.psbt")
    # Whoever writes the request beside boursectl gets no further.
    request = bench.state / "walletd.cold"
    raw = psbt.PSBT.parse(whole).tx.serialize().hex()
    now = time.time_ns()
    for content in (f"1 {raw} {now}\n", f"1 zz {now}\n", f"9 00 {now}\n", f"1 00 {now}\n", "\n",
                    "1 " + "00" * 150_000, f"1 {raw}\n"):
        request.write_text(content)
        bench.await_("it is taken", lambda: not request.exists())
    # A right one that waited for too long is none: its operator has gone.
    raw = finalize_psbt(merged_of(signed)).serialize().hex()
    for at in (time.time_ns() - 60 * 10 ** 9, time.time_ns() + 3_600 * 10 ** 9):
        request.write_text(f"1 {raw} {at}\n")
        bench.await_("it is taken", lambda: not request.exists())
    bench.await_in_step()
    assert bench.node.call("getrawmempool") == [] and bench.status["payouts"]["open"] == 0
    # The honest one still goes, once.
    request.write_text(f"1 {raw} {time.time_ns()}\n")
    bench.await_("it is taken", lambda: len(bench.node.call("getrawmempool")) == 1)
    bring(bench, *signed)
    settle(bench)


@pytest.mark.parametrize("when", ["before", "after"])
def test_walletd_killed_around_the_log_brings_it_once(bench, tmp_path, when):
    devices = ColdDevices()
    set_cold(bench, devices)
    freeze(bench)
    file = tmp_path / "out.psbt"
    made = export(bench, "1", file)
    signed = devices.sign(file, tmp_path / "signed.psbt")
    hot = int(cold(bench)["hot"])
    bench.kill("walletd")
    with killed_at(bench, tmp_path, "sign", when):
        bench.await_in_step()
        importer = subprocess.Popen(
            [str(BIN / "boursectl"), "--state", str(bench.state), "wallet", "cold", "import",
             str(signed), "--yes"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
    assert bench.node.call("getrawmempool") == []
    importer.kill()
    importer.wait(10)
    bench.start_wallet()
    bench.await_in_step()
    # Whether the log had it or not, the operator gives it once more.
    bring(bench, signed)
    bench.await_("the node has it",
                 lambda: bench.node.call("getrawmempool") == [made["transaction"]])
    settle(bench)
    assert int(cold(bench)["hot"]) == hot + COIN
    assert len(cold(bench)["coins"]) == 1
