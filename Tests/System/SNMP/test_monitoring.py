"""The MIB is valid, and the files for common monitoring tools agree with it and work."""
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from exchange import ROOT, free_port
from world import AUTH, ENTERPRISE, MIB, PRIV, await_true, standard_mibs

MONITORING = ROOT / "packaging" / "monitoring"
PROMETHEUS = MONITORING / "prometheus"
CHECK_SNMP = Path("/usr/lib/nagios/plugins/check_snmp")
PATH = "/usr/bin:/bin:/usr/sbin:/sbin"


def run(*command, **environment):
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL, env={"PATH": PATH, **environment},
    )


def lint(mib):
    done = run("smilint", "-l", "6", "-m", mib, SMIPATH=str(standard_mibs()))
    return done.stdout + done.stderr


def numbers(mib=MIB):
    """The numbers of the MIB's names, by libsmi's account."""
    done = run("smidump", "-f", "identifiers", mib, SMIPATH=str(standard_mibs()))
    rows = (line.split() for line in done.stdout.splitlines())
    return {row[1]: row[3] for row in rows if len(row) > 3 and row[0] == "BOURSE-MIB"}


def read_yaml(path):
    """YAML by Debian's own reader; the suite's environment has none."""
    code = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)"
    done = run("/usr/bin/python3", "-c", code, path)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_smilint_finds_nothing():
    # Its exit code says nothing; what it prints does.
    assert lint(MIB) == ""


def test_smilint_would_find_a_fault(tmp_path):
    """The canary: a fault that is planted is seen."""
    broken = tmp_path / "BOURSE-MIB.txt"
    text = MIB.read_text()
    broken.write_text(text.replace("bourseAlarms, bourseEventsNoted", "bourseEventsNoted"))
    assert broken.read_text() != text
    assert "bourseAlarms" in lint(broken)


def test_the_enterprise_number_is_changed_by_one_command(idle, tmp_path):
    packaging = tmp_path / "packaging"
    for name in ("mib", "monitoring"):
        shutil.copytree(ROOT / "packaging" / name, packaging / name)
    mib = packaging / "mib" / "BOURSE-MIB.txt"
    done = run(packaging / "mib" / "set-enterprise", "99999")
    assert done.returncode == 0 and "enterprise = 99999" in done.stdout, done.stderr
    for path in packaging.rglob("*"):
        if path.is_file() and path.name != "set-enterprise":
            assert not re.search(r"(?<=1\.4\.1\.)32473|enterprises 32473", path.read_text()), path
    assert lint(mib) == ""
    assert numbers(mib)["bourseWorstState"] == "1.3.6.1.4.1.99999.1.1.1.3"
    assert run(packaging / "mib" / "set-enterprise", "0x1").returncode == 64
    idle.configure(enterprise=99999)
    idle.agent.start()
    idle.start_snmpd().start_subagent()

    def worst():
        return idle.tool("snmpget", "-Ov", f"127.0.0.1:{idle.port}",
                         numbers(mib)["bourseWorstState"] + ".0", check=False).strip()

    await_true("served there", lambda: worst() == "3")
    assert idle.get("bourseWorstState.0") is None


# --- Prometheus ---


def test_the_exporters_configuration_is_what_its_generator_makes(tmp_path):
    done = subprocess.run(
        ["prometheus-snmp-generator", "generate", "-o", str(tmp_path / "snmp.yml")],
        cwd=PROMETHEUS, capture_output=True, text=True, timeout=60,
        env={"PATH": PATH, "MIBDIRS": f"{standard_mibs()}:{MIB.parent}", "HOME": str(tmp_path),
             "SNMP_PERSISTENT_DIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "snmp.yml").read_text() == (PROMETHEUS / "snmp.yml").read_text()


def test_the_exporter_scrapes_a_host(world):
    auth = (
        "  version: 3\n  auth:\n    security_level: authPriv\n    username: monitor\n"
        f"    password: {AUTH}\n    auth_protocol: SHA256\n    priv_protocol: AES\n"
        f"    priv_password: {PRIV}\n"
    )
    config = world.folder / "snmp.yml"
    config.write_text((PROMETHEUS / "snmp.yml").read_text().replace("bourse:\n", "bourse:\n" + auth))
    port = free_port()
    world.spawn("exporter", "prometheus-snmp-exporter", f"--config.file={config}",
                f"--web.listen-address=127.0.0.1:{port}")
    url = f"http://127.0.0.1:{port}/snmp?module=bourse&target=127.0.0.1:{world.port}"

    def scrape():
        try:
            return urllib.request.urlopen(url, timeout=60).read().decode()
        except OSError:
            return None

    text = await_true("a scrape", scrape)
    lines = set(text.splitlines())
    matchd = 'bourseDaemonName="bourse-matchd.service"'
    disk = 'bourseCheckKind="301",bourseCheckName="disk.free",bourseCheckSubject=""'
    wanted = {
        "bourseWorstState 3",
        "bourseAgentAnswers 1",
        "bourseExchangeReleased 1.099511627776e+12",
        "bourseExchangeSyncP99 6e+09",
        f"bourseDaemonState{{{matchd}}} 1",
        f"bourseDaemonMemory{{{matchd}}} 5e+09",
        f'bourseCheckState{{{disk},bourseCheckUnit="bytes"}} 3',
        'bourseDiskTemperature{bourseDiskName="nvme0n1"} -3',
        'bourseThreadCPU{bourseThreadName="engine",bourseThreadNumber="1",'
        'bourseThreadUnit="bourse-matchd.service"} 2',
        'bourseChainApproved{bourseChainAsset="BTC",bourseChainName="bitcoin",'
        'bourseChainNumber="1"} 4',
        'bourseQueueDrops{bourseQueueInterface="eth0",bourseQueueName="rx-0"} 0',
    }
    assert not wanted - lines, "\n".join(sorted(lines))
    exact = [line for line in lines if line.startswith("bourseCheckExact{") and "disk.free" in line]
    assert len(exact) == 1 and exact[0].endswith(" -5.49755813888e+12"), exact
    assert "# TYPE bourseExchangeSyncP99 gauge" in lines
    assert "# TYPE bourseExchangeCommands counter" in lines


def test_alert_rules_speak_of_what_is_scraped():
    metrics = read_yaml(PROMETHEUS / "snmp.yml")["bourse"]["metrics"]
    names = {metric["name"] for metric in metrics}
    labels = {index["labelname"] for metric in metrics for index in metric.get("indexes", [])}
    labels |= {look["labelname"] for metric in metrics for look in metric.get("lookups", [])}
    rules = read_yaml(PROMETHEUS / "bourse.rules.yml")["groups"][0]["rules"]
    assert len({rule["alert"] for rule in rules}) == len(rules) > 5
    for rule in rules:
        assert set(re.findall(r"bourse\w+", rule["expr"])) <= names, rule
        used = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        assert used <= labels | {"instance"}, rule


# --- Nagios ---


@pytest.fixture(scope="module")
def nagios():
    text = (MONITORING / "nagios" / "bourse.cfg").read_text()
    blocks = re.findall(r"command_name\s+(\S+)\s+command_line\s+(.+)", text)
    assert len(blocks) == text.count("define command") == 5
    return dict(blocks)


def nagios_run(world, line):
    for old, new in {
        "$USER1$": str(CHECK_SNMP.parent), "$HOSTADDRESS$": f"127.0.0.1 -p {world.port}",
        "$ARG1$": "monitor", "$ARG2$": AUTH, "$ARG3$": PRIV,
    }.items():
        line = line.replace(old, new)
    done = subprocess.run(
        line, shell=True, capture_output=True, text=True, timeout=60,
        env=os.environ | {"SNMP_PERSISTENT_DIR": str(world.tools_folder), "MIBS": ""},
    )
    return done.returncode, done.stdout


def test_check_snmp_reports_the_state(world, nagios):
    def codes():
        found = {name: nagios_run(world, line) for name, line in nagios.items()}
        return {name: code for name, (code, _) in found.items()}, found

    got, output = codes()
    assert got == {
        "bourse-worst-state": 2, "bourse-agent": 0, "bourse-exchange": 0, "bourse-alarms": 1,
        "bourse-sync-p99": 2,
    }, output
    world.agent.state["worst"] = "warning"
    world.agent.state["exchange"]["syncP99Nanos"] = 1_000_000
    world.agent.state["checks"] = []
    await_true("the new state", lambda: world.get("bourseWorstState.0") == "2")
    got, output = codes()
    assert got == {
        "bourse-worst-state": 1, "bourse-agent": 0, "bourse-exchange": 0, "bourse-alarms": 0,
        "bourse-sync-p99": 0,
    }, output
    world.agent.stop()
    await_true("not believed", lambda: world.get("bourseAgentAnswers.0") == "2")
    got, output = codes()
    assert (got["bourse-agent"], got["bourse-exchange"], got["bourse-worst-state"]) == (2, 2, 1)
    assert got["bourse-sync-p99"] == 3, output


# --- Zabbix and LibreNMS: what can be seen without them ---


def test_the_zabbix_template_is_what_its_generator_makes():
    done = run(sys.executable, MONITORING / "zabbix" / "generate", SMIPATH=str(standard_mibs()))
    assert done.returncode == 0, done.stderr
    assert done.stdout == (MONITORING / "zabbix" / "bourse.yaml").read_text()


def inside(value, key):
    """Every value of that key, however deep."""
    if isinstance(value, dict):
        if key in value:
            yield value[key]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from inside(inner, key)


def test_the_zabbix_template_holds_together(world):
    made = read_yaml(MONITORING / "zabbix" / "bourse.yaml")["zabbix_export"]
    [template] = made["templates"]
    uuids = list(inside(made, "uuid"))
    assert len(set(uuids)) == len(uuids) > 50
    assert all(re.fullmatch(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}", one) for one in uuids)
    keys = list(inside(made, "key"))
    assert {"bourse.walk"} <= {item["key"] for item in template["items"]}
    assert all(item["key"] in keys for item in inside(made, "master_item"))
    maps = {one["name"] for one in template["valuemaps"]}
    assert {one["name"] for one in inside(template["items"], "valuemap")} <= maps
    walked = world.tool("snmpbulkwalk", "-On", f"127.0.0.1:{world.port}", ENTERPRISE)
    there = {line.split(" = ")[0].lstrip(".") for line in walked.splitlines()}
    # 1.3.6.1.4.1.E.1.1.table.1.column
    columns = {".".join(name.split(".")[:12]) for name in there}
    for item in template["items"]:
        for step in item.get("preprocessing", []):
            if step["type"] == "SNMP_WALK_VALUE":
                assert step["parameters"][0] in there, item["name"]
    for rule in template["discovery_rules"]:
        assert rule["preprocessing"][0]["parameters"][1] in columns, rule["name"]
        for prototype in rule["item_prototypes"]:
            oid = prototype["preprocessing"][0]["parameters"][0]
            assert oid.removesuffix(".{#SNMPINDEX}") in columns, prototype["name"]
    for text in list(inside(made, "expression")):
        assert re.match(r"last\(/Bourse by SNMP/(.+)\)[=<>]+\d+$", text)[1] in keys, text


def test_the_zabbix_maps_are_those_of_the_mib():
    made = read_yaml(MONITORING / "zabbix" / "bourse.yaml")["zabbix_export"]["templates"][0]
    text = MIB.read_text()
    for one in made["valuemaps"]:
        if one["name"] == "TruthValue":
            continue
        block = re.search(rf"{one['name']} ::= TEXTUAL.*?INTEGER \{{(.*?)\}}", text, re.DOTALL)[1]
        words = {number: word for word, number in re.findall(r"(\w+)\((\d+)\)", block)}
        assert {row["value"]: row["newvalue"] for row in one["mappings"]} == words


def test_librenms_reads_what_the_mib_has():
    oids = numbers()
    sensors = read_yaml(MONITORING / "librenms" / "os_discovery.yaml")["modules"]["sensors"]
    rows = [row for kind in sensors.values() for row in kind["data"]]
    assert len(rows) >= 5
    for row in rows:
        name = row.get("value", row["oid"])
        assert row["oid"] in oids
        assert row["num_oid"] == f".{oids[name]}.{{{{ $index }}}}", row
        assert row["index"].startswith(name)
    detection = read_yaml(MONITORING / "librenms" / "os_detection.yaml")
    assert detection["discovery"][0]["snmpget"]["oid"] == f".{oids['bourseVersion']}.0"
