"""Goal: faults of a host are visible from another one over SNMPv3, reported to a receiver after any
outage, explained, and repaired where the owner allows it, with undo."""
import contextlib
import functools
import json
import re
import shutil
from pathlib import Path

import pytest
from appliance import Traders, await_check, await_serving, check, ctl, main_pid, set_up, state
from base import run
from bench import await_true

AUTH, PRIV = "a long passphrase", "another passphrase"
ENGINE = "0x80001f8804626f75727365"  # by text, RFC 3411, SnmpEngineID
HOT = 1
ENGINE_CHECK = "cpu.thread-affinity/bourse-matchd/engine"
LOG = "/var/log/notifications"
# Slack beyond a check's period: a round, an answer, a machine that is busy.
SLACK = 15


@functools.cache
def mibs():
    """The IETF's base modules, as Debian has them, and ours as the package has it."""
    listing = run("dpkg", "-L", "erlang-snmp").splitlines()
    return Path(next(line for line in listing if line.endswith("/SNMPv2-SMI.mib"))).parent


class Pair:
    """An exchange whose host is watched, and the host that watches."""

    def __init__(self, bench, debs):
        self.bench = bench
        self.host = bench.add("watched", queues=4, disks={"/var/lib/bourse": "1G"})
        self.monitor = bench.add("monitor")
        for host in (self.host, self.monitor):
            host.power_on()
        for host in (self.host, self.monitor):
            host.wait_running()
        self.host.install_deb(*debs)
        set_up(self.host, f"matchd.cpu={HOT}", "matchd.segment_mib=16", "matchd.reserve_mib=32",
               'agent.interfaces="eth0:4"',
               'agent.allow="unit thread-affinity irq-affinity rps channels"')
        self._configure_snmp()
        self.host.exec("systemctl", "start", "bourse.target")
        await_serving(bench, self.host)
        await_true("snmpd gives the agent's data", 20,
                   lambda: self.get("bourseAgentAnswers.0") == "1")

    def _configure_snmp(self):
        """As in packaging/monitoring/README.md, with a receiver on the other host."""
        host, monitor = self.host, self.monitor
        users = [f'createUser {name} SHA-256 "{AUTH}" AES "{PRIV}"' for name in
                 ("monitor", "trapper")]
        host.exec("systemctl", "stop", "snmpd")
        host.write("/var/lib/snmp/snmpd.conf", "\n".join(users) + "\n", mode="600")
        host.write("/etc/snmp/snmpd.conf.d/site.conf", "\n".join([
            f"agentaddress {host.address}", "rouser monitor authPriv",
            f"exactEngineID {ENGINE}",
            f'trapsess -v 3 -e {ENGINE} -u trapper -l authPriv -a SHA-256 -A "{AUTH}" -x AES '
            f'-X "{PRIV}" {monitor.address}', "",
        ]), mode="600")
        host.exec("systemctl", "start", "snmpd")
        for path in mibs().glob("*.mib"):
            shutil.copy(path, monitor.inside("/usr/share/snmp/mibs"))
        shutil.copy(host.inside("/usr/share/snmp/mibs/BOURSE-MIB.txt"),
                    monitor.inside("/usr/share/snmp/mibs"))
        monitor.write("/etc/snmp/snmptrapd.conf",
                      f'createUser -e {ENGINE} trapper SHA-256 "{AUTH}" AES "{PRIV}"\n'
                      "authUser log trapper authPriv\n", mode="644")
        monitor.exec("install", "-o", "Debian-snmp", "/dev/null", LOG)
        monitor.write("/etc/systemd/system/snmptrapd.service.d/log.conf", "\n".join([
            "[Service]", "ExecStart=",
            f"ExecStart=/usr/sbin/snmptrapd -f -n -Lf {LOG} -OQetsU -m SNMPv2-MIB:BOURSE-MIB "
            "-F \"%%V\x02%%v\x03\\n\" udp:162", ""]))
        monitor.exec("systemctl", "daemon-reload")
        monitor.exec("systemctl", "start", "snmptrapd.socket")
        monitor.exec("systemctl", "start", "snmptrapd.service")

    # --- from the other host ---

    def ask(self, program, *words, user="monitor", level="authPriv", auth=AUTH, **options):
        return self.monitor.exec(
            program, "-v3", "-l", level, "-u", user, "-a", "SHA-256", "-A", auth, "-x", "AES",
            "-X", PRIV, "-t", "2", "-r", "2", "-m", "SNMPv2-MIB:BOURSE-MIB", "-OQetUs", *words[:-1],
            self.host.address, words[-1], **options)

    def get(self, name):
        answer = self.ask("snmpget", "-Ov", f"BOURSE-MIB::{name}", check=False).stdout.strip()
        return None if answer.startswith("No Such") else answer.strip('"')

    def column(self, name):
        """The values of a column by their rows' indices."""
        lines = self.ask("snmpwalk", f"BOURSE-MIB::{name}").stdout.splitlines()
        pairs = (line.removeprefix(name).split(" = ", 1) for line in lines if " = " in line)
        return {index: value.strip('"') for index, value in pairs}

    def events(self):
        """Our notifications at the receiver, oldest first: values by name."""
        text = self.monitor.inside(LOG).read_text(errors="replace")
        found = []
        for part in re.findall("sysUpTime.0 = (.*?)\x03", text, re.DOTALL):
            pairs = (item.partition(" = ")[::2] for item in part.split("\x02")[1:])
            event = {key.removesuffix(".0"): value.strip().strip('"') for key, value in pairs}
            if event["snmpTrapOID"].startswith("bourse"):
                found.append(event)
        return found

    def mark(self):
        """The newest event so far, by its number."""
        return json.loads(self.host.exec(
            "curl", "-s", "http://127.0.0.1:9467/v1/events?after=0").stdout)["last"]

    def await_event(self, kind, name, after, seconds_max):
        """Waits until the receiver has an event of this name; the event."""
        def found():
            return [event for event in self.events()
                    if event["snmpTrapOID"] == kind and event.get("bourseEventName") == name
                    and int(event["bourseEventSequence"]) > after]

        await_true(f"{kind} of {name}", seconds_max, found)
        return found()[0]

    def await_raised(self, name, after, seconds_max=SLACK):
        return self.await_event("bourseAlarmRaisedEvent", name, after, seconds_max)

    def await_cleared(self, name, after, seconds_max=60):
        return self.await_event("bourseAlarmClearedEvent", name, after, seconds_max)

    # --- faults ---

    def engine(self):
        """The engine's thread: its number in the host."""
        pid = main_pid(self.host, "bourse-matchd")
        for task in self.host.exec("ls", f"/proc/{pid}/task").stdout.split():
            if self.host.exec("cat", f"/proc/{pid}/task/{task}/comm").stdout == "engine\n":
                return task
        raise AssertionError("matchd has no engine")

    def pin(self, cpu):
        self.host.exec("taskset", "-pc", cpu, self.engine())

    def fill(self, percent):
        """Fills the exchange's file system."""
        self.empty()
        size, used = map(int, self.host.exec(
            "df", "-B1", "--output=size,used", "/var/lib/bourse").stdout.split()[-2:])
        self.host.exec("fallocate", "-l", size * percent // 100 - used, "/var/lib/bourse/ballast")

    def empty(self):
        self.host.exec("rm", "-f", "/var/lib/bourse/ballast")


@pytest.fixture(scope="module")
def pair(bench, debs):
    return Pair(bench, debs)


@pytest.fixture
def interrupts():
    """The machine's interrupts, which hosts share: they are put back as they were."""
    before = {path: path.read_text() for path in Path("/proc/irq").glob("*/smp_affinity_list")}
    yield before
    for path, text in before.items():
        with contextlib.suppress(OSError):  # some never take another value
            if path.read_text() != text:
                path.write_text(text)


# --- seen from another host ---

def test_a_manager_on_another_host_sees_everything(pair):
    assert pair.get("bourseHostName.0") == "watched"
    await_true("matchd answers the agent", 20,
               lambda: pair.get("bourseExchangeRunning.0") == "1")
    for unit in ("matchd", "auditd", "gatewayd"):
        await_true(f"{unit} runs", 10, lambda: f'"bourse-{unit}.service" = running' in pair.ask(
            "snmpwalk", "BOURSE-MIB::bourseDaemonSubstate").stdout)
    await_true("the engine among the threads", 20, lambda: any(
        value == str(HOT) for value in pair.column("bourseThreadDeclared").values()))
    declared = pair.column("bourseThreadDeclared")
    engine, = [index for index, name in pair.column("bourseThreadAllowed").items()
               if declared.get(index) == str(HOT)]
    assert pair.column("bourseThreadCPU")[engine] == str(HOT)
    checks = pair.column("bourseCheckName")
    assert len(checks) > 60 and ENGINE_CHECK in checks.values()
    assert pair.column("bourseCheckState").keys() == checks.keys()
    await_true("every queue of the network card", 20, lambda: sum(
        f"{way}-{number}" in index for index in pair.column("bourseQueueCPUs")
        for way in ("rx", "tx") for number in range(4)) == 8)
    assert pair.column("bourseDiskReads")
    directories = pair.column("bourseDirectoryPath").values()
    assert "/var/lib/bourse/journal" in directories


@pytest.mark.parametrize("wrong", [
    {"auth": "not the passphrase"}, {"level": "authNoPriv"}, {"level": "noAuthNoPriv"},
    {"user": "somebody"}, {"user": "trapper"},
])
def test_nobody_else_sees_anything(pair, wrong):
    answer = pair.ask("snmpget", "BOURSE-MIB::bourseHostName.0", check=False, **wrong)
    assert "watched" not in answer.stdout
    community = pair.monitor.exec("snmpget", "-v2c", "-cpublic", "-t1", "-r0", pair.host.address,
                                  "1.3.6.1.4.1.32473.1.1.1.2.0", check=False)
    assert "watched" not in community.stdout


# --- notifications ---

def test_a_killed_daemon_is_reported(pair):
    name, mark = "unit.state/bourse-auditd.service", pair.mark()
    pair.host.exec("systemctl", "kill", "--signal=KILL", "bourse-auditd")
    raised = pair.await_raised(name, mark)
    assert raised["bourseEventState"] in ("2", "3") and raised["bourseHostName"] == "watched"
    assert pair.await_cleared(name, mark)["bourseEventState"] == "1"


def test_a_disk_that_fills_is_reported(pair):
    mark = pair.mark()
    pair.fill(85)
    raised = pair.await_raised("disk.space/journal", mark)
    assert raised["bourseEventState"] == "2" and 80 <= float(raised["bourseEventValue"]) < 90
    assert check(pair.host, "disk.space/journal")["advice"]
    pair.fill(95)
    await_check(pair.host, "disk.space/journal", "critical", SLACK)
    pair.empty()
    pair.await_cleared("disk.space/journal", mark)


def test_a_thread_off_its_cpu_is_reported(pair):
    mark = pair.mark()
    pair.pin(1 - HOT)
    assert pair.await_raised(ENGINE_CHECK, mark)["bourseEventState"] == "3"
    pair.pin(HOT)
    pair.await_cleared(ENGINE_CHECK, mark)


def test_what_happens_while_snmpd_is_down_is_told_when_it_is_back(pair):
    mark = pair.mark()
    pair.host.exec("systemctl", "stop", "snmpd")
    pair.host.exec("systemctl", "kill", "--signal=KILL", "bourse-auditd")
    pair.pin(1 - HOT)
    pair.fill(85)
    await_check(pair.host, ENGINE_CHECK, "critical", SLACK)
    await_check(pair.host, "disk.space/journal", "warning", SLACK)
    pair.pin(HOT)
    pair.empty()
    await_check(pair.host, ENGINE_CHECK, "ok", 60)
    await_check(pair.host, "disk.space/journal", "ok", 60)
    silent = [event for event in pair.events() if int(event["bourseEventSequence"]) > mark]
    pair.host.exec("systemctl", "start", "snmpd")
    for name in ("unit.state/bourse-auditd.service", "disk.space/journal", ENGINE_CHECK):
        pair.await_raised(name, mark, 30)
        pair.await_cleared(name, mark, 30)
    assert silent == [], "no notification could have been sent before"
    numbers = [int(event["bourseEventSequence"]) for event in pair.events()
               if int(event["bourseEventSequence"]) > mark]
    assert numbers == list(range(mark + 1, mark + 1 + len(numbers))), "each once, in order"


def test_a_snmpd_that_hangs_is_waited_for(pair):
    """Nothing of the exchange or its agent waits with it."""
    snmpd = main_pid(pair.host, "snmpd")
    with Traders(pair.bench, pair.host) as traders:
        pair.host.exec("kill", "-STOP", snmpd)
        try:
            mark = pair.mark()
            pair.pin(1 - HOT)
            await_check(pair.host, ENGINE_CHECK, "critical", SLACK)
            pair.pin(HOT)
            traders.await_more()
            await_check(pair.host, ENGINE_CHECK, "ok", 60)
        finally:
            pair.host.exec("kill", "-CONT", snmpd)
        traders.await_more()
    pair.await_raised(ENGINE_CHECK, mark, 60)
    pair.await_cleared(ENGINE_CHECK, mark, 60)
    assert not traders.refused and not traders.unknown


# --- put right ---

def repair(pair, name, has_undo=True):
    """`explain`, `fix` (which shows), `fix --apply`, and back again with `undo`, and forth; gives
    the changes that were made."""
    found = check(pair.host, name)
    assert found["changes"], found
    said = pair.host.exec("boursectl", "explain", name).stdout
    assert found["why"] in said and found["text"] in said
    assert all(line in said for line in found["changes"])
    before = ctl(pair.host, "changes")
    shown = ctl(pair.host, "fix", name)
    assert shown["results"] == [] and shown["requests"], shown
    assert ctl(pair.host, "changes") == before, "it was only shown"
    done = ctl(pair.host, "fix", name, "--apply", "--operator", "alice")
    assert all(result["ok"] for result in done["results"]), done
    made = ctl(pair.host, "changes")[len(before):]
    assert [change["line"] for change in made] == done["requests"]
    assert all(change["by"] == "alice" for change in made)
    assert all(change["undo"] for change in made) == has_undo
    return made


def test_a_hot_thread_is_put_back(pair):
    pair.pin(1 - HOT)
    await_check(pair.host, ENGINE_CHECK, "critical", SLACK)
    change, = repair(pair, ENGINE_CHECK)
    await_check(pair.host, ENGINE_CHECK, "ok", 60)
    pair.host.exec("boursectl", "undo", change["id"])
    await_check(pair.host, ENGINE_CHECK, "critical", SLACK)
    pair.pin(HOT)
    await_check(pair.host, ENGINE_CHECK, "ok", 60)


def test_an_interrupt_is_steered_away(pair, interrupts):
    name = f"cpu.irq-affinity/cpu{HOT}"
    moved = None
    for path in interrupts:  # one whose driver allows the move
        with contextlib.suppress(OSError):
            path.write_text(f"{1 - HOT}\n")
            moved = path
    assert moved, "this machine has no interrupt that can be steered"
    number = moved.parent.name
    await_true("the others are away", 10 + SLACK, lambda: not any(
        f"irq-affinity {number} " in line for line in check(pair.host, name)["changes"]))
    moved.write_text(f"{HOT}\n")

    def is_found():
        found = check(pair.host, name)
        return found["state"] != "ok" and f"irq-affinity {number} {1 - HOT}" in found["changes"]

    await_true("the interrupt is found", 10 + SLACK, is_found)
    change = next(change for change in repair(pair, name)
                  if change["line"].split()[1] == number)
    await_true("it is found to be away", 60, lambda: f"irq-affinity {number} " not in "".join(
        check(pair.host, name)["changes"]))
    assert moved.read_text() == f"{1 - HOT}\n"
    pair.host.exec("boursectl", "undo", change["id"])
    assert moved.read_text() == f"{HOT}\n"


def test_packets_are_steered_away(pair):
    mask = "/sys/class/net/eth0/queues/rx-2/rps_cpus"
    pair.host.exec("sh", "-c", f"echo {1 << HOT:x} >{mask}")
    await_check(pair.host, "nic.rps/eth0", "warning", 10 + SLACK)
    change, = repair(pair, "nic.rps/eth0")
    assert int(pair.host.exec("cat", mask).stdout.replace(",", ""), 16) & 1 << HOT == 0
    await_check(pair.host, "nic.rps/eth0", "ok", 60)
    pair.host.exec("boursectl", "undo", change["id"])
    assert int(pair.host.exec("cat", mask).stdout.replace(",", ""), 16) == 1 << HOT
    pair.host.exec("sh", "-c", f"echo 0 >{mask}")
    await_check(pair.host, "nic.rps/eth0", "ok", 60)


def test_queues_are_as_many_as_declared(pair):
    pair.host.exec("ethtool", "-L", "eth0", "rx", "2", "tx", "2")
    found = await_check(pair.host, "nic.channels/eth0", "warning", 10 + SLACK)
    assert found["value"] == 2
    change, = repair(pair, "nic.channels/eth0")
    await_check(pair.host, "nic.channels/eth0", "ok", 60)
    assert "\nRX:\t\t4\n" in pair.host.exec("ethtool", "-l", "eth0").stdout.split("Current")[1]
    pair.host.exec("boursectl", "undo", change["id"])
    await_check(pair.host, "nic.channels/eth0", "warning", 10 + SLACK)
    repair(pair, "nic.channels/eth0")


def test_a_disk_past_its_mark_is_explained(pair):
    """Nothing is deleted for an owner: the advice says what can be."""
    pair.fill(92)
    found = await_check(pair.host, "disk.space/state", "critical", SLACK)
    said = pair.host.exec("boursectl", "explain", "disk.space/state").stdout
    assert found["why"] in said and all(line in said for line in found["advice"])
    refused = pair.host.exec("boursectl", "fix", "disk.space/state", "--apply", check=False)
    assert refused.returncode == 1 and found["advice"][0] in refused.stdout
    pair.empty()
    await_check(pair.host, "disk.space/state", "ok", 60)


def test_a_daemon_that_failed_is_started(pair):
    """By the agent's own user, over D-Bus, as polkit lets it."""
    name = "unit.state/bourse-auditd.service"
    override = "/run/systemd/system/bourse-auditd.service.d/test.conf"
    pair.host.write(override, "[Service]\nRestart=no\n")
    pair.host.exec("systemctl", "daemon-reload")
    pair.host.exec("systemctl", "kill", "--signal=KILL", "bourse-auditd")
    await_check(pair.host, name, "critical", SLACK)
    repair(pair, name)
    await_check(pair.host, name, "ok", 60)
    assert state(pair.host, "bourse-auditd") == "active"
    pair.host.exec("rm", override)
    pair.host.exec("systemctl", "daemon-reload")


def test_what_the_owner_does_not_allow_is_not_done(pair):
    """Denied by default: by the policy, for another user, on the loopback port."""
    host = pair.host
    host.exec("sed", "-i", 's/^allow = .*/allow = "rps"/', "/etc/bourse/bourse.toml")
    host.exec("systemctl", "restart", "bourse-agentd")
    pair.pin(1 - HOT)
    await_check(host, ENGINE_CHECK, "critical", SLACK)
    denied = host.exec("boursectl", "fix", ENGINE_CHECK, "--apply", check=False)
    assert denied.returncode == 1 and "[agent] allow" in denied.stdout
    host.exec("sed", "-i", 's/^allow = .*/allow = "unit thread-affinity irq-affinity rps channels"/',
              "/etc/bourse/bourse.toml")
    host.exec("systemctl", "restart", "bourse-agentd")
    await_check(host, ENGINE_CHECK, "critical", SLACK)
    host.exec("useradd", "--system", "--groups", "bourse", "somebody")
    other = host.exec("runuser", "-u", "somebody", "--", "boursectl", "fix", ENGINE_CHECK,
                      "--apply", check=False)
    assert other.returncode == 1 and "only root" in other.stderr
    request = host.exec("curl", "-s", "-d", f'{{"name":"{ENGINE_CHECK}","apply":true}}',
                        "http://127.0.0.1:9467/v1/fix").stdout
    assert "Unix socket alone" in request
    pair.pin(HOT)
    await_check(host, ENGINE_CHECK, "ok", 60)


# --- other gear, and the tuning ---

def test_a_switch_is_read_with_passphrases_that_only_this_host_opens(pair):
    """The monitor's snmpd acts as a switch (IF-MIB), set up as in packaging/monitoring/README.md."""
    host, monitor = pair.host, pair.monitor
    monitor.write("/var/lib/snmp/snmpd.conf",
                  f'createUser reader SHA-256 "{AUTH}" AES "{PRIV}"\n', mode="600")
    monitor.write("/etc/snmp/snmpd.conf.d/site.conf",
                  f"agentaddress {monitor.address}\nrouser reader authPriv\n")
    monitor.exec("systemctl", "restart", "snmpd")
    index = monitor.exec("cat", "/sys/class/net/eth0/ifindex").stdout.strip()
    host.write("/etc/bourse/targets/switch1.toml",
               f'address = "{monitor.address}:161"\nkind = "switch"\nuser = "reader"\n'
               f'ports = "{index}"\n')
    host.exec("systemd-creds", "encrypt", "--name=snmp_switch1", "-",
              "/etc/bourse/secrets/snmp/switch1", input=f"auth {AUTH}\npriv {PRIV}\n")
    host.exec("systemctl", "restart", "bourse-poller")
    # Its address is not let through yet: deny by default.
    await_check(host, "gear.answers/switch1", "critical", 60)
    host.write("/etc/systemd/system/bourse-poller.service.d/override.conf",
               f"[Service]\nIPAddressAllow={monitor.address}\n")
    host.exec("systemctl", "daemon-reload")
    host.exec("systemctl", "restart", "bourse-poller")
    await_check(host, "gear.answers/switch1", "ok", 60)
    port = await_check(host, f"gear.port/switch1/{index}", "ok", 30)
    assert "eth0" in port["text"]
    monitor.exec("systemctl", "stop", "snmpd")
    await_check(host, "gear.answers/switch1", "critical", 60)
    said = host.journal("bourse-poller")
    assert AUTH not in said and PRIV not in said


def test_the_tuning_keeps_others_off_the_engine_s_cpu(pair, interrupts):
    host = pair.host
    drop = "/etc/systemd/system/bourse-gatewayd.service.d/50-tune.conf"
    plan = host.exec("boursectl", "tune", "plan").stdout
    assert f"isolcpus=managed_irq,domain,{HOT}" in plan and drop in plan
    host.exec("test", "!", "-e", drop)
    done = json.loads(host.exec("boursectl", "--output", "json", "tune", "apply",
                                check=False).stdout)
    assert drop in done["written"]
    again = json.loads(host.exec("boursectl", "--output", "json", "tune", "apply",
                                 check=False).stdout)
    assert again["written"] == []
    host.exec("systemctl", "daemon-reload")
    host.exec("systemctl", "restart", "bourse-gatewayd", "bourse-matchd")
    await_serving(pair.bench, host)

    def allowed(thread):
        return host.exec("taskset", "-pc", thread).stdout.split()[-1]

    assert allowed(main_pid(host, "bourse-gatewayd")) == str(1 - HOT)
    assert allowed(main_pid(host, "bourse-matchd")) == str(1 - HOT)
    assert allowed(pair.engine()) == str(HOT), "it pins itself"


# --- what the agent's user may do, by polkit and by the helper's socket ---

UNITS = ("bourse-matchd", "bourse-auditd", "bourse-gatewayd", "bourse-walletd", "bourse-poller",
         "bourse-snmp")


def as_agent(host, *words):
    return host.exec("runuser", "-u", "bourse-agent", "--", *words, check=False)


def manager(host, method, *words):
    return as_agent(host, "busctl", "call", "--allow-interactive-authorization=no",
                    "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                    "org.freedesktop.systemd1.Manager", method, *words)


@pytest.mark.parametrize("unit", UNITS)
def test_its_own_units_it_may_restart(pair, unit):
    before = main_pid(pair.host, unit)
    done = manager(pair.host, "RestartUnit", "ss", f"{unit}.service", "replace")
    assert done.returncode == 0, done.stderr
    await_true("another process", 30, lambda: main_pid(pair.host, unit) not in ("0", before)
               and state(pair.host, unit) == "active")


@pytest.mark.parametrize("words", [
    ("RestartUnit", "ss", "snmpd.service", "replace"),
    ("StopUnit", "ss", "bourse-agentd.service", "replace"),
    ("StopUnit", "ss", "bourse-helper.socket", "replace"),
    ("StopUnit", "ss", "bourse.target", "replace"),
    ("StartUnit", "ss", "bourse-matchd-x.service", "replace"),
    ("StartUnit", "ss", "bourse-matchd.service.service", "replace"),
    ("ReloadUnit", "ss", "bourse-gatewayd.service", "replace"),
    ("KillUnit", "ssi", "bourse-matchd.service", "all", "9"),
    ("ResetFailedUnit", "s", "bourse-matchd.service"),
    ("EnableUnitFiles", "asbb", "1", "bourse-matchd.service", "false", "false"),
    ("MaskUnitFiles", "asbb", "1", "bourse-matchd.service", "false", "false"),
    ("SetUnitProperties", "sba(sv)", "bourse-matchd.service", "true", "1", "CPUWeight", "t", "1"),
    ("StartTransientUnit", "ssa(sv)a(sa(sv))", "bourse-fixd.service", "replace", "1",
     "Description", "s", "x", "0"),
    ("Reload",), ("Reboot",),
], ids=lambda words: f"{words[0]} {words[2] if len(words) > 2 else ''}")
def test_everything_else_is_denied(pair, words):
    denied = manager(pair.host, *words)
    assert denied.returncode != 0
    assert re.search("[Aa]ccess denied|[Aa]uthentication required|not permitted", denied.stderr), \
        denied.stderr
    assert state(pair.host, "bourse-matchd") == "active"


def test_nobody_else_may_ask_the_systemd_manager_or_the_helper(pair):
    for user in ("bourse-gateway", "bourse-wallet", "bourse-snmp", "bourse-match"):
        denied = pair.host.exec(
            "runuser", "-u", user, "--", "busctl", "call",
            "--allow-interactive-authorization=no", "org.freedesktop.systemd1",
            "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "RestartUnit", "ss",
            "bourse-auditd.service", "replace", check=False)
        assert denied.returncode != 0, user
        asked = pair.host.exec(
            "runuser", "-u", user, "--", "python3", "-c",
            "import socket; s = socket.socket(socket.AF_UNIX); "
            "s.connect('/run/bourse-helper/helper.sock')", check=False)
        assert "PermissionError" in asked.stderr, user
