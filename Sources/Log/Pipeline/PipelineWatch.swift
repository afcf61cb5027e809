// What an operator has to know of a running pipeline: pure, from one view of it to the next.

public import Journal

/// A running pipeline at one moment.
public struct PipelineView: Sendable {
    /// Turns of the engine thread's loop.
    public var turns: UInt64 = 0
    /// The last record on disk.
    public var durable: UInt64 = 0
    /// Commands of writers so far.
    public var commands: UInt64 = 0
    /// Median and 99th percentile of the duration of the last group commits, ns.
    public var syncNanos: (p50: UInt64, p99: UInt64) = (0, 0)
    /// The host's clock compared with the log's, see `Pipeline.clock`.
    public var clock: (offset: Int64, jumps: UInt64, lastJump: Int64, isApart: Bool) =
        (0, 0, 0, false)
    /// Commands refused because the process died twice with them.
    public var poisoned: UInt64 = 0
    /// Followers refused because the journal could not be read for them, and the last error.
    public var unreadable: (count: UInt64, error: SinkError?) = (0, nil)
    /// Only cancels are taken, because the disk is nearly full.
    public var isBelowReserve = false

    /// What the sink of the journal cannot do.
    public var sink = JournalSinkFaults()
    /// Why the snapshots cannot be looked through for followers; nil: they can.
    public var snapshotsFault: JournalError?

    /// One of which nothing is known.
    public init() {}

    /// One line for the service manager.
    public var status: String {
        """
        record \(durable) durable, \(commands) commands, \
        sync p50 \(syncNanos.p50 / 1000) us p99 \(syncNanos.p99 / 1000) us
        """
    }
}

extension Pipeline {
    /// It now.
    public var view: PipelineView {
        var view = PipelineView()
        (view.turns, view.durable, view.commands) = (turns, durable, commands)
        (view.syncNanos, view.clock) = (syncNanos, clock)
        (view.poisoned, view.unreadable) = (poisoned, unreadable)
        view.isBelowReserve = isBelowReserve
        return view
    }
}

/// News of a running pipeline.
public struct PipelineNews: Hashable, Sendable, CustomStringConvertible {
    /// How much it matters.
    public enum Severity: Hashable, Sendable {
        /// What was wrong is right again.
        case notice
        /// Trading goes on, and somebody has to mend it.
        case error
        /// A command can no longer be given.
        case critical
    }

    /// How much it matters.
    public let severity: Severity
    /// What happened, and what to do.
    public let description: String
}

/// Finds what is news: each change once.
public struct PipelineWatch: Sendable {
    /// The file with the log's time, for advice.
    private let markPath: String
    private var jumps: UInt64
    private var isApart = false
    private var poisoned: UInt64 = 0
    private var unreadable: UInt64 = 0
    private var isBelowReserve = false
    /// What each part could not do, by its words.
    private var faults: [String: String] = [:]

    /// One that knows how the clock was at `start`; `markPath` is the command mark's file.
    public init(from start: PipelineView, markPath: String) {
        (jumps, self.markPath) = (start.clock.jumps, markPath)
    }

    /// What is news at `view`.
    public mutating func take(_ view: PipelineView) -> [PipelineNews] {
        var news: [PipelineNews] = []
        if view.clock.jumps != jumps {
            jumps = view.clock.jumps
            let seconds = Self.seconds(view.clock.lastJump)
            news.append(
                PipelineNews(
                    severity: .error, description: "the host's clock jumped by \(seconds) s"))
        }
        if view.clock.isApart != isApart {
            isApart.toggle()
            news.append(clockNews(view.clock.offset))
        }
        if view.poisoned != poisoned {
            poisoned = view.poisoned
            news.append(
                PipelineNews(
                    severity: .critical,
                    description: """
                        refused a command with which matchd had died twice (\(poisoned) so far)
                        """))
        }
        if view.unreadable.count != unreadable, let error = view.unreadable.error {
            unreadable = view.unreadable.count
            news.append(
                PipelineNews(
                    severity: .error,
                    description: """
                        trading goes on, but the log can't be read back for a follower: \(error); \
                        see `boursectl journal verify` (\(unreadable) so far)
                        """))
        }
        if view.isBelowReserve != isBelowReserve {
            isBelowReserve.toggle()
            news.append(
                PipelineNews(
                    severity: isBelowReserve ? .error : .notice,
                    description: isBelowReserve
                        ? "disk space is below the reserve: only cancels are taken; free some"
                        : "disk space is above the reserve again: everything is taken"))
        }
        return news + faults(view)
    }

    /// What a part cannot do, once for each reason, and that it can again.
    private mutating func faults(_ view: PipelineView) -> [PipelineNews] {
        let parts: [(String, JournalError?)] = [
            ("the journal's next segment cannot be prepared", view.sink.segments),
            ("the disk's free space cannot be read", view.sink.space),
            ("the snapshots cannot be read for followers", view.snapshotsFault),
        ]
        return parts.compactMap { words, fault in
            let text = fault?.description
            guard text != faults[words] else { return nil }
            faults[words] = text
            return PipelineNews(
                severity: text == nil ? .notice : .error,
                description: text.map { "\(words): \($0)" } ?? "no longer so: \(words)")
        }
    }

    /// How the host's clock and the log's differ, as that has changed.
    private func clockNews(_ offset: Int64) -> PipelineNews {
        let seconds = Self.seconds(offset)
        return PipelineNews(
            severity: isApart ? .error : .notice,
            description: isApart
                ? "the host's clock is \(seconds) s from the log's, which does not follow it: put "
                    + "the host's right; if it is right, stop matchd, remove \(markPath) and start "
                    + "it again"
                : "the host's clock is \(seconds) s from the log's, which follows it again")
    }

    /// Seconds with one decimal, towards zero.
    private static func seconds(_ nanos: Int64) -> String {
        let tenths = nanos / 100_000_000
        return "\(tenths < 0 ? "-" : "")\(tenths.magnitude / 10).\(tenths.magnitude % 10)"
    }
}
