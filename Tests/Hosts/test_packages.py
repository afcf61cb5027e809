"""Goal: the packages make an exchange of a Debian host: they install with what they need, start
nothing unasked, run hardened, come back after the power was cut, upgrade without a stop, and give
up no ledger when they are removed."""
import json
import re
import shutil
import subprocess
import time

import pytest
from appliance import (
    BIN, DEB_SECONDS_MAX, PACKAGES, SERVICES, as_release, await_check, await_serving, ctl,
    main_pids, set_up, state,
)
from base import ROOT, run
from bench import SUBNET, await_true
from spot import Spot

DOWNLOAD_BYTES_MAX = 80 << 20
EXPOSURE_MAX = {"bourse-matchd": 2.5, "bourse-auditd": 2.5, "bourse-gatewayd": 1.8,
                "bourse-walletd": 1.5, "bourse-signerd": 1.0, "bourse-agentd": 1.5, "bourse-poller": 1.5, "bourse-snmp": 1.5}


@pytest.fixture(scope="module")
def host(bench, debs):
    """A host with the packages installed and nothing set up; the tests below go on from there."""
    host, = bench.hosts("exchange")
    host.said = host.install_deb(*debs).stdout
    return host


def balance(host, account):
    """What an account has of USDT, held or not, as boursectl shows it."""
    shown = json.loads(host.exec("boursectl", "--output", "json", "account", "show",
                                 account).stdout)
    return [row for row in shown["balances"] if row["asset"] == "USDT"]


def test_together_they_are_small_enough(debs):
    assert {deb.name.split("_")[0] for deb in debs} == set(PACKAGES)
    assert sum(deb.stat().st_size for deb in debs) < DOWNLOAD_BYTES_MAX


def test_lintian_finds_nothing(debs):
    """The runtime is left out: it is the toolchain's, and takes a minute."""
    own = [str(deb) for deb in debs if not deb.name.startswith("bourse-runtime")]
    done = subprocess.run(["lintian", "-EI", "--pedantic", *own], capture_output=True, text=True,
                          timeout=DEB_SECONDS_MAX)
    assert done.stdout == "" and done.returncode == 0, done.stdout + done.stderr


def test_versions_agree(debs):
    for name in (*SERVICES, "bourse-helper", "boursectl"):
        said = run(BIN / name, "--version").split()[-1]
        assert f"bourse_{said}_all.deb" in [deb.name for deb in debs], name


def test_installing_starts_nothing_and_says_what_is_next(host):
    assert "boursectl init" in host.said and "systemctl start bourse.target" in host.said
    for unit in SERVICES:
        assert state(host, unit) == "inactive", unit
        assert host.exec("systemctl", "is-enabled", unit).stdout == "enabled\n"
    assert state(host, "bourse.target") == "inactive"
    assert host.exec("systemctl", "is-system-running").stdout == "running\n"
    left = host.exec("find", "/var/lib/bourse", "/run/bourse", check=False)
    assert left.stdout == ""


def test_nothing_of_the_build_machine_is_in_them(host):
    """Programs use the libraries of the package, wherever the toolchain was."""
    programs = [f"/usr/sbin/{name}" for name in (*SERVICES, "bourse-helper")]
    for program in (*programs, "/usr/bin/boursectl"):
        linked = host.exec("ldd", program).stdout
        assert "not found" not in linked
        for line in linked.splitlines():
            if "swift" in line.lower() or "Foundation" in line:
                assert "=> /usr/lib/bourse/" in line, line
    for package in set(PACKAGES) - {"bourse", "bourse-runtime"}:
        listing = host.exec("dpkg", "-L", package).stdout.split()
        assert any("/man/" in path for path in listing), package


def test_the_manual_has_every_key_with_its_default(host):
    page = host.exec("zcat", "/usr/share/man/man5/bourse.toml.5.gz").stdout
    plain = page.replace("\\(dq", '"').replace("\\-", "-")
    lines = (ROOT / "etc" / "bourse.toml").read_text().splitlines()
    keys = [line for line in lines if " = " in line and not line.startswith("#")]
    assert len(keys) > 20
    for key in keys:
        assert f"\n.B {key}\n" in plain, key


def test_hardening(host):
    for unit, exposure_max in EXPOSURE_MAX.items():
        said = host.exec("systemd-analyze", "security", "--no-pager", unit).stdout
        exposure = float(re.search(r"Overall exposure level.*: ([0-9.]+)", said).group(1))
        assert exposure <= exposure_max, said


def test_an_exchange_runs(bench, host):
    set_up(host)
    host.exec("systemctl", "start", "bourse.target")
    for unit in SERVICES:
        assert state(host, unit) == "active", host.journal(unit)
    await_serving(bench, host)
    keys = json.loads(host.exec("boursectl", "--output", "json", "demo").stdout)["accounts"]
    with bench.network():
        maker, taker = (
            Spot(8080, one["keyID"], one["secret"], host=host.address, source=f"{SUBNET}.1")
            for one in keys)
        order = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.5",
                 "price": "60000"}
        maker.call("POST", "/api/v3/order", order | {"side": "SELL"}, signed=True)
        bought = taker.call("POST", "/api/v3/order", order | {"side": "BUY"}, signed=True)
        assert bought["status"] == "FILLED"
        maker.close()
        taker.close()
    await_true("matchd says how it is", 10, lambda: " durable, " in host.exec(
        "systemctl", "show", "-PStatusText", "bourse-matchd").stdout)


def test_each_has_its_own_and_no_more(host):
    """Users, directories and sockets, as the running exchange has them."""
    def owner(path):
        return host.exec("stat", "-c", "%U:%G %a", path).stdout.strip()

    assert owner("/var/lib/bourse") == "bourse-match:bourse 700"
    assert owner("/var/lib/bourse/journal") == "bourse-match:bourse 700"
    assert owner("/var/lib/bourse-gateway") == "bourse-gateway:bourse 700"
    assert owner("/run/bourse/match") == "bourse-match:bourse 750"
    assert owner("/run/bourse/match/match.sock") == "bourse-match:bourse 660"
    assert owner("/etc/bourse/secrets/seal.key.cred") == "root:root 600"
    assert owner("/var/lib/bourse-wallet") == "bourse-wallet:bourse 700"
    assert owner("/run/bourse-wallet") == "bourse-wallet:bourse 750"
    assert owner("/run/bourse-wallet/wallet.json") == "bourse-wallet:bourse 640"
    assert owner("/var/lib/bourse-agent") == "bourse-agent:bourse 700"
    assert owner("/var/lib/bourse-snmp") == "bourse-snmp:bourse-snmp 700"
    assert owner("/run/bourse-helper/helper.sock") == "bourse-agent:bourse-agent 600"
    writable = host.exec("find", "/etc/bourse", "/var/lib/bourse", "/var/lib/bourse-gateway",
                         "/var/lib/bourse-wallet", "/run/bourse", "/run/bourse-wallet", "-perm", "/022", "-not", "-type", "s").stdout
    assert writable == "", "no one but its owner writes"
    # Another user of the group reaches the socket, and is turned away there.
    host.exec("useradd", "--system", "--groups", "bourse", "stranger")
    refused = host.exec("runuser", "-u", "stranger", "--", "boursectl", "status", check=False)
    assert refused.returncode != 0 and "may not use the exchange" in refused.stderr + refused.stdout


def test_the_wallet_reports_to_operators_and_the_agent(host):
    """A chain whose node does not run: walletd says so, and so does the agent. Nothing here signs."""
    key = ("xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2"
           "fMFMKHPJ4ZeZXYVUhLv1VMrjPC7PW6V")  # of BIP84's examples
    host.exec("boursectl", "init", "--set", 'walletd.nodes="litecoin=http://127.0.0.1:9332"')
    host.exec("systemctl", "restart", "bourse-walletd", "bourse-agentd")
    await_check(host, "unit.state/bourse-walletd.service", "ok", 30)
    await_check(host, "wallet.answers", "ok", 30)
    host.exec("boursectl", "asset", "add", "LTC", "--scale", "8")
    host.exec("boursectl", "wallet", "chain", "set", "1", "litecoin", "--key", key,
              "--first-block", "1")
    host.exec("boursectl", "wallet", "network", "set", "LTC", "1", "--name", "LTC",
              "--confirmations", "6", "--minimum", "0.01", "--fee", "0.001")
    found = await_check(host, "wallet.node/litecoin", "critical", 30)
    assert "no node" in found["text"] and "IPAddressAllow=" in "".join(found["advice"])
    chain, = ctl(host, "wallet", "status")["chains"]
    assert chain["seen"]["condition"] == "no node" and chain["seen"]["asset"] == "LTC"
    # Without a seed nothing signs, and nothing has failed.
    host.exec("systemctl", "start", "bourse-signerd")
    assert state(host, "bourse-signerd") == "inactive"
    host.exec("systemctl", "stop", "bourse-walletd")
    await_check(host, "wallet.answers", "critical", 30)
    host.exec("systemctl", "start", "bourse-walletd")
    await_check(host, "wallet.answers", "ok", 30)


def test_a_power_cut_loses_nothing_acknowledged(bench, host):
    host.exec(
        "boursectl", "credit", "demo1", "USDT", "12.5", "--reference", "before the cut",
        "--reason", "before the cut")
    before = balance(host, "demo1")
    host.power_cut()
    host.boot()
    await_serving(bench, host)
    for unit in SERVICES:
        assert state(host, unit) == "active", host.journal(unit)
    assert balance(host, "demo1") == before
    host.exec("boursectl", "journal", "verify")


def test_a_daemon_that_dies_is_started_again(bench, host):
    before = main_pids(host)
    host.exec("systemctl", "kill", "--signal=KILL", *SERVICES)
    await_true("new processes", 30, lambda: all(
        new not in ("0", old) for new, old in zip(main_pids(host), before)))
    await_serving(bench, host)
    # One that hangs is ended by its watchdog; here matchd, with less patience.
    host.write("/run/systemd/system/bourse-matchd.service.d/test.conf",
               "[Service]\nWatchdogSec=2\n")
    host.exec("systemctl", "daemon-reload")
    host.exec("systemctl", "restart", "bourse-matchd")
    matchd = main_pids(host)[0]
    host.exec("kill", "-STOP", matchd)
    await_true("the watchdog bites", 60, lambda: main_pids(host)[0] not in ("0", matchd))
    await_serving(bench, host)


def test_no_signal_leaves_a_daemon_dead(bench, host):
    """Those that mean nothing are passed over; after an end that looks good it is started too."""
    before = main_pids(host)
    for name in ("HUP", "USR1", "USR2", "ALRM", "PIPE"):
        host.exec("systemctl", "kill", f"--signal={name}", *SERVICES)
    time.sleep(2)
    assert main_pids(host) == before
    host.exec("systemctl", "kill", "--signal=INT", *SERVICES)
    await_true("new processes", 60, lambda: all(
        new not in ("0", old) for new, old in zip(main_pids(host), before)))
    await_serving(bench, host)


def test_matching_outlives_a_gateway_that_dies_again_and_again(bench, host):
    matchd = host.exec("systemctl", "show", "-PMainPID", "bourse-matchd").stdout
    for _ in range(8):
        gateway = host.exec("systemctl", "show", "-PMainPID", "bourse-gatewayd").stdout
        host.exec("systemctl", "kill", "--signal=KILL", "bourse-gatewayd")
        await_true("another gateway", 30, lambda: host.exec(
            "systemctl", "show", "-PMainPID", "bourse-gatewayd").stdout not in ("0\n", gateway))
    await_serving(bench, host)
    assert host.exec("systemctl", "show", "-PMainPID", "bourse-matchd").stdout == matchd


def test_a_wrong_configuration_is_not_tried_again_and_again(bench, host):
    host.exec("sed", "-i", "s/^socket/sokket/", "/etc/bourse/bourse.toml")
    host.exec("systemctl", "restart", "bourse-gatewayd", check=False)
    assert state(host, "bourse-gatewayd") == "failed"
    assert "sokket" in host.journal("bourse-gatewayd")
    assert host.exec("systemctl", "show", "-PNRestarts", "bourse-gatewayd").stdout == "0\n"
    host.exec("sed", "-i", "s/^sokket/socket/", "/etc/bourse/bourse.toml")
    host.exec("systemctl", "start", "bourse-gatewayd")
    await_serving(bench, host)


def test_an_upgrade_stops_and_starts_nothing(bench, host, debs):
    host.exec("systemctl", "stop", "bourse-auditd")
    before = main_pids(host)
    host.install_deb(*debs, options=["--reinstall"])
    assert main_pids(host) == before and before[1] == "0", "neither stopped nor started"
    await_serving(bench, host)
    host.exec("systemctl", "start", "bourse-auditd")
    before = main_pids(host)
    said = host.exec("boursectl", "upgrade")
    assert "in the state the old one left" in said.stdout and "rehearsing" in said.stderr
    assert all(new != old for new, old in zip(main_pids(host), before))
    await_serving(bench, host)
    assert "nothing was done" in host.exec("boursectl", "upgrade").stdout


def test_going_back_to_an_older_version_is_refused(bench, host, debs, tmp_path):
    """The same package as one of a version before: it says why, and how it may be tried."""
    deb, = [deb for deb in debs if deb.name.startswith("bourse-matchd_")]
    old, = as_release([deb], "0.0.9", tmp_path)
    shutil.copy(old, host.inside("/var/tmp/old.deb"))
    before = main_pids(host)
    refused = host.exec("dpkg", "-i", "/var/tmp/old.deb", check=False)
    assert refused.returncode != 0
    assert "bourse-matchd from 0.1.0 to 0.0.9 is refused" in refused.stderr + refused.stdout
    shown = host.exec("dpkg-query", "-W", "-f", "${db:Status-Abbrev}${Version}", "bourse-matchd")
    assert shown.stdout == "ii 0.1.0"
    assert main_pids(host) == before
    host.exec("boursectl", "journal", "rehearse")  # the command that the message names


def test_setting_up_again_changes_nothing(host):
    said = json.loads(host.exec("boursectl", "--output", "json", "init").stdout)
    assert said["created"] == []
    other = host.exec("runuser", "-u", "stranger", "--", "boursectl", "init", check=False)
    assert other.returncode == 64 and "sudo boursectl init" in other.stderr


def test_removing_and_purging_keep_the_ledger(host):
    kept = ["/var/lib/bourse/journal", "/var/lib/bourse-gateway/history",
            "/var/lib/bourse-agent/events", "/var/lib/bourse-snmp/cursor",
            "/etc/bourse/bourse.toml", "/etc/bourse/secrets/seal.key.cred"]
    host.exec("apt-get", "remove", "-y", "-q", *PACKAGES)
    assert host.exec("pgrep", "bourse", check=False).stdout == ""
    for path in kept:
        host.exec("test", "-s", path)
    left = host.exec("dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package}\n", "bourse*")
    names = [line.split()[1] for line in left.stdout.splitlines() if line.startswith("rc ")]
    assert "bourse-common" in names
    host.exec("apt-get", "purge", "-y", "-q", *names)
    for path in kept:
        host.exec("test", "-s", path)
    host.exec("id", "bourse-match")


def purge(host, answer):
    """Purges on a terminal, where the question is asked and the answer is typed; what was said."""
    command = f"DEBIAN_FRONTEND=readline apt-get purge -y -q {' '.join(PACKAGES)}"
    typed = f"while sleep 1; do echo '{answer}'; done"
    return host.exec("sh", "-c", f"({typed}) | script -qec '{command}' /dev/null",
                     seconds_max=120).stdout


def test_a_purge_asks_and_keeps_unless_a_person_says_so(host, debs):
    host.install_deb(*debs)
    said = purge(host, "no")
    assert "Delete the exchange's ledger and keys?" in said and "what customers own" in said
    for path in ("/var/lib/bourse/journal", "/etc/bourse/secrets/seal.key.cred"):
        host.exec("test", "-s", path)


def test_a_reinstalled_exchange_goes_on_where_it_was(bench, host, debs):
    host.install_deb(*debs)
    assert ctl(host, "init")["created"] == []
    host.exec("systemctl", "start", "bourse.target")
    await_serving(bench, host)
    assert balance(host, "demo1")
    host.exec("systemctl", "stop", "bourse.target")


def test_a_purge_deletes_where_a_person_said_so(host):
    purge(host, "yes")
    for path in ("/var/lib/bourse", "/var/lib/bourse-gateway", "/var/lib/bourse-agent",
                 "/var/lib/bourse-wallet", "/var/lib/bourse-snmp", "/etc/bourse"):
        host.exec("test", "!", "-e", path)
