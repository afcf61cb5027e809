"""Two real matchds that replicate over loopback, each with its gateway, and a scripted agent that
orders them: what the agent decides is tested elsewhere, here is what its orders come to."""
import http.client
import json
import os
import re
import secrets
import shutil
import socket
import struct
import subprocess
import time
from pathlib import Path

from exchange import ROOT, Exchange, ExchangeFault, free_port
from journal import Journal, crc32c
from pki import certificates

HANGS_SECONDS_MAX = 60
ETCD = ROOT / ".build" / "etcd" / "usr" / "bin" / "etcd"


def await_true(what, check, seconds_max=HANGS_SECONDS_MAX):
    """Calls until it is true; gives that value."""
    deadline = time.monotonic() + seconds_max
    while not (value := check()):
        if time.monotonic() > deadline:
            raise ExchangeFault(f"{what}: not within {seconds_max} s")
        time.sleep(0.005)
    return value


class Etcd:
    """Three members of a real etcd, as the cluster's units start them."""

    def __init__(self, folder, pki):
        self.folder, self.pki = folder, pki
        self.ports = {name: (free_port(), free_port()) for name in ("a", "b", "w")}
        self.urls = [f"https://127.0.0.1:{self.ports[name][0]}" for name in self.ports]
        self.running = {}

    def start(self):
        if not ETCD.exists():
            raise ExchangeFault("etcd is missing: run packaging/local/prerequisites test")
        self.folder.mkdir()
        for name in self.ports:
            self.spawn(name)
        await_true("etcd is healthy", lambda: self.ctl("endpoint", "health", check=False) == 0)

    def spawn(self, name):
        client, peer = self.ports[name]
        files = self.pki / name
        tls = [("cert-file", files / "host.crt"), ("key-file", files / "host.key"),
               ("trusted-ca-file", files / "ca.crt"), ("client-cert-auth", "true")]
        members = ",".join(f"{n}=https://127.0.0.1:{p}" for n, (_, p) in self.ports.items())
        options = {
            "name": name, "data-dir": self.folder / name, "heartbeat-interval": 50,
            "election-timeout": 500, "pre-vote": "true", "initial-cluster": members,
            "listen-client-urls": f"https://127.0.0.1:{client}",
            "advertise-client-urls": f"https://127.0.0.1:{client}",
            "listen-peer-urls": f"https://127.0.0.1:{peer}",
            "initial-advertise-peer-urls": f"https://127.0.0.1:{peer}",
            **dict(tls), **{f"peer-{key}": value for key, value in tls},
        }
        with open(self.folder / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(
                [str(ETCD), *(f"--{key}={value}" for key, value in options.items())],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def ctl(self, *arguments, check=True):
        files = self.pki / "w"
        return subprocess.run(
            [str(ETCD.parent / "etcdctl"), f"--endpoints={','.join(self.urls)}",
             f"--cacert={files / 'ca.crt'}", f"--cert={files / 'host.crt'}",
             f"--key={files / 'host.key'}", *arguments],
            env=os.environ | {"ETCDCTL_API": "3"}, capture_output=True, timeout=30, check=check,
        ).returncode

    def found(self, replica, epoch=1):
        """Writes the first record: a leads, alone in sync."""
        record = {"version": 1, "epoch": epoch, "primary": "a",
                  "insync": [{"host": "a", "replica": replica}],
                  "attempt": {"run": secrets.token_hex(8), "number": 1}}
        self.ctl("put", "/bourse/record", json.dumps(record, separators=(",", ":")))
        self.ctl("put", "/bourse/floor", f"{1:020}")

    def kill(self, name):
        self.running.pop(name).kill()

    def end(self):
        for process in self.running.values():
            process.kill()
            process.wait()
        self.running = {}


class Orders:
    """The agent's end of one matchd's control socket."""

    def __init__(self, exchange):
        self.path = str(exchange.state / "run" / "control.sock")
        self.run = secrets.randbits(63)
        self.number = 0
        self.socket = None
        self.buffer = b""
        self.last = None

    def connect(self):
        def attempt():
            end = socket.socket(socket.AF_UNIX)
            try:
                end.connect(self.path)
            except OSError:
                end.close()
                return None
            return end

        self.socket = await_true(f"{self.path} is there", attempt)
        self.socket.settimeout(HANGS_SECONDS_MAX)
        self.buffer, self.last = b"", None
        return self.report()

    def report(self):
        """The next report; waits for it."""
        while b"\n" not in self.buffer:
            got = self.socket.recv(65536)
            if not got:
                raise ExchangeFault("matchd closed the control socket")
            self.buffer += got
        line, self.buffer = self.buffer.split(b"\n", 1)
        self.last = json.loads(line)
        return self.last

    def now(self):
        """A report of this moment: those that waited to be read are passed over."""
        self.socket.setblocking(False)
        try:
            while got := self.socket.recv(65536):
                self.buffer += got
        except BlockingIOError:
            pass
        self.socket.settimeout(HANGS_SECONDS_MAX)
        self.buffer = self.buffer[self.buffer.rfind(b"\n") + 1:]
        return self.report()

    def until(self, what, check, seconds_max=HANGS_SECONDS_MAX):
        """Reads reports until one holds; gives it."""
        deadline = time.monotonic() + seconds_max
        while not check(report := self.report()):
            if time.monotonic() > deadline:
                raise ExchangeFault(f"{what}: not within {seconds_max} s; {report}")
        return report

    def order(self, action, epoch, waits=True, **members):
        """Sends an order; gives the first report after it was carried out."""
        process = (self.last or self.report())["process"]
        self.number += 1
        line = {"run": f"{self.run:016x}", "number": self.number, "process": process,
                "epoch": epoch, "action": action, **members}
        self.socket.sendall(json.dumps(line).encode() + b"\n")
        if not waits:
            return None
        return self.until(
            f"{action} is done", lambda report: report["ordersRun"] == f"{self.run:016x}"
            and report["ordersDone"] == self.number)

    def follow(self, epoch, renews=False, confirmed=True, forced=None):
        return self.order("follow", epoch, renewsReplica=renews, isConfirmed=confirmed,
                          forced=forced)

    def lead(self, epoch, requirement=None, cause="alone", forced=None):
        """Promises, leads and opens the Link, as a claim does."""
        self.promise_and_lead(epoch, requirement, cause, forced)
        return self.open(epoch)

    def promise_and_lead(self, epoch, requirement=None, cause="alone", forced=None):
        report = self.order("promise", epoch)
        assert report["state"] == "promised" and report["promise"] == epoch
        report = self.order(
            "lead", epoch, attempt={"run": f"{self.run:016x}", "number": self.number},
            requirement=requirement, cause=cause, forced=forced)
        assert report["state"] == "leading" and report["epoch"] == epoch
        return report

    def open(self, epoch):
        """Opens the Link once the term's first record is released."""
        self.until("the term is released", lambda r: r["commitPoint"] >= r["epochStart"] > 0)
        return self.order("openLink", epoch)

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None


class Pair:
    """Hosts `a` and `b`; b's journal is a copy of a's first record."""

    def __init__(self, folder, settings=None):
        self.folder = Path(folder)
        certificates(self.folder / "pki", ("a", "b", "w"))
        self.etcd = Etcd(self.folder / "etcd", self.folder / "pki")
        ports = {name: (free_port(), free_port()) for name in ("a", "b")}
        self.hosts, self.orders = {}, {}
        for name, peer in (("a", "b"), ("b", "a")):
            host = Exchange(self.folder / name, settings=settings)
            if name == "a":
                host.init()
            else:
                self._copy(self.hosts["a"], host)
            for key, value in {
                "host": name, "peer": peer, "directory": str(self.folder / "pki" / name),
                "etcd": " ".join(self.etcd.urls),
                "replication": f"127.0.0.1:{ports[name][0]}",
                "peer_replication": f"127.0.0.1:{ports[peer][0]}",
                "agent": f"127.0.0.1:{ports[name][1]}",
                "peer_agent": f"127.0.0.1:{ports[peer][1]}",
            }.items():
                host.set("cluster", key, value)
            for key in ("state", "socket"):
                host.set("agent", key, str(host.state / f"agent-{key}"))
            host.set("agent", "listen", f"127.0.0.1:{free_port()}")
            # Both gateways write into one log, each in sessions of its own.
            host.set("gatewayd", "name", name)
            self.hosts[name] = host
            self.orders[name] = Orders(host)

    def _copy(self, a, b):
        """b as a host that has joined: the same first record, a replica of its own."""
        b.logs.mkdir(parents=True, exist_ok=True)
        shutil.copytree(a.state, b.state)
        text = b.config.read_text().replace(str(a.state), str(b.state))
        b.config.write_text(text.replace(str(a.port), str(b.port)))
        replica = bytearray((b.state / "replica").read_bytes())
        replica[32:48] = secrets.token_bytes(16)
        replica[124:128] = struct.pack("<I", crc32c(bytes(replica[:124])))
        (b.state / "replica").write_bytes(bytes(replica))

    def start(self, name):
        """Starts a matchd, and connects to its control socket; gives its first report."""
        self.hosts[name].spawn("matchd")
        return self.orders[name].connect()

    def replica(self, name):
        return self.orders[name].last["replica"]

    def begin(self):
        """a leads epoch 2 and requires b, which has all."""
        a, b = self.orders["a"], self.orders["b"]
        self.start("a")
        assert a.last["state"] == "recovered"
        a.follow(1)
        a.lead(2)
        self.start("b")
        b.follow(2)
        self.join("a", "b", 2)
        return a, b

    def join(self, primary, standby, epoch):
        """The primary requires the standby, once that has all."""
        leads = self.orders[primary]
        replica = self.orders[standby].last["replica"]
        leads.until("the standby has joined and has all", lambda r: r["peer"] is not None
                    and r["peer"]["replica"] == replica and r["peer"]["matched"] >= r["end"])
        leads.order("require", epoch, requirement=replica)
        leads.until("the lease is held", lambda r: r["holdsLease"])

    def matched(self, name, sequence):
        """Waits until a standby's journal has a record, durable."""
        return self.orders[name].until(
            f"{name} has record {sequence}", lambda r: r["durable"] >= sequence)

    def document(self, name):
        """GET /v1/cluster of a host's agent; None: it gives none yet."""
        connection = http.client.HTTPConnection("agent", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(10)
        try:
            connection.sock.connect(str(self.hosts[name].state / "agent-socket"))
            connection.request("GET", "/v1/cluster")
            answer = connection.getresponse()
            return json.loads(answer.read()) if answer.status == 200 else None
        except OSError:
            return None
        finally:
            connection.close()

    def health(self, name, role="", method="GET"):
        """What a load balancer is answered on loopback: the status, and why not."""
        text = self.hosts[name].config.read_text().split("[agent]", 1)[1]
        port = int(re.search(r'listen = "127.0.0.1:(\d+)"', text)[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request(method, f"/health{role}")
            answer = connection.getresponse()
            body = answer.read()
            return answer.status, json.loads(body).get("why") if body else None
        finally:
            connection.close()

    def obey(self, name, verb, **members):
        """POST /v1/cluster; gives status and answer."""
        connection = http.client.HTTPConnection("agent", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(10)
        connection.sock.connect(str(self.hosts[name].state / "agent-socket"))
        connection.request("POST", "/v1/cluster", json.dumps({"verb": verb, **members}))
        answer = connection.getresponse()
        try:
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def start_all(self):
        """etcd, and on each host matchd and the agent; waits until both are in sync."""
        self.etcd.start()
        replica = (self.hosts["a"].state / "replica").read_bytes()[32:48]
        high, low = struct.unpack("<QQ", replica)
        self.etcd.found(f"{high:016x}{low:016x}")
        for host in self.hosts.values():
            host.spawn("matchd")
            host.spawn("agentd")
        self.in_sync("a")

    def in_sync(self, primary):
        """Waits until this host leads with both in sync."""
        def holds():
            found = self.document(primary)
            return found if found and found["role"] == "primary" and (
                sorted(found["inSync"]) == ["a", "b"]) else None
        try:
            return await_true(f"{primary} leads, both are in sync", holds)
        except ExchangeFault as fault:
            seen = {name: self.document(name) for name in self.hosts}
            raise ExchangeFault(f"{fault}: {json.dumps(seen)[:4000]}") from None

    def end(self):
        for orders in self.orders.values():
            orders.close()
        for host in self.hosts.values():
            host.end()
        self.etcd.end()

    def records(self, name):
        """All records of a host's journal, in order."""
        return [record.data for record in Journal(self.hosts[name].state).records]
