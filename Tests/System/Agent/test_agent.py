"""The agent beside a real exchange: what it observes, reports, changes and costs. There is no systemd
here: units are unknown, never ok."""
import json
import os
import re
import select
import signal
import subprocess
import sys
import tarfile
import time
from http.client import HTTPException

import pytest
import yaml
from agent import REQUEST, UNDO, Agent, UnixConnection, cost
from exchange import BIN
from prometheus_client.openmetrics.parser import text_string_to_metric_families

FIX = "cpu.stat-interval"
# Whatever it is set to, it is too often: so there is something that can be put right.
FIXABLE = {"thresholds": f"{FIX}=1000000:"}


@pytest.fixture
def agent(exchange):
    return Agent(exchange).start()


def test_sees_the_exchange_go_and_come_back(exchange):
    exchange.start("matchd")
    agent = Agent(exchange).start()
    running = agent.until(
        lambda: (state := agent.state())["exchange"]["running"] and state, "sees matchd")
    status = exchange.ctl_json("status")
    for key in ("role", "epoch", "connectionsMax", "diskReserveBytes", "belowReserve"):
        assert running["exchange"][key] == status[key], key
    assert agent.check("exchange.answers")["state"] == "ok"
    last = agent.events()["last"]

    exchange.kill("matchd")
    state = agent.until(
        lambda: not (state := agent.state())["exchange"]["running"] and state, "sees it go", 30)
    assert state["exchange"] == {"running": False}
    raised = agent.until(
        lambda: [e for e in agent.events(last)["events"] if e["name"] == "exchange.answers"],
        "raises an alarm", 30)
    assert [(e["raised"], e["state"]) for e in raised] == [(True, "critical")]
    assert agent.state()["worst"] == "critical"

    exchange.start("matchd")
    cleared = agent.until(
        lambda: [e for e in agent.events(raised[0]["sequence"])["events"]
                 if e["name"] == "exchange.answers"], "clears it")
    assert [e["raised"] for e in cleared] == [False]
    history = agent.history("exchange.answers")
    assert history["check"]["state"] == "ok"
    assert history["check"]["failures"] == 1
    assert {sample[1] for sample in history["history"]} <= {"ok", "critical", "unknown"}


def test_counts_what_is_traded(exchange):
    exchange.start("matchd")
    agent = Agent(exchange).start()
    before = agent.until(
        lambda: (state := agent.state())["exchange"]["running"] and state, "sees matchd")
    exchange.demo()
    agent.until(
        lambda: agent.state()["exchange"]["released"] > before["exchange"]["released"], "counts")
    assert agent.state()["exchange"]["syncs"] > 0


def test_never_treats_unknown_as_ok(agent):
    state = agent.state()
    assert [unit["active"] for unit in state["units"]] == ["unknown"] * 3
    units = {n: c["state"] for n, c in agent.checks().items() if n.startswith("unit.state/")}
    assert len(units) == 3 and set(units.values()) == {"unknown"}


def test_continues_where_it_was_killed(exchange):
    agent = Agent(exchange, **FIXABLE).start()
    agent.until(lambda: agent.check(FIX)["state"] == "warning", "warns")
    before = agent.until(lambda: (e := agent.events())["events"] and e, "reports it")
    # A second one would write the same files.
    second = subprocess.run(
        [str(BIN / "bourse-agentd"), "--config", str(exchange.config)], capture_output=True,
        text=True, timeout=30)
    assert second.returncode == 1 and "is locked by process" in second.stderr
    exchange.kill("agentd")
    with open(exchange.state / "agent" / "events", "ab") as file:
        file.write(b'0123456789abcdef {"sequence": 99')
    agent.start()
    assert agent.events()["events"][: len(before["events"])] == before["events"]
    agent.until(lambda: agent.check(FIX)["state"] == "warning", "warns again")
    time.sleep(1.5)
    raised = [e for e in agent.events()["events"] if e["name"] == FIX]
    assert len(raised) == 1, "a raised alarm is raised once"
    assert "1 damaged lines were skipped" in exchange.log_tail("agentd")


def test_stops_on_request(exchange, agent):
    assert exchange.stop("agentd") == 0
    assert not agent.socket.exists()
    assert "stopped" in exchange.log_tail("agentd")


# --- who may ask for what ---


def test_changes_nothing_over_tcp_and_nothing_for_strangers(exchange, agent):
    body = {"name": FIX, "apply": True}
    assert agent.ask("POST", "/v1/fix", body, peer="tcp").status == 403
    assert agent.ask("POST", "/v1/undo", {"id": 1}, peer="tcp").status == 403
    if os.geteuid() != 0:
        pytest.fail("run the tests as root: only root can be somebody else")
    # pytest hides its directories from others, and boursectl hides the state.
    for folder in (exchange.state / "run", *(exchange.state / "run").parents):
        if folder.stat().st_mode & 0o005 != 0o005:
            folder.chmod(folder.stat().st_mode | 0o055)
    script = (
        f"import os, sys; sys.path[:0] = {sys.path!r}\n"
        "from agent import UnixConnection\n"
        # With no right of anybody's, from here on.
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        f"def ask(*a):\n  c = UnixConnection({str(agent.socket)!r}); c.request(*a)\n"
        "  return c.getresponse().status\n"
        "print(ask('GET', '/v1/state'), ask('POST', '/v1/fix', '{}'))")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == ["200", "403"], done.stderr


@pytest.mark.parametrize("host,status", [
    ("localhost", 200), ("127.0.0.1:1", 200), ("[::1]:1", 200), ("example.com", 403),
    ("127.0.0.1.example.com", 403), ("", 403),
])
def test_answers_only_to_its_own_names(agent, host, status):
    assert agent.get("/v1/state", peer="tcp", headers={"Host": host}).status == status


@pytest.mark.parametrize("method,path,body,status", [
    ("GET", "/nothing", None, 404), ("GET", "/v1/events", None, 400),
    ("GET", "/v1/events?after=-1", None, 400), ("GET", "/v1/checks/none", None, 404),
    ("GET", "/v1/checks/%zz", None, 404), ("PUT", "/v1/state", None, 405),
    ("POST", "/v1/state", {}, 404), ("POST", "/v1/fix", {"name": FIX}, 400),
    ("POST", "/v1/fix", {"name": "none", "apply": False}, 404),
    ("POST", "/v1/undo", {"id": "1"}, 400), ("POST", "/v1/undo", {"id": 7}, 404),
    ("POST", "/v1/fix", {"name": "x" * 5000, "apply": True}, 413),
])
def test_refuses_what_it_does_not_understand(agent, method, path, body, status):
    answer = agent.ask(method, path, body)
    assert answer.status == status and "error" in answer.json
    assert agent.get("/v1/state").status == 200


def test_one_user_does_not_take_all_connections(agent):
    held = []
    for _ in range(80):
        connection = UnixConnection(agent.socket)
        connection.connect()
        held.append(connection)
    refused = 0
    for connection in held:
        try:
            connection.request("GET", "/v1/changes")
            refused += connection.getresponse().status != 200
        except (OSError, HTTPException):
            refused += 1
    assert refused == 80 - 64
    assert agent.get("/v1/state", peer="tcp").status == 200
    for connection in held:
        connection.close()
    agent.until(lambda: agent.get("/v1/state").status == 200, "has room again")


def test_garbage_ends_a_connection_and_nothing_else(agent):
    connection = UnixConnection(agent.socket)
    connection.connect()
    connection.sock.sendall(b"GET / HTTP/9.9\r\n" + b"X: y\r\n" * 5000)
    try:
        while connection.sock.recv(65536):
            pass
    except ConnectionResetError:
        pass
    connection.close()
    assert agent.get("/v1/state").status == 200


# --- changes ---


def test_denies_by_default(exchange, helper):
    agent = Agent(exchange, **FIXABLE).start()
    agent.until(lambda: agent.check(FIX)["state"] == "warning", "warns")
    shown = agent.ask("POST", "/v1/fix", {"name": FIX, "apply": False}).json
    assert shown == {"requests": [REQUEST], "results": [], "refused": None}
    denied = agent.ask("POST", "/v1/fix", {"name": FIX, "apply": True}).json
    assert denied["results"] == [] and "does not have parameter" in denied["refused"]
    done = exchange.ctl("fix", FIX, "--apply", check=False)
    assert done.returncode == 1 and "does not have parameter" in done.stdout
    assert REQUEST not in helper.lines
    assert agent.get("/v1/changes").json == []


def test_makes_and_undoes_allowed_changes(exchange, helper):
    agent = Agent(exchange, allow="parameter", **FIXABLE).start()
    agent.until(lambda: agent.check(FIX)["state"] == "warning", "warns")
    shown = exchange.ctl("fix", FIX)
    assert f"would do: {REQUEST}" in shown.stdout and REQUEST not in helper.lines
    done = exchange.ctl_json("fix", FIX, "--apply", "--operator", "alice")
    assert [(r["ok"], r["undo"]) for r in done["results"]] == [(True, UNDO)]
    changes = exchange.ctl_json("changes")
    assert [(c["id"], c["line"], c["undone"]) for c in changes] == [(1, REQUEST, False)]
    assert changes[0]["by"] == "alice"
    exchange.stop("agentd")
    agent.start()
    assert exchange.ctl("undo", "1").returncode == 0
    assert exchange.ctl("undo", "1", check=False).returncode == 1
    assert [c["undone"] for c in exchange.ctl_json("changes")] == [True, False]
    assert [line for line in helper.lines if line.startswith("parameter")] == [REQUEST, UNDO]


def test_automatic_changes_stay_within_the_policy(exchange, helper):
    agent = Agent(exchange, allow="parameter", automatic=True, **FIXABLE)
    # Nothing else that this host has wrong is put right by a test.
    agent.exchange.set("agent", "off", "memory.swappiness")
    agent.start()
    agent.until(lambda: REQUEST in helper.lines, "changes it")
    time.sleep(2.5)
    assert helper.lines.count(REQUEST) == 1, "it does not do it over and over"
    assert {c["by"] for c in agent.get("/v1/changes").json} == {"agent"}


# --- boursectl ---


def test_check_ends_as_monitoring_plugins_do(exchange):
    gone = exchange.ctl("check", check=False)
    assert gone.returncode == 3 and "the agent does not run" in gone.stderr
    gone = exchange.ctl("check", "--nagios", check=False)
    assert gone.returncode == 3 and gone.stdout.startswith("BOURSE UNKNOWN - ")
    agent = Agent(exchange, **FIXABLE).start()
    agent.until(lambda: agent.check(FIX)["state"] == "warning", "warns")
    warned = exchange.ctl("check", FIX, "--output", "nagios", check=False)
    assert warned.returncode == 1
    assert re.fullmatch(
        rf"BOURSE WARNING - 1 of 1 checks are not ok: {FIX}: [^|]+ \| '{FIX}'=\d+;1000000;\n",
        warned.stdout)
    exchange.set("agent", "thresholds", f"{FIX}=0:0")
    exchange.stop("agentd")
    agent.start()
    agent.until(lambda: agent.check(FIX)["state"] == "ok", "is well")
    assert exchange.ctl("check", FIX, check=False).returncode == 0
    # matchd does not run here.
    assert exchange.ctl("check", "exchange", check=False).returncode == 2
    assert exchange.ctl("check", "unit.state", check=False).returncode == 3
    everything = exchange.ctl("check", check=False)
    assert everything.returncode == 2
    states = [line.split()[0] for line in everything.stdout.splitlines()[3:]]
    order = ["critical", "warning", "unknown"]
    assert states == sorted(states, key=order.index) and "ok" not in states
    assert "\x1b" not in everything.stdout
    assert exchange.ctl("check", "no.such", check=False).returncode == 3


def test_yaml_readers_read_json(exchange, agent):
    for words in (["changes"], ["check", "unit"], ["explain", "unit.state/bourse-matchd.service"]):
        written = exchange.ctl("--output", "json", *words, check=False).stdout
        assert yaml.safe_load(written) == json.loads(written), words
    refused = exchange.ctl("--output", "nagios", "changes", check=False)
    assert refused.returncode == 64 and "for check and status" in refused.stderr


def test_explains_what_it_found(exchange):
    agent = Agent(exchange, **FIXABLE).start()
    agent.until(lambda: agent.check(FIX)["state"] == "warning", "warns")
    text = exchange.ctl("explain", FIX).stdout
    check = agent.check(FIX)
    for part in (check["why"], check["text"], check["source"], REQUEST, "warns at 1,000,000"):
        assert part in text, part


def test_watches_and_repeats(exchange, agent):
    for words, pattern in ((["watch"], "(?m)^matchd does not answer"), (["status", "-w", "1"], "(?m)^not running")):
        process = subprocess.Popen(
            [str(BIN / "boursectl"), "--state", str(exchange.state), *words],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        out, began, deadline = b"", None, time.monotonic() + 60
        while len(re.findall(pattern, out.decode(errors="ignore"))) < 3:
            left = deadline - time.monotonic()
            assert left > 0 and select.select([process.stdout], [], [], left)[0], out
            assert (part := os.read(process.stdout.fileno(), 65536)), (words, out)
            began, out = began or time.monotonic(), out + part
        assert time.monotonic() - began > 0.9, "once a second"
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
        assert b"\x1b" not in out + rest


def test_status_for_monitoring(exchange):
    down = exchange.ctl("status", "--output", "nagios", check=False)
    assert down.returncode == 2 and down.stdout.startswith("BOURSE CRITICAL - matchd is not running")
    exchange.start("matchd")
    up = exchange.ctl("status", "--output", "nagios")
    assert re.match(r"BOURSE OK - \w+, epoch \d+, \d+ records \| released=\d+c ", up.stdout)


# --- what others read ---


def test_metrics_are_openmetrics(exchange):
    exchange.start("matchd")
    agent = Agent(exchange).start()
    agent.until(lambda: agent.state()["exchange"]["running"], "sees matchd")
    answer = agent.get("/metrics", peer="tcp")
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = {f.name: f for f in text_string_to_metric_families(answer.text)}
    states = {s.labels["check"]: s.value for s in families["bourse_check_state"].samples}
    codes = {"ok": 1, "warning": 2, "critical": 3, "unknown": 4}
    assert states.keys() == agent.checks().keys()
    assert states["exchange.answers"] == codes["ok"]
    assert families["bourse_exchange_running"].samples[0].value == 1
    assert families["bourse_exchange_syncs"].type == "counter"
    assert families["bourse_directory_free_bytes"].samples


def test_observation_can_be_read_again(exchange, agent, tmp_path):
    seen = agent.get("/v1/observation").json
    assert "/proc/stat" in seen and "/probe/clock" in seen
    tree = tmp_path / "tree"
    for path, text in seen.items():
        file = tree / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    done = subprocess.run(
        [str(BIN / "bourse-agentd"), "--config", str(exchange.config), "--once", "--root", str(tree)],
        capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    again = {c["name"]: c for c in json.loads(done.stdout)["checks"]}
    now = agent.checks()
    for name in ("cpu.stat-interval", "cpu.timer-migration"):
        assert (again[name]["state"], again[name]["value"]) == (now[name]["state"], now[name]["value"])


@pytest.mark.parametrize("archive", [True, False])
def test_a_support_bundle_has_no_secret(exchange, tmp_path, archive):
    exchange.start()
    exchange.ctl("account", "open", "carol")
    agent = Agent(exchange).start()
    agent.until(lambda: agent.state()["exchange"]["running"], "sees matchd")
    key = exchange.ctl_json("key", "add", "carol")
    seal = (exchange.state / "secrets" / "seal.key").read_bytes()
    password = "hunter2-in-a-comment"
    with open(exchange.config, "a") as file:
        file.write(f"# my password is {password}\n")
    target = tmp_path / ("bundle.tar.gz" if archive else "bundle")
    exchange.ctl("support-bundle", target)
    if archive:
        assert not (tmp_path / "bundle").exists()
        assert target.stat().st_mode & 0o777 == 0o600
        with tarfile.open(target) as packed:
            packed.extractall(tmp_path, filter="data")
    files = {f.name: f.read_bytes() for f in (tmp_path / "bundle").iterdir()}
    assert {
        "about.json", "bourse.toml", "files.txt", "status.json", "state.json", "observation.json",
        "changes.json", "events.json",
    } <= files.keys()
    assert b"[matchd]" in files["bourse.toml"] and b"secrets/seal.key" in files["files.txt"]
    everything = b"\n".join(files.values())
    assert len(seal) >= 32 and key["secret"]
    for secret in (seal, seal.strip(), seal.hex().encode(), key["secret"].encode(),
                   password.encode()):
        assert secret not in everything
    # The state as it was, in a form that can be read.
    assert json.loads(files["state.json"])["exchange"]["running"]
    assert exchange.ctl("support-bundle", target, check=False).returncode == 64


# --- configuration ---


@pytest.mark.parametrize("key,value,expected", [
    ("thresholds", "no.such-kind=1:2", "there is no kind of check no.such-kind"),
    ("off", "no.such-kind", "there is no kind of check no.such-kind"),
    ("allow", "reboot", "the helper has no verb reboot"),
    ("listen", "0.0.0.0:1", "expected a loopback address"),
])
def test_refuses_a_configuration_with_its_line(exchange, key, value, expected):
    exchange.set("agent", key, value)
    line = exchange.config.read_text().splitlines().index(f'{key} = "{value}"') + 1
    done = subprocess.run(
        [str(BIN / "bourse-agentd"), "--check-config", "--config", str(exchange.config)],
        capture_output=True, text=True, timeout=30)
    assert done.returncode == 78
    assert f"{exchange.config}:{line}: agent.{key}: " in done.stderr and expected in done.stderr


def test_explains_what_prevents_its_start(exchange):
    agent = Agent(exchange).start()
    other = exchange.state.parent / "other"
    other.mkdir()
    (other / "bourse.toml").write_text(f'[agent]\nlisten = "127.0.0.1:{agent.port}"\n')
    done = subprocess.run(
        [str(BIN / "bourse-agentd"), "--config", str(other / "bourse.toml")],
        capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "cannot listen" in done.stderr, done.stderr


# --- what it costs ---


def test_costs_next_to_nothing(exchange):
    exchange.start()
    agent = Agent(exchange).start()
    time.sleep(3)
    share, _, peak = cost(agent.process.pid, 20)
    rounds = agent.until(lambda: len(found := [
        entry["roundNanos"] for entry in agent.get("/v1/trend").json]) >= 20 and found,
        "has made 20 rounds")
    print(f"{share:.2f} % of a core, {peak:.0f} MiB, rounds to {max(rounds) / 1e6:.1f} ms")
    assert share < 1.0
    assert peak < 60
    # None waits for anything; what else the machine does makes some of them long.
    assert sorted(rounds)[len(rounds) // 2] < 1_000_000_000
