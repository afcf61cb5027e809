"""Custody by operators, with boursectl against a real matchd: a withdrawal's whole life up to its
signing, and what operators get wrong. A private key is never repeated, nor does it enter the log."""
import shutil
import tempfile
from pathlib import Path

import pytest
from exchange import Exchange

# The keys of BIP39's "abandon … about" at m/84'/1'/0', and its first deposit addresses on
# litecoin-regtest: by BIP32 and BIP173 in a program of their own.
TPUB = (
    "tpubDC8msFGeGuwnKG9Upg7DM2b4DaRqg3CUZa5g8v2SRQ6K4NSkxUgd7HsL2XVWbVm39yBA4LAxysQAm397zwQSQoQge"
    "wGiYZqrA9DsP4zbQ1M")
TPRV = (
    "tprv8fSjiqEQ8YG7Ro7gw2ScwcvweYuuWi1ZzGUtrPz918HvDtBzL5s2voFTrN4y3yUwj5cYD54pLhxk6NKCzHUjcka3z"
    "bKjbTEcsuAnkzbjhkL")
OTHER_TPUB = (
    "tpubDCXZhr2gyU3AsjyhdMmLs8MWsyMTcnjRB5A1UYshxLwaLe6nc9QxFTLUEent47xh2RvUDQekahUW1A3Xr2iTjEsSQ"
    "qeG3q3JW5YiV9Mrg6z")
# m/84'/1'
SHALLOW_TPUB = (
    "tpubDB5GSFrKWykZsJgwdd9ViGUECU8AQvTxig4iZonrS5BJ2k9V4ucfHifnXTNfRExUaDsLvZedPfbEN2iphbq11CMDe"
    "4WJQAvQRqXaGJuwhwk")
ADDRESSES = {
    1: "rltc1qd7spv5q28348xl4myc8zmh983w5jx32cwn4h9f",
    2: "rltc1qxdyjf6h5d6qxap4n2dap97q4j5ps6ua8vmutcu",
}
CUSTOMER = "rltc1q7qjjh3a33jhsmxwxxs5pdm9nralyr68rnna754"
TERMS = ("--name", "LTC", "--confirmations", "3", "--minimum", "0.01", "--fee", "0.001",
         "--approvals", "2", "--approvals-above", "10")
USAGE = 64


@pytest.fixture(scope="module")
def venue():
    """A matchd with the asset LTC on chain 1, and alice, who has 100 LTC."""
    folder = Path(tempfile.mkdtemp(prefix="bourse-wallet-"))
    made = Exchange(folder / "state")
    try:
        made.init().start("matchd")
        made.ctl("asset", "add", "LTC", "--scale", "8")
        made.ctl("asset", "add", "USDT", "--scale", "6")
        made.ctl("account", "open", "alice")
        made.ctl("credit", "alice", "LTC", 100, "--reference", "r1", "--reason", "test")
        made.ctl("wallet", "chain", "set", 1, "litecoin-regtest", "--key", TPUB,
                 "--first-block", 101)
        made.ctl("wallet", "network", "set", "LTC", 1, *TERMS)
        yield made
        made.check_alive()
        assert made.ctl("journal", "dump").returncode == 0
        assert made.stop("matchd") == 0
        assert made.ctl_json("journal", "rehearse")["ok"]
    finally:
        made.end()
        shutil.rmtree(folder)


def wallet(venue, *words, by=None):
    """Runs a verb of the wallet that should work; returns its JSON."""
    return venue.ctl_json("wallet", *words, *(["--operator", by] if by else []))


def state(venue):
    """All that the log says of custody and of who has what; read again only where the log went on."""
    last = venue.ctl_json("status")["released"]
    at, shown = getattr(venue, "shown", (None, None))
    if at != last:
        shown = {" ".join(words): venue.ctl_json(*words) for words in (
            ("wallet", "status"), ("wallet", "chain", "list"), ("wallet", "network", "list"),
            ("wallet", "address", "list"), ("wallet", "withdrawals"), ("asset", "list"))}
        shown["accounts"] = [venue.ctl_json("account", "show", row["name"])
                             for row in venue.ctl_json("account", "list")]
        venue.shown = (last, shown)
    return shown


def refused(venue, *words, code=1):
    """Runs a verb of the wallet that should not work, and changes nothing: the log has no record
    more, or none that did anything. Returns the error."""
    before = state(venue)
    done = venue.ctl("wallet", *words, check=False)
    assert done.returncode == code, f"{done.returncode}: {done.stderr}{done.stdout}"
    assert done.stdout == ""
    assert state(venue) == before, words
    return done.stderr


def balance(venue, account="alice"):
    """Available and withdrawing LTC."""
    row = next(row for row in venue.ctl_json("account", "show", account)["balances"]
               if row["asset"] == "LTC")
    return float(row["available"]), float(row["withdrawing"])


def request(venue, amount, *more, by="carol"):
    done = wallet(venue, "withdraw", "alice", "LTC", 1, CUSTOMER, amount, *more, by=by)
    return done["withdrawal"]


def open_ids(venue, *more):
    return [row["id"] for row in wallet(venue, "withdrawals", *more)]


# --- what works ---


def test_shows_chains_and_networks(venue):
    chain, = wallet(venue, "chain", "list")
    assert chain.pop("addresses") >= 0
    assert chain == {"number": 1, "kind": "litecoin-regtest", "firstBlock": 101,
                     "creditedBlock": None, "key": TPUB}
    network, = wallet(venue, "network", "list")
    assert network == {
        "asset": "LTC", "chain": 1, "name": "LTC", "confirmations": 3, "minimum": "0.01",
        "fee": "0.001", "approvals": 2, "approvalsAbove": "10", "deposits": True,
        "withdrawals": True}
    assert "2 above 10 LTC" in venue.ctl("wallet", "network", "list").stdout
    assert "litecoin-regtest" in venue.ctl("wallet", "chain", "list").stdout


def test_derives_addresses_and_finds_their_owners(venue):
    venue.ctl("account", "open", "bob")
    first = wallet(venue, "address", "alice", 1)
    assert (first["index"], first["address"]) == (1, ADDRESSES[1])
    again = wallet(venue, "address", "assign", "alice", 1)
    assert (again["index"], again["address"]) == (1, ADDRESSES[1])
    assert wallet(venue, "address", "bob", 1)["address"] == ADDRESSES[2]
    assert venue.ctl("wallet", "address", "bob", 1).stdout.startswith(ADDRESSES[2] + "\n")
    rows = wallet(venue, "address", "list")
    assert [(row["account"], row["address"]) for row in rows] == [
        ("alice", ADDRESSES[1]), ("bob", ADDRESSES[2])]
    assert [row["index"] for row in wallet(venue, "address", "list", "bob")] == [2]
    assert ADDRESSES[1] in venue.ctl("wallet", "address", "list").stdout
    found = wallet(venue, "address", "find", ADDRESSES[2].upper())
    assert (found["account"], found["index"], found["chain"]) == ("bob", 2, 1)
    assert "is the deposit address of alice" in venue.ctl(
        "wallet", "address", "find", ADDRESSES[1]).stdout
    assert "no customer's" in refused(venue, "address", "find", CUSTOMER)
    chain, = wallet(venue, "chain", "list")
    assert chain["addresses"] == 2


def test_a_withdrawal_is_approved_by_others_than_who_asked(venue):
    before = balance(venue)
    made = request(venue, "12.5", "--client-id", "ticket 1")
    assert (made["status"], made["approvals"], made["approvers"]) == ("requested", 2, [])
    assert (made["amount"], made["fee"], made["address"]) == ("12.5", "0.001", CUSTOMER)
    assert (made["requester"], made["clientID"]) == ("carol", "ticket 1")
    assert balance(venue) == pytest.approx((before[0] - 12.501, before[1] + 12.501))
    assert made["id"] in open_ids(venue, "--status", "requested", "--account", "alice")
    assert made["id"] not in open_ids(venue, "--status", "signed")
    own = refused(venue, "approve", made["id"], "--operator", "carol")
    assert "carol asked for withdrawal" in own and "another operator" in own
    once = wallet(venue, "approve", made["id"], by="dave")["withdrawal"]
    assert (once["status"], once["approvers"]) == ("requested", ["dave"])
    assert "dave has approved" in refused(venue, "approve", made["id"], "--operator", "dave")
    text = venue.ctl("wallet", "withdrawals").stdout
    assert "1 of 2: dave" in text and "carol" in text and CUSTOMER in text
    last = venue.ctl("wallet", "approve", made["id"], "--operator", "erin", "--reason", "seen")
    assert "waits to be paid" in last.stdout
    assert "needs no more approvals" in refused(
        venue, "approve", made["id"], "--operator", "frank")
    again = refused(venue, "withdraw", "alice", "LTC", 1, CUSTOMER, "12.5", "--client-id",
                    "ticket 1")
    assert "client id ticket 1 already" in again
    # What is approved and not signed can still be refused.
    gone = wallet(venue, "refuse", made["id"], "--reason", "called back", by="carol")
    assert gone["released"] == "12.501"
    assert balance(venue) == pytest.approx(before)
    assert "no open withdrawal" in refused(venue, "refuse", made["id"], "--reason", "again")
    dump = venue.ctl("journal", "dump", "--kind", "decideWithdrawal").stdout
    assert "erin" in dump and "seen" in dump and "called back" in dump


def test_a_small_withdrawal_needs_no_approval(venue):
    made = request(venue, "10")
    assert (made["status"], made["approvals"]) == ("approved", 0)
    wallet(venue, "refuse", made["id"], "--reason", "test")


def test_a_stopped_asset_takes_no_withdrawals(venue):
    assert wallet(venue, "stop", "LTC", "--reason", "a fork", by="dave")["stopped"]
    assert "are stopped" in venue.ctl("wallet", "stop", "LTC", "--reason", "again").stdout
    status = wallet(venue, "status")["assets"]
    assert [row["stopped"] for row in status if row["asset"] == "LTC"] == [True]
    assert "STOPPED" in venue.ctl("wallet", "status").stdout
    assert "STOPPED" in venue.ctl("wallet", "network", "list").stdout
    assert "wallet resume" in refused(venue, "withdraw", "alice", "LTC", 1, CUSTOMER, "1")
    assert not wallet(venue, "resume", "LTC", "--reason", "over")["stopped"]
    assert "are not stopped" in refused(venue, "resume", "LTC", "--reason", "twice")
    assert "dave: a fork" in venue.ctl("journal", "dump", "--kind", "stopWithdrawals").stdout
    for verb in ("stop", "resume"):
        assert "the reason is empty" in refused(
            venue, verb, "LTC", "--reason", " ", code=USAGE)


def test_status_is_what_the_ledger_says(venue):
    made = request(venue, "20")
    row = next(row for row in wallet(venue, "status")["assets"] if row["asset"] == "LTC")
    assert (row["inCustody"], row["customers"], row["external"]) == ("100", "100", "-100")
    assert (row["withdrawing"], row["inTransit"], row["chain"]) == ("20.001", "0", "0")
    assert row["openWithdrawals"] == len(open_ids(venue))
    assert "20.001" in venue.ctl("wallet", "status").stdout
    wallet(venue, "refuse", made["id"], "--reason", "test")


def test_a_change_of_terms_shows_both(venue):
    changed = wallet(venue, "network", "set", "LTC", 1, "--fee", "0.002")
    assert (changed["before"]["fee"], changed["network"]["fee"]) == ("0.001", "0.002")
    assert changed["network"] | {"fee": "0.001"} == changed["before"]
    shown = venue.ctl("wallet", "network", "set", "LTC", 1, "--fee", "0.001",
                      "--no-withdrawals").stdout
    assert "0.002 LTC" in shown and "0.001 LTC" in shown and "closed" in shown
    assert "takes no withdrawals" in refused(venue, "withdraw", "alice", "LTC", 1, CUSTOMER, "1")
    back = wallet(venue, "network", "set", "LTC", 1, "--withdrawals")["network"]
    assert back["withdrawals"] and back["fee"] == "0.001"
    assert "nothing would change" in refused(
        venue, "network", "set", "LTC", 1, "--fee", "0.001", code=USAGE)


def test_reads_a_chain_again_only_when_it_is_confirmed(venue):
    words = ("chain", "set", 1, "litecoin-regtest", "--key", TPUB, "--first-block", 120)
    asked = refused(venue, *words, code=USAGE)
    assert "add --yes" in asked and "read again from block 120" in asked
    assert "block 101 to block 119 are not credited" in asked
    assert wallet(venue, *words, "--yes")["chain"]["firstBlock"] == 120
    down = refused(venue, *words[:-1], 101, code=USAGE)
    assert "not credited" not in down
    assert "are read again from block 101" in venue.ctl(
        "wallet", *words[:-1], 101, "--yes").stdout


# --- what does not ---


@pytest.mark.parametrize("words", [
    ("chain", "set", 2, "litecoin-regtest", "--key", TPRV, "--first-block", 1),
    ("chain", "set", 2, "litecoin-regtest", f"--key={TPRV}", "--first-block", 1),
    ("chain", "set", 2, "litecoin-regtest", TPRV, "--first-block", 1),
    ("chain", "set", 2, "litecoin-regtest", "--key", TPRV[:-1], "--first-block", 1),
    ("address", "find", TPRV),
])
def test_refuses_a_private_key_and_does_not_repeat_it(venue, words):
    error = refused(venue, *words, code=USAGE)
    assert "that is a private key" in error and "new seed" in error
    assert TPRV[:12] not in error


def test_refuses_the_words_of_a_seed(venue):
    words = "abandon " * 11 + "about"
    error = refused(venue, "chain", "set", 2, "litecoin-regtest", "--key", words, "--first-block",
                    1, code=USAGE)
    assert "that is a seed" in error and "abandon" not in error


@pytest.mark.parametrize("key, kind, why", [
    (TPUB[:-1] + "N", "litecoin-regtest", "a letter is wrong"),
    (TPUB[:-1], "litecoin-regtest", "a letter is wrong"),
    ("", "litecoin-regtest", "a letter is wrong"),
    (TPUB, "litecoin", "none for tests"),
    (SHALLOW_TPUB, "litecoin-regtest", "2 steps below"),
    (OTHER_TPUB, "dogecoin", "no kind of chain dogecoin"),
])
def test_refuses_a_key_that_is_not_the_wallets(venue, key, kind, why):
    error = refused(venue, "chain", "set", 2, kind, "--key", key, "--first-block", 1, code=USAGE)
    assert why in error


def test_explains_the_first_block(venue):
    words = ("chain", "set", 2, "litecoin-regtest", "--key", OTHER_TPUB)
    assert "nothing in an earlier block is credited" in refused(venue, *words, code=USAGE)
    for height in (0, 2**53 + 1):
        assert "is not within 1" in refused(
            venue, *words, "--first-block", height, code=USAGE)


def test_a_chain_with_addresses_stays_what_it_is(venue):
    wallet(venue, "address", "alice", 1)
    for kind, key in (("litecoin-regtest", OTHER_TPUB), ("bitcoin-regtest", TPUB)):
        error = refused(venue, "chain", "set", 1, kind, "--key", key, "--first-block", 101,
                        "--yes")
        assert "neither that nor its key can change" in error
    twice = refused(venue, "chain", "set", 2, "litecoin-regtest", "--key", TPUB, "--first-block",
                    101)
    assert "credited twice" in twice


def test_a_network_needs_a_chain_its_coin_and_terms(venue):
    assert "there is no chain 9" in refused(venue, "network", "set", "LTC", 9, *TERMS)
    assert "there is no asset DOGE" in refused(venue, "network", "set", "DOGE", 1, *TERMS)
    decimals = refused(venue, "network", "set", "USDT", 1, *TERMS)
    assert "has 6 decimals" in decimals and "asset add" in decimals
    venue.ctl("asset", "add", "LTC2", "--scale", "8")
    assert "carries LTC" in refused(venue, "network", "set", "LTC2", 1, *TERMS)
    wallet(venue, "chain", "set", 3, "litecoin-test", "--key", OTHER_TPUB, "--first-block", 1)
    missing = refused(venue, "network", "set", "LTC2", 3, "--name", "X", code=USAGE)
    assert "needs --confirmations, --minimum, --fee" in missing
    for changed, why in [
        (("--minimum", "0.00005"), "dust"), (("--minimum", "0"), "--minimum is zero"),
        (("--confirmations", "0"), "before it is in a block"), (("--approvals", "9"), "above 8"),
        (("--name", "x" * 17), "not a valid name"), (("--name", ""), "not a valid name"),
        (("--approvals", "0", "--approvals-above", "5"), "has no effect"),
    ]:
        assert why in refused(venue, "network", "set", "LTC2", 3, *TERMS, *changed, code=USAGE)
    for changed in (("--minimum", "0.123456789"), ("--fee", "9" * 36)):
        assert "not a valid amount" in refused(
            venue, "network", "set", "LTC2", 3, *TERMS, *changed)
    assert "is negative" in refused(
        venue, "network", "set", "LTC2", 3, *TERMS, "--fee=-1", code=USAGE)
    assert len(wallet(venue, "network", "list")) == 1


@pytest.mark.parametrize("address, why", [
    ("ltc1q7qjjh3a33jhsmxwxxs5pdm9nralyr68rpdldhp", "an address of litecoin"),
    ("bcrt1q7qjjh3a33jhsmxwxxs5pdm9nralyr68rd78hrt", "an address of bitcoin-regtest"),
    (CUSTOMER[:-1] + "5", "a letter is wrong"), (CUSTOMER[:-1], "some are missing"),
    (CUSTOMER[:6] + CUSTOMER[6:].upper(), "a letter is wrong"), ("", "some are missing"),
    ("x" * 100, "a letter is wrong"),
])
def test_checks_the_address_of_a_withdrawal(venue, address, why):
    error = refused(venue, "withdraw", "alice", "LTC", 1, address, "1", code=USAGE)
    assert why in error and "copy the address again" in error


def test_checks_the_amount_of_a_withdrawal(venue):
    def why(amount, code=1):
        return refused(venue, "withdraw", "alice", "LTC", 1, CUSTOMER, amount, code=code)

    assert "below the smallest withdrawal" in why("0.00999999")
    assert "not a valid amount" in why("1.123456789")
    assert "not a valid amount" in why("9" * 36)
    assert "not above zero" in why("0", USAGE)
    assert "does not have that much available" in why("100")
    why("1e3", USAGE)
    why("-1", USAGE)
    before = balance(venue)
    whole = request(venue, "99.999")
    assert balance(venue)[0] == pytest.approx(before[0] - 100)
    wallet(venue, "refuse", whole["id"], "--reason", "test")


def test_takes_an_address_in_capitals_as_the_same(venue):
    done = wallet(venue, "withdraw", "alice", "LTC", 1, CUSTOMER.upper(), "1", by="carol")
    assert done["withdrawal"]["address"] == CUSTOMER
    wallet(venue, "refuse", done["withdrawal"]["id"], "--reason", "test")


def test_names_what_is_unknown(venue):
    for words, why in [
        (("withdraw", "zoe", "LTC", 1, CUSTOMER, "1"), "no account zoe"),
        (("withdraw", "alice", "DOGE", 1, CUSTOMER, "1"), "no asset DOGE"),
        (("withdraw", "alice", "LTC", 9, CUSTOMER, "1"), "no chain 9"),
        (("withdraw", "alice", "USDT", 1, CUSTOMER, "1"), "USDT has no network on chain 1"),
        (("approve", 4711), "no open withdrawal 4711"),
        (("refuse", 4711, "--reason", "x"), "no open withdrawal 4711"),
        (("stop", "DOGE", "--reason", "x"), "no asset DOGE"),
        (("address", "zoe", 1), "no account zoe"), (("address", "alice", 9), "no chain 9"),
        (("address", "list", "zoe"), "no account zoe"),
        (("withdrawals", "--account", "zoe"), "no account zoe"),
    ]:
        assert why in refused(venue, *words), words
    for words in [("approve", "x"), ("approve", -1), ("chain", "set", 0, "litecoin", "--key", TPUB),
                  ("address", "alice", 65536), ("refuse", 1), ("stop", "LTC"), ("nonsense",),
                  ("withdrawals", "--status", "settled")]:
        refused(venue, *words, code=USAGE)
    assert "has no tags" in refused(
        venue, "withdraw", "alice", "LTC", 1, CUSTOMER, "1", "--tag", "5", code=USAGE)
    assert "no address of a chain here" in refused(
        venue, "address", "find", "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", code=USAGE)


def test_nothing_of_a_chain_is_there_before_one_is_set(exchange):
    exchange.start("matchd")
    for words in (("status",), ("chain", "list"), ("network", "list"), ("address", "list"),
                  ("withdrawals",)):
        done = exchange.ctl("wallet", *words)
        assert "There are no" in done.stdout or "No such" in done.stdout, done.stdout
        exchange.ctl_json("wallet", *words)
    exchange.ctl("account", "open", "alice")
    assert "wallet chain set" in refused(exchange, "address", "alice", 1)
    wallet(exchange, "chain", "set", 1, "litecoin-regtest", "--key", TPUB, "--first-block", 1)
    assert "no asset is on chain 1 yet" in refused(exchange, "address", "alice", 1)
    # Without addresses its key may still be corrected.
    wallet(exchange, "chain", "set", 1, "litecoin-regtest", "--key", OTHER_TPUB, "--first-block",
           1, "--yes")
    exchange.check_alive()


def test_no_private_key_is_in_any_file(venue):
    """The last of its tests: what the others tried left nothing behind."""
    for file in venue.state.rglob("*"):
        if file.is_file():
            assert TPRV[:12].encode() not in file.read_bytes(), file
