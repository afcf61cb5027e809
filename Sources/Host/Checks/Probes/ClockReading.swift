// The host's clock: /probe/clock as the kernel keeps it, /probe/chrony as chrony does.

/// adjtimex(2), and two clocks beside it. What cannot be read is nil.
package struct ClockReading: Hashable, Sendable {
    /// Where it is read.
    package static let path = "/probe/clock"

    /// Whether the kernel considers the clock synchronised.
    package var isSynchronised: Bool?
    /// By how much it may be wrong.
    package var errorMicrosMax: Int64?
    package var realtimeNanos: Int64?
    package var monotonicNanos: Int64?

    /// What adjtimex(2) returns while the clock is not synchronised: TIME_ERROR.
    private static let errorState: Int64 = 5
    /// The status bit for the same: STA_UNSYNC.
    private static let unsynchronised: Int64 = 0x40

    /// Reads lines `key value`.
    package init(_ text: String) {
        let counters = text.counters
        if let state = counters["state"], let status = counters["status"], state <= Self.errorState
        {
            isSynchronised = state != Self.errorState && status & Self.unsynchronised == 0
        }
        errorMicrosMax = counters["maxerror_us"]
        (realtimeNanos, monotonicNanos) = (counters["realtime_ns"], counters["monotonic_ns"])
    }

    /// The text that `init` reads: the result of adjtimex(2), then the clocks.
    package static func text(
        discipline: String, realtimeNanos: Int64, monotonicNanos: Int64
    ) -> String { discipline + "realtime_ns \(realtimeNanos)\nmonotonic_ns \(monotonicNanos)\n" }
}

/// `chronyc -c tracking`: fourteen columns.
package struct ChronyTracking: Hashable, Sendable {
    /// Where it is read.
    package static let path = "/probe/chrony"

    /// The source's name: a host, or a reference clock as `PHC0`.
    package var source: String
    /// Steps from a true clock.
    package var stratum: Int64
    /// How far the clock is off by the last measurement.
    package var offsetNanos: Int64
    /// Whether there is a source at all, beside the host's own clock.
    package var hasSource: Bool

    /// Nil where it cannot be read.
    package init?(_ text: String) {
        let words = (text.lines.first ?? "").split(separator: ",", omittingEmptySubsequences: false)
        guard words.count == 14, let stratum = Observation.count(words[2]), stratum <= 255,
            let offset = Observation.decimal(words[4], digits: 9)
        else { return nil }
        source = String(words[1])
        self.stratum = stratum
        offsetNanos = offset
        // 7F7F0101 is 127.127.1.1, the host's own clock.
        hasSource =
            stratum != 0 && words[0] != "7F7F0101" && words[13].trimming != "Not synchronised"
    }
}

extension Observation {
    /// The clock; nil when it could not be read.
    var clock: ClockReading? { text(ClockReading.path).map { ClockReading($0) } }
}
