// /proc/diskstats: what each disk did since boot (Documentation/admin-guide/iostats.rst).

/// The counters of one disk. One that the line lacks, or that is no number, is nil.
package struct DiskStatistics: Hashable, Sendable {
    /// Where it is read.
    static let path = "/proc/diskstats"

    /// Requests of one kind that are complete, and the milliseconds they took together.
    package struct Requests: Hashable, Sendable {
        package var count: Int64?
        package var millis: Int64?

        /// The average time of a request in microseconds; nil: there was none.
        static func averageMicros(millis: Int64, count: Int64) -> Int64? {
            count > 0 ? Int64(clamping: Int128(millis) * 1_000 / Int128(count)) : nil
        }
    }

    package var reads: Requests
    package var writes: Requests
    package var flushes: Requests
    /// Milliseconds in which the disk was busy.
    package var busyMillis: Int64?

    /// Reads the columns behind the name.
    private init(_ columns: ArraySlice<Substring>) {
        func column(_ index: Int) -> Int64? {
            let place = columns.startIndex + index
            return place < columns.endIndex ? Observation.count(columns[place]) : nil
        }
        reads = Requests(count: column(0), millis: column(3))
        writes = Requests(count: column(4), millis: column(7))
        flushes = Requests(count: column(15), millis: column(16))
        busyMillis = column(9)
    }

    /// The disks by their names in /sys/block, where a `!` stands for each `/`.
    package static func table(_ text: String) -> [String: DiskStatistics] {
        var disks: [String: DiskStatistics] = [:]
        for line in text.lines {
            let words = line.words
            guard words.count > 2 else { continue }
            disks[String(words[2].map { $0 == "/" ? "!" : $0 })] = DiskStatistics(words[3...])
        }
        return disks
    }
}

extension Observation {
    /// The counters of the disks by name; none when they could not be read.
    var diskStatistics: [String: DiskStatistics] {
        text(DiskStatistics.path).map(DiskStatistics.table) ?? [:]
    }
}
