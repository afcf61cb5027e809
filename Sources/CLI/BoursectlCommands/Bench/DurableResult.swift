// What a load process measured, and how it reports that to its parent.

import Link
import Terms

/// The measurements of a load process.
struct DurableResult: Sendable {
    var acked: UInt64 = 0
    var refused: UInt64 = 0
    var nanos: Int64 = 0
    var latency = LatencyHistogram()
    var stages = DurableStages()

    mutating func count(_ acks: [LinkAck]) {
        acked += UInt64(acks.count)
        for ack in acks where ack.refusal != .none { refused += 1 }
    }

    /// As text for the parent.
    var text: String {
        (["\(acked) \(refused) \(nanos) \(latency.line)"] + stages.lines)
            .joined(separator: "\n")
    }

    init() {}

    /// Reads the text of a child.
    init?(text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let first = lines.first,
            let stages = DurableStages(lines: lines.dropFirst().dropLast())
        else { return nil }
        self.stages = stages
        let parts = first.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 4, let acked = UInt64(parts[0]), let refused = UInt64(parts[1]),
            let nanos = Int64(parts[2]), let latency = LatencyHistogram(line: parts[3])
        else { return nil }
        (self.acked, self.refused, self.nanos, self.latency) = (acked, refused, nanos, latency)
    }

    /// Merges another process's.
    mutating func merge(_ other: DurableResult) {
        acked += other.acked
        refused += other.refused
        nanos = max(nanos, other.nanos)
        latency.merge(other.latency)
        stages.merge(other.stages)
    }
}

/// Durations in buckets of 3 %: small, and mergeable between processes.
struct LatencyHistogram: Sendable {
    private var counts = [UInt64](repeating: 0, count: 64 * 32)
    private(set) var total: UInt64 = 0
    private var sum: UInt64 = 0

    init() {}

    /// The mean, ns.
    var mean: UInt64 { sum / max(1, total) }

    mutating func record(_ nanos: Int64) {
        counts[Self.bucket(UInt64(max(1, nanos)))] += 1
        total += 1
        sum += UInt64(max(0, nanos))
    }

    mutating func merge(_ other: LatencyHistogram) {
        for place in counts.indices { counts[place] += other.counts[place] }
        total += other.total
        sum += other.sum
    }

    /// The duration that `permille` thousandths do not exceed, ns; of 1000 the longest.
    func nanos(permille: Int) -> UInt64 {
        let wanted = max(1, total * UInt64(permille) / 1000)
        var seen: UInt64 = 0
        for (place, count) in counts.enumerated() {
            seen += count
            if seen >= wanted { return Self.value(place) }
        }
        return 0
    }

    /// The bucket: the place of the highest bit, and the five bits below it.
    static func bucket(_ nanos: UInt64) -> Int {
        let top = 63 - nanos.leadingZeroBitCount
        if top < 5 { return Int(nanos) }
        return top * 32 + Int(nanos >> UInt64(top - 5) & 31)
    }

    static func value(_ bucket: Int) -> UInt64 {
        let top = bucket / 32
        if top < 5 { return UInt64(bucket) }
        return (32 + UInt64(bucket % 32)) << UInt64(top - 5)
    }

    var line: String {
        let parts = counts.enumerated().filter { $0.element > 0 }
        return (["\(sum)"] + parts.map { "\($0.offset):\($0.element)" }).joined(separator: ",")
    }

    init?(line: some StringProtocol) {
        guard let first = line.split(separator: ",").first, let sum = UInt64(first) else {
            return nil
        }
        self.sum = sum
        for part in line.split(separator: ",").dropFirst() {
            let pair = part.split(separator: ":")
            guard pair.count == 2, let place = Int(pair[0]), let count = UInt64(pair[1]),
                counts.indices.contains(place)
            else { return nil }
            counts[place] += count
            total += count
        }
    }
}
