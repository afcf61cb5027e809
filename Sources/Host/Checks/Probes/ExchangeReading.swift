// /probe/exchange: matchd's counters. Absent while matchd does not answer.

/// What matchd reports of itself, in its order, by the keys of `boursectl status`. The list is
/// open: unknown keys are passed on.
package struct ExchangeReading: Hashable, Sendable {
    /// Where it is read.
    package static let path = "/probe/exchange"

    /// A key that is known here.
    package enum Key: String, CaseIterable, Sendable {
        case role, epoch, released, durable, applied, commands, syncs
        case syncP50Nanos, syncP99Nanos, connections, connectionsMax, followers
        case ingressFillPerMille, logFillPerMille, diskFreeBytes, diskReserveBytes, belowReserve
        case hashMark, peerInSync, atRisk, gateWaitNanos
        case clockOffsetNanos, clockJumps, clockApart, poisoned, evicted
        case hashesEqual
    }

    /// A key and its value.
    package struct Entry: Hashable, Sendable {
        package var key: String
        package var value: String
    }

    /// The entries in their order.
    package private(set) var entries: [Entry]
    private let values: [String: String]

    private init(_ entries: [Entry]) {
        self.entries = entries
        values = Dictionary(entries.map { ($0.key, $0.value) }) { _, last in last }
    }

    /// These values.
    package init(_ values: KeyValuePairs<Key, String>) {
        self.init(values.map { Entry(key: $0.key.rawValue, value: $0.value) })
    }

    /// Reads lines `key value`; others are left out.
    package init(_ text: String) {
        self.init(
            text.lines.compactMap { line in
                let words = line.words
                guard words.count == 2 else { return nil }
                return Entry(key: String(words[0]), value: String(words[1]))
            })
    }

    /// The text that `init` reads.
    package var text: String { entries.map { "\($0.key) \($0.value)\n" }.joined() }

    /// A value's text.
    package subscript(key: Key) -> String? { values[key.rawValue] }
    /// A number; nil where there is none.
    package func number(_ key: Key) -> Int64? { self[key].flatMap { Int64($0) } }
    /// A number from 0; nil where there is none.
    package func count(_ key: Key) -> Int64? { self[key].flatMap { Observation.count($0) } }
    /// A condition, 0 or 1; nil where there is none.
    package func flag(_ key: Key) -> Bool? {
        switch count(key) {
        case 0: false
        case 1: true
        default: nil
        }
    }
}

extension Observation {
    /// matchd's counters; nil while it does not answer.
    var exchange: ExchangeReading? { text(ExchangeReading.path).map { ExchangeReading($0) } }
}
