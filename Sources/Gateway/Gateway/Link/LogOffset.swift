// The log's clock beside this host's.

/// An estimate of the log's clock: clients sign with this host's time, and deadlines are judged by
/// the log's clock, which is slewed and may differ.
struct LogOffset {
    /// The log's time less this host's, ns; 0 until an observation contradicts it.
    private(set) var nanos: Int64 = 0

    /// A record came: it was stamped before.
    mutating func observe(stamp: Int64, host: Int64) { nanos = max(nanos, stamp - host) }

    /// A command came back: it was stamped between.
    mutating func observe(stamp: Int64, sent: Int64, host: Int64) {
        nanos = min(max(0, stamp - host), max(stamp - sent, stamp - host))
    }

    /// A moment of this host's clock on the log's.
    func onLog(_ host: Int64) -> Int64 {
        let (sum, isOver) = host.addingReportingOverflow(nanos)
        return isOver ? .max : max(1, sum)
    }
}
