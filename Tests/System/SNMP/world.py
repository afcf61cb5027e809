"""The SNMP suite's processes: a real snmpd and snmptrapd of their own, the real bourse-snmp and
bourse-poller, and a stand-in for the host agent's socket that serves what a test needs."""
import contextlib
import functools
import http.server
import json
import os
import re
import signal
import socketserver
import subprocess
import threading
import time
import urllib.parse
from pathlib import Path

from exchange import BIN, ROOT, free_port

MIB = ROOT / "packaging" / "mib" / "BOURSE-MIB.txt"
ENTERPRISE = "1.3.6.1.4.1.32473"
AUTH, PRIV = "test-auth-passphrase", "test-priv-passphrase"
SECONDS_MAX = 60
EVENTS_AN_ANSWER_MAX = 500


@functools.cache
def standard_mibs():
    """The directory of the IETF's base modules, as Debian has them."""
    listing = subprocess.run(
        ["dpkg", "-L", "erlang-snmp"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return Path(next(line for line in listing if line.endswith("/SNMPv2-SMI.mib"))).parent


def await_true(what, test, seconds_max=SECONDS_MAX):
    """Waits until `test` gives something true, and returns it."""
    deadline = time.monotonic() + seconds_max
    while True:
        found = test()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what}: not within {seconds_max} s"
        time.sleep(0.05)


class Agent:
    """A stand-in for bourse-agentd: its socket, its state and its events."""

    def __init__(self, path):
        self.path = str(path)
        self.state = {}
        self.events = []
        self.first = 1
        self.last = 0
        self.asked = []
        self.cluster = None
        # What to answer instead: a function of the request's handler, or None.
        self.instead = None
        self.server = None

    def start(self):
        agent = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                agent.asked.append(self.path)
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    if agent.instead:
                        agent.instead(self)
                    else:
                        agent.answer(self)
                self.close_connection = True

            def log_message(self, *_):
                pass

            def address_string(self):
                return "peer"

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True
            block_on_close = False

        Path(self.path).unlink(missing_ok=True)
        self.server = Server(self.path, Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def answer(self, handler):
        url = urllib.parse.urlparse(handler.path)
        if url.path == "/v1/state":
            body = dict(self.state, sequence=self.last)
        elif url.path == "/v1/events":
            after = int(urllib.parse.parse_qs(url.query)["after"][0])
            events = [event for event in self.events if event["sequence"] > after]
            body = {
                "first": self.first, "last": self.last, "events": events[:EVENTS_AN_ANSWER_MAX]
            }
        elif url.path == "/v1/cluster" and self.cluster:
            body = self.cluster
        else:
            handler.send_error(404)
            return
        send(handler, json.dumps(body).encode())

    def note(self, is_raised, name, subject, state, kind=601, value=None, text="a text"):
        """Notes one more event."""
        self.last += 1
        self.events.append({
            "sequence": self.last, "time": time.time_ns(), "raised": is_raised, "name": name,
            "kind": kind, "subject": subject, "state": state, "value": value, "text": text,
        })
        return self.last

    def forget(self, first):
        """Keeps only the events from `first` on."""
        self.events = [event for event in self.events if event["sequence"] >= first]
        self.first = first


def send(handler, body):
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


class World:
    """Everything in one directory, on loopback; nothing runs at first."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.port = free_port()
        self.trap_port = free_port()
        self.agentx = self.folder / "agentx"
        self.state = self.folder / "state"
        self.config = self.folder / "bourse.toml"
        self.agent = Agent(self.folder / "agent.sock")
        self.running = {}
        self.tools_folder = self.folder / "tools"
        for folder in (self.state, self.tools_folder):
            folder.mkdir()
        self.configure()

    def configure(self, **more):
        values = {
            "agentx": str(self.agentx), "agent_socket": self.agent.path, "state": str(self.state),
            **more,
        }
        lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        self.config.write_text("[snmp]\n" + "\n".join(lines) + "\n")

    # --- processes ---

    def spawn(self, name, *command, **environment):
        assert name not in self.running, f"{name} runs already"
        with open(self.folder / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                env=os.environ | environment, start_new_session=True,
            )

    def log(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def check_alive(self, name):
        code = self.running[name].poll()
        assert code is None, f"{name} ended with {code}:\n{self.log(name)[-3000:]}"

    def end(self, name, sign=signal.SIGKILL):
        process = self.running.pop(name)
        process.send_signal(sign)
        return process.wait(SECONDS_MAX)

    def end_all(self):
        for name in list(self.running):
            self.end(name)
        self.agent.stop()

    def start_snmpd(self):
        home = self.folder / "snmpd"
        (self.folder / "snmpd.conf").write_text(
            f'createUser monitor SHA-256 "{AUTH}" AES "{PRIV}"\nrouser monitor authPriv\n'
            f"dontLogTCPWrappersConnects yes\nmaster agentx\nagentXSocket {self.agentx}\n"
            f"trap2sink 127.0.0.1:{self.trap_port} public\n"
        )
        self.agentx.unlink(missing_ok=True)
        self.spawn(
            "snmpd", "snmpd", "-f", "-Lo", "-C", "-c", str(self.folder / "snmpd.conf"),
            f"udp:127.0.0.1:{self.port}", SNMP_PERSISTENT_DIR=str(home), MIBS="",
        )
        await_true("snmpd listens", self.agentx.exists)
        return self

    def start_snmptrapd(self):
        (self.folder / "snmptrapd.conf").write_text(
            "authCommunity log public\ndoNotLogTraps no\n"
        )
        self.spawn(
            "snmptrapd", "snmptrapd", "-f", "-Lo", "-n", "-C", "-c",
            str(self.folder / "snmptrapd.conf"), "-OQetsU", "-m", "SNMPv2-MIB:BOURSE-MIB", "-M",
            f"{standard_mibs()}:{MIB.parent}", "-F", "%V\x02%v\x03\n",
            f"udp:127.0.0.1:{self.trap_port}",
            SNMP_PERSISTENT_DIR=str(self.folder / "snmptrapd"),
        )
        await_true("snmptrapd listens", lambda: "NET-SNMP version" in self.log("snmptrapd"))
        return self

    def start_subagent(self):
        self.spawn("bourse-snmp", str(BIN / "bourse-snmp"), "--config", str(self.config))
        return self

    def start_poller(self, **environment):
        self.spawn("bourse-poller", str(BIN / "bourse-poller"), "--config", str(self.config),
                   **environment)
        return self

    def start(self):
        """All of it, until the subagent has data and is connected."""
        self.agent.start()
        self.start_snmptrapd().start_snmpd().start_subagent()
        self.await_served()
        return self

    def await_served(self):
        await_true("snmpd gives the agent's data", lambda: self.get("bourseAgentAnswers.0") == "1")

    # --- questions ---

    def tool(self, name, *arguments, check=True):
        """Runs one of net-snmp's commands over SNMPv3 with authentication and privacy."""
        command = [
            name, "-v3", "-l", "authPriv", "-u", "monitor", "-a", "SHA-256", "-A", AUTH, "-x",
            "AES", "-X", PRIV, "-t", "2", "-r", "2", "-m", "SNMPv2-MIB:BOURSE-MIB", "-M",
            f"{standard_mibs()}:{MIB.parent}", "-OQetU", *arguments,
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
            env=os.environ | {"SNMP_PERSISTENT_DIR": str(self.tools_folder)},
        )
        assert not check or done.returncode == 0, f"{done.args}: {done.stderr}{done.stdout}"
        return done.stdout

    def get(self, name, *options):
        """The value of one name; None where there is none, or nobody answers."""
        text = self.tool(
            "snmpget", "-Ov", *options, f"127.0.0.1:{self.port}", f"BOURSE-MIB::{name}",
            check=False,
        ).strip()
        return None if not text or text.startswith("No Such") else text.strip('"')

    def walk(self, name="bourseMIB", *options):
        """Values by name, without the module before it."""
        # A busy machine may take long for thousands of rows.
        text = self.tool("snmpbulkwalk", "-Os", "-t", "15", *options, f"127.0.0.1:{self.port}",
                         f"BOURSE-MIB::{name}")
        values = {}
        for line in text.splitlines():
            if " = " in line and "No Such " not in line:
                key, value = line.split(" = ", 1)
                assert key not in values, f"{key} came twice"
                values[key] = value
        return values

    def traps(self):
        """snmptrapd's notifications of BOURSE-MIB, oldest first: a name, and values by name."""
        found = []
        for text in re.findall("sysUpTime.0 = (.*?)\x03", self.log("snmptrapd"), re.DOTALL):
            variables = {}
            for part in text.split("\x02")[1:]:
                key, _, value = part.partition(" = ")
                variables[key.removesuffix(".0")] = value.strip().strip('"')
            if variables["snmpTrapOID"].startswith("bourse"):
                found.append((variables.pop("snmpTrapOID"), variables))
        return found

    def sequences(self):
        """The numbers of the events that snmptrapd got, in their order."""
        return [
            int(variables["bourseEventSequence"]) for name, variables in self.traps()
            if name.startswith("bourseAlarm")
        ]


def check(kind, name, subject, state="ok", value=None, **more):
    return {
        "name": f"{name}/{subject}" if subject else name, "kind": kind, "subject": subject,
        "state": state, "value": value, "unit": "" if value is None else "percent",
        "warning": None, "critical": None, "since": 1_700_000_000_500_000_000,
        "seen": 1_700_000_001_000_000_000, "failures": 0, "text": f"{name} is {state}",
        "source": "somewhere", "why": "it matters", "changes": [], "advice": [], **more,
    }


def host_state():
    """A host with something in every table."""
    def unit(name, active="active", sub="running", **more):
        return {
            "name": name, "load": "loaded", "active": active, "sub": sub, "pid": 812,
            "restarts": 2, "since": 1_700_000_000_000_000_000, "status": "record 12",
            "memoryBytes": 5_000_000_000, "cpuNanos": 123_456_789_012, "watchdogMicros": 30_000_000,
            **more,
        }

    def thread(name, tid, **more):
        return {
            "unit": "bourse-matchd.service", "thread": name, "pid": 812, "tid": tid, "cpu": 2,
            "allowed": "2", "declared": None, "voluntary": 5, "nonvoluntary": 7, **more,
        }

    return {
        "host": "primary-1", "version": "0.1.0", "time": time.time_ns(),
        "started": 1_700_000_000_000_000_000, "worst": "critical", "sequence": 0, "dropped": 3,
        "exchange": {
            "running": True, "role": "standalone", "epoch": 4, "released": 2**40, "durable": 101,
            "applied": 102, "commands": 103, "syncs": 104, "syncP50Nanos": 105_000,
            "syncP99Nanos": 6_000_000_000, "connections": 3, "connectionsMax": 64, "followers": 2,
            "ingressFillPerMille": 11, "logFillPerMille": 12, "diskFreeBytes": 2**41,
            "diskReserveBytes": 268_435_456, "belowReserve": False, "hashMark": 99,
        },
        "units": [
            unit("bourse-matchd.service"),
            unit("bourse-gatewayd.service", "failed", "failed", pid=0, memoryBytes=None,
                 cpuNanos=None),
        ],
        "threads": [
            thread("engine", 813, declared=2), thread("worker", 815), thread("worker", 814, cpu=1),
        ],
        "queues": [
            {"nic": "eth0", "queue": "rx-0", "irq": 77, "cpus": "0-1", "packets": 2**33,
             "drops": 0},
            {"nic": "eth0", "queue": "rx-1", "irq": None, "cpus": "2", "packets": None,
             "drops": None},
        ],
        "disks": [
            {"disk": "nvme0n1", "sizeBytes": 2**40, "reads": 10, "writes": 11, "writeMicros": 120,
             "flushMicros": 900, "busyPercent": 4, "temperature": -3, "healthPercentUsed": 1},
        ],
        "directories": [
            {"name": "journal", "path": "/var/lib/bourse/journal", "bytes": 2**40,
             "freeBytes": 2**39, "inodes": 1000, "freeInodes": 900},
        ],
        "chains": [
            {"network": 1, "name": "bitcoin", "asset": "BTC", "condition": "in step", "text": "",
             "isSound": True, "tip": 914_220, "read": 914_220, "credited": 914_214, "pending": 2,
             "approved": 4, "open": 3, "free": 2**40, "total": 2**41, "cold": 2**42,
             "ceiling": 2**43, "target": 2**39, "hotPercent": 25},
            {"network": 7, "name": "litecoin", "asset": "", "condition": "no node", "text": "gone",
             "isSound": False, "tip": None, "read": None, "credited": 0, "pending": 0,
             "approved": None, "open": None, "free": None, "total": None, "cold": None,
             "ceiling": None, "target": None, "hotPercent": None},
        ],
        "checks": [
            check(101, "cpu.thread-affinity", "engine"),
            check(205, "nic.drops", "eth0/rx-0", "warning", 12, warning=1, critical=100,
                  failures=2**33),
            check(301, "disk.free", "", "critical", -5 * 2**40, unit="bytes"),
            check(601, "unit.state", "bourse-gatewayd.service", "critical"),
            check(702, "time.offset", "", "unknown"),
            check(901, "long", "x" * 300),
        ],
    }
