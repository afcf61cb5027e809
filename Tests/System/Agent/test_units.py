"""Units over D-Bus: a manager that is none stands in for systemd's, to have it change, hang and go
away. What real systemd says is tested on real hosts."""
import asyncio
import ctypes
import errno
import shutil
import subprocess
import threading
import time

import pytest
from agent import Agent
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from exchange import ROOT

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={path}</listen>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/>
<allow own="*"/><allow user="*"/></policy></busconfig>"""
PREFIX = "/org/freedesktop/systemd1/unit/"
JOBS = "/org/freedesktop/systemd1/job/"
MANAGER = "org.freedesktop.systemd1.Manager"
PROPERTIES = "org.freedesktop.DBus.Properties"


class Manager:
    """A system bus with somebody on it who answers as org.freedesktop.systemd1."""

    def __init__(self, folder):
        self.path = folder / "bus"
        (folder / "bus.conf").write_text(CONFIG.format(path=self.path))
        self.config = folder / "bus.conf"
        self.address = f"unix:path={self.path}"
        self.units = {}
        self.calls = []
        self.hangs = False
        self.result = None
        self.daemon = None
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def start(self):
        self.daemon = subprocess.Popen(
            [shutil.which("dbus-daemon"), f"--config-file={self.config}", "--nofork", "--nopidfile"])
        deadline = time.monotonic() + 10
        while not self.path.exists():
            assert time.monotonic() < deadline, "dbus-daemon does not start"
            time.sleep(0.01)
        asyncio.run_coroutine_threadsafe(self.own(), self.loop).result(10)
        return self

    async def own(self):
        self.bus = await MessageBus(bus_address=self.address, bus_type=BusType.SYSTEM).connect()
        self.bus.add_message_handler(self.answer)
        await self.bus.request_name("org.freedesktop.systemd1")

    def answer(self, message):
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        self.calls.append((message.member, message.path, message.body))
        if self.hangs and message.interface == PROPERTIES:
            return True
        if message.member == "Subscribe":
            return Message.new_method_return(message)
        if message.member in ("StartUnit", "StopUnit", "RestartUnit"):
            # Other jobs end too; and the end of this one is signalled before the reply.
            self.bus.send(self.job_removed(1, "other.service", "failed"))
            if self.result:
                self.bus.send(self.job_removed(2, message.body[0], self.result))
            return Message.new_method_return(message, "o", [f"{JOBS}2"])
        if message.interface == PROPERTIES and message.member == "Get":
            unit = message.path.removeprefix(PREFIX).replace("_2d", "-").replace("_2e", ".")
            value = self.properties(unit)[message.body[1]]
            return Message.new_method_return(message, "v", [value])
        return None

    def properties(self, name):
        unit = {"active": "active", "sub": "running", "pid": 77} | self.units.get(name, {})
        return {
            "LoadState": Variant("s", "loaded"), "ActiveState": Variant("s", unit["active"]),
            "SubState": Variant("s", unit["sub"]), "StateChangeTimestamp": Variant("t", 5_000_000),
            "MainPID": Variant("u", unit["pid"]), "NRestarts": Variant("u", 3),
            "WatchdogUSec": Variant("t", 10_000_000), "MemoryCurrent": Variant("t", 4096),
            "CPUUsageNSec": Variant("t", 2**64 - 1), "StatusText": Variant("s", "all is\nwell"),
        }

    def change(self, name, **values):
        """Changes a unit, and says so as systemd does."""
        self.units[name] = values
        path = PREFIX + name.replace("-", "_2d").replace(".", "_2e")
        signal = Message.new_signal(
            path, PROPERTIES, "PropertiesChanged", "sa{sv}as",
            ["org.freedesktop.systemd1.Unit", {}, []])
        self.loop.call_soon_threadsafe(self.bus.send, signal)

    def job_removed(self, number, unit, result):
        return Message.new_signal(
            "/org/freedesktop/systemd1", MANAGER, "JobRemoved", "uoss",
            [number, f"{JOBS}{number}", unit, result])

    def stop(self):
        if self.daemon and self.daemon.poll() is None:
            self.daemon.kill()
            self.daemon.wait()
        self.path.unlink(missing_ok=True)


@pytest.fixture
def manager(tmp_path):
    assert shutil.which("dbus-daemon"), "apt-get install dbus-daemon"
    made = Manager(tmp_path).start()
    yield made
    made.stop()
    made.loop.call_soon_threadsafe(made.loop.stop)


@pytest.fixture
def agent(exchange, manager):
    made = Agent(exchange, {"DBUS_SYSTEM_BUS_ADDRESS": manager.address}).start()
    made.until(lambda: active(made)[0] == "active", "sees units")
    return made


def active(agent):
    return [unit["active"] for unit in agent.state()["units"]]


MATCHD = "bourse-matchd.service"


def test_reports_what_the_manager_reports(agent):
    unit = agent.state()["units"][0]
    assert unit == {
        "name": MATCHD, "load": "loaded", "active": "active", "sub": "running", "pid": 77,
        "restarts": 3, "since": 5_000_000_000, "status": "all is well", "memoryBytes": 4096,
        "cpuNanos": None, "watchdogMicros": 10_000_000,
    }
    agent.until(lambda: agent.check(f"unit.state/{MATCHD}")["state"] == "ok", "is well", 30)


def test_sees_a_change_at_once(agent, manager):
    agent.until(lambda: agent.check(f"unit.state/{MATCHD}")["state"] == "ok", "is well", 30)
    # Right behind a full look, so that the next one, 5 s later, is not what finds it.
    before = len(manager.calls)
    agent.until(lambda: len(manager.calls) > before, "looks", 30)
    time.sleep(0.3)
    manager.change(MATCHD, active="failed", sub="failed", pid=0)
    agent.until(lambda: agent.check(f"unit.state/{MATCHD}")["state"] == "critical", "fails", 30)
    agent.until(
        lambda: [e for e in agent.events()["events"]
                 if e["name"] == f"unit.state/{MATCHD}" and e["raised"]], "raises", 30)


def test_a_bus_that_goes_away_leaves_units_unknown_and_is_found_again(agent, manager):
    manager.stop()
    agent.until(lambda: set(active(agent)) == {"unknown"}, "does not know")
    assert agent.check(f"unit.state/{MATCHD}")["state"] == "unknown"
    manager.start()
    agent.until(lambda: active(agent)[0] == "active", "finds it again", 20)


def test_a_manager_that_hangs_stops_nobody(agent, manager):
    manager.hangs = True
    began = agent.state()["time"]
    agent.until(lambda: set(active(agent)) == {"unknown"}, "gives it up", 90)
    assert agent.state()["time"] > began
    manager.hangs = False
    agent.until(lambda: active(agent)[0] == "active", "asks it again", 120)


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """The shim over sd-bus by itself, made by the compiler that comes with Swift."""
    library = tmp_path_factory.mktemp("shim") / "bus.so"
    source = ROOT / "Sources" / "Shims" / "CSystemd"
    subprocess.run(
        ["clang", "-shared", "-fPIC", f"-I{source / 'include'}", "-o", str(library),
         str(source / "Bus.c"), "-lsystemd"], check=True)
    return ctypes.CDLL(str(library))


def run_job(shim, method, micros):
    """The shim's result of a job, and systemd's word."""
    bus, word = ctypes.c_void_p(), ctypes.create_string_buffer(32)
    assert shim.bourse_bus_open(ctypes.c_uint64(30_000_000), ctypes.byref(bus)) == 0
    try:
        code = shim.bourse_bus_job(
            bus, method, b"x.service", ctypes.c_uint64(micros), word, ctypes.c_size_t(32))
    finally:
        shim.bourse_bus_close(bus)
    return code, word.value


@pytest.mark.parametrize("method", [b"StartUnit", b"StopUnit", b"RestartUnit"])
def test_waits_for_its_own_job(manager, shim, monkeypatch, method):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", manager.address)
    for result in ("done", "failed", "dependency"):
        manager.result = result
        code, word = run_job(shim, method, 60_000_000)
        assert (code >= 0, word) == (True, result.encode())
    assert [c for c in manager.calls if c[0] == method.decode()][0][2] == ["x.service", "replace"]
    manager.result = None
    began = time.monotonic()
    assert run_job(shim, method, 500_000)[0] == -errno.ETIMEDOUT
    assert time.monotonic() - began > 0.4
    manager.stop()
    assert shim.bourse_bus_open(ctypes.c_uint64(1_000_000), ctypes.byref(ctypes.c_void_p())) < 0
