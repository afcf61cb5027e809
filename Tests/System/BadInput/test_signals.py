"""The effect of each signal on each daemon: TERM and INT stop it cleanly, and no other signal ends it
with the status of a requested stop."""
import os
import re
import signal
import subprocess
import time

import pytest
from exchange import BIN, DAEMONS, ROOT
from spot import Spot

# They mean nothing to a daemon: it says so and goes on.
NOTED = [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM,
         signal.SIGPROF, signal.SIGIO, signal.SIGPWR, signal.SIGSTKFLT]
SILENT = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH,
          signal.SIGRTMIN, signal.SIGRTMIN + 5, signal.SIGRTMAX]
# They end it at once and leave a core where those are kept: a service manager sees a failure.
FATAL = [signal.SIGQUIT, signal.SIGABRT, signal.SIGXCPU, signal.SIGSYS]


def log_of(exchange, name):
    return (exchange.logs / f"{name}.log").read_text()


def await_log(exchange, name, text):
    deadline = time.monotonic() + 10
    while text not in log_of(exchange, name):
        assert time.monotonic() < deadline, f"{name} does not say {text!r}:\n{exchange.log_tail(name)}"
        time.sleep(0.05)


def spawn_agent(exchange):
    for key, value in (("listen", ""), ("socket", str(exchange.state / "run" / "agent.sock"))):
        exchange.set("agent", key, value)
    exchange.spawn("agentd")
    await_log(exchange, "agentd", "serving at")


def test_only_term_and_int_end_a_daemon(exchange):
    exchange.start()
    spawn_agent(exchange)
    account = exchange.demo()["accounts"][0]
    client = Spot(exchange.port, account["keyID"], account["secret"])
    order = client.place(symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC",
                         quantity="0.01", price="30000")
    pids = {name: process.pid for name, process in exchange.running.items()}
    assert set(pids) == {*DAEMONS, "agentd"}
    for pid in pids.values():
        for number in NOTED + SILENT:
            os.kill(pid, number)
    for name in pids:
        await_log(exchange, name, f"reloaded {exchange.config}" if name == "gatewayd"
                  else "hangUp: the configuration is read only at the start")
        await_log(exchange, name, "user1, which is ignored")
    time.sleep(0.5)
    exchange.check_alive()
    assert {name: process.pid for name, process in exchange.running.items()} == pids
    # All of them still do their work, and the log is the one it was.
    assert client.cancel(symbol="BTCUSDT", orderId=order["orderId"])["status"] == "CANCELED"
    client.close()
    assert exchange.stop("agentd") == 0
    exchange.running["gatewayd"].send_signal(signal.SIGINT)
    assert exchange.running.pop("gatewayd").wait(30) == 0
    assert set(exchange.stop_all().values()) == {0}
    assert "with a snapshot" in log_of(exchange, "matchd") + log_of(exchange, "auditd")


def wait_for_signals(process):
    """Waits until a daemon has said what becomes of signals: it ignores SIGPIPE from then on."""
    for _ in range(1000):
        status = open(f"/proc/{process.pid}/status", encoding="ascii").read()
        if int(re.search(r"SigIgn:\s*(\w+)", status)[1], 16) >> (signal.SIGPIPE - 1) & 1:
            return
        time.sleep(0.01)
    raise AssertionError("no signal is taken")


@pytest.mark.parametrize("name", DAEMONS)
@pytest.mark.parametrize("number", FATAL, ids=lambda number: number.name)
def test_no_other_signal_is_a_good_end(exchange, name, number):
    exchange.start("matchd")
    if name != "matchd":
        exchange.start(name)
    process = exchange.running.pop(name)
    wait_for_signals(process)
    process.send_signal(number)
    # systemd.service(5), Restart=: an end by HUP, INT, TERM or PIPE counts as clean, like 0.
    assert process.wait(30) == -number
    exchange.check_alive()


def test_a_signal_during_start_is_not_lost(exchange):
    """TERM before a daemon is ready stops it; HUP does not."""
    for number in (signal.SIGHUP, signal.SIGTERM):
        exchange.spawn("matchd")
        # As soon as it can have taken its signals, and before it serves.
        deadline = time.monotonic() + 10
        while not blocks_hangup(exchange.running["matchd"].pid):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        exchange.running["matchd"].send_signal(number)
        if number == signal.SIGHUP:
            exchange.await_ready("matchd")
            assert exchange.stop("matchd") == 0
        else:
            assert exchange.running.pop("matchd").wait(30) == 0


def blocks_hangup(pid):
    with open(f"/proc/{pid}/status") as status:
        mask = next(line for line in status if line.startswith("SigBlk"))
    return int(mask.split()[1], 16) & 1


@pytest.mark.parametrize("name", ["helper", "poller", "snmp"])
def test_the_others_take_them_too(exchange, name, tmp_path):
    """The helper, the poller and the SNMP subagent, as far as they run without systemd and snmpd."""
    log = tmp_path / f"{name}.log"
    if name == "snmp":
        exchange.set("snmp", "state", str(tmp_path))
        command, options = [BIN / "bourse-snmp", "--config", exchange.config], {}
        ready = "waits for the master agent"
    elif name == "poller":
        exchange.set("snmp", "readings", str(tmp_path))
        command, options = [BIN / "bourse-poller", "--config", exchange.config], {}
        ready = "polls 0 devices"
    else:
        # sd_listen_fds(3): the socket is descriptor 3, for the process whose id LISTEN_PID is.
        listener = f'exec 3<>/dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec "{BIN}/bourse-helper" --user root'
        command, options = ["bash", "-c", listener], {}
        ready = None
    with open(log, "wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True,
                                   **options)
    try:
        deadline = time.monotonic() + 10
        while not blocks_hangup(process.pid) or ready and ready not in log.read_text():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        for number in NOTED + SILENT:
            process.send_signal(number)
        deadline = time.monotonic() + 10
        while "hangUp" not in log.read_text():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        time.sleep(0.3)
        assert process.poll() is None, log.read_text()
        process.terminate()
        assert process.wait(30) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def unit(name):
    """A unit's settings: lists by key, as a key may stand more than once."""
    found = {}
    for line in (ROOT / "systemd" / name).read_text().splitlines():
        key, mark, value = line.partition("=")
        if mark and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("name", ["matchd", "auditd", "gatewayd", "agentd", "snmp"])
def test_every_unit_is_started_again(name):
    """However its daemon ends; only what does not get better by trying is left alone."""
    found = unit(f"bourse-{name}.service")
    assert found["Restart"] == ["always"]
    assert {"64", "78"} <= set(found["RestartPreventExitStatus"][0].split())


def test_no_unit_takes_matching_with_it():
    found = unit("bourse-matchd.service")
    for key in ("Requires", "BindsTo", "Requisite", "Upholds", "Conflicts", "StopPropagatedFrom"):
        assert key not in found
    assert found["PartOf"] == ["bourse.target"]  # which nothing but a person stops
    assert "Requires" not in unit("bourse.target") and "BindsTo" not in unit("bourse.target")
    # None gives up, however often the gateway, a command or a fault of the host ends its daemon.
    for name in ("matchd", "gatewayd", "agentd", "helper"):
        limit = unit(f"bourse-{name}.service")
        assert limit["StartLimitIntervalSec"] == ["0"] and "StartLimitBurst" not in limit
