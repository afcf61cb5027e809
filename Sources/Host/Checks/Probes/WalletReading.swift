// /probe/wallet: the chains and assets of walletd. Absent while it does not answer.

/// A line of walletd's report.
package enum WalletReading: Hashable, Sendable {
    /// A chain: seconds from one block to the next, blocks that were not scanned yet, and the age
    /// of the newest block of its node in seconds.
    case chain(String, interval: Int64, unscanned: Int64, age: Int64)
    /// An asset, and whether the wallet holds what customers are owed.
    case asset(String, isBalanced: Bool)

    /// Where it is read.
    static let path = "/probe/wallet"

    /// Reads `chain NAME SECONDS HEIGHT SCANNED AGE` or `asset NAME BALANCED`.
    package init?(line: Substring) {
        let words = line.words
        let numbers = words.dropFirst(2).map { Observation.count($0) }
        if words.count == 6, words[0] == "chain", let interval = numbers[0], interval > 0,
            let height = numbers[1], let scanned = numbers[2], let age = numbers[3]
        {
            self = .chain(
                String(words[1]), interval: interval, unscanned: max(height - scanned, 0), age: age)
        } else if words.count == 3, words[0] == "asset", let balance = numbers[0], balance <= 1 {
            self = .asset(String(words[1]), isBalanced: balance == 1)
        } else {
            return nil
        }
    }

    /// All lines; nil where one cannot be read, or there is none.
    package static func all(_ text: String) -> [WalletReading]? {
        let lines = text.lines
        let all = lines.compactMap { WalletReading(line: $0) }
        return all.isEmpty || all.count < lines.count ? nil : all
    }
}
