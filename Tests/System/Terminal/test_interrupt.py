"""A backup that a signal ends leaves nothing half made, and ends as a shell expects; a signal that
was ignored from the start does not end it."""
import os
import signal
import subprocess
import time

import pytest
from exchange import BIN, Exchange

SECONDS_MAX = 60


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    """A running exchange with a journal of many mebibytes."""
    made = Exchange(tmp_path_factory.mktemp("interrupt") / "state")
    try:
        made.init()
        made.start("matchd")
        made.demo()
        subprocess.run(
            [str(BIN / "boursectl"), "bench", "durable", "--socket",
             str(made.state / "run" / "match.sock"), "--pairs", "0", "--rates", "none",
             "--seconds", "3", "--directory", str(made.state)],
            check=True, capture_output=True, timeout=SECONDS_MAX)
        yield made
    finally:
        made.end()


def backup(exchange, target, rate, number, action):
    """A backup that is begun with this action for the signal, and sent it."""
    running = subprocess.Popen(
        [str(BIN / "boursectl"), "--state", str(exchange.state), "backup", str(target), "--rate",
         str(rate)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(number, action))
    deadline = time.monotonic() + SECONDS_MAX
    while not (os.path.exists(f"{target}.partial/journal") or running.poll() is not None):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    running.send_signal(number)
    said = running.communicate(timeout=SECONDS_MAX)
    return running.returncode, said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_backup_that_a_signal_ends_leaves_nothing(exchange, tmp_path, number):
    code, said = backup(exchange, tmp_path / "copy", 1, number, signal.SIG_DFL)
    assert (code, said) == (-number, (b"", b"")), "nor a bar where there is no terminal"
    assert os.listdir(tmp_path) == []


def test_a_signal_that_was_ignored_does_not_end_it(exchange, tmp_path):
    # How much was written depends on the disk; the copy takes some five seconds of any.
    journal = sum(file.stat().st_size for file in (exchange.state / "journal").iterdir())
    rate = max(1, (journal >> 20) // 5)
    code, said = backup(exchange, tmp_path / "copy", rate, signal.SIGHUP, signal.SIG_IGN)
    assert code == 0 and os.listdir(tmp_path) == ["copy"], said
