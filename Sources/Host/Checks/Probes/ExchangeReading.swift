// /probe/exchange: matchd's counters. Absent while matchd does not answer.

package import Terms

/// What matchd reports of itself, in its order, by the keys of `boursectl status`. The list is
/// open: unknown keys are passed on.
package struct ExchangeReading: Hashable, Sendable {
    /// Where it is read.
    package static let path = "/probe/exchange"

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
    package init(_ values: [(ExchangeCounter, String)]) {
        self.init(values.map { Entry(key: $0.0.rawValue, value: $0.1) })
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
    package subscript(key: ExchangeCounter) -> String? { values[key.rawValue] }
    /// Whether somebody compared the engine's hash with the auditor's.
    package var hasHashes: Bool { values["hashesEqual"] != nil }
    /// Whether they are equal; nil where there is no such condition.
    package var areHashesEqual: Bool? { Self.flag(values["hashesEqual"]) }
    /// A number; nil where there is none.
    package func number(_ key: ExchangeCounter) -> Int64? { self[key].flatMap { Int64($0) } }
    /// A number from 0; nil where there is none.
    package func count(_ key: ExchangeCounter) -> Int64? {
        self[key].flatMap { Observation.count($0) }
    }
    /// A condition, 0 or 1; nil where there is none.
    package func flag(_ key: ExchangeCounter) -> Bool? { Self.flag(self[key]) }

    private static func flag(_ text: String?) -> Bool? {
        switch text.flatMap({ Observation.count($0) }) {
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
