"""Keys on a PKCS#11 token (SoftHSM2, with OpenSC's pkcs11-tool to make them): an operator's, and
the one that seals the wallet's seed."""
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from exchange import BIN
from test_operators import PROPOSED, Office

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "86420-olga"
WORDS = "abandon " * 23 + "art"
SECONDS_MAX = 60
# CK_UNAVAILABLE_INFORMATION, the largest CK_ULONG.
MOST = (1 << 64) - 1


def tool(*arguments):
    for program in ("softhsm2-util", "pkcs11-tool"):
        assert shutil.which(program), f"install softhsm2 and opensc: {program} is missing"
    done = subprocess.run([*map(str, arguments)], capture_output=True, text=True,
                          timeout=SECONDS_MAX)
    assert done.returncode == 0, done.stdout + done.stderr


def make_key(token, label, kind, *usage):
    tool("pkcs11-tool", "--module", MODULE, "--token-label", token, "--login", "--pin", PIN,
         "--keypairgen", "--key-type", kind, "--label", label, *usage)


def place(token, label, module=MODULE):
    return f"pkcs11:token={token};object={label}?module-path={module}"


@pytest.fixture(scope="module")
def office():
    """An exchange, and a token with olga's key and the wallet's."""
    folder = Path(tempfile.mkdtemp(prefix="bourse-tokens-"))
    (folder / "tokens").mkdir()
    conf = folder / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\n")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(conf)
    made = Office(folder)
    try:
        for token in ("vault", "twin", "twin"):
            tool("softhsm2-util", "--init-token", "--free", "--label", token, "--pin", PIN,
                 "--so-pin", "13579-officer")
        make_key("vault", "olga", "EC:edwards25519", "--usage-sign")
        make_key("vault", "wallet", "rsa:2048", "--usage-decrypt")
        (folder / "pin").write_text(PIN + "\n")
        (folder / "pin").chmod(0o600)
        made.venue.init().start("matchd")
        yield made
        made.venue.check_alive()
    finally:
        made.venue.end()
        shutil.rmtree(folder)
        if before is None:
            del os.environ["SOFTHSM2_CONF"]
        else:
            os.environ["SOFTHSM2_CONF"] = before


def test_an_operator_signs_with_a_token(office):
    olga = place("vault", "olga")
    key = office.venue.ctl_json("operator", "key", olga)
    assert key["name"] == "olga"
    office.venue.ctl("operator", "add", "olga", "--public-key", key["publicKey"], "--approves",
                     "--administers")
    words = ("operator", "policy", "--endorsements", 0, "--reason", "alone", "--operator-key", olga)
    code, text = office.typed(*words, lines=(PIN,))
    assert code == 0, text
    before = office.venue.ctl_json("operator", "list")["audit"]
    assert before["count"] == 2
    code, text = office.typed(*words, lines=("00000000",))
    assert code == 1 and "not the token's PIN" in text
    assert office.venue.ctl_json("operator", "list")["audit"] == before


@pytest.mark.parametrize("where, what", [
    ("pkcs11:", "names no key"),
    (f"pkcs11:token=vault?module-path={MODULE}", "names no key"),
    (f"pkcs11:object=olga?module-path={MODULE}", "names no key"),
    ("pkcs11:token=vault;object=olga", "names no key"),
    (place("vault", "olga") + "&pin-value=" + PIN, "names no key"),
    (place("vault", "olga", "/nowhere.so"), "cannot be loaded"),
    (place("vault", "olga", "/bin/true"), "cannot be loaded"),
    (place("absent", "olga"), "no such token"),
    (place("twin", "olga"), "several tokens"),
    (place("vault", "otto"), "no Ed25519 key"),
    # A key of another kind.
    (place("vault", "wallet"), "no Ed25519 key"),
    (place("vault", "x" * 2000), "names no key"),
])
def test_what_names_no_key_is_refused(office, where, what):
    done = office.venue.ctl("operator", "key", where, check=False)
    assert done.returncode != 0 and what in done.stderr, done.stderr


def signer_check(office):
    return subprocess.run(
        [str(BIN / "bourse-signerd"), "--config", str(office.venue.state / "bourse.toml"),
         "--check"], capture_output=True, text=True, timeout=SECONDS_MAX)


def test_a_seed_is_sealed_with_a_token(office):
    venue, folder = office.venue, office.folder
    words = folder / "words"
    words.write_text(WORDS + "\n")
    words.chmod(0o600)
    seed = venue.state / "secrets" / "wallet.seed"
    recover = ("wallet", "init", "--recover", "--words-file", words)
    plain = venue.ctl_json(*recover)["chains"]
    seed.unlink()

    # A PIN that is wrong, and a key that cannot decrypt, are found before anything is kept.
    (folder / "wrong").write_text("0000\n")
    (folder / "wrong").chmod(0o600)
    make_key("vault", "loose", "rsa:2048", "--usage-decrypt", "--extractable")
    make_key("vault", "short", "rsa:1024", "--usage-decrypt")
    (folder / "empty").write_text("\n")
    (folder / "empty").chmod(0o600)
    for token, pin, what in ((place("vault", "wallet"), "wrong", "not the token's PIN"),
                             (place("vault", "wallet"), "empty", "holds no PIN"),
                             (place("vault", "loose"), "pin", "can leave its token"),
                             (place("vault", "short"), "pin", "fewer than 2,048 bits"),
                             (place("vault", "olga"), "pin", "no RSA key"),
                             (place("absent", "wallet"), "pin", "no such token")):
        done = venue.ctl(*recover, "--token", token, "--pin-file", folder / pin, check=False)
        assert done.returncode != 0 and what in done.stderr, done.stderr
        assert not seed.exists()

    sealed = venue.ctl_json(*recover, "--token", place("vault", "wallet"), "--pin-file",
                            folder / "pin")["chains"]
    assert sealed == plain
    text = seed.read_text()
    assert seed.stat().st_mode & 0o777 == 0o600 and "abandon" not in text and PIN not in text
    assert venue.ctl_json("wallet", "key") == plain

    subprocess.run([str(BIN / "bourse-signerd"), "--config", str(venue.state / "bourse.toml"),
                    "--begin"], check=True, timeout=SECONDS_MAX)
    assert "fingerprint 5436d724" in signer_check(office).stdout

    # Without the token the file opens nothing, and a changed one is refused.
    (folder / "tokens").rename(folder / "away")
    (folder / "tokens").mkdir()
    done = signer_check(office)
    assert done.returncode != 0 and "no such token" in done.stderr
    (folder / "tokens").rmdir()
    (folder / "away").rename(folder / "tokens")
    lines = text.splitlines()
    for number in range(1, len(lines)):
        changed = list(lines)
        last = changed[number][-1]
        changed[number] = changed[number][:-1] + ("0" if last != "0" else "1")
        seed.write_text("\n".join(changed) + "\n")
        done = signer_check(office)
        # The words themselves are in no error.
        assert done.returncode not in (0, -4, -11) and "abandon" not in done.stderr, done.stderr
    for garbage in ("bourse-token-seal 1", "bourse-token-seal 1\n" * 6, text + text, text[:-1]):
        seed.write_text(garbage)
        done = signer_check(office)
        assert done.returncode not in (0, -4, -11), done.stdout
    # A PIN that was changed is tried once: each restart would be one of the token's few.
    (digits,) = [line for line in lines if line.startswith("pin ")]
    seed.write_text(text.replace(digits, "pin " + b"00000000".hex()))
    done = signer_check(office)
    assert done.returncode == 78 and "not the token's any more" in done.stderr
    seed.write_text(text)
    assert "fingerprint 5436d724" in signer_check(office).stdout
    assert venue.ctl_json("wallet", "key") == plain


@pytest.fixture(scope="module")
def liar(office):
    """A module that says of what it gave that it was longer or shorter."""
    made = office.folder / "lying_token.so"
    flags = subprocess.run(["pkg-config", "--cflags", "p11-kit-1"], capture_output=True, text=True,
                           check=True, timeout=SECONDS_MAX).stdout.split()
    subprocess.run(
        ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", *flags,
         f'-DSOFTHSM="{MODULE}"', "-o", str(made), str(Path(__file__).with_name("lying_token.c"))],
        check=True, timeout=SECONDS_MAX)
    return str(made)


@pytest.fixture
def lies(monkeypatch):
    def begin(function, length):
        monkeypatch.setenv("LYING_FUNCTION", function)
        monkeypatch.setenv("LYING_LENGTH", str(length))
    return begin


@pytest.mark.parametrize("function, length, what", [
    *(("EC_POINT", length, "no Ed25519 key") for length in (0, 31, 33, 35, 1 << 40, MOST)),
    *(("EC_PARAMS", length, "no Ed25519 key") for length in (0, 4, 6, 13, 1 << 40, MOST)),
    ("FindObjects", 0, "no Ed25519 key"),
    *(("FindObjects", length, "several keys") for length in (2, 3, 1 << 40, MOST)),
    ("GetSlotList", 0, "no such token"),
    *(("GetSlotList", length, "CK_RV 0x5") for length in (65, 1 << 40, MOST))])
def test_a_module_that_lies_about_lengths_gives_no_key(office, liar, lies, function, length, what):
    make = place("vault", "olga", liar)
    assert office.venue.ctl_json("operator", "key", make)["name"] == "olga"
    lies(function, length)
    done = office.venue.ctl("operator", "key", make, check=False)
    assert done.returncode > 0 and what in done.stderr, done.stderr


@pytest.mark.parametrize("length", [0, 63, 65, 1 << 40])
def test_a_signature_of_another_length_is_none(office, liar, lies, length):
    # Refused where an earlier test has added her.
    key = office.venue.ctl_json("operator", "key", place("vault", "olga"))["publicKey"]
    office.venue.ctl("operator", "add", "olga", "--public-key", key, "--approves", "--administers",
                     check=False)
    lies("Sign", length)
    before = office.venue.ctl_json("operator", "list")["audit"]
    code, text = office.typed(
        "operator", "policy", "--endorsements", 0, "--reason", "alone", "--operator-key",
        place("vault", "olga", liar), lines=(PIN,))
    assert code == 1 and "CK_RV 0x5" in text, text
    assert office.venue.ctl_json("operator", "list")["audit"] == before


@pytest.mark.parametrize("length", [1025, 1 << 40, MOST])
@pytest.mark.parametrize("function", ["Encrypt", "Decrypt"])
def test_more_than_there_is_room_for_seals_nothing(office, liar, lies, function, length):
    words, seed = office.folder / "words", office.venue.state / "secrets" / "wallet.seed"
    words.write_text(WORDS + "\n")
    words.chmod(0o600)
    kept = seed.read_bytes() if seed.exists() else None
    seed.unlink(missing_ok=True)
    lies(function, length)
    done = office.venue.ctl(
        "wallet", "init", "--recover", "--words-file", words, "--token",
        place("vault", "wallet", liar), "--pin-file", office.folder / "pin", check=False)
    assert done.returncode > 0 and "CK_RV 0x5" in done.stderr, done.stderr
    assert not seed.exists()
    if kept is not None:
        seed.touch(0o600)
        seed.write_bytes(kept)


def test_proposals_are_signed_by_tokens_too(office):
    """What one proposes another endorses."""
    otto = place("vault", "otto")
    for name in ("otto", "omar"):
        make_key("vault", name, "EC:edwards25519", "--usage-sign")
        key = office.venue.ctl_json("operator", "key", place("vault", name))["publicKey"]
        code, text = office.typed(
            "operator", "add", name, "--public-key", key, "--administers", "--operator-key",
            place("vault", "olga"), lines=(PIN,))
        assert code == 0, text
    code, text = office.typed("operator", "policy", "--endorsements", 1, "--operator-key",
                              place("vault", "olga"), lines=(PIN,))
    assert code == 0, text
    code, text = office.typed("operator", "policy", "--endorsements", 0, "--operator-key", otto,
                              lines=(PIN,))
    assert code == PROPOSED, text
    code, text = office.typed("proposal", "approve", office.proposals()[-1]["id"],
                              "--operator-key", place("vault", "olga"), lines=(PIN,))
    assert code == 0, text
