// Pairs of bare disk and matchd.

/// The bare disk and matchd, one after the other.
struct DurablePair {
    let bare: LatencyHistogram
    let ours: LatencyHistogram
    /// The idle share of the processors meanwhile, percent.
    let idle: Int

    /// Maximum excess over the bare disk's p50, ns.
    static let p50More: Int64 = 100_000
    /// Maximum excess over twice the bare disk's p99, ns.
    static let p99More: Int64 = 500_000

    /// Excess over the bare disk's p50, ns.
    var p50Excess: Int64 { Self.nanos(ours, 500) - Self.nanos(bare, 500) }
    /// Excess over twice the bare disk's p99, ns.
    var p99Excess: Int64 { Self.nanos(ours, 990) - 2 * Self.nanos(bare, 990) }
    var isP50Kept: Bool { p50Excess <= Self.p50More }
    var isP99Kept: Bool { p99Excess <= Self.p99More }

    private static let columns = [("p50", 500), ("p99", 990), ("p99.9", 999), ("max", 1000)]

    private static func nanos(_ latency: LatencyHistogram, _ permille: Int) -> Int64 {
        Int64(latency.percentile(perMille: permille))
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

    /// The median of each column, and of the excesses.
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
