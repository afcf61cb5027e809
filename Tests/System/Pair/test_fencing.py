"""The owner's fencing command: a forced failover has it switch the other host's power off first,
and promotes nothing where it cannot; an operator's own word still can."""
import json
import os
import signal
import time

import pytest
from pair import await_true
from test_failover import Trader
from test_force import typed

SECONDS_MAX = 60
# A device with the plugs of the hosts; `mode` says how it behaves, `pids` what hangs on the plug.
DEVICE = """#!/bin/sh
cd {folder} || exit 1
echo "arguments $*" >>log
cat >parameters
cat parameters >>log
case "$(cat mode) $(sed -n 's/^action=//p' parameters)" in
"works off")
    if [ -f pids ]; then
        kill -9 $(cat pids)
        # A machine without power answers nobody; a process that was killed may for a moment.
        for pid in $(cat pids); do
            while grep -qs "^State:.[^Z]" /proc/$pid/status; do sleep 0.01; done
        done
    fi
    touch off ;;
"works status") [ -f off ] && exit 2 ;;
"elsewhere off") ;;
"elsewhere status") exit 2 ;;
"stays "*) ;;
"hangs off") echo "logs in to the device"; sleep 600 & echo $! >child; wait ;;
"mute status") printf 'no \\033[31manswer\\n' >&2; exit 1 ;;
"mute "*) ;;
"leaves monitor") setsid sh -c 'echo $$ >left; exec sleep 600' & ;;
"leaves "*) ;;
"wrong "*) echo "unknown parameter" >&2; exit 2 ;;
"gone "*) echo "Connection timed out" >&2; exit 1 ;;
esac
exit 0
"""


class Device:
    """A fencing command of one host for the other."""

    def __init__(self, trio, name, tmp_path):
        self.trio, self.name = trio, name
        self.folder = tmp_path / "device"
        self.folder.mkdir()
        self.program = self.folder / "fence_test"
        self.program.write_text(DEVICE.format(folder=self.folder))
        self.program.chmod(0o755)
        self.set("works")
        trio.hosts[name].set("cluster", "fence_command",
                             f"{self.program} ip=10.9.8.7 password_script=/a=b")
        trio.hosts[name].set("cluster", "fence_seconds", 5)

    def set(self, mode):
        (self.folder / "mode").write_text(mode + "\n")
        (self.folder / "log").write_text("")

    def log(self):
        return (self.folder / "log").read_text().splitlines()

    def holds(self, host):
        """The plug of a host's processes."""
        pids = [process.pid for process in self.trio.hosts[host].running.values()]
        pids.append((self.trio.programs(host) / "pid").read_text().strip())
        (self.folder / "pids").write_text(" ".join(map(str, pids)))
        return pids


def hang(trio, name):
    """A host hangs: its kernel takes connections, nothing else happens."""
    with trio.lock:
        trio.off.add(name)
        for process in trio.hosts[name].running.values():
            process.send_signal(signal.SIGSTOP)
        os.kill(int((trio.programs(name) / "pid").read_text()), signal.SIGSTOP)


def a_is_out_of_reach_with_more_than_b(trio):
    """The standby was lost, the primary acknowledged orders alone, and its agent is dead; the
    standby is back. Gives the roles that were, and the trader."""
    trader = Trader(trio)
    a, b = trio.roles()
    trader.first(a)
    trio.lose(b)
    await_true(f"{a} is alone", lambda: trio.document(a)["inSync"] == [a])
    kept = set(trader.acknowledged)
    for _ in range(3):
        trader.first(a)
    trader.acknowledged = kept
    trio.hosts[a].kill("agentd")
    trio.power(b)
    trio.gateway(b)
    await_true(f"{b} is no standby", lambda: (found := trio.document(b)) and (
        found["role"] == "learner"))
    return a, b, trader


def finding(trio, name):
    """What this host's agent finds of its fencing command."""
    done = trio.ctl(name, "--output", "json", "check", check=False)
    rows = json.loads(done.stdout) if done.stdout else []
    found = [row for row in rows if row["name"] == "cluster.fencing"]
    return found[0] if found else {"state": "none"}


def test_a_forced_failover_switches_the_other_host_off_first(trio, tmp_path):
    a, b, trader = a_is_out_of_reach_with_more_than_b(trio)
    # Without a command nothing can be proven: it answers.
    assert "it is not off" in trio.refusal(b, "failover", b, "--peer-is-off", "--yes-name", b)
    assert "an operator has to" in trio.refusal(b, "cluster", "test-fencing")
    device = Device(trio, b, tmp_path)
    pids = device.holds(a)
    force = ("failover", b, "--yes-name", b)
    for mode, stated, said in (
            ("gone", False, "action=off, status 1: Connection timed out"),
            ("wrong", False, "action=off, status 2: unknown parameter"),
            ("mute", False, "action=status, status 1: no ?[31manswer"),
            ("stays", False, "says that it is still on"),
            # A device that says it is on is believed more than an operator.
            ("stays", True, "says that it is still on"),
            ("elsewhere", False, "though its power is said to be off"),
            ("elsewhere", True, "though its power is said to be off"),
            ("gone", True, "though its power is said to be off"),
            ("hangs", False, "was not done within 5 s: action=off: logs in to the device")):
        device.set(mode)
        found = trio.refusal(b, *force, *(["--peer-is-off"] if stated else []))
        assert said in found, (mode, found)
        assert trio.document(b)["role"] == "learner" and not trader.place(b), mode
        assert device.log()[0] == "arguments ", mode
    child = int((device.folder / "child").read_text())
    await_true("what it started is killed", lambda: not os.path.exists(f"/proc/{child}") or (
        ") Z " in open(f"/proc/{child}/stat").read()))

    device.set("gone")
    assert "action=monitor, status 1: Connection timed out" in trio.refusal(
        b, "cluster", "test-fencing")
    # What it leaves behind, in a session of its own and with its output open, holds up nobody.
    device.set("leaves")
    began = time.monotonic()
    assert "was not done within 5 s: action=monitor" in trio.refusal(
        b, "cluster", "test-fencing")
    assert time.monotonic() - began < 5 + SECONDS_MAX
    os.kill(int((device.folder / "left").read_text()), signal.SIGKILL)
    device.set("elsewhere")
    assert "another machine's plug" in trio.refusal(b, "cluster", "test-fencing")
    device.set("works")
    done = trio.ctl_json(b, "cluster", "test-fencing")
    assert (done["peer"], done["power"], done["command"]) == (a, "on", str(device.program))
    assert [line for line in device.log() if line.startswith("action=")] == [
        "action=monitor", "action=status"]

    # Nothing runs before the operator has confirmed, nor a program that others may write.
    device.set("works")
    assert "needs a terminal" in trio.refusal(b, "failover", b)
    done = typed(trio, b, a, "failover", b)
    assert done.returncode == 1 and "not confirmed; nothing was done" in done.stderr, done
    assert f"you have {device.program} switch the power of {a} off" in done.stderr
    for path, mode in ((device.program, 0o757), (device.folder, 0o777)):
        usual = path.stat().st_mode
        path.chmod(mode)
        done = trio.ctl(b, *force, check=False)
        assert done.returncode == 78 and f"others than root may write {path}" in done.stderr
        path.chmod(usual)
    assert device.log() == [] and trio.document(b)["role"] == "learner"

    done = typed(trio, b, b, "failover", b)
    assert done.returncode == 0 and "leads epoch" in done.stdout, done.stderr
    assert not any(os.path.exists(f"/proc/{pid}") and ") Z " not in open(
        f"/proc/{pid}/stat").read() for pid in pids)
    assert device.log() == [
        line for action in ("off", "status") for line in (
            "arguments ", f"action={action}", f"plug={a}", f"nodename={a}", "ip=10.9.8.7",
            "password_script=/a=b")]
    trader.first(b)
    trader.check(b)
    proof = f"the power of {a} is off: {device.program}, status off"
    found = trio.document(b)
    assert found["primaryChanges"][-1]["why"] == f"an operator forced a failover; {proof}"
    assert [change["why"] for change in found["changes"] if change["what"] == "forced"] == [
        f"claims epoch {found['epoch']}, for an operator forced it: waits for etcd; {proof}"]
    assert proof in trio.ctl(b, "cluster", "status", check=False).stdout.replace("\n", " ")
    # Its agent, which read the settings before, looks at the program when it starts again.
    trio.hosts[b].kill("agentd")
    trio.hosts[b].spawn("agentd")
    await_true("it is well", lambda: finding(trio, b)["state"] == "ok")
    device.program.chmod(0o757)
    await_true("it is not", lambda: finding(trio, b)["state"] == "warning")
    assert f"others than root may write {device.program}" in finding(trio, b)["text"]


@pytest.mark.parametrize("words", [("failover", "HOST"), ("standby", "remove", "--force")],
                         ids=" ".join)
def test_etcd_is_made_anew_behind_the_fencing(trio, tmp_path, words):
    trader = Trader(trio)
    leads, follows = trio.roles()
    trader.first(leads)
    name, gone = (follows, leads) if words[0] == "failover" else (leads, follows)
    words = [name if word == "HOST" else word for word in words]
    device = Device(trio, name, tmp_path)
    device.holds(gone)
    hang(trio, gone)
    trio.lose("w")
    await_true("it waits", lambda: (found := trio.document(name))["etcdFault"] and (
        not found["peerAgent"]["reachable"]))
    again = [*words, "--yes-name", name]
    device.set("gone")
    assert "Connection timed out" in trio.refusal(name, *again)
    assert not (trio.cluster(name) / "etcd.remake").exists()
    device.set("works")
    done = trio.ctl(name, *again)
    assert f"{name} leads epoch" in done.stdout
    trader.first(name)
    trader.check(name)
    proof = f"the power of {gone} is off: {device.program}, status off"
    assert any(change["why"].endswith(proof) for change in trio.document(name)["changes"])
    assert json.dumps(proof)[1:-1] in (trio.hosts[name].logs / "agentd.log").read_text()


def test_a_primary_at_work_is_not_switched_off(trio, tmp_path):
    trader = Trader(trio)
    a, b = trio.roles()
    trader.first(a)
    trio.ctl(a, "standby", "remove")
    await_true(f"{b} is out", lambda: trio.document(b)["role"] == "learner")
    device = Device(trio, b, tmp_path)
    device.holds(a)
    said = trio.refusal(b, "failover", b, "--yes-name", b, "--peer-is-off")
    assert f"{a} leads epoch" in said and "switchover" in said, said
    assert device.log() == []
    trader.first(a)
    # Where it is off and its device with it, an operator's word counts, that names itself.
    trio.lose(a)
    device.set("gone")
    said = trio.refusal(b, "failover", b, "--yes-name", b)
    assert "add --peer-is-off" in said and "test-fencing" in said, said
    trader.acknowledged = set()
    done = trio.ctl(b, "failover", b, "--yes-name", b, "--peer-is-off")
    assert "goes on by --peer-is-off" in done.stderr
    trader.first(b)
    assert trio.document(b)["primaryChanges"][-1]["why"].endswith(
        f"as the operator states; {device.program} could not say so")


def test_a_support_bundle_has_of_the_command_only_its_program(trio, tmp_path):
    device = Device(trio, "a", tmp_path)
    secret = "password-of-the-power-switch"
    trio.hosts["a"].set("cluster", "fence_command",
                        f"{device.program} ip=10.9.8.7 password={secret}")
    trio.ctl("a", "support-bundle", tmp_path / "bundle")
    files = {path.name: path.read_text(errors="replace")
             for path in (tmp_path / "bundle").iterdir()}
    assert f'fence_command = "{device.program} …"' in files["bourse.toml"]
    assert not [name for name, text in files.items() if secret in text]
