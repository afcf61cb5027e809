// The log's clock. Readings of the host's clocks are arguments.

import Platform

/// Gives the stamps of records: they never go back and never jump.
///
/// Between two readings the stamp advances as CLOCK_BOOTTIME does, and is slewed towards the host's
/// clock (CLOCK_REALTIME) by at most `slewPPM` millionths. A host clock further away than
/// `apartNanos` is not followed at all: it is reported, and an operator looks at it.
///
/// How a start continues from the log's last stamp:
/// - The process before ran since the same boot, and left the log's time as a distance from
///   CLOCK_BOOTTIME: the stamp continues along that line, whatever the host's clock says meanwhile,
///   and however that process ended.
/// - Otherwise only the host's clock can show how long matchd was down. Where it is not behind the
///   log, it is taken. Stamps are permanent, so the owner checks `isFarAhead` first, and starts
///   with such a clock only when an operator confirms it.
/// - Where it is behind the log, one of the two is wrong. The stamp continues from the log's last.
///   Where it is behind by more than `apartNanos`, it is taken, once, when it is set forward past
///   the log; where by less, it is slewed to and no jump of it is taken.
///
/// An operator who knows that the host's clock is right and the log's is not stops matchd, removes
/// the line (`CommandMark`) and starts it again.
public struct LogClock: Sendable {
    /// How the first stamp was found.
    public enum Start: Sendable, Hashable {
        /// Along the line of the process before.
        case continued
        /// The host's clock, which was not behind the log.
        case host
        /// The log's last stamp: the host's clock was behind it.
        case log
    }

    /// The stamp of the last reading, ns since 1970.
    public private(set) var now: Int64
    /// The host's clock minus the stamp at the last reading, ns.
    public private(set) var offset: Int64
    /// Whether the host's clock is too far away to be followed.
    public private(set) var isApart: Bool
    /// Jumps of the host's clock so far.
    public private(set) var jumps: UInt64 = 0
    /// The last of them, ns: positive where it was set forward.
    public private(set) var lastJump: Int64 = 0
    /// How the first stamp was found.
    public let start: Start

    private var host: Int64
    private var monotonic: Int64
    /// Nanoseconds passed that no slew was applied for yet.
    private var credit: Int64 = 0
    /// The host's clock has been far behind the log since a start without a line.
    private var isHostBehind: Bool

    /// Most millionths by which the stamp is slewed: an hour at this rate is 1.8 s.
    public static var slewPPM: Int64 { 500 }
    /// The furthest that the host's clock is followed: a minute, which takes 33 hours.
    public static var apartNanos: Int64 { 60_000_000_000 }
    /// How far ahead of a log the host's clock is taken at a start that nothing else is known of: a
    /// week. A clock that is wrong by more is more likely than a longer time without a start.
    public static var aheadNanosMax: Int64 { 7 * 86_400_000_000_000 }
    /// The least difference between two readings that counts as a jump.
    public static var jumpNanosMin: Int64 { 100_000_000 }

    /// Begins after a log's `last` stamp. `line` is the log's time minus CLOCK_BOOTTIME as a
    /// process of the same boot left it, or nil; `host` and `monotonic` are a reading now.
    public init(last: Int64, line: Int64?, host: Int64, monotonic: Int64) {
        // What is not within the host's uptime of the log's end is no line of this boot.
        let continued = line.flatMap { line -> Int64? in
            let (time, isOver) = monotonic.addingReportingOverflow(line)
            let (gap, isFar) = time.subtractingReportingOverflow(last)
            return isOver || isFar || gap < 0 || gap > monotonic ? nil : time
        }
        if let continued {
            (now, start) = (continued, .continued)
        } else if host >= last {
            (now, start) = (host, .host)
        } else {
            (now, start) = (last, .log)
        }
        offset = Self.distance(host, now)
        isHostBehind = continued == nil && offset < -Self.apartNanos
        isApart = Self.isApart(offset)
        (self.host, self.monotonic) = (host, monotonic)
    }

    /// Whether a start after a log's `last` stamp would take a clock that is so far ahead of it
    /// that an operator has to say that it is right; arguments as of `init`.
    public static func isFarAhead(
        last: Int64, line: Int64?, host: Int64, monotonic: Int64
    ) -> Bool {
        let clock = LogClock(last: last, line: line, host: host, monotonic: monotonic)
        return clock.start == .host && distance(host, last) > aheadNanosMax
    }

    /// The host's clocks: (realtime, since boot), read so that they are of one moment.
    public static func readHost() -> (host: Int64, monotonic: Int64) {
        var before = Clock.monotonicNanos()
        for _ in 0..<8 {
            let host = Clock.realtimeNanos()
            let after = Clock.monotonicNanos()
            // A pause between the two would look like a jump of one of them.
            if after - before < 1_000_000 { return (host, after) }
            before = after
        }
        return (Clock.realtimeNanos(), Clock.monotonicNanos())
    }

    /// The log's time minus CLOCK_BOOTTIME, for the next start.
    public var line: Int64 { now - monotonic }

    /// Takes a reading; returns the stamp of the records that follow.
    @discardableResult
    public mutating func advance(host: Int64, monotonic: Int64) -> Int64 {
        let passed = max(0, monotonic - self.monotonic)
        let jump = Self.distance(Self.distance(host, self.host), passed)
        if jump >= Self.jumpNanosMin || jump <= -Self.jumpNanosMin {
            jumps += 1
            lastJump = jump
        }
        self.monotonic = max(self.monotonic, monotonic)
        self.host = host
        now += passed
        offset = Self.distance(host, now)
        if isHostBehind, offset >= 0 {
            isHostBehind = false
            (now, offset) = (host, 0)
        }
        isApart = Self.isApart(offset)
        credit += passed
        let most = credit / (1_000_000 / Self.slewPPM)
        credit -= most * (1_000_000 / Self.slewPPM)
        if !isApart {
            let slew = min(max(offset, -most), most)
            now += slew
            offset -= slew
        }
        return now
    }

    private static func isApart(_ offset: Int64) -> Bool {
        offset > apartNanos || offset < -apartNanos
    }

    /// `a - b`, at the ends of the range where it would leave it.
    private static func distance(_ a: Int64, _ b: Int64) -> Int64 {
        let (value, isOver) = a.subtractingReportingOverflow(b)
        return isOver ? (a < b ? .min + 1 : .max) : value
    }
}
