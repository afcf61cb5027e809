// status

import ArgumentParser
import Configuration
import Control
import JSON
import Link
import Terms

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows how the exchange is.",
        discussion: """
            Exit status 0: matchd runs and answers. 3: it does not run.

            JSON: {"running", "state", "role", "epoch", "started", "released", "durable", \
            "applied", "commands", "syncs", "syncP50Nanos", "syncP99Nanos", "connections", \
            "connectionsMax", "followers", "sessions", "ingressFillPerMille", "logFillPerMille", \
            "diskFreeBytes", "diskReserveBytes", "belowReserve", "hashMark", "snapshots"}; while \
            matchd does not run {"running", "state", "problem", "snapshots"}. A snapshot is \
            {"sequence", "bytes"}.
            """)

    @OptionGroup var common: Common

    func run() throws {
        let settings = try common.settings()
        let snapshots = SnapshotFile.list(settings)
        let status: LinkStatus
        do throws(Failure) {
            status = try Exchange(settings: settings).status()
        } catch {
            guard error.code == .notRunning else { throw error }
            showAbsence(settings, error, snapshots)
            throw ExitCode(error.code.rawValue)
        }
        common.out.give(
            json(settings, status, snapshots), text: text(settings, status, snapshots))
    }

    private func showAbsence(
        _ settings: Settings, _ failure: Failure, _ snapshots: [SnapshotFile]
    ) {
        let ink = common.out.ink
        var facts = Facts()
        facts.add("state", settings.state)
        facts.add("snapshots", SnapshotFile.summary(snapshots))
        common.out.give(
            [
                "running": .bool(false), "state": .string(settings.state),
                "problem": .string(failure.problem),
                "snapshots": .array(snapshots.map(\.json)),
            ],
            text: ["\(ink.bad("not running"))  \(failure.problem)"]
                + (failure.repair.isEmpty ? [] : ["  " + failure.repair]) + facts.lines(ink))
    }

    private func json(
        _ settings: Settings, _ s: LinkStatus, _ snapshots: [SnapshotFile]
    ) -> JSONValue {
        [
            "running": .bool(true), "state": .string(settings.state),
            "role": .string("\(s.role)"), "epoch": .number(s.epoch),
            "started": .string(Readable.time(s.started)), "released": .number(s.released),
            "durable": .number(s.durable), "applied": .number(s.applied),
            "commands": .number(s.commands), "syncs": .number(s.syncs),
            "syncP50Nanos": .number(s.syncP50), "syncP99Nanos": .number(s.syncP99),
            "connections": .number(s.connections), "connectionsMax": .number(s.connectionsMax),
            "followers": .number(s.followers), "sessions": .number(s.sessions),
            "ingressFillPerMille": .number(s.ingressFill), "logFillPerMille": .number(s.logFill),
            "diskFreeBytes": .number(s.diskFree), "diskReserveBytes": .number(s.diskReserve),
            "belowReserve": .bool(s.isBelowReserve), "hashMark": .number(s.hashMark),
            "snapshots": .array(snapshots.map(\.json)),
        ]
    }

    private func text(
        _ settings: Settings, _ s: LinkStatus, _ snapshots: [SnapshotFile]
    ) -> [String] {
        let ink = common.out.ink
        func fill(_ perMille: UInt64) -> String {
            DecimalNumber.percent(Int128(perMille), scale: 3)
        }
        var facts = Facts()
        facts.add("state", settings.state)
        facts.add("role", "\(s.role), epoch \(s.epoch)")
        facts.add("since", Readable.time(s.started, digits: 0))
        facts.add("log", "\(Readable.count(s.released)) records released")
        facts.add(
            "ahead",
            "\(Readable.count(s.applied - min(s.applied, s.released))) applied and "
                + "\(Readable.count(s.durable - min(s.durable, s.released))) durable beyond that")
        facts.add("commands", "\(Readable.count(s.commands)) since the start")
        facts.add(
            "fsync",
            "\(Readable.count(s.syncs)), p50 \(Readable.duration(nanos: s.syncP50)), "
                + "p99 \(Readable.duration(nanos: s.syncP99))")
        facts.add(
            "connections",
            "\(s.connections) of \(s.connectionsMax), \(s.followers) following the log, "
                + "\(s.sessions) sessions")
        facts.add("rings", "commands \(fill(s.ingressFill)), log \(fill(s.logFill)) full")
        facts.add(
            "disk",
            "\(Readable.bytes(s.diskFree)) free, reserve \(Readable.bytes(s.diskReserve))")
        facts.add("hash mark", s.hashMark == 0 ? "none since the start" : "record \(s.hashMark)")
        facts.add("snapshots", SnapshotFile.summary(snapshots))
        let head =
            s.isBelowReserve
            ? ink.bad("running, below the disk reserve: only cancels are taken; free some space")
            : ink.good("running")
        return [head] + facts.lines(ink)
    }
}
