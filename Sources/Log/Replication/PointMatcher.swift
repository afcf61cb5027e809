// Which records a standby and its primary both have.

internal import Journal
internal import Pipeline
internal import Terms

/// Compares a standby's points, as they come, with a primary's journal. It holds at most the points
/// of one frame and of one read of the journal.
struct PointMatcher {
    /// The result.
    enum Result: Hashable {
        /// Both have this record, and so all before it: (epoch, sequence) names one record.
        case keep(LogPoint)
        /// The first point that was offered differs.
        case differs(UInt64)
        /// No point was equal, and some are before this journal's first record.
        case unknown
    }

    private let log: any PrimaryLog
    private var reader: (any RecordReader)?
    private var own: ArraySlice<LogPoint> = []
    private var offered: ArraySlice<LogPoint> = []
    private var next: UInt64?
    private var isLast = false
    private var equal: LogPoint?
    private var hasSkipped = false

    init(_ log: any PrimaryLog) { self.log = log }

    /// Whether it has points that are not compared yet.
    var isFull: Bool { !offered.isEmpty || isLast }

    /// Takes points that follow those before; returns false if they do not.
    mutating func offer(_ points: ReplicationPoints) -> Bool {
        guard !isFull else { return false }
        if let first = points.points.first, let last = points.points.last {
            if let next, first.sequence != next { return false }
            next = last.sequence + 1
        } else if !points.isLast {
            return false
        }
        offered = points.points[...]
        isLast = points.isLast
        return true
    }

    /// Compares what there is; nil until more points, or more of the journal, have come.
    mutating func step() throws(SinkError) -> Result? {
        while let point = offered.first {
            if point.sequence < log.first {
                offered.removeFirst()
                hasSkipped = true
                continue
            }
            // A record behind the end of the primary's log is not in it.
            guard point.sequence <= log.end else { return verdict(differs: point.sequence) }
            if own.isEmpty, try !readOwn(from: point.sequence) { return nil }
            guard own.first == point else { return verdict(differs: point.sequence) }
            own.removeFirst()
            offered.removeFirst()
            equal = point
        }
        guard isLast else { return nil }
        if let equal { return .keep(equal) }
        return hasSkipped ? .unknown : .keep(.start)
    }

    private func verdict(differs sequence: UInt64) -> Result {
        if let equal { return .keep(equal) }
        if hasSkipped { return .unknown }
        return sequence == 1 ? .keep(.start) : .differs(sequence)
    }

    /// Reads more of this host's journal; returns false if the disk does not have it yet.
    private mutating func readOwn(from sequence: UInt64) throws(SinkError) -> Bool {
        let reader: any RecordReader
        if let open = self.reader {
            reader = open
        } else {
            reader = try log.records(from: sequence)
        }
        self.reader = reader
        var points: [LogPoint] = []
        _ = try unsafe reader.next(upTo: .max, bytesMax: 64 << 10) { records in
            unsafe RecordRun.points(records) { points.append($0) }
        }
        own = points[...]
        return !points.isEmpty
    }
}
