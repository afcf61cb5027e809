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
        (["\(acked) \(refused) \(nanos) \(latency.line)"] + stages.lines).joined(separator: "\n")
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
