// drill

import AgentAPI
import ArgumentParser
import Configuration
import Glibc
import JSON
import Journal
import Platform
import Presentation
import Wire

struct DrillCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drill", abstract: "Makes a real switchover and back, and reports on it.",
        discussion: """
            Given on the primary, with trade going on. It hands over to the standby, waits until \
            an operator there gives `boursectl switchover`, and reports: whether both were in sync \
            before, between and after, how long commands paused, and which hashes both hosts' \
            engines agreed on. The pauses are those of the log: from the last record of one term \
            to the first of the next, so the journal keeps the proof. Exit status 1: not passed. \
            Where the way back is not gone, the report says what was measured until then, who \
            leads and what to do.

            JSON: {"host", "peer", "operator", "started", "ended", "version", "steps", "checks", \
            "passed", "primary", "epoch", "next"}; primary: who leads now, null: not known; next: \
            what to do, null: nothing; a step is {"from", "to", "epoch", "pauseMilliseconds", \
            "lastRecord", "firstRecord", "eventHash"}, a check {"check", "found", "passed"}.

            EXAMPLE
              sudo boursectl drill --output json > drill-2027-01.json
            """)

    @OptionGroup var options: ClusterOrderOptions
    @Option(
        help: ArgumentHelp("Longest pause that passes, in milliseconds.", valueName: "milliseconds")
    ) var pauseMax: Int64 = 500
    @Option(
        help: ArgumentHelp("Seconds to wait for the switchover back.", valueName: "seconds"))
    var back = 600

    func validate() throws {
        if !(1...60_000 ~= pauseMax) { throw ValidationError("--pause-max is 1 … 60000.") }
        if !(1...86_400 ~= back) { throw ValidationError("--back is 1 … 86400 seconds.") }
    }

    func run() throws {
        let report = try Drill(
            order: options.order(), backNanos: Int64(back) * 1_000_000_000, pauseMax: pauseMax
        ).run()
        options.common.out.give(report.json, text: report.text(options.common.out.ink))
        if !report.isPassed { throw ExitCode(CommandError.Code.failed.rawValue) }
    }
}

/// What a drill found.
struct DrillReport {
    /// One change of the primary, as the journal has it.
    struct Step: Hashable {
        var from: String
        var to: String
        var epoch: UInt32
        var pauseNanos: Int64
        /// The last record of the term before.
        var last: UInt64
        /// The first record of this term.
        var first: UInt64
        /// The hash over all events before it.
        var eventHash: UInt64
    }

    /// One thing that has to hold.
    struct Check: Hashable {
        var name: String
        var found: String
        var isPassed: Bool
    }

    var host: String
    var peer: String
    var user: String
    /// Nanoseconds since 1970.
    var started: Int64
    var ended: Int64 = 0
    var steps: [Step] = []
    var checks: [Check] = []
    /// Who leads now; nil: that is not known.
    var primary: String?
    /// The epoch that it leads; nil: not known.
    var epoch: UInt32?

    init(host: String, peer: String, user: String, started: Int64) {
        (self.host, self.peer, self.user, self.started) = (host, peer, user, started)
    }

    /// Whether everything holds.
    var isPassed: Bool { !checks.isEmpty && checks.allSatisfy(\.isPassed) }

    /// What to do so that the exchange is led from where it was; nil: nothing.
    var next: String? {
        switch primary {
        case host: nil
        case nil: "who leads shows, on both hosts: sudo boursectl cluster status"
        case .some(let primary):
            "the exchange goes on at \(primary); to lead at \(host) again, once both are in sync, "
                + "on \(primary): sudo boursectl switchover"
        }
    }

    /// For programs.
    var json: JSONValue {
        [
            "host": .string(host), "peer": .string(peer), "operator": .string(user),
            "started": .string(Readable.time(started)), "ended": .string(Readable.time(ended)),
            "version": .string(Version.text),
            "steps": .array(
                steps.map {
                    [
                        "from": .string($0.from), "to": .string($0.to), "epoch": .number($0.epoch),
                        "pauseMilliseconds": .number($0.pauseNanos / 1_000_000),
                        "lastRecord": .number($0.last), "firstRecord": .number($0.first),
                        "eventHash": .string(Readable.hex($0.eventHash)),
                    ]
                }),
            "checks": .array(
                checks.map {
                    [
                        "check": .string($0.name), "found": .string($0.found),
                        "passed": .bool($0.isPassed),
                    ]
                }),
            "passed": .bool(isPassed), "primary": .orNull(primary),
            "epoch": .orNull(epoch.map { Int64($0) }), "next": .orNull(next),
        ]
    }

    /// The report as lines on a terminal.
    func text(_ ink: Ink) -> [String] {
        var facts = Facts()
        facts.add("drill", "switchover from \(host) to \(peer) and back")
        facts.add("operator", user)
        facts.add("started", Readable.time(started, digits: 3))
        facts.add("ended", Readable.time(ended, digits: 3))
        facts.add("version", Version.text)
        facts.add("leads now", primary.map { "\($0), epoch \(epoch ?? 0)" } ?? "not known")
        var moves = Table([
            .words("FROM"), .words("TO"), .numbers("EPOCH"), .numbers("PAUSE"),
            .numbers("LAST RECORD"), .numbers("FIRST RECORD"), .words("EVENT HASH"),
        ])
        for step in steps {
            moves.add([
                step.from, step.to, "\(step.epoch)", Readable.duration(nanos: step.pauseNanos),
                "\(step.last)", "\(step.first)", Readable.hex(step.eventHash),
            ])
        }
        var results = Table([.words("CHECK"), .words("FOUND"), .words("RESULT")])
        for check in checks {
            results.add([check.name, check.found, check.isPassed ? "pass" : "FAIL"])
        }
        return facts.lines(ink) + [""] + moves.lines(ink) + [""] + results.lines(ink) + [
            "", isPassed ? ink.good("PASSED") : ink.bad("NOT PASSED"),
        ] + (next.map { ["Next: \($0)"] } ?? [])
    }
}

/// A switchover and back.
struct Drill {
    let order: ClusterOrder
    let backNanos: Int64
    let pauseMax: Int64

    func run() throws -> DrillReport {
        let before = try order.document()
        try order.checkPrimary(before, "drill")
        guard let peer = before.peer else { throw CommandError("there is no second host") }
        guard before.isPairInSync, before.etcdFault == nil, !before.isPaused else {
            throw CommandError(
                "a drill begins with a healthy cluster: \(before.host) \(before.sentence)",
                repair: "see what is wrong: sudo boursectl cluster status")
        }
        var report = DrillReport(
            host: before.host, peer: peer, user: order.user, started: Clock.realtimeNanos())
        report.note(before, "in sync before")
        let there = try Switchover(order: order).run()
        // The other host leads now: whatever comes, that is reported.
        var after: ClusterDocument?
        do throws(CommandError) {
            report.note(try order.document(), "in sync on \(peer)")
            after = try goBack(there)
        } catch {
            report.checks.append(
                .init(name: "switchover on \(peer)", found: error.problem, isPassed: false))
            after = try? order.document()
        }
        report.ended = Clock.realtimeNanos()
        (report.primary, report.epoch) = (after?.primary, after?.recordEpoch)
        if let after { report.note(after, "in sync after") }
        judge(&report, before, after)
        return report
    }

    /// Waits until this host leads again.
    private func goBack(_ there: Switchover.Completion) throws(CommandError) -> ClusterDocument {
        Terminal.warn(
            "\(there.to) leads epoch \(there.epoch). Now, on \(there.to): sudo boursectl "
                + "switchover")
        let patient = ClusterOrder(
            settings: order.settings, agent: order.agent, user: order.user, waitNanos: backNanos)
        return try patient.await("Waiting for the switchover on \(there.to)") { now in
            now.role == "primary" && now.isPairInSync
                && (now.released ?? 0) >= (now.end ?? .max) ? now : nil
        }
    }

    private func judge(
        _ report: inout DrillReport, _ before: ClusterDocument, _ after: ClusterDocument?
    ) {
        var marks: [HandoverMark] = []
        do {
            marks = try HandoverMark.read(
                order.settings.journalDirectory, behind: before.released ?? 0)
        } catch {
            report.checks.append(.init(name: "journal", found: "\(error)", isPassed: false))
        }
        let released = after?.released ?? 0
        for (mark, hosts) in zip(
            marks, [(report.host, report.peer), (report.peer, report.host)])
        {
            report.steps.append(
                DrillReport.Step(
                    from: hosts.0, to: hosts.1, epoch: mark.epoch, pauseNanos: mark.pauseNanos,
                    last: mark.first - 1, first: mark.first, eventHash: mark.eventHash))
        }
        report.checks.append(
            .init(
                name: "two switchovers, nothing else", found: "\(marks.count) terms began",
                isPassed: marks.count == 2 && marks.allSatisfy(\.isSwitchover)))
        for step in report.steps {
            report.checks.append(
                .init(
                    name: "pause to \(step.to) within \(pauseMax) ms",
                    found: Readable.duration(nanos: step.pauseNanos),
                    isPassed: step.pauseNanos <= pauseMax * 1_000_000))
        }
        // Each engine computes the hash of a mark itself, and stops where it is another: whoever
        // is in sync behind a mark agreed with it.
        let last = marks.last?.first ?? .max
        report.checks.append(
            .init(
                name: "hashes equal on both hosts",
                found: marks.isEmpty
                    ? "no mark" : "agreed up to record \(last), in sync at \(released)",
                isPassed: after?.isPairInSync == true && released >= last))
        report.checks.append(
            .init(
                name: "\(report.host) leads again",
                found: report.primary ?? "unknown", isPassed: report.primary == report.host))
    }
}

extension DrillReport {
    fileprivate mutating func note(_ document: ClusterDocument, _ name: String) {
        checks.append(
            Check(
                name: name, found: document.inSync.sorted().joined(separator: ", "),
                isPassed: document.isPairInSync))
    }
}

/// The first record of a term, with what a handover left before it.
struct HandoverMark: Hashable {
    /// The record's sequence.
    var first: UInt64
    /// Its term.
    var epoch: UInt32
    /// From the record before it, by the log's clock.
    var pauseNanos: Int64
    /// The hash over all events before it.
    var eventHash: UInt64
    /// Whether the term began by a switchover.
    var isSwitchover: Bool

    /// The terms that began behind a record, in order.
    static func read(_ directory: String, behind sequence: UInt64) throws -> [HandoverMark] {
        let reader = JournalReader(directory: directory, from: max(1, sequence), isLive: true)
        var marks: [HandoverMark] = []
        var priorTime: Int64?
        while try unsafe reader.next({ run in
            unsafe Records.forEach(run) { header, bytes in
                if header.sequence > sequence,
                    case .epochMark(let mark)? = unsafe RecordText(bytes)?.command
                {
                    marks.append(
                        HandoverMark(
                            first: header.sequence, epoch: header.epoch,
                            pauseNanos: priorTime.map { header.timestamp - $0 } ?? 0,
                            eventHash: mark.eventHash, isSwitchover: mark.cause == .switchover))
                }
                priorTime = header.timestamp
            }
        }) {}
        return marks
    }
}
