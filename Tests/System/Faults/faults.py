#!/usr/bin/env python3
"""Breaks disks, files and clocks beneath real daemons, one seeded fault after the other, and judges
each next start: every acknowledged record is there, once, or the start is refused.

    Tests/System/Faults/faults.py --seed 7 [9 ...]            these faults, with what was found
    Tests/System/Faults/faults.py --count 2000 [--base 1]     many, on several processes
    Tests/System/Faults/faults.py --minutes 60                until then, with random seeds
"""
import argparse
import itertools
import multiprocessing
import os
import queue
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE)]

import atrest  # noqa: E402
import injector  # noqa: E402
import linkwire as wire  # noqa: E402
import online  # noqa: E402
import verdict  # noqa: E402
from verdict import Finding  # noqa: E402
from world import ACCOUNTS, Dead, Hung, Short, Templates  # noqa: E402

# A fault waits for daemons about as long as it computes.
WORKERS = 2 * max(1, min(4, os.cpu_count() or 1))
AT_REST_SHARE = 0.5
AUDITOR_EVERY = 7
ACCEPT_EVERY = 3
ACCOUNTS_EVERY = 12  # boursectl reads the whole log for each account
# What is no finding: see `Result.outcome`.
GOOD = {
    "kept": "all is there, once",
    "refused": "the start, with the last good sequence, and nothing gone",
    "accepted": "refused, and after `accept-loss` all up to that sequence is in use",
    "verify": "the state is right; a segment before the snapshot is damaged, and verify says so",
    "archived": "the state is right; segments before the snapshot are not there",
    "beyond proof": "gone, and nothing on the disk shows it",
}
REPLAY = "Tests/System/Faults/faults.py --seed {}"


@dataclass
class Result:
    """What one fault came to."""

    seed: int
    kind: str
    template: str
    what: str
    outcome: str  # one of GOOD, or what was found
    detail: str = ""

    @property
    def is_finding(self):
        return self.outcome not in GOOD


def weighted(dice, table):
    names = sorted(table)
    return dice.choices(names, [table[name][1] for name in names])[0]


def kind_of(dice):
    return weighted(dice, atrest.FAULTS if dice.random() < AT_REST_SHARE else online.FAULTS)


class Runner:
    """Runs faults one after the other in folders of its own."""

    def __init__(self, templates, folder):
        self.templates, self.folder = templates, Path(folder)
        self.cache, self.models = {"identity": templates.identity}, {}
        self.seed, self.shows_accounts = 0, False

    def run(self, seed, keeps=False):
        dice = random.Random(seed)
        kind = kind_of(dice)
        act = self.at_rest if kind in atrest.FAULTS else self.online
        template = dice.choice(Templates.NAMES)
        folder = self.folder / f"fault-{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        world = self.templates.copy(template, folder)
        self.what, self.seed = "", seed
        self.shows_accounts = seed % ACCOUNTS_EVERY == 0
        result = Result(seed, kind, template, "", "")
        try:
            result.outcome = act(kind, world, dice, template)
        except Finding as finding:
            result.outcome, result.detail = finding.kind, finding.text
        except Hung as hung:
            result.outcome, result.detail = "hung", str(hung)
        except Exception:  # of the harness itself: it must not pass for a kept record
            result.outcome, result.detail = "harness", traceback.format_exc()
        finally:
            result.what = self.what
            world.end()
            if not keeps:
                shutil.rmtree(folder, ignore_errors=True)
        return result

    # --- faults ---

    def at_rest(self, kind, world, dice, template):
        self.what = atrest.FAULTS[kind][0](world, dice, self.templates)
        if self.seed % AUDITOR_EVERY == 0:
            self.audit(world)
        return self.judge(world)

    def audit(self, world):
        """auditd looks first: it takes nothing away, and what it leaves misleads nobody."""
        self.shows_accounts = True
        before = world.files()
        world.start_auditor(is_faulty=False)
        time.sleep(0.15)
        code = world.end_auditor()
        if code < 0:
            raise Finding("died", f"auditd, by signal {-code}:\n{world.auditor_text()}")
        after = world.files()
        for name, data in before.items():
            if name.startswith("journal/") and after.get(name) != data:
                raise Finding("changed", f"auditd changed {name}")

    def online(self, kind, world, dice, template):
        fault = online.Online(world, dice, self)
        try:
            return online.FAULTS[kind][0](fault)
        finally:
            self.what = "; ".join(fault.story)

    # --- verdicts ---

    def judge(self, world, must_start=False, lies=True):
        """Starts matchd without any more faults and judges what comes of it. `lies`: files were
        changed silently, so that what is gone may be beyond proof."""
        world.injector.clear()
        world.injector.set_clock(0)
        before = world.files()
        if world.start(is_faulty=False):
            return self.judge_started(world, before, lies)
        code, text = world.wait(), world.text()
        if "clear-fault" in text:
            verdict.check_kept(before, world.files(), is_refused=True)
            verdict.check_latched(code, text, world.ledger, before, self.cache)
            done = world.clear_fault()
            if done.returncode:
                raise Finding("not cleared", f"the disk is sound again:\n{done.stderr}")
            return self.judge(world, must_start, lies)
        if must_start:
            raise Finding("not started", f"only what was never acknowledged is gone:\n{text}")
        verdict.check_kept(before, world.files(), is_refused=True)
        named = verdict.check_refusal(code, text, before, self.cache)
        if f"accept-loss --after {named}" in text and named and self.seed % ACCEPT_EVERY == 0:
            return self.accept_loss(world, named, before)
        return "refused"

    def accept_loss(self, world, last, before):
        """The way out that the refusal names: all up to there is in use again, all else is kept."""
        done = world.ctl(
            "journal", "accept-loss", "--after", str(last), "--confirm", str(last), "--operator",
            "faults", "--reason", "a fault", check=False)
        if done.returncode:
            raise Finding("no way out", f"accept-loss --after {last}: {done.stderr}")
        verdict.check_kept(before, world.files(), is_refused=False)
        world.ledger = world.ledger.upto(last)
        # Accounts and money may be among what was given up.
        world.may_refuse = True
        self.shows_accounts &= last >= self.templates.begun
        if not world.start(is_faulty=False):
            raise Finding("no way out", f"after accept-loss --after {last}:\n{world.text()}")
        self.judge_started(world, world.files(), lies=False)
        return "accepted"

    def judge_started(self, world, before, lies):
        """All of it must be there, now and after matchd has gone on."""
        try:
            data, last = world.link.log()
        except wire.Closed as closed:
            return self.judge_unreadable(world, before, closed)
        try:
            records = verdict.check_log(world.ledger, data, last)
        except Finding as finding:
            if finding.kind == "lost" and lies:
                first = verdict.first_lacking(world.ledger, data)
                if verdict.is_beyond_proof(before, first):
                    return "beyond proof"
            raise
        verdict.check_disk(world.files(), data, self.cache)
        self.go_on(world)
        if self.shows_accounts:
            model = self.model(world).copy().apply(
                record for record in records + self.added(world)
                if (record.session, record.number) not in world.refused)
            verdict.check_accounts(world, model, ACCOUNTS)
        world.kill()
        verdict.check_kept(before, world.files(), is_refused=False)
        return "kept"

    def go_on(self, world):
        """matchd takes commands, and has them after a kill."""
        dice = random.Random(world.ledger.last)
        try:
            world.link.close()
            world.link = wire.Link(world.socket)
            world.open_session()
            world.load(dice, 12, batch=4)
        except (Dead, wire.Closed) as dead:
            code = world.wait()
            raise Finding("stopped", f"{dead}; it ended with {code}:\n{world.text()}") from None
        except Short as short:
            raise Finding("short", f"there is space, and {short}:\n{world.text()}") from None

    def added(self, world):
        reader = wire.Link(world.socket, "operator/reader")
        data, _ = reader.log()
        reader.close()
        return verdict.check_log(world.ledger, data, 0)[-12:]

    def judge_unreadable(self, world, before, closed):
        """It started from a snapshot, and cannot give the log from its beginning: then `verify`
        must refuse it, and say where."""
        model = self.model(world)
        verdict.check_accounts(world, model, ACCOUNTS)
        done = world.ctl("journal", "verify", check=False)
        if done.returncode == 0 and verdict.is_archived(before):
            return "archived"
        if done.returncode == 0:
            raise Finding("lost", f"the log cannot be read ({closed}), and verify finds nothing")
        verdict.check_refusal(done.returncode, done.stderr, before, self.cache)
        world.kill()
        verdict.check_kept(before, world.files(), is_refused=False)
        return "verify"

    def model(self, world):
        key = world.ledger.last
        if key not in self.models:
            self.models[key] = verdict.Model().apply(wire.records_of(world.ledger.truth))
        return self.models[key]


# --- many ---


def work(seeds, folder, shim, templates, results):
    injector.Checksum.load(shim)
    runner = Runner(templates, folder)
    parent = os.getppid()
    while os.getppid() == parent:
        try:
            seed = seeds.get(timeout=1)
        except queue.Empty:
            continue
        if seed is None:
            return
        results.put(runner.run(seed))


class Campaign:
    """Runs seeds on several processes and collects what they came to."""

    def __init__(self, folder, workers=WORKERS):
        self.folder, self.workers = Path(folder), workers
        self.shim = injector.build(folder)
        injector.Checksum.load(self.shim)
        self.templates = Templates(folder, self.shim).make()
        self.results = []

    def run(self, seeds, until=None, at_least=0, show=None):
        """Judges the faults of `seeds`, or those that are begun before the time `until`, but at
        least so many."""
        todo, done = multiprocessing.Queue(8), multiprocessing.Queue()
        workers = [
            multiprocessing.Process(
                target=work,
                args=(todo, self.folder / f"worker{i}", self.shim, self.templates, done))
            for i in range(self.workers)]
        for i, worker in enumerate(workers):
            (self.folder / f"worker{i}").mkdir(exist_ok=True)
            worker.start()
        sent = 0
        for seed in seeds:
            if until and sent >= at_least and time.monotonic() > until:
                break
            todo.put(seed)
            sent += 1
            while not done.empty():
                self.take(done.get(), show)
        for _ in workers:
            todo.put(None)
        while len(self.results) < sent:
            self.take(done.get(timeout=600), show)
        for worker in workers:
            worker.join()
        return self.results

    def take(self, result, show):
        self.results.append(result)
        if show:
            show(result)


def summary(results):
    """One line a kind of fault, and one a kind of finding with its seeds."""
    lines, table, found = [], defaultdict(Counter), defaultdict(list)
    for result in results:
        table[result.kind][result.outcome if not result.is_finding else "FOUND"] += 1
        if result.is_finding:
            found[result.kind, result.outcome].append(result)
    for kind in sorted(table):
        row = table[kind]
        lines.append(f"{kind:<16} {sum(row.values()):>5}: "
                     + ", ".join(f"{row[name]} {name}" for name in sorted(row)))
    for (kind, outcome), cases in sorted(found.items()):
        first = min(cases, key=lambda case: len(case.detail))
        lines.append(f"FOUND {kind}/{outcome}: {len(cases)} times, seeds "
                     + " ".join(str(case.seed) for case in cases[:8]))
        lines.append(f"    {first.template}: {first.what}: {first.detail.strip()[:700]}")
        lines.append(f"    again with: {REPLAY.format(first.seed)}")
    return lines


def scratch():
    """Memory, where there is some: thousands of copies need no disk."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return tempfile.mkdtemp(prefix="bourse-faults-", dir=place)


def endless():
    dice = random.SystemRandom()
    while True:
        yield dice.randrange(10**9)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, nargs="+")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--base", type=int, default=1)
    parser.add_argument("--kind", help="only faults of this kind")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--keep", action="store_true", help="keep the folders of the fault")
    options = parser.parse_args()
    folder = scratch()
    began = time.monotonic()

    def show(result):
        if result.is_finding:
            print(f"seed {result.seed}: {result.kind} on {result.template}: {result.outcome};"
                  f" again with: {REPLAY.format(result.seed)}\n    {result.what}: {result.detail}",
                  flush=True)

    try:
        campaign = Campaign(folder)
        if options.seed is not None:
            runner = Runner(campaign.templates, folder)
            results = []
            for seed in options.seed:
                results.append(runner.run(seed, options.keep))
                print(f"{seed}: {results[-1].kind} on {results[-1].template}: {results[-1].what}\n"
                      f"{results[-1].outcome}: {results[-1].detail}", flush=True)
        elif options.minutes:
            results = campaign.run(endless(), began + options.minutes * 60, show=show)
        else:
            seeds = (seed for seed in itertools.count(options.base) if not options.kind
                     or kind_of(random.Random(seed)) == options.kind)
            results = campaign.run(itertools.islice(seeds, options.count), show=show)
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"kept in {folder}")
    print("\n".join(summary(results)))
    seconds = time.monotonic() - began
    found = sum(result.is_finding for result in results)
    print(f"{len(results)} faults in {seconds:.0f} s, {found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
