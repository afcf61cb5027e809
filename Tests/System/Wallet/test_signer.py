"""The real signer beside the real matchd: what it follows, answers and refuses when either dies.
What it signs is in SigningTests, and with a node in the tests of withdrawals."""
import json
import os
import socket
import subprocess
import time

import pytest
from exchange import BIN, VECTOR_ADDRESSES, Exchange

WORDS = " ".join(["abandon"] * 23 + ["art"])


@pytest.fixture
def signer(exchange):
    """An exchange with a chain of another key than the signer's, and a signer that has begun."""
    exchange.start("matchd")
    exchange.demo()
    exchange.open_network()
    write_seed(exchange)
    exchange.set("signerd", "limits", "litecoin-regtest 1 0.1")
    assert run(exchange, "--begin").returncode == 0
    return exchange


def write_seed(exchange, mode=0o600):
    path = exchange.state / "secrets" / "wallet.seed"
    path.write_text(WORDS + "\n")
    path.chmod(mode)


def run(exchange, *options):
    return subprocess.run(
        [str(BIN / "bourse-signerd"), "--config", str(exchange.config), *options],
        capture_output=True, text=True, timeout=30)


def ask(exchange, sequence=1, line=None):
    """What the signer answers; None: nobody listens."""
    request = {"network": 1, "asset": 1, "sequence": sequence, "withdrawals": [1],
               "replaces": "0" * 64, "transaction": "00"}
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(20)
            peer.connect(str(exchange.state / "run" / "signer.sock"))
            peer.sendall((line or json.dumps(request)).encode() + b"\n")
            text = b""
            while chunk := peer.recv(65_536):
                text += chunk
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    return json.loads(text) if text else {"refused": "nothing"}


def await_refusal(exchange, refusal, sequence=1, seconds=30):
    deadline = time.monotonic() + seconds
    while True:
        said = ask(exchange, sequence)
        if said and said.get("refused") == refusal:
            return said["text"]
        assert time.monotonic() < deadline, (said, exchange.log_tail("signerd"))
        time.sleep(0.05)


def test_it_answers_by_the_log_and_only_while_it_follows_it(signer):
    signer.spawn("signerd")
    # It has everything, and the chain is not of its seed.
    assert "seed" in await_refusal(signer, "other key")
    assert ask(signer, sequence=1_000_000)["refused"] == "behind"
    assert ask(signer, line="{}")["refused"] == "malformed"
    signer.kill("matchd")
    assert "away" in await_refusal(signer, "behind")
    signer.start("matchd")
    await_refusal(signer, "other key")
    for _ in range(3):
        signer.kill("signerd")
        signer.spawn("signerd")
        await_refusal(signer, "other key")
    # The log's state is saved at a stop, and the next start goes on from there.
    assert signer.stop("signerd") == 0
    followed = signer.state / "signer" / "followed"
    assert followed.stat().st_size > 80
    signer.spawn("signerd")
    await_refusal(signer, "other key")
    assert "goes on behind record" in signer.log_tail("signerd")
    assert signer.stop("signerd") == 0
    # A byte of it that changed, wherever, and it is none.
    whole = followed.read_bytes()
    for place in (0, 30, len(whole) // 2, len(whole) - 1):
        changed = bytearray(whole)
        changed[place] ^= 1
        followed.write_bytes(changed)
        signer.spawn("signerd")
        await_refusal(signer, "other key")
        assert "from its first record" in signer.log_tail("signerd")
        assert signer.stop("signerd") == 0


def test_a_lost_list_is_refused_and_begins_once(signer):
    state = signer.state / "signer"
    assert run(signer, "--begin").returncode == 1
    shown = run(signer, "--check")
    assert shown.returncode == 0 and "0 payments" in shown.stdout
    state.rename(signer.state / "away")
    for _ in range(2):
        lost = run(signer)
        assert lost.returncode == 76 and "mounted" in lost.stderr
        state.mkdir(exist_ok=True)
    assert run(signer, "--begin").returncode == 1
    state.rmdir() if not any(state.iterdir()) else [f.unlink() for f in state.iterdir()]
    for file in (signer.state / "away").iterdir():
        state.mkdir(exist_ok=True)
        file.rename(state / file.name)
    signer.spawn("signerd")
    await_refusal(signer, "other key")


def test_another_log_is_refused(signer, tmp_path):
    signer.spawn("signerd")
    await_refusal(signer, "other key")
    assert signer.stop("signerd") == 0
    other = Exchange(tmp_path / "other").init()
    try:
        other.start("matchd")
        signer.set("matchd", "socket", str(other.state / "run" / "match.sock"))
        signer.spawn("signerd")
        assert signer.running.pop("signerd").wait(30) == 76
        assert "journal" in signer.log_tail("signerd")
    finally:
        other.end()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def framed(text):
    """A text in the list, behind its length and its CRC."""
    count = len(text).to_bytes(4, "little")
    return count + crc32c(count + text).to_bytes(4, "little") + text


def test_a_log_of_another_hash_is_refused(signer):
    signer.spawn("signerd")
    await_refusal(signer, "other key")
    assert signer.stop("signerd") == 0
    # What the list has seen, with the hash of another log of the same records' numbers and CRCs.
    file = signer.state / "signer" / "signed"
    content = file.read_bytes()
    count = int.from_bytes(content[8:12], "little")
    base = json.loads(content[16:16 + count])
    assert len(base["hash"]) == 64 and len(content) == 16 + count
    base["hash"] = base["hash"][::-1]
    file.write_bytes(content[:8] + framed(json.dumps(base, separators=(",", ":")).encode()))
    assert len(file.read_bytes()) == len(content)
    (signer.state / "signer" / "followed").unlink()
    refused = run(signer)
    assert refused.returncode == 76 and "another one than was followed" in refused.stderr


def test_an_older_list_beside_a_newer_state_is_refused(signer):
    state = signer.state / "signer"
    before = {name: (state / name).read_bytes() for name in ("signed", "signed.floor")}
    signer.spawn("signerd")
    await_refusal(signer, "other key")
    assert signer.stop("signerd") == 0
    after = {name: (state / name).read_bytes() for name in before}
    for name, content in before.items():
        (state / name).write_bytes(content)
    refused = run(signer)
    assert refused.returncode == 76 and "older copy" in refused.stderr
    for name, content in after.items():
        (state / name).write_bytes(content)
    signer.spawn("signerd")
    await_refusal(signer, "other key")
    assert signer.stop("signerd") == 0


def test_limits_are_of_chains(signer):
    signer.set("signerd", "limits", "LTC 1 0.1")
    refused = run(signer)
    assert refused.returncode != 0 and '"LTC" is no chain' in refused.stderr


def test_a_begin_that_was_cut_off_is_repeated(signer):
    identity = signer.config.parent / "signer.id"
    identity.unlink()
    assert "--begin" in run(signer).stderr
    assert run(signer, "--begin").returncode == 0
    signer.spawn("signerd")
    await_refusal(signer, "other key")
    assert signer.stop("signerd") == 0
    identity.unlink()
    lost = run(signer)
    assert lost.returncode == 76 and "--begin" not in lost.stderr
    assert run(signer, "--begin").returncode == 1


def test_the_seed_is_kept_to_itself(signer):
    write_seed(signer, 0o640)
    refused = run(signer)
    assert refused.returncode == 1 and "mode 640" in refused.stderr
    (signer.state / "secrets" / "wallet.seed").write_text(WORDS.replace("art", "abandon"))
    (signer.state / "secrets" / "wallet.seed").chmod(0o600)
    refused = run(signer)
    assert refused.returncode == 1 and "abandon" not in refused.stderr
    write_seed(signer)
    signer.spawn("signerd")
    await_refusal(signer, "other key")
    pid = signer.running["signerd"].pid
    with open(f"/proc/{pid}/limits") as limits:
        core = next(line for line in limits if line.startswith("Max core file size"))
    assert core.split()[4] == "0"
    if os.getuid() == 0:
        assert "abandon" not in signer.log_tail("signerd", 1_000)
    assert VECTOR_ADDRESSES[0] not in signer.log_tail("signerd", 1_000)
