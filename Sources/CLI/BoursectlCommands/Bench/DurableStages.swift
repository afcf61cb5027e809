// Where the time of an acknowledgement went.

import Link

/// Where the time of sampled commands went.
struct DurableStages {
    /// The stages between two stamps, from the sender's first to the receiver's last.
    private static let names = [
        "load, late", "socket, in", "queue", "engine", "write before", "fsync before",
        "journal wakes", "journal write", "fsync", "release", "socket, out",
    ]
    private var each = [LatencyHistogram](repeating: LatencyHistogram(), count: names.count)
    /// The time of each stage of the slowest command.
    private var longest = [Int64](repeating: 0, count: names.count)

    init() {}

    /// Takes the times of a command: in matchd, and in the load that sent it.
    mutating func record(_ sample: LatencySample, _ passed: DurableLoad.Passed) {
        let times = [passed.due, passed.sent] + sample.stamps + [passed.read]
        let durations = zip(times.dropFirst(), times).map { $0 - $1 }
        for (stage, nanos) in durations.enumerated() { each[stage].record(nanos) }
        if durations.reduce(0, +) > longest.reduce(0, +) { longest = durations }
    }

    mutating func merge(_ other: DurableStages) {
        for stage in each.indices { each[stage].merge(other.each[stage]) }
        if other.longest.reduce(0, +) > longest.reduce(0, +) { longest = other.longest }
    }

    /// A table under `title`, and the stages of the slowest command.
    func table(_ title: String) -> String {
        let columns: [(String, Int)] = [
            ("p50", 500), ("p99", 990), ("p99.9", 999), ("max", 1000),
        ]
        var lines = [
            Padding.left("", 20) + columns.map { Padding.right($0.0, 11) }.joined()
                + Padding.right("mean", 11)
        ]
        for (stage, latency) in each.enumerated() {
            let values = columns.map { latency.percentile(perMille: $0.1) } + [latency.mean]
            lines.append(
                Padding.left(Self.names[stage], 20)
                    + values.map { Padding.right(BenchDurableCommand.micros($0), 11) }.joined())
        }
        let all = longest.reduce(0, +)
        let most = longest.indices.max { longest[$0] < longest[$1] } ?? 0
        let parts = longest.enumerated().map {
            "\(Self.names[$0.offset]) \($0.element / 1000)"
        }
        return "\(title), \(each[0].count) samples\n" + lines.joined(separator: "\n")
            + "\nthe longest took \(all / 1000) us, most of it in \(Self.names[most]): "
            + parts.joined(separator: "; ")
    }

    /// As lines for the parent.
    var lines: [String] { [longest.map(String.init).joined(separator: " ")] + each.map(\.line) }

    /// Reads the lines of a child.
    init?(lines: ArraySlice<Substring>) {
        let values = lines.first?.split(separator: " ").compactMap { Int64($0) } ?? []
        let histograms = lines.dropFirst().compactMap { LatencyHistogram(line: $0) }
        guard values.count == Self.names.count, histograms.count == Self.names.count else {
            return nil
        }
        (longest, each) = (values, histograms)
    }
}
