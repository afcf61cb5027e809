"""A real bourse-agentd for a test, and a client of it."""
import http.client
import json
import os
import socket
import subprocess
import threading
import time
from urllib.parse import quote

from exchange import BIN, ExchangeFault, free_port

READY_SECONDS_MAX = 60
# The one change that a test has the agent make, and what takes it back.
REQUEST = "parameter vm.stat_interval 120"
UNDO = "parameter vm.stat_interval 1"


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path, timeout=60):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    """The reply to a request."""

    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.text = response.read().decode()

    @property
    def json(self):
        return json.loads(self.text)


class Agent:
    """Starts, asks and stops the agent of an `Exchange`'s state directory.

    `shell` is run before it, in namespaces that it has for itself: what it changes there of the
    network or of mounts only this agent sees.
    """

    def __init__(self, exchange, environment=None, shell=None, **settings):
        self.exchange = exchange
        self.shell = shell
        self.environment = environment or {}
        self.port = free_port()
        exchange.set("agent", "listen", f"127.0.0.1:{self.port}")
        exchange.set("agent", "helper", str(exchange.state / "helper.sock"))
        for key, value in settings.items():
            exchange.set("agent", key, value)
        self.socket = exchange.state / "run" / "agent.sock"
        self.process = None

    def start(self):
        command = [str(BIN / "bourse-agentd"), "--config", str(self.exchange.config)]
        if self.shell:
            command = ["unshare", "--net", "--mount", "sh", "-ec", f'{self.shell}\nexec "$@"', "sh",
                       *command]
        with open(self.exchange.logs / "agentd.log", "ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=os.environ | self.environment,
            )
        self.exchange.running["agentd"] = self.process
        self.until(lambda: self.state()["time"] > 0, "answers", READY_SECONDS_MAX)
        return self

    def within(self, *command):
        """Runs something in the namespaces of an agent that has its own."""
        pid = str(self.process.pid)
        subprocess.run(["nsenter", "-t", pid, "--net", "--mount", *command], check=True)

    def ask(self, method, path, body=None, peer="unix", headers=None):
        if peer == "unix":
            connection = UnixConnection(self.socket)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **options):
        return self.ask("GET", path, **options)

    def state(self):
        return self.get("/v1/state").json

    def check(self, name):
        """The named check as it is now, or None."""
        return next((c for c in self.state()["checks"] if c["name"] == name), None)

    def checks(self):
        return {check["name"]: check for check in self.state()["checks"]}

    def events(self, after=0):
        return self.get(f"/v1/events?after={after}").json

    def history(self, name):
        return self.get(f"/v1/checks/{quote(name, safe='')}").json

    def until(self, holds, what, seconds=60):
        """Waits until something holds; returns its value."""
        deadline = time.monotonic() + seconds
        fault = None
        while time.monotonic() < deadline:
            try:
                if found := holds():
                    return found
            except (OSError, http.client.HTTPException, KeyError, TypeError) as error:
                fault = error
            if self.process.poll() is not None:
                raise ExchangeFault(
                    f"agentd ended with {self.process.returncode}:\n"
                    + self.exchange.log_tail("agentd", 60))
            time.sleep(0.02)
        raise ExchangeFault(
            f"not within {seconds} s: {what} ({fault})\n{self.exchange.log_tail('agentd')}")


class Helper:
    """A stand-in for the root helper that records its requests."""

    def __init__(self, path, answer):
        self.answer = answer
        self.lines = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(8)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                line = peer.makefile().readline().rstrip("\n")
                self.lines.append(line)
                peer.sendall((self.answer(line) + "\n\n").encode())

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def cost(pid, seconds):
    """Share of one core in percent, over a time; resident MiB at its end, and at most so far."""
    tick = os.sysconf("SC_CLK_TCK")

    def used():
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        # utime, stime, and those of the children that were waited for, proc(5).
        return sum(map(int, fields[11:15])) / tick

    before, began = used(), time.monotonic()
    time.sleep(seconds)
    share = (used() - before) / (time.monotonic() - began) * 100
    with open(f"/proc/{pid}/status") as file:
        memory = dict(line.split(":", 1) for line in file)
    return share, *(int(memory[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
