// status

import ArgumentParser
import Configuration
import JSON
import Link
import Presentation
import Terms

struct StatusCommand: ParsableCommand, NagiosCommand {
    private static let names = ExchangeCounter.allCases.map { "\"\($0.rawValue)\"" }
        .joined(separator: ", ")

    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows the state of the exchange.",
        discussion: """
            Exit status 0: matchd is running and answers; 3: it is not running. With --output \
            nagios: 1 below the disk reserve, 2 where it is not running. 64 (nagios: 3): this host \
            has no exchange, but a gateway alone or the witness's part; the hosts to ask are named.

            JSON: {"running", "state", \(names), "snapshots"}; while matchd is not running \
            {"running", "state", "problem", "snapshots"}. A snapshot is {"sequence", "bytes"}.
            """)

    @OptionGroup var common: CommonOptions

    @OptionGroup var repeating: RepeatOptions

    func run() throws { try repeating.run(common, show) }

    private func show(_ out: Output) throws {
        if common.output == .nagios { return try showNagios(out) }
        let exchange = try common.exchange()
        let settings = exchange.settings
        let snapshots = SnapshotFile.list(settings)
        let status: LinkStatus
        do throws(CommandError) {
            status = try exchange.status()
        } catch {
            guard error.code == .notRunning else { throw error }
            showAbsence(settings, error, snapshots, out)
            throw ExitCode(error.code.rawValue)
        }
        out.give(json(settings, status, snapshots), text: text(settings, status, snapshots))
    }

    private func showNagios(_ out: Output) throws {
        let state: (word: String, status: Int32)
        var text: String
        do throws(CommandError) {
            let s = try common.exchange().status()
            state = s.isBelowReserve ? ("WARNING", 1) : ("OK", 0)
            text = "\(s.role), epoch \(s.epoch), \(s.released) records"
            if s.isBelowReserve { text += ", below the disk reserve: only cancels are accepted" }
            text +=
                " | released=\(s.released)c commands=\(s.commands)c "
                + "sync_p99=\(s.syncP99 / 1_000)us connections=\(s.connections);;;0;"
                + "\(s.connectionsMax) disk_free=\(s.diskFree)B"
        } catch {
            state = error.code == .notRunning ? ("CRITICAL", 2) : ("UNKNOWN", 3)
            text = error.problem
        }
        out.give(.null, text: ["BOURSE \(state.word) - \(text)"])
        throw ExitCode(state.status)
    }

    private func showAbsence(
        _ settings: Settings, _ failure: CommandError, _ snapshots: [SnapshotFile], _ out: Output
    ) {
        let ink = out.ink
        var facts = Facts()
        facts.add("state", settings.state)
        facts.add("snapshots", SnapshotFile.summary(snapshots))
        out.give(
            [
                "running": .bool(false), "state": .string(settings.state),
                "problem": .string(failure.problem), "snapshots": .array(snapshots.map(\.json)),
            ],
            text: ["\(ink.bad("not running"))  \(failure.problem)"]
                + (failure.repair.isEmpty ? [] : ["  " + failure.repair]) + facts.lines(ink))
    }

    private func json(
        _ settings: Settings, _ s: LinkStatus, _ snapshots: [SnapshotFile]
    ) -> JSONValue {
        .object(
            [.init("running", .bool(true)), .init("state", .string(settings.state))] + s.members
                + [.init("snapshots", .array(snapshots.map(\.json)))])
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
            "disk", "\(Readable.bytes(s.diskFree)) free, reserve \(Readable.bytes(s.diskReserve))")
        if s.isPeerInSync {
            facts.add(
                "peer", "\(s.peer) in sync at record \(s.peerMatched), \(s.atRisk) records behind")
        }
        let clock = "\(Readable.duration(nanos: s.clockOffset.magnitude))"
        facts.add(
            "clock",
            "host \(clock) \(s.clockOffset < 0 ? "behind" : "ahead of") the log, "
                + "\(s.clockJumps) jumps" + (s.isClockApart ? ink.bad(", not followed") : ""))
        facts.add("hash mark", s.hashMark == 0 ? "none since the start" : "record \(s.hashMark)")
        facts.add("snapshots", SnapshotFile.summary(snapshots))
        let head =
            s.isBelowReserve
            ? ink.bad("running, below the disk reserve: only cancels are accepted; free some space")
            : ink.good("running")
        return [head] + facts.lines(ink)
    }
}

extension LinkStatus {
    /// The status of matchd, for programs.
    var members: [JSONValue.Member] {
        ExchangeCounter.allCases.map { counter in
            let value: JSONValue =
                switch self[counter] {
                case .number(let number): .number(number)
                case .flag(let flag): .bool(flag)
                case .time(let nanos): .string(Readable.time(nanos))
                case .text(let text): .string(text)
                }
            return JSONValue.Member(counter.rawValue, value)
        }
    }
}
