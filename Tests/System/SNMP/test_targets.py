"""Devices are read over SNMPv3, from real snmpds that pose as a UPS, a switch, a PDU or sensors;
whatever they do, the host's own values are served at once."""
import json
import time

import pytest
from exchange import free_port
from world import await_true

USER, AUTH, PRIV = "reader", "device-auth-passphrase", "device-priv-passphrase"
UPS, OUTLET = "1.3.6.1.2.1.33.1", "1.3.6.1.4.1.318.1.1.26.9.2.3.1"
SENSOR, NAME = "1.3.6.1.2.1.99.1.1.1", "1.3.6.1.2.1.47.1.1.1.1.7"
UPS_VALUES = {
    f"{UPS}.2.1.0": ("integer", 2), f"{UPS}.2.2.0": ("integer", 0),
    f"{UPS}.2.3.0": ("integer", 41), f"{UPS}.2.4.0": ("integer", 100),
    f"{UPS}.4.1.0": ("integer", 3), f"{UPS}.6.1.0": ("uinteger", 0),
    f"{UPS}.3.3.1.3.1": ("integer", 231), f"{UPS}.3.3.1.3.2": ("integer", 229),
    f"{UPS}.4.4.1.5.1": ("integer", 17),
}


class Gear:
    """Devices, and their declaring files."""

    def __init__(self, world):
        self.world = world
        self.targets = world.folder / "targets"
        self.targets.mkdir()
        self.readings = world.folder / "readings"
        world.configure(
            targets=str(self.targets), readings=str(self.readings), target_seconds=1)
        self.ports = {}

    def start(self, name, values, auth=AUTH):
        """A device with these values."""
        port = self.ports.setdefault(name, free_port())
        lines = [f'createUser {USER} SHA-256 "{auth}" AES "{PRIV}"', f"rouser {USER} authPriv",
                 "dontLogTCPWrappersConnects yes"]
        lines += [f"override {oid} {kind} {value}" for oid, (kind, value) in values.items()]
        config = self.world.folder / f"{name}.conf"
        config.write_text("\n".join(lines) + "\n")
        self.world.spawn(
            name, "snmpd", "-f", "-Lo", "-C", "-c", str(config), f"udp:127.0.0.1:{port}",
            SNMP_PERSISTENT_DIR=str(self.world.folder / f"{name}-home"), MIBS="",
        )

    def describe(self, name, kind, **more):
        values = {"address": f"127.0.0.1:{self.ports.setdefault(name, free_port())}", "kind": kind,
                  "user": USER, **more}
        text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
        (self.targets / f"{name}.toml").write_text(text)
        self.credential(name)

    def credential(self, name, auth=AUTH, mode=0o600):
        path = self.targets / f"snmp_{name}"
        path.write_text(f"auth {auth}\npriv {PRIV}\n")
        path.chmod(mode)

    def read(self, name):
        """What was read of a device, by name; empty before the first round."""
        path = self.readings / name
        if not path.exists():
            return {}
        text = path.read_text()
        assert text.startswith("time ") and text.endswith("\n"), text
        return dict(line.split(" ", 1) for line in text.splitlines())

    def await_read(self, name, test, seconds_max=60):
        return await_true(
            f"{name}: {self.read(name)}", lambda: test(self.read(name)) and self.read(name),
            seconds_max)


@pytest.fixture
def gear(idle):
    idle.agent.start()
    idle.start_snmpd()
    return Gear(idle)


def no_secrets(world):
    for path in [*world.folder.glob("*.log"), *world.folder.glob("readings/[!.]*")]:
        text = path.read_text(errors="replace")
        assert AUTH not in text and PRIV not in text, path


def test_devices_of_every_kind_are_read(gear):
    gear.start("ups1", UPS_VALUES)
    gear.start("rack", {
        f"{NAME}.7": ("octet_str", '"Intake"'), f"{SENSOR}.1.7": ("integer", 8),
        f"{SENSOR}.2.7": ("integer", 9), f"{SENSOR}.3.7": ("integer", 1),
        f"{SENSOR}.4.7": ("integer", -235), f"{SENSOR}.5.7": ("integer", 1),
    })
    gear.start("strip", {
        f"{OUTLET}.3.1": ("octet_str", '"primary A"'), f"{OUTLET}.5.1": ("integer", 1),
        f"{OUTLET}.5.2": ("integer", 2), "1.3.6.1.4.1.9999.1.5.0": ("integer", 77),
    })
    gear.start("leaf", {})
    gear.describe("ups1", "ups")
    gear.describe("rack", "sensors")
    gear.describe("strip", "pdu", outlets="1 2", feed="A",
                  walk=f"outletState {OUTLET}.5,load 1.3.6.1.4.1.9999.1.5")
    gear.describe("leaf", "switch", ports="1 4000")
    gear.world.start_poller()

    ups = gear.await_read("ups1", lambda got: "upsBatteryStatus.0" in got)
    assert abs(int(ups.pop("time")) - time.time_ns()) < 120e9
    assert ups == {
        "upsBatteryStatus.0": "2", "upsSecondsOnBattery.0": "0",
        "upsEstimatedMinutesRemaining.0": "41", "upsEstimatedChargeRemaining.0": "100",
        "upsOutputSource.0": "3", "upsAlarmsPresent.0": "0", "upsInputVoltage.1": "231",
        "upsInputVoltage.2": "229", "upsOutputPercentLoad.1": "17",
    }
    rack = gear.await_read("rack", lambda got: "entPhySensorValue.7" in got)
    rack.pop("time")
    assert rack == {
        "entPhysicalName.7": "Intake", "entPhySensorType.7": "8", "entPhySensorScale.7": "9",
        "entPhySensorPrecision.7": "1", "entPhySensorValue.7": "-235",
        "entPhySensorOperStatus.7": "1",
    }
    strip = gear.await_read("strip", lambda got: "load.0" in got)
    strip.pop("time")
    assert strip == {"outletState.1": "1", "outletState.2": "2", "load.0": "77",
                     "outlets": "1 2", "feed": "A"}
    leaf = gear.await_read("leaf", lambda got: "ifName.1" in got)
    assert leaf["ifName.1"] == "lo" and leaf["ifOperStatus.1"] == "1"
    assert int(leaf["ifHCInOctets.1"]) > 0
    assert not [name for name in leaf if name.endswith(".4000")]
    # What changes is seen.
    before = int(leaf["ifHCInOctets.1"])
    gear.await_read("leaf", lambda got: int(got["ifHCInOctets.1"]) > before)
    mode = (gear.readings / "leaf").stat().st_mode & 0o777
    assert mode == 0o644
    no_secrets(gear.world)


def test_a_device_that_goes_away_hides_nothing_and_holds_nobody_up(gear):
    for number in range(6):
        gear.describe(f"gone{number}", "ups")
    gear.describe("ups1", "ups")
    gear.start("ups1", UPS_VALUES)
    gear.world.start_poller().start_subagent().await_served()
    gear.await_read("ups1", lambda got: "upsBatteryStatus.0" in got)
    gone = gear.await_read("gone0", lambda got: "error" in got)
    assert set(gone) == {"time", "error"} and gone["error"] == "does not answer"
    # Nobody answers six times over; the host's own values come at once all the same.
    times = []
    for _ in range(30):
        began = time.monotonic()
        assert gear.world.get("bourseWorstState.0") == "3"
        times.append(time.monotonic() - began)
    # Were they behind the devices, most would take as long as these; a busy machine delays some.
    assert sorted(times)[len(times) // 2] < 1, times
    gear.world.end("ups1")
    got = gear.await_read("ups1", lambda got: "error" in got)
    assert set(got) == {"time", "error"}
    # Another device in its place, whose engine has another name, is found.
    gear.start("ups1", UPS_VALUES | {f"{UPS}.2.1.0": ("integer", 3)})
    got = gear.await_read("ups1", lambda got: "upsBatteryStatus.0" in got)
    assert got["upsBatteryStatus.0"] == "3"
    log = gear.world.log("bourse-poller")
    assert log.count("target gone0 does not answer") == 1
    assert "target ups1 answers again" in log


def test_a_wrong_passphrase_is_reported_and_can_be_corrected(gear):
    gear.describe("ups1", "ups")
    gear.credential("ups1", auth="another-passphrase")
    gear.start("ups1", UPS_VALUES)
    gear.world.start_poller()
    got = gear.await_read("ups1", lambda got: "error" in got)
    assert got["error"].startswith(("refuses", "does not answer"))
    # The file is read anew after some failures.
    gear.credential("ups1")
    gear.await_read("ups1", lambda got: "upsBatteryStatus.0" in got)
    no_secrets(gear.world)
    assert "another-passphrase" not in gear.world.log("bourse-poller")


def test_a_credential_that_others_may_read_is_not_used(gear):
    gear.describe("ups1", "ups")
    gear.credential("ups1", mode=0o644)
    gear.start("ups1", UPS_VALUES)
    gear.world.start_poller()
    gear.await_read("ups1", lambda got: "error" in got)
    assert "may be read by others" in gear.world.log("bourse-poller")
    # It is read anew after some failures, and then it is right.
    gear.credential("ups1")
    gear.await_read("ups1", lambda got: "upsBatteryStatus.0" in got)


def test_a_credential_that_systemd_passes_is_used(gear):
    gear.describe("ups1", "ups", credential="ups-secret")
    (gear.targets / "snmp_ups1").unlink()
    passed = gear.world.folder / "credentials"
    passed.mkdir()
    (passed / "ups-secret").write_text(f"auth {AUTH}\npriv {PRIV}\n")
    (passed / "ups-secret").chmod(0o400)
    gear.start("ups1", UPS_VALUES)
    gear.world.start_poller(CREDENTIALS_DIRECTORY=str(passed))
    gear.await_read("ups1", lambda got: "upsBatteryStatus.0" in got)


@pytest.mark.parametrize("key, value, problem", [
    ("address", "ups.example:161", "not a name"),
    ("kind", "toaster", "expected one of ups"),
    ("auth", "MD5", "expected one of SHA"),
    ("priv", "DES", "expected one of AES"),
    ("credential", "../../etc/shadow", "a name, not a path"),
    ("walk", "x 1.2.three", "not an object identifier"),
    ("passphrase", "12345678", "unknown key"),
    ("ports", "one", "1 to 64 numbers"),
])
def test_a_file_that_is_wrong_is_explained(gear, key, value, problem):
    gear.describe("ups1", **({"kind": "ups"} | {key: value}))
    gear.world.start_poller()
    assert gear.world.running.pop("bourse-poller").wait(10) == 78
    log = gear.world.log("bourse-poller")
    assert "ups1.toml:" in log and key in log and problem in log, log
