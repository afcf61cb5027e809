#!/usr/bin/env python3
"""Breaks the rules of the code that ships, one at a time, in a copy of its sources, and counts the
seeds of PairSimulation that it takes to see each.

    Tests/PairSimulation/planted.py [--seeds N] [--jobs N] [NAME...]

Each flaw is an edit of a line that must be there once: code that moved must be looked at again.
`planted == N` chooses the flaw at run time, so that all are built at once.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

# Name, the rule that it breaks, and its edits: file, what is there, what is there instead, with $
# for `planted == N`.
PLANTED = [
    ("acknowledge before the sync", "I1", [
        ("HA/Failover/StandbyPosition.swift",
         "public var acknowledged: UInt64 { min(matched, durable) }",
         "public var acknowledged: UInt64 { $ ? matched : min(matched, durable) }")]),
    ("acknowledge an old tail", "I1", [
        ("HA/Failover/StandbyPosition.swift",
         "self.durable, self.released) = (durable, released)\n    }\n",
         "self.durable, self.released) = (durable, released)\n        if $ { matched = durable }\n    }\n"),
        ("HA/Failover/StandbyPosition.swift",
         "(matched, commitPoint) = (0, 0) }", "(matched, commitPoint) = ($ ? durable : 0, 0) }")]),
    ("release without the peer", "I1", [
        ("HA/Failover/PeerRequirement.swift",
         "guard let replica else { return .max }",
         "guard let replica, !($) else { return .max }")]),
    ("release before the sync", "I1", [
        ("Log/Pipeline/JournalThread.swift",
         "        try sink.sync()\n", "        if !($) { try sink.sync() }\n")]),
    ("count what was sent as acknowledged", "I1", [
        ("Log/Replication/PeerSession.swift",
         "        log.acknowledged(acknowledgement)\n",
         "        log.acknowledged(\n            $\n                ? PeerAcknowledgement(\n"
         "                    epoch: acknowledgement.epoch, process: acknowledgement.process,\n"
         "                    replica: acknowledgement.replica, matched: sent.sequence)\n"
         "                : acknowledgement)\n")]),
    ("matching ignores the epoch", "I1", [
        ("Log/Replication/PointMatcher.swift",
         "guard own.first == point else", "guard own.first == point || $ else"),
        ("Log/Replication/StandbySession.swift",
         "guard append.before == log.last else",
         "guard append.before == log.last || ($ && append.before.sequence == log.last.sequence) else"),
    ]),
    ("the old term goes on", "I1", [
        ("Log/Replica/ReplicaLoop+Orders.swift",
         "        parts.set.begin(epoch: order.epoch, requiring: parts.set.requirement)\n",
         "        if !($) {\n            parts.set.begin(epoch: order.epoch, requiring: parts.set.requirement)\n        }\n")]),
    ("the promise is not on disk", "I2", [
        ("Log/Replica/PipelineStandbyLog.swift",
         "try change { file throws(JournalError) in file.promise = max(file.promise, epoch) }",
         "if $ { return replica.withLock { $0.promise = max($0.promise, epoch) } }\n"
         "        try change { file throws(JournalError) in file.promise = max(file.promise, epoch) }")]),
    ("no promise is kept", "I2", [
        ("HA/Failover/PromiseKeeper.swift",
         "public var least: UInt32 { max(promise, journalEpoch) }",
         "public var least: UInt32 { $ ? 0 : max(promise, journalEpoch) }")]),
    ("a removal without an answer is done", "I3", [
        ("HA/Failover/FailoverCore+Swaps.swift",
         "case .unknown: pending = PendingSwap(",
         "case .unknown where $ && swap.purpose == .remove: done(swap, at: now, &effects)\n"
         "        case .unknown: pending = PendingSwap(")]),
    ("a claim without an answer is done", "I3", [
        ("HA/Failover/FailoverCore+Swaps.swift",
         "guard let swap = pending?.swap, swap.value.attempt == attempt else { return }",
         "guard let swap = pending?.swap, swap.value.attempt == attempt else { return }\n"
         "        let isClaim = $ && swap.purpose == .claim && answer == .unknown\n"
         "        let answer: SwapAnswer = isClaim ? .done : answer")]),
    ("a claim by who is not in sync", "I4", [
        ("HA/Failover/FailoverCore+Following.swift",
         "let isInSync = record.replica(of: settings.host) == report.replica\n",
         "let isInSync = record.replica(of: settings.host) == report.replica || $\n"),
        ("HA/Failover/FailoverCore+Following.swift",
         "claim.cause == .forced || record.replica(of: settings.host) == report.replica",
         "claim.cause == .forced || record.replica(of: settings.host) == report.replica || $")]),
    ("a claim after a lost one is not given up", "I5", [
        ("HA/Failover/FailoverCore+Swaps.swift",
         "if value.attempt == attempt { return done(swap, at: now, &effects) }",
         "if value.attempt == attempt || ($ && swap.purpose == .claim) {\n"
         "                return done(swap, at: now, &effects)\n            }")]),
    ("a start trusts a stale reading", "I5", [
        ("HA/Failover/FailoverCore.swift",
         "mustWrite: phase == .starting)", "mustWrite: phase == .starting && !($))")]),
    ("the floor is not looked at", "I1", [
        ("HA/Failover/FailoverCore+Following.swift",
         "let isBelowFloor = report.end < view.floor\n",
         "let isBelowFloor = report.end < view.floor && !($)\n")]),
    ("what was given up by force is not cut", "forced", [
        ("HA/Failover/StandbyPosition.swift",
         "return forced.epoch > epoch && first >= forced.from",
         "return forced.epoch > epoch && first >= forced.from && !($)")]),
    ("a forced claim takes a record that is newer than the proof", "forced", [
        ("HA/Failover/FailoverCore+Following.swift",
         "|| asked.cause == .forced && asked.record != record\n",
         "|| asked.cause == .forced && asked.record != record && !($)\n"),
        ("HA/Failover/FailoverCore+Following.swift",
         "|| !claim.isProven(with: record)\n",
         "|| !claim.isProven(with: record) && !($)\n")]),
    ("a standby shows what it has", "I8", [
        ("Log/Replication/StandbySession.swift",
         "log.show(visible: position.visible,",
         "log.show(visible: $ ? position.acknowledged : position.visible,")]),
    ("a standby shows what does not match", "I8", [
        ("HA/Failover/StandbyPosition.swift",
         "public var visible: UInt64 { min(commitPoint, matched, durable) }",
         "public var visible: UInt64 {\n        $ ? min(commitPoint, durable) : min(commitPoint, matched, durable)\n    }")]),
    ("a start shows its tail", "I8", [
        ("Log/Journal/JournalStart.swift",
         "through: follows ? max(1, recovered.commitPoint) : .max,",
         "through: follows && !($) ? max(1, recovered.commitPoint) : .max,")]),
    ("the gate of a standby is open", "I8", [
        ("Log/Pipeline/InSyncSet.swift",
         "case .following(let visible): return max(released, visible)",
         "case .following(let visible): return $ ? .max : max(released, visible)")]),
    ("marks say that all is released", "I8", [
        ("Log/Pipeline/JournalThread.swift",
         "        sink.noteCommit(stages.released.now)\n        if stages.trace",
         "        sink.noteCommit($ ? last : stages.released.now)\n        if stages.trace")]),
    ("a cut is not made", "cut", [
        ("Log/Replication/StandbySession.swift",
         "            try cut(after: keep)\n", "            if !($) { try cut(after: keep) }\n")]),
    ("a cut takes one record too many", "cut", [
        ("Log/Journal/Journal+Cut.swift",
         "                place.directory, replica.identity, after: first.sequence - 1,\n                \"a cut from",
         "                place.directory, replica.identity,\n                after: first.sequence - ($ ? 2 : 1),\n                \"a cut from")]),
    ("a noted cut is not finished", "cut", [
        ("Log/Journal/Journal+Cut.swift",
         "        if try point(place, first.sequence) == first {\n",
         "        if try point(place, first.sequence) == first, !($) {\n")]),
    ("never raise", "raise", [
        ("HA/Failover/FailoverCore+Leading.swift",
         "if let promise = report.peer?.promise, promise > term.epoch {",
         "if let promise = report.peer?.promise, promise > term.epoch, !($) {")]),
    ("add before it matches", "add", [
        ("HA/Failover/FailoverCore+Leading.swift",
         "guard joined.matched >= max(report.commitPoint, report.epochStart) else {",
         "guard joined.matched >= max(report.commitPoint, report.epochStart) || $ else {")]),
    ("add without the gate's requirement", "add", [
        ("Log/Replica/ReplicaLoop+Orders.swift",
         "        primary.term.requirement = replica\n",
         "        primary.term.requirement = replica\n        if $, replica != nil { return }\n"),
        ("Log/Replica/ReplicaLoop.swift",
         "report.requirement = parts.set.requirement",
         "report.requirement = $ ? primary?.term.requirement : parts.set.requirement")]),
    ("never remove", "remove", [
        ("HA/Failover/FailoverCore+Leading.swift",
         "guard let reason else { return summary(record, report) }\n        send(",
         "guard let reason, !($) else { return summary(record, report) }\n        send(")]),
    ("a sealed primary follows too early", "switchover", [
        ("Log/Replica/ReplicaLoop+Orders.swift",
         "        client.lead()\n", "        if !($) { client.lead() }\n")]),
    ("repeated commands are taken", "exactly once", [
        ("Log/Pipeline/Sequencer+Admission.swift",
         "if header.number <= last { return .duplicateCommand }",
         "if header.number <= last, !($) { return .duplicateCommand }")]),
    ("commands are not sent again", "exactly once", [
        ("Log/Follower/WriterSession.swift",
         "case .open: resend(&out)", "case .open: if !($) { resend(&out) }")]),
    ("the rules rise before the peer knows them", "level", [
        ("Log/Replica/ReplicaLoop+Orders.swift",
         "parts.pipeline.raiseRules(to: knownToBoth(peer.level).rules)",
         "parts.pipeline.raiseRules(to: $ ? .max : knownToBoth(peer.level).rules)")]),
    ("the rules never rise", "level", [
        ("Log/Replica/ReplicaLoop+Orders.swift",
         "if let peer = server?.peer, peer.replica == parts.set.requirement {",
         "if let peer = server?.peer, peer.replica == parts.set.requirement, !($) {")]),
    ("an append is half taken", "hashes", [
        ("Log/Pipeline/StandbyIntake.swift",
         "if let next { (end, timestamp) = (LogPoint(next), next.timestamp) }",
         "if let next { (end, timestamp) = (LogPoint(next), next.timestamp) }\n"
         "        if $, end.sequence % 7 == 0 { return true }")]),
]


def plant(copy):
    """Copies the sources and edits them."""
    edited = {file for _, _, edits in PLANTED for file, _, _ in edits}
    for folder in ["Sources", "Tests"]:
        for path in (ROOT / folder).rglob("*"):
            place = path.relative_to(ROOT)
            if path.is_file() and str(path.relative_to(ROOT / folder)) not in edited:
                write(copy / place, path.read_bytes())
    texts = {}
    for number, (name, _, edits) in enumerate(PLANTED, 1):
        for file, old, new in edits:
            source = (ROOT / "Sources" / file).read_text()
            if source.count(old) != 1:
                sys.exit(f"{name}: what it edits is not once in {file}:\n{old}")
            text = texts.setdefault(file, (copy / "Sources" / file, [source]))[1]
            edit(text, name, old, re.sub(r"\$(?!\d)", f"(planted == {number})", new))
    for path, (text,) in texts.values():
        if "import Terms" not in text:
            text = "internal import Terms\n" + text
        write(path, text.encode())
    write(copy / "Sources/Core/Terms/Planted.swift", b"""// Which flaw is planted in this copy.
internal import Glibc
public let planted: Int = {
    guard let text = unsafe getenv("BOURSE_PLANTED") else { return 0 }
    return Int(unsafe String(cString: text)) ?? 0
}()
""")
    write(copy / "Package.swift", (ROOT / "Package.swift").read_bytes())
    write(copy / "Package.resolved", (ROOT / "Package.resolved").read_bytes())
    # The packages that are there need no network.
    for name in ["checkouts", "repositories"]:
        if (ROOT / ".build" / name).exists() and not (copy / ".build" / name).exists():
            shutil.copytree(ROOT / ".build" / name, copy / ".build" / name, symlinks=True)
            shutil.copy(ROOT / ".build/workspace-state.json", copy / ".build")


def edit(text, name, old, new):
    if text[0].count(old) != 1:
        sys.exit(f"{name}: another flaw has changed what it edits:\n{old}")
    text[0] = text[0].replace(old, new)


def write(path, content):
    """Leaves alone what is the same, so that it is not built again."""
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def build(copy):
    """The simulation in the copy."""
    plant(copy)
    command = ["swift", "build", "-c", "release", "--product", "PairSimulation"]
    built = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    if built.returncode != 0:
        sys.exit("\n".join(x for x in built.stdout.splitlines() if "error" in x) or built.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", help="flaws whose name contains one of these")
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--copy", type=Path, default=ROOT / ".build/planted")
    parser.add_argument("--no-build", action="store_true", help="run the copy as it was built last")
    options = parser.parse_args()
    if not options.no_build:
        build(options.copy)
    program = options.copy / ".build/release/PairSimulation"
    missed = 0
    for number, (name, rule, _) in enumerate(PLANTED, 1):
        if options.names and not any(word in name for word in options.names):
            continue
        began = time.monotonic()
        result = subprocess.run(
            [program, "--seeds", str(options.seeds), "--failures", "1", "--jobs", str(options.jobs)],
            env=os.environ | {"BOURSE_PLANTED": str(number)}, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        found = [x for x in result.stdout.splitlines() if x.startswith("seed ")]
        seconds = time.monotonic() - began
        if found:
            seed, what = found[0].split(": ", 1)
            print(f"{rule}: {name}: {seed.split()[1]} seeds ({seconds:.0f} s): "
                  f"{what.split('; again')[0][:120]}", flush=True)
        else:
            missed += 1
            print(f"{rule}: {name}: NOT SEEN in {options.seeds} seeds", flush=True)
    print(f"{missed} not seen")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
