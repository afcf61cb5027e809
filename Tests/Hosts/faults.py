"""The rows of the fault table, each as an injection on real hosts: what is done, what must come of
it, and how it is healed. `Scene` carries a row out and measures how long nobody was served.

A row is a generator: it breaks something and yields what is to come of that; what follows heals it.
"""
import contextlib
import json
import os
import random
import signal
import threading
import time

from base import run
from bench import BenchFault, await_true
from cluster import STATE
from evidence import ACKED, REFUSED
from inspection import inspect

OUTCOME_SECONDS_MAX = 60
QUIET_SECONDS = 3       # so long nothing may change where nothing is to change
BEFORE_SECONDS = 1.5    # of steady trade before a fault
SLOW_SECONDS = 3        # longer than an acknowledgement may take
SPARE_BYTES = 1 << 20
PAGE = 4096
NO_SPACE = "No space left on device"
JOURNAL_STATUS = 76     # of a daemon whose journal needs an operator
WIPE = f"find {STATE} -mindepth 1 -not -path '{STATE}/lost+found*' -delete"
SWITCHOVER_SECONDS = 3
MORE_ACKS = 20          # acknowledgements after a fault, until it counts as served again
SERVED_SECONDS_MAX = 60
SERVICE, HOSTS = ("c", "p"), ("a", "b")
ROWS = {}
PROVEN = []


def row(name, is_proven=True):
    """Registers a row; one that was not seen to pass yet runs only when it is named."""
    def add(function):
        ROWS[name] = function
        if is_proven:
            PROVEN.append(name)
        return function
    return add


class Outcome:
    """What is to come of a fault; `holds` says whether it has."""

    def __init__(self, words, holds, served=True):
        self.words, self.holds, self.served = words, holds, served


class Scene:
    """A cluster with its traffic, while rows are carried out."""

    def __init__(self, cluster, traffic, say=print):
        self.cluster, self.traffic, self.say = cluster, traffic, say
        self.bench = cluster.bench

    # --- outcomes ---

    def _leads(self, host, in_sync=None, above=None):
        document = self.cluster.document(host)
        return bool(document) and document["role"] == "primary" and (
            in_sync is None or sorted(document["inSync"]) == sorted(in_sync)) and (
            above is None or document["epoch"] > above)

    def promotes(self):
        """The standby leads in a higher epoch."""
        host, above = self.standby, self.epoch
        return Outcome("the standby leads", lambda: self._leads(host, above=above))

    def removes(self):
        """The primary goes on alone in its epoch."""
        host, name = self.primary, self.cluster.name(self.primary)
        return Outcome("the primary leads alone", lambda: self._leads(host, [name]))

    def stays(self):
        """Nothing changes for a while."""
        host, epoch, until = self.primary, self.epoch, time.monotonic() + QUIET_SECONDS

        def holds():
            document = self.cluster.document(host)
            # An agent that has just started knows the epoch before the record.
            shown = document and (document["recordEpoch"] or document["epoch"])
            if document and (document["role"], shown) != ("primary", epoch):
                raise BenchFault(f"something changed: {document['role']} {document['sentence']}")
            return time.monotonic() > until and document is not None and (
                sorted(document["inSync"]) == ["a", "b"])

        return Outcome("nothing changes", holds)

    def rejoins(self):
        """The standby becomes a learner under a new replica id, and comes in sync."""
        host, old = self.standby, set(self.cluster.replicas)

        def holds():
            self.add_removed()
            self.cluster.note_replicas()
            mine = {one for one, name in self.cluster.replicas.items()
                    if name == self.cluster.name(host)}
            return bool(mine - old) and self.cluster.in_sync() is not None

        return Outcome("it is another replica, in sync", holds)

    def halts(self):
        """Nobody is served, and it stays so."""
        begun, until = [], time.monotonic() + QUIET_SECONDS

        def holds():
            if time.monotonic() < until:
                return False
            begun.append(begun[0] if begun else time.monotonic())
            self.traffic.evidence.read()
            if self.traffic.evidence.acknowledged((*SERVICE, *HOSTS), begun[0]):
                raise BenchFault("somebody is served by half a cluster")
            return time.monotonic() > begun[0] + QUIET_SECONDS

        return Outcome("nobody is served", holds, served=False)

    def either(self):
        """One of both leads."""
        return Outcome("one leads", lambda: any(self._leads(host) for host in self.cluster.pair))

    # --- carrying out ---

    def prepare(self):
        """Both in sync and steady trade, whatever state an earlier row was left in."""
        self.restore()
        self.primary = self.in_sync()
        self.standby = self.cluster.other(self.primary)
        self.epoch = self.cluster.document(self.primary)["epoch"]
        since = time.monotonic()
        self.traffic.go()
        self.served_since(since)
        time.sleep(BEFORE_SECONDS)

    def restore(self):
        """Ends what a row that failed left behind."""
        self.bench.heal()
        for host in self.cluster.all:
            if not host.pid:
                host.boot("any")
                continue
            host.thaw()
            host.exec("systemctl", "start", "bourse-etcd", check=False)
        for host in self.cluster.pair:
            host.exec("fsfreeze", "--unfreeze", STATE, check=False)
            host.exec("systemctl", "kill", "--signal=CONT", "bourse-matchd", check=False)
            self.cluster.set_clock(host, 0)
            # A volume that was shut down takes nothing more.
            clear = ("sh", "-c", f"rm -f {STATE}/lost+found/* && touch {STATE}/lost+found/probe")
            if host.exec(*clear, check=False).returncode != 0:
                reboot(host)
                host.exec(*clear)
            if host.exec("systemctl", "is-failed", "bourse-matchd", check=False).returncode == 0:
                host.exec("boursectl", "rejoin", "--yes-name", self.cluster.name(host),
                          check=False)
                host.exec("systemctl", "start", "bourse.target", check=False)

    def add_removed(self):
        """Adds a standby that was removed too often, as its operator does."""
        for host in self.cluster.pair:
            document = self.cluster.document(host)
            if document and document["peerOut"]:
                self.cluster.verb(host, "standby-add")

    def in_sync(self):
        """Waits until both are in sync; gives the primary."""
        self.add_removed()
        return self.cluster.await_in_sync()

    def served_since(self, moment):
        """Waits until a number of requests at the service address were acknowledged after it."""
        evidence = self.traffic.evidence

        def served():
            evidence.read()
            time.sleep(0.05)
            return len(evidence.acknowledged(SERVICE, moment)) >= MORE_ACKS

        try:
            await_true("requests at the service address are acknowledged", SERVED_SECONDS_MAX,
                       served)
        except BenchFault as fault:
            raise BenchFault(f"{fault}: {self.cluster.say()}") from None

    def carry_out(self, name):
        """One row; gives (stall at the service address, stall at the hosts' own), in seconds. A
        BenchFault says what did not come, or what the checker found."""
        self.prepare()
        steps = ROWS[name](self)
        began = time.monotonic()
        stalls = None
        with contextlib.closing(steps):
            for outcome in steps:
                self.await_outcome(name, outcome)
                if outcome.served:
                    self.served_since(time.monotonic())
                    stalls = stalls or self.stalls(began)
        self.bench.heal()
        self.in_sync()
        self.served_since(time.monotonic())
        wrong = inspect(self.cluster, self.traffic)
        if wrong:
            raise BenchFault(f"{name}: " + "\n".join(wrong))
        self.say(f"{name}: {outcome.words}; " + self.words(stalls))
        return stalls

    def carry_out_all(self, names, chance):
        """One row, or two at once: the second begins while the first holds, after a random time.
        Of two, only healing and the checker count: the table says nothing about both."""
        if len(names) == 1:
            return self.carry_out(names[0])
        self.prepare()
        steps = [ROWS[name](self) for name in names]
        with contextlib.suppress(BenchFault):  # the first fault may leave nothing to break
            for step in steps:
                next(step)
                time.sleep(chance.uniform(0, 3))
        self.restore()
        self.in_sync()
        self.served_since(time.monotonic())
        if wrong := inspect(self.cluster, self.traffic):
            raise BenchFault(f"{' and '.join(names)}: " + "\n".join(wrong))
        self.say(f"{' and '.join(names)}: nothing wrong")
        return None

    def await_outcome(self, name, outcome):
        def holds():
            time.sleep(0.05)
            return outcome.holds()

        try:
            await_true(f"{name}: {outcome.words}", OUTCOME_SECONDS_MAX, holds)
        except BenchFault as fault:
            raise BenchFault(f"{fault}: {self.cluster.say()}") from None

    def stalls(self, began):
        """The longest time without an acknowledgement, since just before a fault."""
        self.traffic.evidence.read()
        found = []
        for traders in (SERVICE, HOSTS):
            moments = self.traffic.evidence.acknowledged(traders, began - BEFORE_SECONDS / 2)
            found.append(max((b - a for a, b in zip(moments, moments[1:])), default=None))
        return tuple(found)

    @staticmethod
    def words(stalls):
        service, hosts = (f"{stall:.2f} s" if stall is not None else "-"
                          for stall in stalls or (None, None))
        return f"no acknowledgement for {service} at the service address, {hosts} at the hosts'"


# --- hosts ---

@row("primary host lost")
def primary_lost(scene):
    scene.primary.power_cut()
    yield scene.promotes()
    scene.primary.boot("any")


@row("standby host lost")
def standby_lost(scene):
    scene.standby.power_cut()
    yield scene.removes()
    scene.standby.boot("any")


@row("primary host hangs")
def primary_hangs(scene):
    scene.primary.freeze()
    yield scene.promotes()
    scene.primary.thaw()


@row("standby host hangs")
def standby_hangs(scene):
    scene.standby.freeze()
    yield scene.removes()
    scene.standby.thaw()


@row("all power lost, one host returns with the witness")
def all_lost(scene):
    one = random.Random(scene.epoch).choice(scene.cluster.pair)
    # The witness first: so the host that goes last has no majority to remove the other with.
    for host in reversed(scene.cluster.all):
        host.power_cut()
    scene.cluster.w.boot("any")
    one.boot("any")
    yield Outcome("it leads", lambda: scene._leads(one))
    scene.cluster.other(one).boot("any")


@row("all power lost, one host returns without the witness")
def all_lost_alone(scene):
    for host in scene.cluster.all:
        host.power_cut()
    scene.primary.boot("any")
    yield scene.halts()
    scene.cluster.w.boot("any")
    scene.standby.boot("any")


# --- daemons ---

@row("matchd on the primary crashes")
def primary_crash(scene):
    scene.cluster.kill(scene.primary, "bourse-matchd")
    yield scene.promotes()


@row("matchd on the standby crashes")
def standby_crash(scene):
    scene.cluster.kill(scene.standby, "bourse-matchd")
    yield scene.either()


@row("matchd on the primary stops (SIGSTOP)")
def primary_stopped(scene):
    scene.cluster.kill(scene.primary, "bourse-matchd", "STOP")
    yield scene.promotes()
    scene.cluster.kill(scene.primary, "bourse-matchd", "CONT")


@row("the agent on the primary dies")
def primary_agent(scene):
    scene.cluster.kill(scene.primary, "bourse-agentd")
    yield scene.stays()


@row("the agent on the standby dies")
def standby_agent(scene):
    scene.cluster.kill(scene.standby, "bourse-agentd")
    yield scene.stays()


# --- disks ---

@row("the primary's disk hangs")
def primary_disk_hangs(scene):
    with frozen(scene.primary):
        yield scene.promotes()


@row("the standby's disk hangs")
def standby_disk_hangs(scene):
    with frozen(scene.standby):
        yield scene.removes()


@contextlib.contextmanager
def frozen(host):
    """Nothing is written to the state volume meanwhile: whoever tries waits."""
    host.exec("fsfreeze", "--freeze", STATE)
    try:
        yield
    finally:
        host.exec("fsfreeze", "--unfreeze", STATE, check=False)  # or it is healed already


@row("a sync fails on the primary")
def primary_sync_fails(scene):
    scene.primary._lose_unsynced(STATE)  # every write to it fails from here on
    yield scene.promotes()
    reboot(scene.primary)


@row("a sync fails on the standby")
def standby_sync_fails(scene):
    scene.standby._lose_unsynced(STATE)
    yield scene.removes()
    reboot(scene.standby)


@row("the standby's disk is wiped")
def standby_wiped(scene):
    """Of its state volume: a host cannot know it from one that is not mounted, so it says so, and
    an operator's verb makes it a learner."""
    host, unit = scene.standby, "bourse-matchd"
    before = len(host.journal(unit))
    replaced(host, WIPE)

    def refuses():
        show = host.exec("systemctl", "show", "-PActiveState,ExecMainStatus", unit).stdout.split()
        return sorted(show) == [str(JOURNAL_STATUS), "failed"] and scene.removes().holds() and (
            is_bad(host, "unit.state"))

    yield Outcome("it refuses to start, and the primary leads alone", refuses)
    said = host.journal(unit)[before:]
    if "its volume is mounted" not in said or "boursectl rejoin" not in said:
        raise BenchFault(f"matchd does not name the way out: {said[-2000:]}")
    host.exec("boursectl", "rejoin", "--yes-name", scene.cluster.name(host))
    host.exec("systemctl", "start", "bourse.target")
    yield scene.rejoins()


@row("an old image of the standby's disk is put back")
def standby_old_image(scene):
    host, folder = scene.standby, "/srv/image"
    with frozen(host):
        host.exec("sh", "-c", f"rm -rf {folder}; cp -a {STATE} {folder}")
    scene.in_sync()
    scene.served_since(time.monotonic())
    replaced(host, f"{WIPE}; cp -a {folder}/. {STATE}; rm -r {folder}")
    yield scene.rejoins()


def replaced(host, line):
    """Changes the content of the state volume while nothing runs on it."""
    host.exec("systemctl", "stop", "bourse-matchd", "bourse-auditd")
    host.exec("sh", "-c", f"{line}; sync")
    host.exec("systemctl", "start", "bourse-matchd", "bourse-auditd", check=False)


def is_bad(host, name):
    """Whether a check of the host's agent finds something."""
    found = host.exec("boursectl", "--output", "json", "check", name, check=False).stdout
    return any(row["state"] in ("warning", "critical") for row in json.loads(found or "[]"))


@row("the primary's disk is full")
def primary_disk_full(scene):
    since = time.monotonic()

    def holds():
        evidence = scene.traffic.evidence
        evidence.read()
        said = {(sent.what, sent.outcome) for sent in evidence.sent.values()
                if sent.said_at and sent.said_at > since + QUIET_SECONDS}
        return ("order", REFUSED) in said and ("cancel", ACKED) in said and (
            is_bad(scene.primary, "exchange.disk-reserve"))

    with full(scene.primary):
        yield Outcome("cancels only, and an alarm", holds, served=False)


@row("the primary's journal is full to the last byte")
def primary_journal_full(scene):
    host, unit = scene.primary, "bourse-matchd"
    before = len(host.journal(unit))
    with full(host):
        use_up(host)
        yield scene.promotes()
        if NO_SPACE not in host.journal(unit)[before:]:
            raise BenchFault("the primary does not say that its journal is full")


@row("the standby's disk is full")
def standby_disk_full(scene):
    host, unit, primary = scene.standby, "bourse-matchd", scene.primary
    before, known = len(host.journal(unit)), len(primary.journal("bourse-agentd"))
    with full(host):
        use_up(host)
        # A start that finds its end torn makes room for it, and may be in sync again soon.
        yield Outcome("it says so, and the primary leads alone", lambda: (
            "removed, epoch" in primary.journal("bourse-agentd")[known:]
            and is_bad(host, "disk.space") and NO_SPACE in host.journal(unit)[before:]))
    # It follows by itself once there is space: `carry_out` waits for it.


def use_up(host):
    """On a full volume, takes what the journal's newest segment has allocated ahead as well: the
    next page that is written finds no space."""
    unit = next(host.cgroup.rglob("bourse-matchd.service"))
    matchd = int((unit / "cgroup.procs").read_text().split()[0])
    os.kill(matchd, signal.SIGSTOP)
    try:
        segment = max(host.inside(f"{STATE}/journal").glob("*.seg"))
        data = segment.read_bytes()
        end = -(-len(data.rstrip(b"\0")) // PAGE) * PAGE
        run("fallocate", "--punch-hole", "-o", end, "-l", len(data) - end, segment)
    finally:
        os.kill(matchd, signal.SIGCONT)
    # Freed space can be taken once that is on the disk.
    host.exec("sync", "-f", STATE)
    host.exec("dd", "if=/dev/zero", f"of={STATE}/lost+found/ahead", "bs=4k", check=False)


@contextlib.contextmanager
def full(host):
    """Fills the state volume meanwhile; what was allocated ahead stays usable."""
    files = [f"{STATE}/lost+found/{name}" for name in ("filler", "rest", "ahead")]
    try:
        blocks, size = map(int, host.exec("stat", "-f", "-c", "%a %S", STATE).stdout.split())
        host.exec("fallocate", "-l", str(blocks * size - SPARE_BYTES), files[0])
        if host.exec("dd", "if=/dev/zero", f"of={files[1]}", "bs=4k", check=False).returncode == 0:
            raise BenchFault("the disk is not full")
        yield
    finally:
        host.exec("rm", "-f", *files)


@row("the standby's disk is slow")
def standby_disk_slow(scene):
    """Each write waits for seconds."""
    with slow(scene.standby):
        yield scene.removes()


@contextlib.contextmanager
def slow(host):
    """The state volume hangs most of the time meanwhile."""
    ended = threading.Event()

    def hang():
        while not ended.is_set():
            with frozen(host):
                ended.wait(SLOW_SECONDS)
            ended.wait(SLOW_SECONDS / 10)

    thread = threading.Thread(target=hang)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def reboot(host):
    host.power_cut()
    host.boot("any")


# --- clocks ---

@row("the primary's clock jumps")
def primary_clock_jumps(scene):
    """An hour ahead, then two back; the checker looks at the log's time."""
    for seconds in (3600, -3600):
        scene.cluster.set_clock(scene.primary, seconds)
        yield scene.stays()
        if not is_bad(scene.primary, "exchange.clock"):
            raise BenchFault("the primary does not say that its clock is wrong")
    scene.cluster.set_clock(scene.primary, 0)


# --- the network ---

@row("the link between the hosts is cut")
def link_cut(scene):
    scene.bench.cut(scene.primary.name, scene.standby.name)
    yield scene.either()
    scene.bench.heal()


@row("the link from the primary to the standby is cut")
def link_cut_out(scene):
    scene.bench.cut(scene.primary.name, scene.standby.name, one_way=True)
    yield scene.either()
    scene.bench.heal()


@row("the link from the standby to the primary is cut")
def link_cut_in(scene):
    scene.bench.cut(scene.standby.name, scene.primary.name, one_way=True)
    yield scene.either()
    scene.bench.heal()


@row("the primary is cut from both others")
def primary_cut(scene):
    scene.bench.cut(scene.primary.name, scene.standby.name)
    scene.bench.cut(scene.primary.name, scene.cluster.w.name)
    yield scene.promotes()
    scene.bench.heal()


@row("the primary is cut from the witness")
def primary_witness_cut(scene):
    scene.bench.cut(scene.primary.name, scene.cluster.w.name)
    yield scene.stays()
    scene.bench.heal()


@row("the standby is cut from the witness")
def standby_witness_cut(scene):
    scene.bench.cut(scene.standby.name, scene.cluster.w.name)
    yield scene.stays()
    scene.bench.heal()


# --- etcd ---

@row("the witness is down")
def witness_down(scene):
    scene.cluster.w.power_cut()
    yield scene.stays()
    scene.cluster.w.boot("any")


@row("etcd is down")
def etcd_down(scene):
    for host in scene.cluster.all[1:]:
        host.exec("systemctl", "stop", "bourse-etcd")
    yield scene.stays()
    document = scene.cluster.document(scene.primary)
    if not document["etcdFault"]:
        raise BenchFault(f"the primary does not say that etcd is away: {document}")
    for host in scene.cluster.all[1:]:
        host.exec("systemctl", "start", "bourse-etcd")


@row("the witness is down, then the standby lost")
def witness_and_standby(scene):
    scene.cluster.w.power_cut()
    scene.standby.power_cut()
    yield scene.halts()
    scene.cluster.w.boot("any")
    yield scene.removes()
    scene.standby.boot("any")


@row("the witness is down, then the primary lost")
def witness_and_primary(scene):
    scene.cluster.w.power_cut()
    scene.primary.power_cut()
    yield scene.halts()
    scene.cluster.w.boot("any")
    yield scene.promotes()
    scene.primary.boot("any")


# --- operators ---

@row("switchover")
def switchover(scene):
    asked = []

    def holds():
        # One that is refused or given up is asked for again.
        if not asked or time.monotonic() > asked[-1] + SWITCHOVER_SECONDS:
            asked.append(time.monotonic())
            scene.cluster.verb(scene.primary, "switchover")
        return scene._leads(scene.standby, above=scene.epoch)

    yield Outcome("the standby leads", holds)
