"""Two hosts and a witness as an owner sets them up, and what each of them says about the cluster."""
import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import struct
import time
from pathlib import Path

from appliance import DEBS, await_serving, make_debs, set_up, unpacked
from base import run
from bench import BenchFault, await_true

WITNESS = ("bourse-common", "bourse-runtime", "boursectl")
STATE = "/var/lib/bourse"
DISKS = {STATE: "1G"}
# Small segments, so that a full disk matters within a test; the reserve is for cancels.
SETTINGS = ("matchd.segment_mib=16", "matchd.reserve_mib=64")
SYNC_SECONDS_MAX = 120
CLOCK = "/srv/clock"
# Whose clock can be set. Not the gateway's: it holds requests against it as Binance does, and
# refuses those of another time.
CLOCKED = ("bourse-matchd", "bourse-agentd")


class UnixHTTP(http.client.HTTPConnection):
    """HTTP over a Unix socket, with the path of the socket as its host."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.host)


class Cluster:
    """Hosts a and b, which trade, and the witness w."""

    def __init__(self, bench, names=("fa", "fb", "fw")):
        debs = unpacked(make_debs())
        extra = unpacked(sorted((DEBS / "cluster").glob("*.deb")))
        etcd = [deb for deb in extra if deb.name.startswith("bourse-etcd")]
        self.bench = bench
        self.a, self.b, self.w = (bench.add(name, disks=None if name == names[2] else DISKS)
                                  for name in names)
        self.all = (self.a, self.b, self.w)
        self.pair = (self.a, self.b)
        self.replicas = {}  # replica id → name of its host, for all replicas there ever were
        for host in self.all:
            host.power_on()
        for host in self.all:
            host.wait_running()
        for host in self.pair:
            self._give_clock(host)
        self.service = f"{self.a.address.rsplit('.', 1)[0]}.99"
        self.a.install_deb(*debs)
        set_up(self.a, *SETTINGS)
        self.a.exec("systemctl", "start", "bourse.target")
        await_serving(bench, self.a)
        small = [deb for deb in debs if deb.name.split("_")[0] in WITNESS]
        self.debs = {self.a: [*debs, *etcd], self.b: [*debs, *etcd], self.w: [*small, *extra]}
        for host, own in self.debs.items():
            host.install_deb(*own)
        self.keys = json.loads(
            self.a.exec("boursectl", "--output", "json", "demo").stdout)["accounts"]
        self._join()
        self.a.exec("systemctl", "restart", "bourse.target")
        self.b.exec("systemctl", "start", "bourse.target")
        self.await_in_sync()

    def _give_clock(self, host):
        """Daemons that start on it have a clock that `set_clock` changes."""
        made = self.bench.folder / "clock.so"
        source = Path(__file__).resolve().parent / "clock.c"
        run("cc", "-O2", "-Wall", "-shared", "-fPIC", "-o", made, source)
        host.exec("mkdir", "-p", CLOCK)
        shutil.copy(made, host.inside(f"{CLOCK}/clock.so"))
        self.set_clock(host, 0)
        for unit in CLOCKED:
            host.write(f"/etc/systemd/system/{unit}.service.d/clock.conf",
                       f"[Service]\nEnvironment=LD_PRELOAD={CLOCK}/clock.so\n")
        host.exec("systemctl", "daemon-reload")

    def set_clock(self, host, seconds):
        """Sets the host's clock to so far from the machine's, as its daemons see it."""
        # In place: they have the file mapped.
        file = os.open(host.inside(f"{CLOCK}/offset"), os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(file, struct.pack("<q", seconds * 10**9), 0)
        finally:
            os.close(file)

    def _join(self):
        a, b, w = self.all
        line = (f"boursectl cluster init --host a --address {a.address} --peer b={b.address}"
                f" --witness w={w.address} --service-address {self.service}/24 --interface eth0")
        a.exec("systemd-run", "--collect", "--quiet", "--unit=typed", "sh", "-c",
               f"{line} >/run/init.log 2>&1; echo $? >/run/init.code")

        def said():
            time.sleep(0.2)
            return a.exec("cat", "/run/init.log", check=False).stdout

        await_true("cluster init waits", 60, lambda: "Waiting for b and w" in said())
        for host, name in ((b, "b"), (w, "w")):
            command = re.findall(
                rf"sudo (boursectl cluster join \S+ --host {name} --address \S+)", said())[-1]
            host.exec(*command.split())
        await_true("cluster init ends", 120, lambda: said() and a.exec(
            "test", "-e", "/run/init.code", check=False).returncode == 0)
        if a.exec("cat", "/run/init.code").stdout.strip() != "0":
            raise BenchFault(f"cluster init: {said()}")

    def name(self, host):
        """As the cluster calls it."""
        return "abw"[self.all.index(host)]

    def host(self, name):
        return self.all["abw".index(name)]

    def other(self, host):
        return self.b if host is self.a else self.a

    # --- what they say ---

    def document(self, host, seconds_max=3):
        """GET /v1/cluster of a host's agent; None: it gives none."""
        return self._ask(host, seconds_max, "GET")

    def verb(self, host, verb, **members):
        """POST /v1/cluster; gives the answer, or None."""
        return self._ask(host, 10, "POST", json.dumps({"verb": verb, **members}))

    def _ask(self, host, seconds_max, method, body=None):
        if not host.pid:
            return None
        path = str(host.inside("/run/bourse-agent/agent.sock"))
        connection = UnixHTTP(path, timeout=seconds_max)
        try:
            connection.request(method, "/v1/cluster", body)
            answer = connection.getresponse()
            return json.loads(answer.read())
        except (OSError, ValueError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def primary(self):
        """The host that leads by its own agent's word, in the highest epoch; None: none does."""
        found = [(one["epoch"], host) for host in self.pair
                 if (one := self.document(host)) and one["role"] == "primary"]
        return max(found, key=lambda one: one[0])[1] if found else None

    def in_sync(self):
        """The primary, if it leads with both in sync and the other one follows it; or None."""
        host = self.primary()
        if host is None:
            return None
        leads, follows = self.document(host), self.document(self.other(host))
        if not leads or not follows or sorted(leads["inSync"]) != ["a", "b"]:
            return None
        if follows["role"] == "primary" or leads["recordEpoch"] != leads["epoch"]:
            return None
        return host

    def await_in_sync(self, seconds_max=SYNC_SECONDS_MAX):
        """Waits until both are in sync; gives the primary."""
        found = []

        def holds():
            found[:] = [self.in_sync()]
            time.sleep(0.05)
            return found[0] is not None

        try:
            await_true("both hosts are in sync", seconds_max, holds)
        except BenchFault as fault:
            raise BenchFault(f"{fault}: {self.say()}") from None
        self.note_replicas()
        return found[0]

    def say(self):
        """What both agents say, for a failure."""
        found = {self.name(host): self.document(host) for host in self.pair}
        for document in found.values():
            if document:
                document["changes"] = [f"{one['what']}: {one['why']}"
                                       for one in document["changes"][-8:]]
        return json.dumps(found)[:6000]

    def note_replicas(self):
        """Remembers whose each replica id is; they change when a disk is wiped."""
        for host in self.pair:
            if not host.pid:
                continue
            with contextlib.suppress(OSError):
                data = host.inside(f"{STATE}/replica").read_bytes()
                high, low = struct.unpack_from("<QQ", data, 32)
                self.replicas[f"{high:016x}{low:016x}"] = self.name(host)

    def main_pid(self, host, unit):
        """The main process of a unit, as the host counts."""
        return int(host.exec("systemctl", "show", "-PMainPID", unit).stdout)

    def kill(self, host, unit, signal="KILL"):
        host.exec("systemctl", "kill", f"--signal={signal}", "--kill-whom=main", unit)
