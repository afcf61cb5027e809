"""A real exchange for a test: the built daemons, a state directory of their own, loopback."""
import json
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(os.environ.get("BOURSE_BIN", ROOT / ".build" / "release"))
DAEMONS = ("matchd", "auditd", "gatewayd")
READY_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30
# BIP84's test vector: the key of m/84'/0'/0' as an xpub, and its first two addresses.
VECTOR_KEY = ("xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFM"
              "KHPJ4ZeZXYVUhLv1VMrjPC7PW6V")
VECTOR_ADDRESSES = ("bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu",
                    "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g")


class ExchangeFault(Exception):
    """The exchange did not do what every test needs: start, answer, stop."""


class Refused(ExchangeFault):
    """boursectl ended with a code other than 0."""

    def __init__(self, arguments, code, text):
        super().__init__(f"boursectl {' '.join(arguments)} ended with {code}: {text.strip()}")
        self.code = code
        self.text = text


# Ports for tests: below those that the kernel gives to clients, so that none takes one while a
# daemon is started again. Each test process has a block of its own, for suites run beside each
# other and a port is given some time before a daemon listens there.
FIRST_PORT = 12_000
BLOCK_PORTS = 800
BLOCKS = 25
_block = None


def _own_block():
    """The first port of a block that no other test process has. A name in the abstract namespace
    of Unix sockets is held until this process ends."""
    for block in random.sample(range(BLOCKS), BLOCKS):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0bourse-test-ports-{block}")
        except OSError:
            claim.close()
            continue
        return claim, FIRST_PORT + block * BLOCK_PORTS
    raise ExchangeFault("every block of test ports is taken by another test process")


def _offsets():
    while True:
        yield from range(BLOCK_PORTS)


_offset = _offsets()


def free_port(count=1, addresses=("127.0.0.1",)):
    """The first of `count` ports in a row that nobody has on any of these addresses. It comes again
    only after all others of this process's block."""
    global _block
    _block = _block or _own_block()
    row = []
    for _ in range(3 * BLOCK_PORTS):
        port = _block[1] + next(_offset)
        if row and port != row[-1] + 1:
            row = []
        row = row + [port] if all(_is_free(x, port) for x in addresses) else []
        if len(row) == count:
            return row[0]
    raise ExchangeFault(f"no {count} free ports from {_block[1]} to {_block[1] + BLOCK_PORTS - 1}")


def _is_free(address, port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(type=kind) as probe:
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def set_key(config, table, key, value):
    """Sets one key of a configuration; a key that stands there is replaced."""
    text = json.dumps(value)
    lines = config.read_text().splitlines() if config.exists() else []
    heading = f"[{table}]"
    if heading not in [line.strip() for line in lines]:
        lines += ["", heading]
    start = [line.strip() for line in lines].index(heading) + 1
    end = next(
        (i for i in range(start, len(lines)) if lines[i].lstrip().startswith("[")), len(lines)
    )
    kept = [line for line in lines[start:end] if line.split("=")[0].strip() != key]
    lines[start:end] = [f"{key} = {text}"] + kept
    # At once: a daemon may be reading it.
    beside = config.with_suffix(".new")
    beside.write_text("\n".join(lines) + "\n")
    beside.replace(config)


class Exchange:
    """Starts, kills and stops the daemons over one state directory.

    A daemon that ends by itself is found by `check_alive`: only `kill` and `stop` may end one.
    """

    def __init__(self, state, port=None, settings=None):
        self.state = Path(state)
        self.port = port or free_port()
        self.settings = settings or {}
        self.running = {}
        self.logs = self.state.parent / f"{self.state.name}-logs"

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self):
        return self.state / "bourse.toml"

    # --- set-up ---

    def init(self):
        """Makes the state directory with its configuration, as `make run` does."""
        self.logs.mkdir(parents=True, exist_ok=True)
        # Segments are written with zeros before they are used: 128 MiB for each start by default,
        # which would be most of what the tests' disk does.
        self.ctl("init", "--listen", f"127.0.0.1:{self.port}", "--set", "matchd.segment_mib=4")
        for (table, key), value in self.settings.items():
            self.set(table, key, value)
        if self.settings:
            self.ctl("init")  # begins the journal anew where its limits were changed
        return self

    def set(self, table, key, value):
        """Sets one key of the configuration; a key that stands there is replaced."""
        set_key(self.config, table, key, value)

    def demo(self):
        """Creates the demo markets and accounts; returns what boursectl prints, as JSON."""
        return self.ctl_json("demo")

    def open_network(self, asset="BTC", number=1, chain="bitcoin", approvals=0):
        """Opens an asset's way in and out on a chain whose key is BIP84's test vector."""
        self.ctl("wallet", "chain", "set", number, chain, "--key", VECTOR_KEY, "--first-block", 1)
        self.ctl("wallet", "network", "set", asset, number, "--name", asset, "--confirmations", 3,
                 "--minimum", "0.0001", "--fee", "0.00001", "--approvals", approvals)

    def add_key(self, account, *permissions, anywhere=True):
        """A new key of an account: its keyID and secret. One that may withdraw does so to
        anywhere, or to the account's address book."""
        wide = ["--withdraw-anywhere"] if "withdraw" in permissions and anywhere else []
        return self.ctl_json(
            "key", "add", account, "--permissions", ",".join(permissions), *wide)

    # --- boursectl ---

    def ctl(self, *arguments, seconds_max=60, check=True):
        """Runs boursectl on this state; returns the finished process."""
        command = [str(BIN / "boursectl"), "--state", str(self.state), *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds_max, stdin=subprocess.DEVNULL
        )
        if check and done.returncode != 0:
            raise Refused(list(map(str, arguments)), done.returncode, done.stderr + done.stdout)
        return done

    def ctl_json(self, *arguments, **options):
        return json.loads(self.ctl("--output", "json", *arguments, **options).stdout)

    # --- daemons ---

    def spawn(self, name):
        """Starts one daemon and does not wait for it."""
        log = open(self.logs / f"{name}.log", "ab")
        log.write(f"--- start of {name}\n".encode())
        log.flush()
        self.running[name] = subprocess.Popen(
            [str(BIN / f"bourse-{name}"), "--config", str(self.config)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )
        log.close()

    def start(self, *names):
        """Starts daemons (all of them without a name) and waits until each answers."""
        for name in names or DAEMONS:
            self.spawn(name)
            self.await_ready(name)
        return self

    def is_ready(self, name):
        if name == "matchd":
            return self.ctl("status", check=False).returncode == 0
        if name == "gatewayd":
            return self.answers()
        return True

    def answers(self):
        """Whether the gateway has caught up with a running matchd and may send it orders."""
        import http.client
        import json

        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", "/sapi/v1/system/status")
            response = connection.getresponse()
            return response.status == 200 and json.loads(response.read())["status"] == 0
        except OSError:
            return False
        except http.client.HTTPException:
            return False
        finally:
            connection.close()

    def await_ready(self, name):
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not self.is_ready(name):
            code = self.running[name].poll() if name in self.running else None
            if code is not None:
                raise ExchangeFault(f"{name} ended with {code}:\n{self.log_tail(name)}")
            if time.monotonic() > deadline:
                raise ExchangeFault(f"{name} does not answer:\n{self.log_tail(name)}")
            time.sleep(0.02)

    def check_alive(self):
        """Raises when a daemon ended by itself."""
        for name, process in self.running.items():
            if process.poll() is not None:
                raise ExchangeFault(
                    f"{name} ended by itself with {process.returncode}:\n{self.log_tail(name)}"
                )

    def kill(self, name):
        """kill -9; returns when the process is gone."""
        process = self.running.pop(name)
        if process.poll() is not None:
            raise ExchangeFault(
                f"{name} ended by itself with {process.returncode}:\n{self.log_tail(name)}"
            )
        process.kill()
        process.wait()

    def stop(self, name):
        """SIGTERM; returns the exit code."""
        process = self.running.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise ExchangeFault(f"{name} did not stop:\n{self.log_tail(name)}") from None

    def stop_all(self):
        """Stops what runs, gateway first; returns exit codes by name."""
        return {name: self.stop(name) for name in reversed(DAEMONS) if name in self.running}

    def end(self):
        """Ends whatever still runs, whatever happened before. For `finally`."""
        for process in self.running.values():
            if process.poll() is None:
                process.kill()
                process.wait()
        self.running.clear()

    def log_tail(self, name, lines=15):
        path = self.logs / f"{name}.log"
        if not path.exists():
            return "(no log)"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
