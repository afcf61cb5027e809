"""`make run` after the build: three processes in the foreground that restart when they
die, stop in order on Ctrl-C, and continue with the same state the next time."""
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
from exchange import BIN, ROOT, free_port
from spot import Refusal, Spot, Unknown

SECONDS_MAX = 60


class Foreground:
    """packaging/local/exchange in a process group of its own, its output read as it comes."""

    def __init__(self, state, port, *options):
        self.lines = []
        self.process = subprocess.Popen(
            [str(ROOT / "packaging/local/exchange"), "--bin", str(BIN), "--state", str(state),
             *(["--port", str(port)] if port else []), *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True, env=os.environ | {"NO_COLOR": "1"},
        )
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def text(self):
        return "\n".join(self.lines)

    def await_line(self, pattern, seconds_max=SECONDS_MAX):
        """Waits until a line matches; returns it."""
        deadline = time.monotonic() + seconds_max
        while time.monotonic() < deadline:
            for line in self.lines:
                if re.search(pattern, line):
                    return line
            if self.process.poll() is not None:
                time.sleep(0.2)
                if not re.search(pattern, self.text):
                    break
            time.sleep(0.05)
        pytest.fail(f"no line matches {pattern!r} in:\n{self.text}")

    def daemons(self):
        """Process ids of the daemons it runs, by name."""
        found = {}
        listing = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)],
            capture_output=True, text=True,
        ).stdout  # without a child it ends with 1
        for line in listing.splitlines():
            pid, program = line.split()[:2]
            name = os.path.basename(program)
            if name.startswith("bourse-"):
                found[name.removeprefix("bourse-")] = int(pid)
        return found

    def interrupt(self):
        """Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(SECONDS_MAX)

    def end(self):
        """Ends what still runs. The daemons go with their supervisor."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture
def started(tmp_path):
    """A function that starts an exchange on one state; all are ended afterwards."""
    runs = []
    port = free_port()

    def start():
        runs.append(Foreground(tmp_path / "state", port))
        return runs[-1]

    start.port = port
    yield start
    for run in runs:
        run.end()


def demo_client(run, port):
    """A client with the first demo account's key, read off what was printed."""
    keys = re.findall(r"\b[A-Za-z0-9]{64}\b", run.text)
    assert len(keys) >= 4, f"two keys with their secrets should stand in:\n{run.text}"
    return Spot(port, keys[0], keys[1])


def test_runs_restarts_stops_and_goes_on(started):
    run = started()
    run.await_line(r"Ctrl-C stops it")
    assert f"http://127.0.0.1:{started.port}" in run.text
    daemons = run.daemons()
    assert set(daemons) == {"matchd", "auditd", "gatewayd"}
    client = demo_client(run, started.port)
    order = client.place(
        symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01",
        price="30000", newClientOrderId="kept",
    )
    balance = client.get_signed("/api/v3/account")["balances"]

    second = started()
    assert second.process.wait(SECONDS_MAX) == 1
    second.await_line(r"already runs")

    for name in ("matchd", "auditd", "gatewayd"):
        os.kill(daemons[name], signal.SIGKILL)
        run.await_line(rf"{name} ended .*starting it again")
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        try:
            answer = client.get_signed(
                "/api/v3/order", symbol="BTCUSDT", origClientOrderId="kept"
            )
            break
        except (Unknown, Refusal):
            assert time.monotonic() < deadline, f"no answer after the restarts:\n{run.text}"
            time.sleep(0.1)
    assert answer["orderId"] == order["orderId"] and answer["status"] == "NEW"

    pids = run.daemons().values()
    assert run.interrupt() == 0, run.text
    run.await_line(r"stopped")
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    again = started()
    again.await_line(r"Ctrl-C stops it")
    client = demo_client(again, started.port)
    answer = client.get_signed("/api/v3/order", symbol="BTCUSDT", origClientOrderId="kept")
    assert answer["orderId"] == order["orderId"] and answer["status"] == "NEW"
    assert client.get_signed("/api/v3/account")["balances"] == balance
    assert again.interrupt() == 0


def test_refuses_a_port_that_is_none(started):
    started.port  # the fixture's own port is not used here
    done = subprocess.run(
        [str(ROOT / "packaging/local/exchange"), "--bin", str(BIN), "--port", "99999"],
        capture_output=True, text=True,
    )
    assert done.returncode == 1 and "99999" in done.stderr


def test_a_taken_port_is_refused_before_anything_starts(started):
    with socket.create_server(("127.0.0.1", started.port)):
        run = started()
        assert run.process.wait(SECONDS_MAX) == 1
        run.await_line(rf"another process listens at 127.0.0.1:{started.port}; .*PORT=N")
        assert not re.search(r"[A-Za-z0-9]{64}", run.text), "no keys are printed"


@pytest.mark.parametrize("form", [
    "[gatewayd]\n\tlisten\t=\t'[::1]:PORT'\t# over IPv6", "gatewayd.listen = '127.0.0.1:PORT'",
    "[ gatewayd ]\r\nlisten = \"127.0.0.1:PORT\"\r",
])
def test_any_form_of_the_configuration_is_read(started, tmp_path, form):
    """Its address was looked for by sed(1), which knew one form."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "bourse.toml").write_text(form.replace("PORT", str(started.port)) + "\n")
    run = Foreground(state, None)
    try:
        run.await_line(r"Ctrl-C stops it")
        assert run.interrupt() == 0
    finally:
        run.end()


def test_matching_outlives_a_gateway_that_dies_again_and_again(started):
    """Five deaths of the gateway used to end all: matchd is the process it was, and the gateway is
    started again, later each time."""
    run = started()
    run.await_line(r"Ctrl-C stops it")
    matchd = run.daemons()["matchd"]
    for count in range(1, 6):
        deadline = time.monotonic() + SECONDS_MAX
        while (pid := run.daemons().get("gatewayd")) is None:
            assert time.monotonic() < deadline, run.text
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        run.await_line(
            r"gatewayd ended .*starting it again$" if count == 1
            else rf"gatewayd ended .*, {count} times .*starting it again in \d+ s")
        if count == 2:
            # The auditor is looked after while the gateway waits.
            os.kill(run.daemons()["auditd"], signal.SIGKILL)
            run.await_line(r"auditd ended .*starting it again$")
    waits = [int(wait) for wait in re.findall(r"gatewayd ended .* in (\d+) s", run.text)]
    assert waits == [2, 4, 8, 16], run.text
    assert run.process.poll() is None and run.daemons()["matchd"] == matchd
    # Matching is ended with the rest, also while the gateway waits for its start.
    assert run.interrupt() == 0, run.text
    with pytest.raises(ProcessLookupError):
        os.kill(matchd, 0)


def test_a_matchd_that_cannot_stay_up_is_given_up(started):
    """Five deaths soon after each start: then there is something to look at."""
    run = started()
    run.await_line(r"Ctrl-C stops it")
    for _ in range(5):
        deadline = time.monotonic() + SECONDS_MAX
        while (pid := run.daemons().get("matchd")) is None and run.process.poll() is None:
            assert time.monotonic() < deadline, run.text
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        while run.daemons().get("matchd") == pid:
            time.sleep(0.05)
    assert run.process.wait(SECONDS_MAX) == 1
    run.await_line(r"matchd ended 5 times.*giving up")
    assert not run.daemons()


def test_ends_when_what_guards_the_journal_is_lost(started, tmp_path):
    """A floor made anew without a word would take an old copy of the journal for all of it."""
    run = started()
    run.await_line(r"Ctrl-C stops it")
    assert run.interrupt() == 0
    floor = tmp_path / "state" / "floor"
    kept = floor.read_bytes()
    floor.unlink()
    second = started()
    assert second.process.wait(SECONDS_MAX) == 1
    second.await_line(r"journal renew-guards")
    second.await_line(r"nothing was started")
    assert second.daemons() == {} and not floor.exists()
    floor.write_bytes(kept)
    third = started()
    third.await_line(r"Ctrl-C stops it")
    assert third.interrupt() == 0
