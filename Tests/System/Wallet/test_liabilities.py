"""Proof of liabilities: its total is the ledger's, each proof is found right and every wrong
one is found wrong, by boursectl and by the short program that customers get."""
import copy
import importlib.util
import json
import subprocess
import sys

import pytest
from exchange import BIN, ROOT

SCRIPT = ROOT / "packaging" / "examples" / "verify-liabilities.py"
CREDITS = {"alice": "12.5", "bob": "0.00000001", "carol": "1000000", "dave": None, "erin": "3"}
USAGE = 64


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The files of an exchange where some has been held for an order and for a withdrawal, and the
    exchange's own words on that: its customers' total, its last record."""
    from exchange import Exchange
    folder = tmp_path_factory.mktemp("liabilities")
    exchange = Exchange(folder / "state")
    try:
        exchange.init().start("matchd")
        exchange.ctl("asset", "add", "BTC", "--scale", 8)
        exchange.ctl("asset", "add", "USDT", "--scale", 6)
        for name, amount in CREDITS.items():
            exchange.ctl("account", "open", name)
            if amount:
                exchange.ctl("credit", name, "BTC", amount, "--reference", name, "--reason", "x")
        exchange.open_network(approvals=1)
        exchange.ctl("wallet", "withdraw", "alice", "BTC", 1,
                     "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", "2", "--operator", "zoe")
        made = exchange.ctl_json("wallet", "liabilities", "BTC", "--out", folder / "out")
        one = exchange.ctl_json("wallet", "liabilities", "BTC", "--out", folder / "one",
                                "--account", "bob")
        status, = [row for row in exchange.ctl_json("wallet", "status")["assets"]
                   if row["asset"] == "BTC"]
        last = exchange.ctl_json("status")
        taken = exchange.ctl("wallet", "liabilities", "BTC", "--out", folder / "out", check=False)
        unknown = exchange.ctl("wallet", "liabilities", "DOGE", "--out", folder / "no",
                               check=False)
        exchange.check_alive()
        yield {"folder": folder, "all": made, "one": one, "status": status, "last": last,
               "taken": taken, "unknown": unknown}
        exchange.ctl("journal", "verify")
    finally:
        exchange.end()


def proofs(made):
    return [json.loads(line)
            for line in (made["folder"] / "out" / "proofs.jsonl").read_text().splitlines()]


def root(made):
    return json.loads((made["folder"] / "out" / "root.json").read_text())


def by_boursectl(proof, root):
    """Whether boursectl finds it right; what it says. It is given no exchange."""
    done = subprocess.run([str(BIN / "boursectl"), "wallet", "verify-liabilities", proof, root],
                          capture_output=True, text=True, timeout=60, cwd="/")
    assert done.returncode in (0, 1), done
    return done.returncode == 0, done.stdout + done.stderr


def by_script(proof, root):
    done = subprocess.run([sys.executable, "-I", str(SCRIPT), proof, root], capture_output=True,
                          text=True, timeout=60, cwd="/")
    assert done.returncode in (0, 1) and "Traceback" not in done.stderr, done
    return done.returncode == 0, done.stdout + done.stderr


BOTH = pytest.mark.parametrize("check", [by_boursectl, by_script])


def files(tmp_path, proof, root):
    (tmp_path / "proof.json").write_text(json.dumps(proof))
    (tmp_path / "root.json").write_text(json.dumps(root))
    return tmp_path / "proof.json", tmp_path / "root.json"


def test_the_total_is_the_ledgers(made):
    assert made["all"]["total"] == made["status"]["customers"] == "1000015.50000001"
    assert made["all"]["accounts"] == len(CREDITS) == len(proofs(made))
    assert root(made)["total"] == "100001550000001" and root(made)["hash"] == made["all"]["hash"]
    assert root(made)["sequence"] == made["all"]["sequence"]
    assert sum(int(proof["units"]) for proof in proofs(made)) == int(root(made)["total"])
    found = {proof["account"]: proof["units"] for proof in proofs(made)}
    # What is held for a withdrawal is owed.
    assert found == {"alice": "1250000000", "bob": "1", "carol": "100000000000000", "dave": "0",
                     "erin": "300000000"}


def test_the_files_are_for_their_owner(made):
    folder = made["folder"] / "out"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {(path.name, path.stat().st_mode & 0o777) for path in folder.iterdir()} == {
        ("root.json", 0o600), ("proofs.jsonl", 0o600)}
    assert made["taken"].returncode == 1 and "names a new directory" in made["taken"].stderr
    assert made["unknown"].returncode == 1 and not (made["folder"] / "no").exists()


@BOTH
def test_each_proof_is_right(made, tmp_path, check):
    for proof in proofs(made):
        right, text = check(*files(tmp_path, proof, root(made)))
        assert right and proof["account"] in text and root(made)["hash"] in text, text


@BOTH
def test_one_accounts_proof_alone(made, check):
    folder = made["folder"] / "one"
    proof, = [path for path in folder.iterdir() if path.name != "root.json"]
    assert json.loads(proof.read_text())["account"] == "bob"
    assert json.loads((folder / "root.json").read_text())["total"] == root(made)["total"]
    right, text = check(proof, folder / "root.json")
    assert right and "bob" in text
    # Each root is of a salt of its own.
    assert made["one"]["hash"] != made["all"]["hash"]
    assert not check(proof, made["folder"] / "out" / "root.json")[0]


def test_all_proofs_together_are_the_total(made, tmp_path):
    folder = made["folder"] / "out"
    right, text = by_boursectl(folder / "proofs.jsonl", folder / "root.json")
    assert right and "These are all accounts, and their sum is the total." in text
    lines = (folder / "proofs.jsonl").read_text().splitlines()
    for some, lacks in ((lines[1:], True), (lines[::-1], True), (lines + lines[:1], True),
                        ([lines[0], lines[0].replace('"units":"', '"units":"1')], False)):
        (tmp_path / "some").write_text("\n".join(some))
        right, text = by_boursectl(tmp_path / "some", folder / "root.json")
        assert right == lacks and "These are all" not in text, text
        assert lacks or "line 2" in text
    for nothing in ("", "\n", "{}", "[]", "x" * 50_000, lines[0] + "\n{}"):
        (tmp_path / "some").write_text(nothing)
        assert not by_boursectl(tmp_path / "some", folder / "root.json")[0]


def wrongs(proof, other, root):
    """Proofs and roots with one thing wrong, by name."""
    def changed(**members):
        return proof | members, root

    def sibling(level, **members):
        siblings = copy.deepcopy(proof["siblings"])
        siblings[level] |= members
        return siblings

    low = proof["siblings"][0]
    more = str(int(low["sum"]) + 1)
    yield "another name", changed(account="mallory")
    yield "another account's leaf", changed(
        **{name: other[name] for name in ("account", "units", "nonce")})
    yield "another account's place", changed(place=other["place"])
    yield "another account's way", changed(place=other["place"], siblings=other["siblings"])
    yield "another amount", changed(units=str(int(proof["units"]) + 1))
    yield "a negative amount", changed(units="-" + proof["units"])
    yield "an amount as a number", changed(units=int(proof["units"]))
    yield "a negative sum", changed(siblings=sibling(0, sum="-1"))
    yield "a sum that wraps around", changed(siblings=sibling(0, sum=str(2**127 - 1)))
    yield "a sum of 128 bits", changed(siblings=sibling(0, sum=str(2**128 - 1)))
    yield "a sum above", changed(siblings=sibling(0, sum=more))
    yield "another split of the same total", changed(
        units=str(int(proof["units"]) - 1), siblings=sibling(0, sum=more))
    yield "swapped children", changed(place=proof["place"] ^ 1)
    yield "levels swapped", changed(siblings=proof["siblings"][::-1])
    yield "a node less", changed(siblings=proof["siblings"][:-1])
    yield "a node more", changed(siblings=[*proof["siblings"], low])
    yield "a node twice", changed(siblings=[low, *proof["siblings"][:-1]])
    yield "another hash", changed(siblings=sibling(0, hash=proof["nonce"]))
    yield "a hash in capitals", changed(siblings=sibling(0, hash=low["hash"].upper() + ""))
    yield "a short hash", changed(siblings=sibling(0, hash=low["hash"][:-2]))
    yield "another nonce", changed(nonce=low["hash"])
    yield "a place behind all", changed(place=root["accounts"])
    yield "a negative place", changed(place=-1)
    yield "a place of a fraction", changed(place=proof["place"] + 0.5)
    yield "another asset", changed(asset="USDT")
    yield "another record", changed(sequence=proof["sequence"] + 1)
    yield "another version", changed(version=2)
    for name in proof:
        yield f"no {name}", ({key: proof[key] for key in proof if key != name}, root)
        yield f"no text in {name}", changed(**{name: None})
    for name in root:
        yield f"no {name} of the root", (proof, {key: root[key] for key in root if key != name})
    for name in ("scale", "sequence", "accounts"):
        yield f"another {name} of the root", (proof, root | {name: root[name] + 1})
    yield "another asset of both", (proof | {"asset": "USDT"}, root | {"asset": "USDT"})
    yield "another record of both", (proof | {"sequence": 1}, root | {"sequence": 1})
    yield "a total below", (proof, root | {"total": str(int(root["total"]) - 1)})
    yield "a total above", (proof, root | {"total": str(int(root["total"]) + 1)})
    yield "another root", (proof, root | {"hash": low["hash"]})
    yield "no object", ([], root)
    yield "no root", (proof, "x")


@BOTH
def test_each_wrong_proof_is_found(made, tmp_path, check):
    all_of_them = proofs(made)
    # In a tree of five, one way has a node less than the others.
    proof = next(one for one in all_of_them if len(one["siblings"]) == 3 and one["units"] != "0")
    other = next(one for one in all_of_them
                 if one["place"] // 2 != proof["place"] // 2 and len(one["siblings"]) == 3)
    assert check(*files(tmp_path, proof, root(made)))[0]
    passed, count = [], 0
    for name, (wrong_proof, wrong_root) in wrongs(proof, other, root(made)):
        if name == "a hash in capitals" and proof["siblings"][0]["hash"].isdigit():
            continue
        count += 1
        right, text = check(*files(tmp_path, wrong_proof, wrong_root))
        if right:
            passed.append(f"{name}: {text}")
    assert not passed and count > 50


def test_the_script_names_its_usage(tmp_path):
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True)
    assert done.returncode == 1 and "PROOF ROOT" in done.stderr
    for text in ("", "{", "[" * 100_000, "\0", '{"version":' + "9" * 5000 + "}"):
        (tmp_path / "proof").write_text(text)
        right, said = by_script(tmp_path / "proof", tmp_path / "proof")
        assert not right and said.startswith("WRONG"), said[:200]


def test_a_tree_that_another_program_made(tmp_path):
    """The layout as it is documented, with one account and with two, in a program of its own."""
    spec = importlib.util.spec_from_file_location("verifier", SCRIPT)
    verifier = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(verifier)
    import hashlib

    def sha(*parts):
        return hashlib.sha256(b"".join(parts)).digest()

    def made_of(accounts):
        leaves = [(units, sha(b"bourse.pol.leaf1", bytes([len(name)]), name.encode(), nonce,
                              units.to_bytes(16, "big")))
                  for name, units, nonce in accounts]
        total, top = leaves[0]
        if len(leaves) == 2:
            total = leaves[0][0] + leaves[1][0]
            top = sha(b"bourse.pol.node1", *[part for units, leaf in leaves
                                             for part in (units.to_bytes(16, "big"), leaf)])
        root = {"version": 1, "asset": "BTC", "scale": 8, "sequence": 5, "accounts": len(leaves),
                "total": str(total),
                "hash": sha(b"bourse.pol.root1", b"BTC" + bytes(13), b"\x08",
                            (5).to_bytes(8, "big"), len(leaves).to_bytes(8, "big"),
                            total.to_bytes(16, "big"), top).hex()}
        name, units, nonce = accounts[0]
        siblings = [{"sum": str(units), "hash": leaf.hex()} for units, leaf in leaves[1:]]
        return {"version": 1, "asset": "BTC", "sequence": 5, "account": name,
                "units": str(units), "nonce": nonce.hex(), "place": 0, "siblings": siblings}, root

    for accounts in ([("a", 2**127 - 1, bytes(32))],
                     [("x" * 40, 7, bytes(range(32))), ("b", 2**127 - 8, bytes(32))]):
        proof, root = made_of(accounts)
        verifier.check(proof, root)
        assert by_boursectl(*files(tmp_path, proof, root))[0]
