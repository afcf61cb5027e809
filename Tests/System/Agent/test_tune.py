"""boursectl's tuning of a host and its measuring of a CPU: plans of recorded hosts, what is done of
them through a real agent, the files that are left behind, and noise that is there for certain."""
import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from agent import REQUEST, UNDO, Agent
from exchange import BIN, ROOT

FIXTURES = ROOT / "Tests" / "HostTests" / "Fixtures"
CHECK = "cpu.stat-interval"
# All that `vm` lacks and the agent could change, but for one: what the agent sees of this machine
# may be otherwise.
OTHERS = "cpu.irq-affinity cpu.workqueues cpu.timer-migration memory.swappiness cpu.deep-idle"
SYSCTL = "etc/sysctl.d/60-bourse-tune.conf"
TMPFILES = "etc/tmpfiles.d/bourse-tune.conf"
UNITS = "etc/systemd/system"


@pytest.fixture
def tree(tmp_path):
    """The host `vm`, to be changed."""
    return shutil.copytree(FIXTURES / "vm", tmp_path / "tree")


@pytest.fixture
def tuned(exchange):
    """An exchange whose engine has CPU 1; its agent warns of one setting, whatever it is."""
    exchange.set("matchd", "cpu", 1)
    exchange.set("agent", "off", OTHERS)
    exchange.set("agent", "thresholds", f"{CHECK}=1000000:")
    return exchange


def files(tree):
    return {
        str(path.relative_to(tree)): path.read_text()
        for path in tree.rglob("*") if path.is_file() and "before" not in path.parts
    }


def test_a_plan_needs_no_agent_and_changes_nothing(exchange, tree):
    exchange.set("matchd", "cpu", 1)
    before = files(tree)
    plan = exchange.ctl_json("tune", "plan", "--root", tree)
    states = {item["name"]: item["state"] for item in plan["items"]}
    assert states["isolcpus"] == "owner" and states["cpu.workqueues"] == "change"
    assert states["memory.ksm"] == "done" and states["cpu.irqbalance"] == "unknown"
    assert plan["boot"]["missing"] == ["isolcpus=managed_irq,domain,1", "irqaffinity=0"]
    assert not plan["done"] and all(item["why"] for item in plan["items"])
    text = exchange.ctl("tune", "plan", "--root", tree).stdout
    for part in ("irq-affinity 25 0", "isolcpus=managed_irq,domain,1", "CPUAffinity=0", "for you"):
        assert part in text, part
    assert files(tree) == before


def test_a_plan_of_this_host_reads_it(exchange):
    exchange.set("matchd", "cpu", os.cpu_count() - 1)
    plan = exchange.ctl_json("tune", "plan")
    items = {item["name"]: item for item in plan["items"]}
    with open("/proc/sys/vm/swappiness") as file:
        assert f"vm.swappiness is {file.read().strip()}" == items["memory.swappiness"]["text"]
    with open("/proc/cmdline") as file:
        assert (items["irqaffinity"]["state"] == "done") == ("irqaffinity=" in file.read())
    # What is a rate was read twice.
    assert not any("read once" in item["text"] for item in plan["items"])


def test_does_what_is_allowed_and_can_be_taken_back(tuned, tree, helper):
    agent = Agent(tuned, allow="parameter").start()
    agent.until(lambda: agent.check(CHECK)["state"] == "warning", "warns")
    before = files(tree)
    done = tuned.ctl_json("tune", "apply", "--root", tree)
    assert [(c["check"], c["line"], c["ok"], c["undo"]) for c in done["changes"]] == [
        (CHECK, REQUEST, True, UNDO)]
    assert done["problems"] == [] and done["removed"] == []
    changes = tuned.ctl_json("changes")
    assert [(c["line"], c["undo"], c["undone"]) for c in changes] == [(REQUEST, UNDO, False)]
    new = {name: text for name, text in files(tree).items() if name not in before}
    assert sorted(new) == sorted(path.lstrip("/") for path in done["written"])
    # The command line is the owner's, and nothing else was touched.
    assert {name: text for name, text in files(tree).items() if name in before} == before
    assert "vm.stat_interval = 120\n" in new[SYSCTL]
    assert "\nw /sys/kernel/mm/ksm/run - - - - 0\n" in new[TMPFILES]
    for unit in ("agentd", "auditd", "gatewayd", "matchd", "poller", "snmp"):
        text = new[f"{UNITS}/bourse-{unit}.service.d/50-tune.conf"]
        assert text.endswith("[Service]\nCPUAffinity=0\n"), unit
    assert "systemctl daemon-reload" in done["next"]
    assert "boursectl upgrade --force" in done["next"], "matchd is restarted in order"
    assert any(line.startswith("rm ") and SYSCTL in line for line in done["undo"])
    assert all((tree / name).stat().st_mode & 0o777 == 0o644 for name in new)

    again = tuned.ctl_json("tune", "apply", "--root", tree)
    assert again["written"] == [] and files(tree) == before | new
    assert all(file["done"] for file in tuned.ctl_json("tune", "plan", "--root", tree)["files"])
    # With no CPU of its own for the engine nobody has to keep off it.
    tuned.set("matchd", "cpu", -1)
    gone = tuned.ctl_json("tune", "apply", "--root", tree)
    assert len(gone["removed"]) == 6 and "systemctl daemon-reload" in gone["next"]
    assert not list((tree / UNITS).rglob("*.conf"))
    tuned.ctl("undo", changes[0]["id"])
    assert helper.lines.count(UNDO) == 1


def test_denies_by_default(tuned, tree, helper):
    agent = Agent(tuned).start()
    agent.until(lambda: agent.check(CHECK)["state"] == "warning", "warns")
    done = tuned.ctl("--output", "json", "tune", "apply", "--root", tree, check=False)
    said = json.loads(done.stdout)
    assert done.returncode == 1
    assert [(c["ok"], "does not have parameter" in c["answer"]) for c in said["changes"]] == [
        (False, True)]
    assert REQUEST not in helper.lines and tuned.ctl_json("changes") == []
    assert (tree / SYSCTL).exists(), "files need no agent"
    # What it says lets it be done, does.
    assert "boursectl init --set 'agent.allow=\"parameter\"'" in said["next"]
    tuned.ctl("init", "--set", 'agent.allow="parameter"')
    tuned.stop("agentd")
    agent.start()
    agent.until(lambda: agent.check(CHECK)["state"] == "warning", "warns")
    tuned.ctl("tune", "apply", "--root", tree)
    assert helper.lines.count(REQUEST) == 1


def test_reports_that_the_agent_is_absent(tuned, tree):
    done = tuned.ctl("tune", "apply", "--root", tree, check=False)
    assert done.returncode == 1 and "the agent does not run" in done.stdout
    assert (tree / TMPFILES).exists()


def test_only_root_writes_files(tuned):
    if os.geteuid() != 0:
        pytest.fail("run the tests as root: only root can be somebody else")
    for folder in (tuned.state, *tuned.state.parents):
        if folder.stat().st_mode & 0o005 != 0o005:
            folder.chmod(folder.stat().st_mode | 0o055)
    tuned.config.chmod(0o644)

    def nobody():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

    done = subprocess.run(
        [str(BIN / "boursectl"), "--state", str(tuned.state), "tune", "apply"],
        capture_output=True, text=True, timeout=60, preexec_fn=nobody)
    assert done.returncode == 1 and f"only root writes /{SYSCTL}" in done.stdout, done.stderr


def test_systemd_takes_the_files(tuned, tree):
    tuned.set("agent", "off", "")
    tuned.ctl("tune", "apply", "--root", tree, check=False)
    units = tree / UNITS
    for unit in units.iterdir():
        name = unit.name.removesuffix(".d")
        (units / name).write_text("[Service]\nExecStart=/bin/true\n")
        verified = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(units / name)], capture_output=True,
            text=True, timeout=60, env=os.environ | {"SYSTEMD_UNIT_PATH": f"{units}:"})
        assert "50-tune.conf" not in verified.stderr, verified.stderr
        # A drop-in that it does not understand would be reported.
        drop = unit / "50-tune.conf"
        drop.write_text(drop.read_text().replace("CPUAffinity=0", "CPUAffinity=what"))
        spoilt = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(units / name)], capture_output=True,
            text=True, timeout=60, env=os.environ | {"SYSTEMD_UNIT_PATH": f"{units}:"})
        assert "50-tune.conf" in spoilt.stderr
    mask = tree / "sys/devices/virtual/workqueue/cpumask"
    assert mask.read_text().strip() == "3"
    done = subprocess.run(
        ["systemd-tmpfiles", "--create", f"--root={tree}", str(tree / TMPFILES)],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert mask.read_text().strip() == "00000001"


# --- noise ---


def noise(*words):
    done = subprocess.run(
        [str(BIN / "boursectl"), "--output", "json", "noise", *map(str, words)],
        capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout) if done.returncode == 0 else done


def test_another_thread_on_the_cpu_is_heard():
    quiet = noise(0, "--seconds", 1, "--force")
    assert quiet["readings"] == sum(gap["count"] for gap in quiet["gaps"]) > 100_000
    assert 0 < quiet["p50Nanos"] <= quiet["p99Nanos"] <= quiet["p999Nanos"] <= quiet["maxNanos"]
    assert quiet["over100Micros"] <= quiet["over10Micros"] <= quiet["over1Micros"]
    assert quiet["nanos"] >= 1_000_000_000
    busy = subprocess.Popen(
        [sys.executable, "-c", "import os; os.sched_setaffinity(0, {0})\n"
         "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    try:
        busy.stdout.readline()  # it is busy from now on
        loud = noise(0, "--seconds", 2, "--force")
    finally:
        busy.kill()
        busy.wait()
    # They share it: the measuring thread gets about half of the time, in slices.
    assert loud["lostNanos"] > 0.3 * loud["nanos"] and loud["maxNanos"] > 1_000_000
    assert loud["preempted"] > 10 and loud["over100Micros"] > 10
    names = [suspect["name"] for suspect in loud["suspects"]]
    assert any("timer" in name.lower() for name in names), names
    counts = [suspect["count"] for suspect in loud["suspects"]]
    assert counts == sorted(counts, reverse=True) and min(counts) > 0


def test_leaves_an_engine_its_cpu(exchange):
    exchange.set("matchd", "cpu", 0)
    exchange.start("matchd")
    refused = noise(0, "--seconds", 1)
    assert refused.returncode == 1 and "CPU 0 is reserved for the engine" in refused.stderr
    assert "--force" in refused.stderr
    assert noise(0, "--seconds", 1, "--force")["readings"] > 0
    exchange.check_alive()


@pytest.mark.parametrize("words,code", [
    ((4095, "--force"), 1), ((4096,), 64), ((-1,), 64), ((0, "--seconds", 0), 64), ((), 64),
])
def test_a_missing_cpu_is_reported(words, code):
    assert noise(*words).returncode == code
