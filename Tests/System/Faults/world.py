"""Exchanges for faults: matchd over a state directory below a disk that fails, a driver that writes
down what it sends before it sends it, and the prepared states that every fault begins with."""
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import linkwire as wire
from injector import Injector

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(os.environ.get("BOURSE_BIN", ROOT / ".build" / "release"))
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 60
SESSION_NAME = "operator/faults"
ACCOUNTS = ("demo1", "demo2")
# Small, so that starts are quick and segments many. One MiB is the smallest segment.
SETTINGS = {
    "matchd.segment_mib": "1", "matchd.hash_every": "256", "matchd.reserve_mib": "0",
    "auditd.snapshot_every": "1000", "matchd.ring_mib": "1",
    "limits.instruments": "8", "limits.accounts": "64", "limits.open_orders": "4096",
    "limits.api_keys": "64", "limits.sessions": "16",
}
# What is compared before and after: not what a start makes anew each time.
PASSING = re.compile(r"(^|/)(run|log|history|secrets)/|lock$|\.new$|recovery\.mark$|ready-[a-z]+$")


@dataclass
class Ledger:
    """Sent and acknowledged records; nothing is removed."""

    sent: dict = field(default_factory=dict)   # (session, number): (kind, payload)
    acked: dict = field(default_factory=dict)  # (session, number): sequence
    opened: Counter = field(default_factory=Counter)  # name: OpenSessions sent
    # All records from the first to `last`, as bytes, from when the prepared state was made.
    truth: bytes = b""
    last: int = 0
    seen: dict = field(default_factory=dict)  # sequence: the record, where it was released later

    def copy(self):
        """A ledger of what comes now; what was before is in `truth`."""
        return Ledger(opened=Counter(self.opened), truth=self.truth, last=self.last)

    @property
    def last_acked(self):
        return max(self.last, max(self.acked.values(), default=0), max(self.seen, default=0))

    def upto(self, last):
        """The part up to the record `last`."""
        kept = [record for record in wire.records_of(self.truth) if record.sequence <= last]
        return Ledger(
            dict(self.sent), {name: at for name, at in self.acked.items() if at <= last},
            Counter(self.opened), b"".join(record.data for record in kept), min(last, self.last),
            {at: data for at, data in self.seen.items() if at <= last})

    def see(self, records):
        """Released records count as acknowledged."""
        for record in records:
            if record.sequence > self.last:
                self.seen.setdefault(record.sequence, record.data)


DISK_RESERVE = 5  # the refusal of what is no cancel while space is below the reserve


class Dead(Exception):
    """matchd ended during a conversation."""


class Short(Exception):
    """matchd runs, and takes only cancels: the disk gave it no space ahead."""


class World:
    """One state directory, its daemons and what was acknowledged of it."""

    def __init__(self, folder, shim, ledger=None):
        self.folder = Path(folder)
        self.state = self.folder / "state"
        self.config = self.folder / "bourse.toml"
        self.ledger = ledger or Ledger()
        self.shim = shim
        self.injector = Injector(self.folder / "disk", self.state, shim)
        self.process = self.auditor = self.log = self.auditor_log = None
        self.starts = 0
        self.link = None
        self.session = 0
        self.number = 0
        self.token = 0
        self.open_orders = []
        self.may_refuse, self.refused = False, set()

    @property
    def socket(self):
        # In a directory of its own: the path of a socket is short.
        return str(self.state / "run" / "match.sock")

    def ctl(self, *arguments, seconds_max=120, check=True, is_faulty=False):
        environment = os.environ | (self.injector.environment if is_faulty else {})
        done = subprocess.run(
            [str(BIN / "boursectl"), "--config", str(self.config), *arguments],
            env=environment, capture_output=True, text=True, timeout=seconds_max,
            stdin=subprocess.DEVNULL)
        if check and done.returncode:
            raise RuntimeError(f"boursectl {' '.join(arguments)}: {done.stderr}{done.stdout}")
        return done

    # --- processes ---

    def spawn(self, is_faulty=True, name="matchd"):
        self.starts += 1
        self.log = self.folder / f"{name}.{self.starts}.log"
        environment = dict(os.environ)
        if is_faulty:
            environment |= self.injector.environment
        with open(self.log, "wb") as log:
            return subprocess.Popen(
                [str(BIN / f"bourse-{name}"), "--config", str(self.config)], env=environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)

    def start(self, is_faulty=True):
        """Starts matchd; True when it serves, False when it ended. `link` is connected then."""
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        self.process = self.spawn(is_faulty)
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if os.path.exists(self.socket):
                try:
                    self.link = wire.Link(self.socket)
                    return True
                except wire.Closed:
                    pass
            if self.process.poll() is not None:
                return False
            time.sleep(0.002)
        raise Hung(f"matchd neither serves nor ends:\n{self.text()}")

    def text(self):
        """The output of the last start."""
        return self.log.read_text(errors="replace")

    def kill(self):
        """kill -9, also of one that has ended; gives its exit code."""
        if self.link:
            self.link.close()
            self.link = None
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.kill()
        code = self.process.wait()
        self.process = None
        return code

    def wait(self, seconds_max=STOP_SECONDS_MAX):
        """Waits for matchd's own end; gives its exit code."""
        try:
            code = self.process.wait(seconds_max)
        except subprocess.TimeoutExpired:
            raise Hung(f"matchd does not end:\n{self.text()}") from None
        finally:
            self.kill()
        return code

    def stop(self):
        """SIGTERM."""
        if self.link:
            self.link.close()
            self.link = None
        self.process.terminate()
        return self.wait()

    def clear_fault(self):
        """What an operator does after a fault of the disk that stands written down."""
        return self.ctl("journal", "clear-fault", check=False, is_faulty=True)

    def start_auditor(self, is_faulty=True):
        log = self.log
        self.auditor = self.spawn(is_faulty, "auditd")
        self.auditor_log, self.log = self.log, log

    def auditor_text(self):
        """The output of auditd."""
        return self.auditor_log.read_text(errors="replace")

    def end_auditor(self, is_killed=False):
        process, self.auditor = self.auditor, None
        if process is None:
            return None
        if is_killed:
            process.kill()
        else:
            process.terminate()
        try:
            code = process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Hung("auditd does not end") from None
        # One that got the signal before it listened for signals.
        return 0 if code == -signal.SIGTERM else code

    def end(self):
        self.kill()
        self.end_auditor(is_killed=True)
        self.injector.close()

    def cut_power(self, dice, mode=None):
        """A power cut: unsynced data is lost, and so is /run."""
        for path in (self.state / "run").iterdir():
            path.unlink()
        return self.injector.cut_power(dice, mode)

    # --- load ---

    def open_session(self):
        self.ledger.opened[SESSION_NAME] += 1
        _, _, sequence, identity, refusal, _ = self.link.open(SESSION_NAME)
        if refusal == DISK_RESERVE:
            raise Short("the session was refused")
        if refusal or not sequence:
            raise wire.Closed(f"the session was refused with {refusal}")
        self.session, self.number = identity, 0

    def command(self, dice):
        """The next command: mostly credits with long reasons, orders that rest, cancels of them."""
        self.token += 1
        draw = dice.random()
        if draw < 0.25:
            order = f"o{self.session}-{self.number}"
            self.open_orders.append(order)
            return wire.PLACE, wire.place(
                1 + self.token % 2, 1, dice.randint(10_000, 90_000), dice.randint(5_000, 9_000),
                order)
        if draw < 0.4 and self.open_orders:
            order = self.open_orders.pop(dice.randrange(len(self.open_orders)))
            account = self.owners.pop(order)
            return wire.CANCEL, wire.cancel(account, 1, order)
        name = f"{self.session}-{self.number}"
        return wire.ADJUST_BALANCE, wire.adjust_balance(
            1 + self.token % 2, 1 + self.token % 3, dice.randint(1, 10**6), name,
            f"token {name} " + "x" * dice.choice((0, 40, 150, 220)))

    @property
    def owners(self):
        return self.__dict__.setdefault("_owners", {})

    def send(self, dice, count):
        """Writes down `count` commands, then sends them."""
        entries = []
        for _ in range(count):
            self.number += 1
            kind, payload = self.command(dice)
            if kind == wire.PLACE:
                account, _, _, _, order = wire.read_place(payload)
                self.owners[order] = account
            self.ledger.sent[self.session, self.number] = (kind, payload)
            entries.append((self.number, kind, payload))
        try:
            self.link.submit(self.session, entries)
        except wire.Closed as closed:
            raise Dead(str(closed)) from None

    def take_acks(self, seconds_max):
        """Takes acknowledgements that come within this time; gives how many."""
        try:
            acks = self.link.acks(seconds_max)
        except wire.Closed as closed:
            raise Dead(str(closed)) from None
        for session, number, sequence, _, refusal, _ in acks:
            if sequence == 0 and refusal == DISK_RESERVE:
                raise Short(f"command {number} was refused")
            if sequence == 0:
                raise Dead(f"command {number} was refused with {refusal} and not logged")
            # An order may be gone with a power cut before it was acknowledged, its cancel not.
            kind, payload = self.ledger.sent[session, number]
            if refusal and kind != wire.CANCEL and not self.may_refuse:
                raise AssertionError(f"command {kind} {payload} met refusal {refusal}")
            if refusal:
                self.refused.add((session, number))
            self.ledger.acked[session, number] = sequence
        return len(acks)

    def load(self, dice, count, batch=None, seconds_max=60):
        """Sends `count` commands in batches and waits until all are acknowledged."""
        deadline = time.monotonic() + seconds_max
        sent = 0
        while sent < count:
            size = min(count - sent, batch or dice.choice((1, 2, 5, 20, 60)))
            self.send(dice, size)
            sent += size
            while not self.is_answered():
                if not self.take_acks(0.5):
                    if time.monotonic() > deadline:
                        raise Hung("commands are not acknowledged")
                    if self.process.poll() is not None:
                        raise Dead("matchd ended")

    def is_answered(self):
        return (self.session, self.number) in self.ledger.acked

    # --- what is there ---

    def files(self):
        """All files of the state by their names below it, with their contents. What stands in the
        place of a file and is none has no bytes."""
        found = {}
        for folder, folders, names in os.walk(self.state):
            for name in names + [name for name in folders if "." in name]:
                path = os.path.join(folder, name)
                short = os.path.relpath(path, self.state)
                if PASSING.search(short):
                    continue
                found[short] = b""
                if os.path.isfile(path):
                    with open(path, "rb") as file:
                        found[short] = file.read()
        return found

    def account(self, name):
        return json.loads(self.ctl("--output", "json", "account", "show", name).stdout)


class Hung(Exception):
    """A daemon neither serves nor ends."""


# --- prepared states ---


class Templates:
    """States that faults begin with, made once: each a folder and what is acknowledged in it.

    young    one segment, no snapshot yet, killed
    killed   several segments, a snapshot of an early one, killed
    stopped  the same after a clean stop: a snapshot of the last record
    bare     several segments and no snapshot at all
    edge     the newest segment is nearly full, so that the next begins soon
    other    another exchange's, of the same shape
    """

    NAMES = ("young", "killed", "stopped", "bare", "edge", "edge")

    def __init__(self, folder, shim):
        self.folder, self.shim = Path(folder), shim
        self.ledgers, self.loads = {}, {}
        self.identity = None  # of the journal that all but `other` are of
        self.begun = 0  # the last record of those that set it up

    def make(self):
        dice = random.Random(7)
        world = self.begin("made")
        try:
            world.start()
            world.open_session()
            world.load(dice, 400)
            self.note(world)
            world.kill()
            self.keep(world, "young")
            self.grow(world, dice, 4200)
            world.start_auditor()
            world.load(dice, 1500)
            self.wait_for_snapshot(world)
            world.end_auditor()
            world.stop()
            self.keep(world, "early")
            self.grow(world, dice, 5200)
            self.note(world)
            world.kill()
            self.keep(world, "killed")
            shutil.copytree(self.folder / "killed", self.folder / "bare")
            for path in (self.folder / "bare" / "state" / "snapshots").glob("*.snap"):
                path.unlink()
            for path in (self.folder / "bare" / "state").glob("audited*"):
                path.unlink()
            self.ledgers["bare"], self.loads["bare"] = self.ledgers["killed"], self.loads["killed"]
            self.grow(world, dice, 300)
            self.note(world)
            world.start_auditor()
            time.sleep(0.3)
            world.end_auditor()
            world.stop()
            self.keep(world, "stopped")
            self.grow(world, dice, 10)
            while self.room(world) > 12_000:
                world.load(dice, max(1, self.room(world) // 600))
            self.note(world)
            world.kill()
            self.keep(world, "edge")
        finally:
            world.end()
        world = self.begin("made-other")
        try:
            self.grow(world, dice, 6000)
            world.stop()
            self.grow(world, dice, 600)
            world.kill()
            self.keep(world, "other")
        finally:
            world.end()
        return self

    def wait_for_snapshot(self, world):
        deadline = time.monotonic() + START_SECONDS_MAX
        while not list((world.state / "snapshots").glob("*.snap")):
            if time.monotonic() > deadline:
                raise RuntimeError(f"auditd writes no snapshot:\n{world.auditor_text()}")
            time.sleep(0.05)

    def room(self, world):
        """Bytes that are free in the newest segment."""
        data = sorted((world.state / "journal").glob("*.seg"))[-1].read_bytes()
        return len(data) - wire.read_segment(data).end

    def begin(self, name):
        world = World(self.folder / name, self.shim)
        world.state.mkdir()
        settings = [part for pair in SETTINGS.items() for part in ("--set", "=".join(pair))]
        subprocess.run(
            [str(BIN / "boursectl"), "--state", str(world.state), "init", *settings], check=True,
            capture_output=True)
        # Its configuration stands outside of it, as on an installed host.
        text = (world.state / "bourse.toml").read_text()
        text = text.replace('state = "."', 'state = "state"', 1)
        world.config.write_text(text)
        (world.state / "bourse.toml").unlink()
        # So does what is kept beside it.
        for path in world.state.glob("*.id"):
            path.rename(world.folder / path.name)
        if not world.start():
            raise RuntimeError(f"a new exchange does not start:\n{world.text()}")
        world.ctl("demo")
        self.note(world)
        self.begun = self.begun or world.ledger.last
        world.stop()
        return world

    def grow(self, world, dice, count):
        if world.process is None and not world.start():
            raise RuntimeError(f"a sound exchange does not start:\n{world.text()}")
        world.open_session()
        world.load(dice, count)

    def note(self, world):
        """All that is in the log now is known, and acknowledged."""
        link = wire.Link(world.socket, "operator/reader")
        world.ledger.truth, last = link.log()
        world.ledger.last = last
        link.close()
        first = world.state / "journal" / f"{1:020}.seg"
        self.identity = self.identity or wire.read_segment(first.read_bytes()).identity

    def keep(self, world, name):
        # Nothing of it is lost by a power cut: each fault begins with what is on the disk.
        world.injector.forget()
        target = self.folder / name
        target.mkdir()
        shutil.copytree(world.state, target / "state", ignore=shutil.ignore_patterns("*.sock"))
        shutil.copy(world.config, target)
        for path in world.folder.glob("*.id"):
            shutil.copy(path, target)
        self.ledgers[name] = world.ledger.copy()
        self.loads[name] = (world.token, list(world.open_orders), dict(world.owners))

    def copy(self, name, folder):
        """A world of this state in a new folder."""
        folder = Path(folder)
        shutil.copytree(self.folder / name, folder)
        world = World(folder, self.shim, self.ledgers[name].copy())
        world.token, orders, owners = self.loads[name]
        world.open_orders = list(orders)
        world.__dict__["_owners"] = dict(owners)
        return world
