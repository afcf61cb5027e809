"""Operators with keys, with boursectl against a real matchd: nobody alone takes money out, what was
signed is what is done, and `audit verify` finds what was altered in the log afterwards."""
import json
import os
import pty
import select
import shutil
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from exchange import BIN, Exchange
from journal import Journal
from linkwire import Link, padded, text

TPUB = (
    "tpubDC8msFGeGuwnKG9Upg7DM2b4DaRqg3CUZa5g8v2SRQ6K4NSkxUgd7HsL2XVWbVm39yBA4LAxysQAm397zwQSQoQge"
    "wGiYZqrA9DsP4zbQ1M")
CUSTOMER = "rltc1q7qjjh3a33jhsmxwxxs5pdm9nralyr68rnna754"
PASSPHRASE = "correct horse battery"
# Another account's, whose keys an office might keep offline.
COLD = (
    "tpubDCWivZp6qaqCALCt8MyLqAb3awnWm4hfbBPjdZqirYFXYeZ5YsfbWVaPacULZTGtK1RPBSZ92UWNjnhL4fB9UVrF2"
    "FjgW8cgmBjxPBmB4iB")
PROPOSED = 75
PROPOSE, SET_COLD_STORAGE = 62, 74
SECONDS_MAX = 60


class Office:
    """A matchd, and the operators' key files beside it."""

    def __init__(self, folder):
        self.folder = folder
        self.venue = Exchange(folder / "state")

    def key(self, name):
        return self.folder / f"{name}.key"

    def typed(self, *arguments, lines=(PASSPHRASE,)):
        """Runs boursectl on a terminal of its own and types `lines` where it asks; its exit status
        and what it wrote."""
        result = self.folder / "typed.txt"
        command = [str(BIN / "boursectl"), "--state", str(self.venue.state),
                   *map(str, arguments)]
        pid, master = pty.fork()
        if pid == 0:
            output = os.open(result, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.execve(command[0], command, os.environ | {"TERM": "xterm"})
        shown, left = "", list(lines)
        deadline = time.monotonic() + SECONDS_MAX
        while time.monotonic() < deadline:
            if not select.select([master], [], [], 1)[0]:
                continue
            try:
                more = os.read(master, 4096)
            except OSError:
                break
            if not more:
                break
            shown += more.decode()
            if left and shown.rstrip().endswith(":"):
                os.write(master, left.pop(0).encode() + b"\n")
                shown = ""
        _, status = os.waitpid(pid, 0)
        os.close(master)
        text = result.read_text()
        assert PASSPHRASE not in text + shown
        return os.waitstatus_to_exitcode(status), text

    def signed(self, name, *arguments, code=0):
        """Runs a command with an operator's key; its text."""
        found, text = self.typed(*arguments, "--operator-key", self.key(name))
        assert found == code, text
        return text

    def proposals(self):
        return self.venue.ctl_json("proposal", "list")

    def endorse(self, name, code=0):
        return self.signed(name, "proposal", "approve", self.proposals()[-1]["id"], code=code)

    def refused(self, *arguments):
        done = self.venue.ctl(*arguments, check=False)
        assert done.returncode == 1, done.stdout
        return done.stderr

    def verify(self, *arguments, directory=None):
        where = directory or self.venue.state / "journal"
        done = subprocess.run(
            [str(BIN / "boursectl"), "--output", "json", "audit", "verify", "--journal", str(where),
             *map(str, arguments)], capture_output=True, text=True, timeout=SECONDS_MAX)
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def office():
    """LTC on chain 1, alice with 100 of them, and three operators of which one endorses."""
    folder = Path(tempfile.mkdtemp(prefix="bourse-operators-"))
    made = Office(folder)
    venue = made.venue
    try:
        venue.init().start("matchd")
        venue.ctl("asset", "add", "LTC", "--scale", "8")
        venue.ctl("account", "open", "alice")
        venue.ctl("credit", "alice", "LTC", 100, "--reference", "r1", "--reason", "test")
        venue.ctl("wallet", "chain", "set", 1, "litecoin-regtest", "--key", TPUB,
                  "--first-block", 101)
        venue.ctl("wallet", "network", "set", "LTC", 1, "--name", "LTC", "--confirmations", 3,
                  "--minimum", "0.01", "--fee", "0.001", "--approvals", 2,
                  "--approvals-above", 10)
        for name in ("olga", "otto", "omar"):
            code, text = made.typed(
                "--output", "json", "operator", "keygen", made.key(name), "--name", name,
                lines=(PASSPHRASE, PASSPHRASE))
            assert code == 0, text
            words = ("operator", "add", name, "--public-key", json.loads(text)["publicKey"],
                     "--approves", "--administers")
            if name == "olga":
                venue.ctl(*words)
            else:
                made.signed("olga", *words)
        made.signed("olga", "operator", "policy", "--endorsements", 1)
        yield made
        venue.check_alive()
        assert venue.stop("matchd") == 0
        assert venue.ctl_json("journal", "rehearse")["ok"]
    finally:
        venue.end()
        shutil.rmtree(folder)


def withdraw(office, by="omar"):
    before = {row["id"] for row in office.venue.ctl_json("wallet", "withdrawals")}
    office.signed(by, "wallet", "withdraw", "alice", "LTC", 1, CUSTOMER, "20", code=PROPOSED)
    office.endorse("olga" if by != "olga" else "otto")
    (made,) = {row["id"] for row in office.venue.ctl_json("wallet", "withdrawals")} - before
    return made


def status(office, number):
    rows = office.venue.ctl_json("wallet", "withdrawals")
    return next((row["status"] for row in rows if row["id"] == number), None)


def test_a_key_file_is_its_owners_and_sealed(office):
    file = office.key("olga")
    assert file.stat().st_mode & 0o777 == 0o600
    assert PASSPHRASE not in file.read_text()
    code, text = office.typed("operator", "keygen", file, "--name", "olga",
                              lines=(PASSPHRASE, PASSPHRASE))
    assert code == 1 and "exists" in text.lower()
    code, text = office.typed("operator", "policy", "--endorsements", 2, "--operator-key", file,
                              lines=("another passphrase",))
    assert code == 1 and "not the passphrase" in text


def test_what_is_guarded_is_refused_unsigned(office):
    for words in (
            ("credit", "alice", "LTC", 5, "--reference", "r2", "--reason", "theft"),
            ("debit", "alice", "LTC", 5, "--reference", "r3", "--reason", "theft"),
            ("wallet", "network", "set", "LTC", 1, "--confirmations", 1),
            ("operator", "policy", "--endorsements", 0),
            ("operator", "remove", "otto"),
            ("fees", "set", "--tier", 0, "--maker", "0%", "--taker", "1%"),
            ("key", "add", "alice", "--permissions", "read,withdraw"),
            # A requester who is nobody could be approved by everybody.
            ("wallet", "withdraw", "alice", "LTC", 1, CUSTOMER, "20", "--operator", "nobody"),
    ):
        assert "--operator-key" in office.refused(*words)
    # Stopping is always allowed.
    office.venue.ctl("wallet", "stop", "LTC", "--reason", "a fork")
    assert "--operator-key" in office.refused("wallet", "resume", "LTC", "--reason", "over")
    office.signed("olga", "wallet", "resume", "LTC", "--reason", "over", code=PROPOSED)
    office.endorse("otto")


def test_two_book_what_one_proposes(office):
    words = ("credit", "alice", "LTC", 5, "--reference", "wire 7", "--reason", "deposit")
    text = office.signed("olga", *words, code=PROPOSED)
    # What is signed is shown in names and decimals before the passphrase is asked for.
    assert "alice (account 1)" in text and "5 LTC" in text and "wire 7" in text
    number = office.proposals()[-1]["id"]
    assert number in text and office.proposals()[-1]["fields"]["reference"] == "wire 7"
    assert "another administrator" in office.endorse("olga", code=1)
    before = office.venue.ctl_json("account", "show", "alice")
    assert "done" in office.endorse("otto")
    after = office.venue.ctl_json("account", "show", "alice")
    assert before != after and office.proposals() == []
    # The same booking again is the same reference, and is refused when it is applied.
    office.signed("olga", *words, code=PROPOSED)
    assert "reference" in office.endorse("otto", code=1)
    office.signed("olga", "proposal", "withdraw", office.proposals()[-1]["id"])


def test_who_asks_for_a_withdrawal_does_not_approve_it(office):
    number = withdraw(office)
    assert "--operator-key" in office.refused("wallet", "approve", number)
    assert "asked for" in office.signed("omar", "wallet", "approve", number, code=1)
    shown = office.signed("olga", "wallet", "approve", number)
    assert "20 LTC" in shown and CUSTOMER in shown and "LTC (chain 1)" in shown
    assert "has approved" in office.signed("olga", "wallet", "approve", number, code=1)
    assert status(office, number) == "requested"
    office.signed("otto", "wallet", "approve", number)
    assert status(office, number) == "approved"
    office.venue.ctl("wallet", "refuse", number, "--reason", "test")


def test_an_approval_is_not_one_of_another_withdrawal(office):
    """A stolen session: what was approved is refused and asked for anew to another address."""
    number = withdraw(office)
    office.signed("olga", "wallet", "approve", number)
    office.venue.ctl("wallet", "refuse", number, "--reason", "stolen session")
    other = withdraw(office)
    assert other != number and status(office, other) == "requested"
    row = next(row for row in office.venue.ctl_json("wallet", "withdrawals") if row["id"] == other)
    assert row["approvers"] == []
    office.venue.ctl("wallet", "refuse", other, "--reason", "test")


def test_the_audit_finds_what_was_altered(office):
    """Under right checksums, as root on the host would write it."""
    good = office.verify()
    assert good["ok"] and good["signatures"] > 5 and len(good["operators"]) == 3
    assert office.verify("--expect", good["head"])["ok"]
    assert not office.verify("--expect", f"1:{'00' * 32}")["ok"]
    directory = office.venue.state / "journal"

    def altered(kind, place):
        copy = office.folder / f"copy-{kind}-{place}"
        shutil.copytree(directory, copy / "journal")
        record = Journal(copy).of_kind(kind)[0]
        payload = bytearray(record.payload)
        payload[place] ^= 1
        record.replace(bytes(payload))
        return record.sequence, office.verify(directory=copy / "journal")

    for kind, place in ((62, 40), (63, 16), (65, 24), (65, 56)):
        sequence, found = altered(kind, place)
        assert not found["ok"] and found["record"] == sequence, found
    # A booking before the first signature: who signed after it saw another chain.
    sequence, found = altered(28, 8)
    assert not found["ok"] and found["record"] > sequence, found


def propose_cold(office, key, number, descriptor):
    """An operator named oleg proposes cold storage by a program of its own, which checks nothing;
    the engine's refusal."""
    venue = office.venue
    asset = next(row["id"] for row in venue.ctl_json("asset", "list") if row["code"] == "LTC")
    count, head = office.verify()["head"].split(":")
    words = descriptor.encode()
    wanted = padded(
        struct.pack("<HH12x", asset, 1) + (3 * 10**8).to_bytes(16, "little")
        + (10**8).to_bytes(16, "little") + struct.pack("<H", len(words)) + words + text("oleg")
        + struct.pack("<H", 4) + b"test")
    deadline = time.time_ns() + 3_600 * 10**9
    signed = number.to_bytes(16, "little") + struct.pack(
        "<qHH4x", deadline, SET_COLD_STORAGE, len(wanted)) + wanted
    signed += text("oleg") + key.public_key().public_bytes_raw()
    signed += struct.pack("<Q", int(count)) + bytes.fromhex(head)
    purpose = b"bourse-operator1" + struct.pack("<QQQ", *Journal(venue.state).identity, PROPOSE)
    link = Link(str(venue.state / "run" / "match.sock"), "operator/oleg")
    try:
        session = link.open("operator/oleg")[3]
        link.submit(session, [(1, PROPOSE, padded(signed + key.sign(purpose + signed)))])
        acks = []
        while not acks:
            acks = link.acks(10)
        return acks[0][4]
    finally:
        link.close()


def test_who_endorses_cold_storage_sees_that_nothing_could_come_back(office):
    """The engine takes any words for a descriptor: what is wrong with them sees the second one."""
    key = Ed25519PrivateKey.generate()
    office.signed("olga", "operator", "add", "oleg", "--public-key",
                  key.public_key().public_bytes_raw().hex(), "--administers", code=PROPOSED)
    office.endorse("otto")
    bad = {
        "wpkh(nobody reads this)": "the descriptor is not taken",
        f"wpkh({TPUB}/0/*)": "the wallet's own",
        "ltc1q7qjjh3a33jhsmxwxxs5pdm9nralyr68rvujj3j": "the descriptor is not taken",
        "": "none any more",
        f"wpkh({COLD}/0/*)": "one key",
    }
    for number, (descriptor, said) in enumerate(bad.items(), 1):
        # boursectl itself proposes none of these.
        is_good = said in ("none any more", "one key")
        if not is_good:
            words = ("wallet", "cold", "set", "LTC", 1, "--descriptor", descriptor, "--ceiling", 3,
                     "--target", 1, "--yes", "--operator-key", office.key("olga"))
            assert said in office.venue.ctl(*words, check=False).stderr
        assert propose_cold(office, key, number, descriptor) == 0
        (made,) = [row["id"] for row in office.proposals() if row["proposer"] == "oleg"
                   and row["fields"]["descriptor"] == descriptor]
        # Before the passphrase, which is not given here.
        code, typed = office.typed("proposal", "approve", made, "--operator-key",
                                   office.key("otto"), lines=("another passphrase",))
        assert code == 1
        for shown in (office.venue.ctl("proposal", "show", made).stdout, typed):
            (line,) = [one for one in shown.splitlines() if one.strip().startswith("cold storage")]
            assert said in line and ("UNREADABLE" in line) != is_good, shown
            assert "3 LTC" in shown and descriptor in shown, shown
            assert ("first addresses" in shown) == (said == "one key"), shown
    assert office.venue.ctl_json("wallet", "cold", "list") == []
    assert office.verify()["ok"]
