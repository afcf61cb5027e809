// What `bench durable` finds: pairs of bare disk and matchd, and where the time went.

import Link

/// The bare disk and matchd, one after the other.
struct DurablePair {
    let bare: LatencyHistogram
    let ours: LatencyHistogram
    /// How much of the processors' time was idle meanwhile, percent.
    let idle: Int

    /// What matchd may take beyond the bare disk's p50, ns.
    static let p50More: Int64 = 100_000
    /// What it may take beyond twice the bare disk's p99, ns.
    static let p99More: Int64 = 500_000

    /// How much longer than the bare disk's p50 the own one is, ns.
    var p50Excess: Int64 { Self.nanos(ours, 500) - Self.nanos(bare, 500) }
    /// How much longer than twice the bare disk's p99 the own one is, ns.
    var p99Excess: Int64 { Self.nanos(ours, 990) - 2 * Self.nanos(bare, 990) }
    var isP50Kept: Bool { p50Excess <= Self.p50More }
    var isP99Kept: Bool { p99Excess <= Self.p99More }

    private static let columns = [("p50", 500), ("p99", 990), ("p99.9", 999), ("max", 1000)]

    private static func nanos(_ latency: LatencyHistogram, _ permille: Int) -> Int64 {
        Int64(latency.nanos(permille: permille))
    }

    private static func millis(_ nanos: Int64) -> String {
        let (sign, micros) = (nanos < 0 ? "-" : "", nanos.magnitude / 1000)
        let rest = "\(micros % 1000)"
        return "\(sign)\(micros / 1000)." + String(repeating: "0", count: 3 - rest.count) + rest
    }

    static var heading: String {
        let titles = ["bare ", "ours "].map { side in
            columns.map { Padding.right(side + $0.0, 11) }.joined()
        }
        return Padding.left("pair", 7) + titles.joined() + "   p50 p99   idle"
    }

    private static func row(
        _ name: String, _ bare: [Int64], _ ours: [Int64], _ isKept: [Bool], _ idle: Int
    ) -> String {
        let kept = isKept.map { Padding.left($0 ? "yes" : "no", 4) }.joined()
        return Padding.left(name, 7)
            + (bare + ours).map { Padding.right(millis($0), 11) }.joined() + "   " + kept
            + Padding.right("\(idle) %", 6)
    }

    func row(_ name: String) -> String {
        Self.row(
            name, Self.columns.map { Self.nanos(bare, $0.1) },
            Self.columns.map { Self.nanos(ours, $0.1) }, [isP50Kept, isP99Kept], idle)
    }

    private static func median<T: Comparable>(_ values: [T]) -> T {
        values.sorted()[values.count / 2]
    }

    /// The median of each column, and of what the pairs differ by.
    static func medians(_ pairs: [DurablePair]) -> String {
        func column(_ side: (DurablePair) -> LatencyHistogram) -> [Int64] {
            columns.map { column in median(pairs.map { nanos(side($0), column.1) }) }
        }
        let (p50, p99) = (median(pairs.map(\.p50Excess)), median(pairs.map(\.p99Excess)))
        let medians = row(
            "median", column { $0.bare }, column { $0.ours }, [p50 <= p50More, p99 <= p99More],
            median(pairs.map(\.idle)))
        func verdict(_ excess: Int64, _ limit: Int64, _ isKept: (DurablePair) -> Bool) -> String {
            "\(millis(excess)) ms; limit \(millis(limit)) ms: "
                + (excess <= limit ? "met" : "missed")
                + " (\(pairs.count(where: isKept)) of \(pairs.count) pairs)"
        }
        return """
            \(medians)
            p50 beyond the bare disk's: \(verdict(p50, p50More, \.isP50Kept))
            p99 beyond twice the bare disk's: \(verdict(p99, p99More, \.isP99Kept))
            """
    }
}

/// Where the time of sampled commands went.
struct DurableStages {
    /// What passes between two stamps, the sender's before all and the receiver's behind.
    private static let names = [
        "load, late", "socket, in", "queue", "engine", "write before", "fsync before",
        "journal wakes", "journal write", "fsync", "release", "socket, out",
    ]
    private var each = [LatencyHistogram](repeating: LatencyHistogram(), count: names.count)
    /// What each took of the command that took longest.
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

    /// A table under `title`, and what the longest of all was.
    func table(_ title: String) -> String {
        let columns = [("p50", 500), ("p99", 990), ("p99.9", 999), ("max", 1000)]
        var lines = [
            Padding.left("", 20) + columns.map { Padding.right($0.0, 11) }.joined()
                + Padding.right("mean", 11)
        ]
        for (stage, latency) in each.enumerated() {
            let values = columns.map { latency.nanos(permille: $0.1) } + [latency.mean]
            lines.append(
                Padding.left(Self.names[stage], 20)
                    + values.map { Padding.right(DurableBench.micros($0), 11) }.joined())
        }
        let all = longest.reduce(0, +)
        let most = longest.indices.max { longest[$0] < longest[$1] } ?? 0
        let parts = longest.enumerated().map {
            "\(Self.names[$0.offset]) \($0.element / 1000)"
        }
        return "\(title), \(each[0].total) samples\n" + lines.joined(separator: "\n")
            + "\nthe longest took \(all / 1000) us, most of it in \(Self.names[most]): "
            + parts.joined(separator: "; ")
    }

    /// As lines for the parent.
    var lines: [String] {
        [longest.map(String.init).joined(separator: " ")] + each.map(\.line)
    }

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
