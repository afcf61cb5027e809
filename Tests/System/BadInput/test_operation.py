"""What operators and disks get wrong: each gives a clear error that says what to do, and loses
nothing."""
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest
from exchange import BIN
from spot import Refusal, Spot, Unknown

EX_CONFIG = 78
SECONDS_MAX = 30


def run_daemon(name, config, *arguments):
    """Runs a daemon that should end by itself; returns its exit code and output."""
    done = subprocess.run(
        [str(BIN / f"bourse-{name}"), "--config", str(config), *arguments],
        capture_output=True, text=True, timeout=SECONDS_MAX, stdin=subprocess.DEVNULL,
    )
    return done.returncode, done.stderr + done.stdout


DAEMONS = pytest.mark.parametrize("name", ["matchd", "auditd", "gatewayd", "snmp"])


@DAEMONS
def test_explains_a_missing_configuration(name, tmp_path):
    code, text = run_daemon(name, tmp_path / "nowhere.toml")
    assert code == EX_CONFIG and "nowhere.toml" in text


@DAEMONS
def test_explains_an_unknown_key(name, exchange):
    exchange.set("matchd", "sokket", "run/match.sock")
    code, text = run_daemon(name, exchange.config)
    assert code == EX_CONFIG and "sokket" in text


@DAEMONS
def test_explains_a_value_of_the_wrong_kind(name, exchange):
    exchange.set("matchd", "segment_mib", "many")
    code, text = run_daemon(name, exchange.config)
    assert code == EX_CONFIG and "segment_mib" in text


def test_explains_what_is_not_toml(exchange):
    exchange.config.write_text("[matchd\nsocket = \n")
    code, text = run_daemon("matchd", exchange.config)
    assert code == EX_CONFIG and str(exchange.config) in text


def test_explains_a_user_that_is_not_there(exchange):
    exchange.set("matchd", "gateway_users", "root, nobody-of-this-name")
    code, text = run_daemon("matchd", exchange.config)
    assert code == EX_CONFIG and "no user nobody-of-this-name" in text


@DAEMONS
def test_checks_a_configuration_without_running(name, exchange):
    code, text = run_daemon(name, exchange.config, "--check-config")
    assert code == 0, text


@DAEMONS
def test_has_help_and_a_version(name, exchange):
    for option in ("--help", "--version"):
        done = subprocess.run([str(BIN / f"bourse-{name}"), option], capture_output=True, text=True)
        assert done.returncode == 0 and name in done.stdout


@DAEMONS
def test_names_a_missing_state_directory(name, exchange, tmp_path):
    config = tmp_path / "away.toml"
    state = f'state = "{tmp_path}/away"\n'
    config.write_text(f"[exchange]\n{state}[snmp]\n{state}")
    code, text = run_daemon(name, config)
    assert code != 0 and f"{tmp_path}/away" in text


def test_refuses_a_second_matchd(exchange):
    exchange.start("matchd")
    code, text = run_daemon("matchd", exchange.config)
    assert code == 1
    assert str(exchange.running["matchd"].pid) in text, "names the process that holds the state"
    exchange.check_alive()
    assert exchange.is_ready("matchd")


def test_explains_a_port_in_use(exchange):
    exchange.start("matchd")
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", exchange.port))
        holder.listen()
        code, text = run_daemon("gatewayd", exchange.config)
    assert code == 1 and str(exchange.port) in text


def test_explains_a_missing_seal_key(exchange):
    exchange.start("matchd")
    os.remove(exchange.state / "secrets" / "seal.key")
    code, text = run_daemon("gatewayd", exchange.config)
    assert code != 0 and "seal.key" in text


def test_explains_a_seal_key_that_others_can_read(exchange):
    exchange.start("matchd")
    os.chmod(exchange.state / "secrets" / "seal.key", 0o644)
    code, text = run_daemon("gatewayd", exchange.config)
    assert code != 0 and "seal.key" in text


def test_says_that_nothing_runs(exchange):
    done = exchange.ctl("status", check=False)
    assert done.returncode == 3
    done = exchange.ctl("account", "open", "alice", check=False)
    assert done.returncode == 1 and "matchd" in done.stderr


def test_removes_a_stale_socket(exchange):
    exchange.start("matchd")
    exchange.kill("matchd")
    assert (exchange.state / "run" / "match.sock").exists()
    exchange.start("matchd")


def test_gateway_answers_while_matchd_is_away_and_returns_by_itself(exchange):
    exchange.start()
    exchange.demo()
    exchange.kill("matchd")
    exchange.check_alive()
    exchange.start("matchd")
    exchange.await_ready("gatewayd")
    exchange.check_alive()


def test_nothing_enters_after_its_window(exchange):
    """matchd hangs for longer than the orders' windows: an order whose status was reported as
    unknown never enters the log."""
    exchange.start()
    account = exchange.demo()["accounts"][0]
    wire = Spot(exchange.port, account["keyID"], account["secret"])
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
             "quantity": "0.01", "price": "30000"}
    wire.place(**order, newClientOrderId="before")
    hung = exchange.running["matchd"]
    hung.send_signal(signal.SIGSTOP)
    os.waitpid(hung.pid, os.WUNTRACED)  # on a busy machine its threads stop a little later
    try:
        for call, name in ((wire.place, "late"), (wire.cancel_replace, "later")):
            began = time.monotonic()
            more = {"cancelOrigClientOrderId": "before"} if name == "later" else {}
            with pytest.raises(Unknown, match="-1007"):
                call(**order, **more, newClientOrderId=name, recvWindow=1000)
            assert time.monotonic() - began >= 1
        with pytest.raises(Unknown, match="-1007"):
            wire.cancel(symbol="BTCUSDT", origClientOrderId="before", recvWindow=1000)
    finally:
        hung.send_signal(signal.SIGCONT)
    # Commands get their places in order: when this one is answered, so are those before it.
    wire.place(**order, newClientOrderId="after")
    names = [row["clientOrderId"] for row in wire.all_orders("BTCUSDT")]
    assert names == ["before", "after"]
    assert [row["status"] for row in wire.all_orders("BTCUSDT")] == ["NEW", "NEW"]
    for name in ("late", "later"):
        with pytest.raises(Refusal, match="-2013"):
            wire.call("GET", "/api/v3/order",
                      {"symbol": "BTCUSDT", "origClientOrderId": name}, signed=True)


def test_another_exchanges_history_is_refused(exchange, tmp_path):
    """A history file belongs to its journal; mixing two would show strangers' orders."""
    exchange.start()
    exchange.demo()
    exchange.stop_all()
    shutil.rmtree(exchange.state / "journal")
    assert exchange.ctl("init", check=False).returncode == 76, "nothing is begun by accident"
    exchange.ctl("init", "--new-journal")
    exchange.start("matchd")
    exchange.spawn("gatewayd")
    process = exchange.running.pop("gatewayd")
    assert process.wait(SECONDS_MAX) == 1
    assert "history" in exchange.log_tail("gatewayd")


def test_the_configuration_is_shown_as_it_is_read(exchange):
    ctl = exchange.ctl
    assert ctl("config", "get", "gatewayd.listen").stdout == f"127.0.0.1:{exchange.port}\n"
    assert ctl("config", "get", "matchd.hash_every").stdout == "65536\n"
    assert ctl("config", "get", "gatewayd.tls_key").stdout == "\n"
    given = exchange.ctl_json("config", "get", "matchd.segment_mib")
    assert given["value"] == 4 and given["default"] == 64 and given["line"] > 1
    rows = {row["key"]: row for row in exchange.ctl_json("config", "show")}
    assert set(rows) >= {"gatewayd.listen", "matchd.segment_mib"}
    assert "gatewayd.name" not in rows
    everything = exchange.ctl_json("config", "show", "--all")
    assert len(everything) > 50 and rows.keys() < {row["key"] for row in everything}
    done = ctl("config", "get", "agent.name", check=False)
    assert done.returncode == 64 and "did you mean gatewayd.name" in done.stderr
    exchange.config.write_text("[gatewayd]\nlisten = 5\n")
    for words in (("get", "gatewayd.listen"), ("show",)):
        done = ctl("config", *words, check=False)
        assert done.returncode == 78 and "gatewayd.listen: expected a string" in done.stderr
