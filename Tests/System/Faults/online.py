"""Faults of a running exchange and its disk: kills, power cuts, calls that fail, fall short, lie
or go astray, and clocks that jump."""
import errno
import time

import injector as disk
import linkwire as wire
from verdict import Finding, check_latched, check_log, check_refusal
from world import Dead, Short

NANOS = 10**9
# A stamp moves with the host's monotonic clock, so never by much more than the time that passed.
STAMP_JUMP_NANOS_MAX = 30 * NANOS
# After a boot a clock is taken up to a week ahead of the log.
CLOCK_AHEAD_SECONDS_MAX = 7 * 86400
FILES = disk.SEGMENT | disk.READY | disk.JOURNAL | disk.STATE
# Interrupted calls are among those that fall short: no disk interrupts for ever.
ERRORS = (errno.EIO, errno.EIO, errno.EIO, errno.ENOSPC, errno.EROFS, errno.EDQUOT)
CALLS = {
    "write": disk.WRITE, "sync": disk.SYNC, "rename": disk.RENAME, "resize": disk.RESIZE,
    "open": disk.OPEN, "map": disk.MAP, "read": disk.READ, "unlink": disk.UNLINK,
    "list": disk.LIST,
}


def named(mask, names):
    return "+".join(name for name, bit in names.items() if bit & mask)


class Online:
    """One fault of a running exchange; `story` is what happened, step by step."""

    def __init__(self, world, dice, runner):
        self.world, self.dice, self.runner = world, dice, runner
        self.story = []
        world.injector.set_sync_time(dice.choice((0, 0, 100_000, 500_000)))

    @property
    def injector(self):
        return self.world.injector

    def say(self, text):
        self.story.append(text)

    # --- steps ---

    def start(self):
        """Where only faults were that lose nothing, it starts."""
        if not self.world.start():
            code = self.world.wait()
            raise Finding("not started", f"ended with {code}:\n{self.world.text()}")

    def boot(self, ahead):
        """Nothing but the host's clock is known then: one far ahead is refused, and put right."""
        self.say("after a boot")
        for path in (self.world.state / "run").iterdir():
            path.unlink()
        if ahead <= CLOCK_AHEAD_SECONDS_MAX:
            return
        before = self.world.files()
        if self.world.start():
            raise Finding("clock", f"{ahead} s ahead was taken after a boot")
        code, text = self.world.wait(), self.world.text()
        check_refusal(code, text, before, self.runner.cache)
        if "accept-clock" not in text:
            raise Finding("unnamed", f"the way out of a wrong clock:\n{text}")
        self.injector.set_clock(0)

    def run(self, count, batch=None):
        """Sends commands and takes what is acknowledged; False where matchd ended meanwhile."""
        try:
            self.world.open_session()
            self.world.load(self.dice, count, batch)
            return True
        except (Dead, wire.Closed) as dead:
            self.say(f"matchd ended: {dead}")
            return False
        except Short as short:
            self.say(f"below the disk reserve: {short}")
            return True

    def leave_in_flight(self):
        """Commands of which nothing is known when it is killed."""
        try:
            for _ in range(self.dice.randint(1, 4)):
                self.world.send(self.dice, self.dice.choice((1, 3, 20, 80)))
                self.world.take_acks(self.dice.choice((0, 0, 0.001, 0.003)))
        except (Dead, Short) as end:
            self.say(f"matchd ended, or is below the disk reserve: {end}")

    def kill(self):
        self.say(f"{len(self.world.ledger.acked)} acknowledged, kill -9")
        return self.world.kill()

    def cut_power(self, mode=None):
        self.say(self.world.cut_power(self.dice, mode))

    def maybe_cut_power(self):
        if self.dice.random() < 0.6:
            self.cut_power()

    def round(self):
        """A start, load, commands in flight, and a kill."""
        self.start()
        if not self.run(self.dice.choice((3, 20, 60, 150))):
            raise Finding("stopped", f"without a fault:\n{self.world.text()}")
        self.leave_in_flight()
        self.kill()

    def arm(self, effect, calls, kinds, skip=0, times=1, argument=0):
        self.injector.arm(0, effect, calls, kinds, skip, times, argument)

    def judge(self, must_start=False, lies=False):
        return self.runner.judge(self.world, must_start, lies)


# --- kills and power cuts: only what was not acknowledged may go, and a start is never refused ---


def kill(self):
    for _ in range(self.dice.randint(1, 3)):
        self.round()
    return self.judge(must_start=True)


def power_cut(self):
    for _ in range(self.dice.randint(1, 3)):
        self.round()
        self.cut_power()
    return self.judge(must_start=True)


def die_at_call(self):
    """Killed within a call: before it or after it; at run time, within a start or within a stop."""
    calls = self.dice.choice((
        disk.WRITE, disk.SYNC, disk.RENAME, disk.OPEN | disk.RESIZE, disk.UNLINK,
        disk.WRITE | disk.SYNC | disk.RENAME | disk.OPEN | disk.RESIZE | disk.UNLINK))
    when = self.dice.choice(("run", "start", "stop"))
    skip = self.dice.choice((0, 1, 2, 3, 5, 8, 13, 30))
    kinds = FILES | disk.DIRECTORY | disk.SNAPSHOT
    if self.dice.random() < 0.5:
        self.round()
        self.maybe_cut_power()
    if when == "start":
        self.arm(disk.DIE, calls, kinds, skip, argument=self.dice.randint(0, 1))
    started = self.world.start()
    if started and when != "start":
        if when == "run":
            self.arm(disk.DIE, calls, kinds, skip, argument=self.dice.randint(0, 1))
        self.run(self.dice.choice((30, 150, 400)))
        if when == "stop" and self.world.process.poll() is None:
            self.arm(disk.DIE, calls, kinds, skip, argument=self.dice.randint(0, 1))
            self.world.stop()
    self.say(f"killed in a {when} at {named(calls, CALLS)} {skip}, {self.injector.hits()} times")
    self.kill()
    self.maybe_cut_power()
    return self.judge(must_start=True)


# --- calls that fall short: nothing may come of it ---


def short(self):
    """Writes and reads that take only a part, or are interrupted, are gone on with."""
    start_with_short(self)
    if not self.run(self.dice.choice((60, 200, 600))):
        raise Finding("stopped", f"by short or interrupted calls:\n{self.world.text()}")
    self.leave_in_flight()
    self.kill()
    self.maybe_cut_power()
    return self.judge(must_start=True)


def start_with_short(self):
    calls = disk.WRITE | disk.READ
    kinds = FILES | disk.SNAPSHOT
    for place in range(6):
        skip, times = self.dice.randint(0, 60), self.dice.choice((1, 3, 20))
        if self.dice.random() < 0.5:
            self.injector.arm(
                place, disk.SHORT, calls, kinds, skip, times, self.dice.randint(1, 255))
        else:
            self.injector.arm(place, disk.FAIL, calls, kinds, skip, times, errno.EINTR)
    self.say("short and interrupted reads and writes")
    self.start()


# --- calls that fail ---


def fail(self):
    """An error of the disk in the middle of the work. matchd may end; what it does at the next
    starts, and after a power cut behind them, is judged."""
    calls = self.dice.choice((
        disk.WRITE, disk.SYNC, disk.SYNC, disk.RENAME, disk.RESIZE, disk.OPEN, disk.UNLINK,
        disk.WRITE | disk.SYNC, disk.MAP, disk.READ))
    kinds = self.dice.choice((
        disk.SEGMENT, disk.SEGMENT, disk.READY | disk.DIRECTORY, FILES | disk.DIRECTORY,
        disk.JOURNAL | disk.STATE | disk.SEGMENT | disk.DIRECTORY))
    code = self.dice.choice(ERRORS)
    times = self.dice.choice((1, 1, 2, disk.FOREVER))
    at_start = self.dice.random() < 0.2
    skip = self.dice.choice((0, 1, 2, 3, 5, 8, 20))
    self.say(f"{errno.errorcode[code]} on {named(calls, CALLS)} after {skip}"
             f"{', from then on' if times > 2 else ''}{', from the start on' if at_start else ''}")
    if at_start:
        self.arm(disk.FAIL, calls, kinds, skip, times, code)
    is_running = self.world.start()
    if is_running and not at_start:
        self.arm(disk.FAIL, calls, kinds, skip, times, code)
    if is_running:
        is_running = self.run(self.dice.choice((30, 150, 500)), self.dice.choice((None, 60, 100)))
    self.say(f"{self.injector.hits()} calls failed")
    end_of_failure(self, is_running)
    return after_failure(self)


def end_of_failure(self, is_running):
    if is_running and self.world.process.poll() is None:
        if self.dice.random() < 0.3:
            self.say(f"stopped with {self.world.stop()}")
        else:
            self.leave_in_flight()
            self.kill()
        return
    code = self.world.wait()
    self.say(f"ended with {code}")
    if code is not None and code < 0:
        raise Finding("died", f"by signal {-code} of a failed call:\n{self.world.text()}")
    if code == 0:
        raise Finding("status", f"the disk failed, and it ended with 0:\n{self.world.text()}")


def after_failure(self):
    """What systemd's restart would do, with the page cache as it is or without what an error left
    in it; what that start releases is acknowledged, and then the power goes."""
    injector = self.injector
    injector.clear()
    if injector.has_orphans() and self.dice.random() < 0.5:
        self.say(f"page cache dropped: {injector.evict()}")
    before = self.world.files()
    if self.world.start():
        try:
            data, last = self.world.link.log()
            records = check_log(self.world.ledger, data, last)
        except wire.Closed as closed:
            raise Finding("stopped", f"{closed}:\n{self.world.text()}") from None
        self.world.ledger.see(records)
        self.say(f"started again, and released up to {last}")
        if self.dice.random() < 0.5:
            self.run(self.dice.choice((1, 10)))
        self.kill()
    else:
        code, text = self.world.wait(), self.world.text()
        if "clear-fault" in text:
            check_latched(code, text, self.world.ledger, before, self.runner.cache)
        else:
            check_refusal(code, text, before, self.runner.cache)
        self.say(f"refused: {text.strip()[-160:]}")
        if dice_allows(self, text):
            return after_failure(self)
    self.cut_power()
    return self.judge()


def dice_allows(self, text):
    """An operator clears the fault, before the power goes or after it."""
    if "clear-fault" not in text or self.dice.random() < 0.5:
        return False
    done = self.world.clear_fault()
    if done.returncode:
        raise Finding("not cleared", f"the disk is sound again:\n{done.stderr}")
    self.say("fault cleared")
    return True


# --- disks that lie ---


def lie(self, effect, calls=disk.WRITE, argument=0):
    """One write goes wrong and says nothing; more follow it, so that it can be known."""
    self.start()
    self.run(self.dice.choice((3, 30)))
    kinds = self.dice.choice((disk.SEGMENT, disk.SEGMENT, FILES | disk.SNAPSHOT))
    skip = self.dice.choice((0, 1, 2, 5, 9))
    self.arm(effect, calls, kinds, skip, argument=argument)
    if self.run(self.dice.choice((60, 200, 500)), self.dice.choice((1, 5, 40, None))):
        if self.dice.random() < 0.3:
            self.world.stop()
        else:
            self.leave_in_flight()
    self.say(f"{self.injector.hits()} writes went wrong")
    self.kill()
    self.cut_power()
    return self.judge(lies=True)


def lost_write(self):
    return lie(self, disk.LOSE)


def misdirected(self):
    where = self.dice.choice((512, 4096, -512, -4096, 8192, -65536, 65536, 1 << 19))
    self.say(f"a write lands {where} bytes away")
    return lie(self, disk.MISDIRECT, argument=where)


def astray(self):
    self.say("a write lands in another file")
    return lie(self, disk.ASTRAY)


def flip_in_flight(self):
    return lie(self, disk.FLIP, argument=self.dice.randrange(1 << 20))


def misread(self):
    """A start reads what is not there, or cannot read; the disk is sound, so the next start is."""
    if self.dice.random() < 0.5:
        self.round()
        self.maybe_cut_power()
    effect = self.dice.choice((disk.FLIP, disk.FLIP, disk.FAIL))
    kinds = self.dice.choice((disk.SEGMENT, FILES | disk.SNAPSHOT))
    calls, code = self.dice.choice((
        (disk.READ, errno.EIO), (disk.OPEN, errno.EACCES), (disk.LIST, errno.EIO),
        (disk.OPEN, errno.EMFILE)))
    if effect == disk.FLIP:
        calls = disk.READ
        self.say("a bit of a read is wrong")
    else:
        self.say(f"{errno.errorcode[code]} on {named(calls, CALLS)} of a start")
    self.arm(effect, calls, kinds | disk.DIRECTORY, self.dice.choice((0, 1, 2, 3, 4, 5, 8)),
             self.dice.choice((1, 1, disk.FOREVER)),
             code if effect == disk.FAIL else self.dice.randrange(1 << 24))
    if self.world.start():
        self.kill()
    else:
        code = self.world.wait()
        if code <= 0:
            raise Finding("died", f"ended with {code}:\n{self.world.text()}")
        self.say(f"refused: {self.world.text().strip()[-160:]}")
    return self.judge(must_start=True)


# --- snapshots and the auditor ---


def stop_fails(self):
    """The snapshot of a stop meets a disk that fails. Nothing is lost by that."""
    self.start()
    self.run(self.dice.choice((10, 100)))
    calls = self.dice.choice((disk.WRITE, disk.SYNC, disk.RENAME, disk.OPEN, disk.UNLINK))
    effect = self.dice.choice((disk.FAIL, disk.FAIL, disk.DIE, disk.LOSE, disk.FLIP))
    argument = self.dice.choice(ERRORS) if effect == disk.FAIL else self.dice.randint(0, 1)
    if effect in (disk.LOSE, disk.FLIP):
        calls, argument = disk.WRITE, self.dice.randrange(1 << 16)
    self.arm(effect, calls, disk.SNAPSHOT | disk.DIRECTORY, self.dice.randint(0, 3),
             self.dice.choice((1, disk.FOREVER)), argument)
    code = self.world.stop()
    self.say(f"stopped with {code}; {self.injector.hits()} calls for the snapshot went wrong")
    self.cut_power()
    return self.judge(must_start=True)


def auditor_fails(self):
    """A disk that fails, or a kill, beneath auditd alone."""
    self.start()
    effect = self.dice.choice((disk.FAIL, disk.FAIL, disk.DIE, disk.LOSE))
    calls = self.dice.choice((disk.WRITE, disk.SYNC, disk.RENAME, disk.OPEN, disk.UNLINK))
    argument = self.dice.choice(ERRORS) if effect == disk.FAIL else self.dice.randint(0, 1)
    # matchd opens and syncs what stands in the state directory beside it, where a segment is full.
    self.arm(effect, disk.WRITE if effect == disk.LOSE else calls, disk.SNAPSHOT,
             self.dice.randint(0, 4), self.dice.choice((1, disk.FOREVER)), argument)
    self.world.start_auditor()
    if not self.run(1300, 60):
        raise Finding("stopped", f"matchd, by a fault of auditd:\n{self.world.text()}")
    deadline = time.monotonic() + self.dice.choice((0, 0.05, 0.15))
    while time.monotonic() < deadline and self.world.auditor.poll() is None:
        time.sleep(0.005)
    code = self.world.end_auditor(is_killed=self.dice.random() < 0.5)
    self.say(f"auditd ended with {code}, {self.injector.hits()} of its calls went wrong")
    self.kill()
    self.cut_power()
    self.injector.clear()
    # The auditor itself goes on where it was.
    if self.world.ledger.acked and self.dice.random() < 0.5:
        self.start()
        self.world.start_auditor()
        time.sleep(0.1)
        if self.world.end_auditor():
            raise Finding("auditor", self.world.auditor_text())
        self.kill()
    return self.judge(must_start=True)


# --- clocks ---


def clock(self):
    """The host's clock jumps while it runs, and is wrong at a start."""
    jumps = [self.dice.choice((1, -1)) * self.dice.choice((2, 60, 3600, 86400, 30 * 86400, 10**9))
             for _ in range(self.dice.randint(1, 4))]
    # A clock that was behind the log at the start may be set right, once; it is followed then.
    allowed = 0
    if self.dice.random() < 0.4:
        self.say(f"the clock is {jumps[0]} s off at the start")
        self.injector.set_clock(jumps[0] * NANOS)
        allowed = int(jumps[0] < 0)
        if self.dice.random() < 0.5:
            self.boot(jumps[0])
    self.start()
    self.run(10)
    for jump in jumps:
        self.say(f"the clock jumps to {jump} s")
        self.injector.set_clock(jump * NANOS)
        if not self.run(self.dice.choice((3, 30))):
            raise Finding("stopped", f"by a clock:\n{self.world.text()}")
    link = wire.Link(self.world.socket)
    data, last = link.log()
    link.close()
    records = check_log(self.world.ledger, data, last)
    # The first is opened by the start, whose time nobody can know.
    steps = [(after.time - before.time, after.sequence)
             for before, after in zip(records[1:], records[2:])]
    far = [step for step in steps if step[0] > STAMP_JUMP_NANOS_MAX]
    if len(far) > allowed:
        raise Finding("clock", f"stamps jump: {[(n, f'{by / NANOS:.0f} s') for by, n in far]}")
    if self.dice.random() < 0.5:
        self.say(f"stopped with {self.world.stop()}")
    else:
        self.kill()
        self.maybe_cut_power()
    return self.judge(must_start=True)


FAULTS = {
    "kill": (kill, 8), "power cut": (power_cut, 20), "die at call": (die_at_call, 14),
    "short": (short, 6), "fail": (fail, 20), "lost write": (lost_write, 8),
    "misdirected": (misdirected, 6), "astray": (astray, 3), "flip in flight": (flip_in_flight, 4),
    "misread": (misread, 8), "stop fails": (stop_fails, 6), "auditor fails": (auditor_fails, 3),
    "clock": (clock, 5),
}
