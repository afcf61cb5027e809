"""What cannot be shown is not taken for done: a full disk behind standard output, and a reader that
is gone, are errors, and no secret is lost with them."""
import os
import subprocess

import pytest
from exchange import BIN, Exchange

SECONDS_MAX = 60
WATCHED = ["status", "--watch", "1"]


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    made = Exchange(tmp_path_factory.mktemp("output") / "state")
    try:
        made.init().start("matchd")
        made.demo()
        yield made
    finally:
        made.end()


def to_full_disk(exchange, *words):
    """Runs boursectl with a standard output that takes nothing."""
    with open("/dev/full", "w") as full:
        return subprocess.run(
            [str(BIN / "boursectl"), "--state", str(exchange.state), *words], stdout=full,
            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, timeout=SECONDS_MAX)


def key_ids(exchange):
    return {row["keyID"] for row in exchange.ctl_json("key", "list") if not row.get("revoked")}


@pytest.mark.parametrize("words", [
    ["status"], ["status", "--output", "json"], ["account", "list"], ["journal", "dump"],
    ["--help"], ["key", "--help"], ["--version"], WATCHED, [*WATCHED, "--output", "json"],
], ids=" ".join)
def test_output_that_cannot_be_written_is_an_error(exchange, words):
    done = to_full_disk(exchange, *words)
    assert done.returncode == 1, done.stderr
    assert "No space left on device" in done.stderr and "standard output" in done.stderr


@pytest.mark.parametrize("form", [[], ["--output", "json"]])
def test_a_key_whose_secret_cannot_be_shown_is_revoked(exchange, form):
    before = key_ids(exchange)
    name = exchange.ctl_json("account", "list")[0]["name"]
    done = to_full_disk(exchange, "key", "add", name, *form)
    assert done.returncode == 1 and "is revoked" in done.stderr, done.stderr
    assert key_ids(exchange) == before
    # A reader that is gone: the pipe's other end is closed.
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [str(BIN / "boursectl"), "--state", str(exchange.state), "key", "add", name, *form],
        stdout=write, stderr=subprocess.PIPE, text=True, timeout=SECONDS_MAX)
    os.close(write)
    assert done.returncode == 1 and "is revoked" in done.stderr, (done.returncode, done.stderr)
    assert key_ids(exchange) == before
    # Where it can be shown, it stays.
    added = exchange.ctl_json("key", "add", name)
    assert key_ids(exchange) == before | {added["keyID"]} and added["secret"]
    exchange.ctl("key", "revoke", added["keyID"])


def test_a_reader_that_has_enough_ends_a_command_in_silence(exchange):
    done = subprocess.run(
        f"'{BIN}/boursectl' --state '{exchange.state}' journal dump | head -n 1", shell=True,
        capture_output=True, text=True, timeout=SECONDS_MAX)
    assert done.stdout.count("\n") == 1 and done.stderr == ""
