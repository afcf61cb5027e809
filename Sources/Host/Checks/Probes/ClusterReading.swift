// /probe/cluster: this host's part in its cluster, as its agent decides it. Absent where there is
// no cluster.

/// What the agent knows of its cluster. The list is open: unknown keys are left out.
package struct ClusterReading: Hashable, Sendable {
    /// Where it is read.
    package static let path = "/probe/cluster"

    /// A key that is known here.
    package enum Key: String, CaseIterable, Sendable {
        /// The role, in a word, and its epoch.
        case role, epoch
        /// Both hosts' names in the record's set: 0 or 1.
        case inSync
        /// etcd gave a definite answer of late: 0 or 1.
        case arbiter
        /// The peer's agent is reachable: 0 or 1.
        case peer
        /// Records that the standby lacks, and how long the oldest waits for it, in nanoseconds,
        /// where that is known.
        case lag, lagNanos
        /// The host that acknowledges commands, as far as this one knows; `-`: none.
        case leader
        /// Claims are paused; the peer is out until an operator adds it: 0 or 1.
        case paused, peerOut
        /// The last cycle's sentence, and why etcd or the peer's agent does not answer.
        case sentence, arbiterFault, peerFault
    }

    private let values: [Key: String]

    /// These values.
    package init(_ values: [Key: String]) { self.values = values }

    /// Reads lines `key text`; others are left out.
    package init(_ text: String) {
        var values: [Key: String] = [:]
        for line in text.lines {
            guard let space = line.firstIndex(of: " "),
                let key = Key(rawValue: String(line[..<space]))
            else { continue }
            values[key] = String(line[line.index(after: space)...])
        }
        self.values = values
    }

    /// The text that `init` reads.
    package var text: String {
        Key.allCases.compactMap { key in
            values[key].map { value in
                let line = value.split(whereSeparator: \.isNewline).joined(separator: " ")
                return "\(key.rawValue) \(line)\n"
            }
        }.joined()
    }

    /// A value's text.
    package subscript(key: Key) -> String? { values[key] }
    /// A number that counts something; nil where there is none.
    package func count(_ key: Key) -> Int64? {
        values[key].flatMap { Int64($0) }.flatMap { $0 < 0 ? nil : $0 }
    }
    /// A condition, 0 or 1; nil where there is none.
    package func flag(_ key: Key) -> Bool? {
        switch values[key] {
        case "0": false
        case "1": true
        default: nil
        }
    }
}
