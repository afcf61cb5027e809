// The coins of a log as a file has them, so that a start need not read the whole log.
//
//      0  8    magic, "BOURSECN"
//      8  u64  the journal, high
//     16  u64  the journal, low
//     24  …    `CoinTable.saved`
//    -32  32   SHA-256 of all before
//
// It is a cache: without it the log gives the same.

internal import Secrets

/// Coins, and the journal whose records they have seen.
public struct SavedCoins: Sendable {
    private static let magic = Array("BOURSECN".utf8)
    private static let (headBytes, hashBytes) = (24, 32)
    /// Maximum bytes of a file.
    public static let bytesMax = 1 << 30

    /// The coins.
    public let coins: CoinTable
    /// The journal's identity, first half.
    public let journalHigh: UInt64
    /// The journal's identity, second half.
    public let journalLow: UInt64

    /// The coins of a journal.
    public init(_ coins: CoinTable, journalHigh: UInt64, journalLow: UInt64) {
        (self.coins, self.journalHigh, self.journalLow) = (coins, journalHigh, journalLow)
    }

    /// As a file has them. O(coins + bytes of open payments).
    public var bytes: [UInt8] {
        var bytes = Self.magic
        for value in [journalHigh, journalLow] {
            for index in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * index))) }
        }
        bytes += coins.saved
        return bytes + SHA256.digest(bytes)
    }

    /// Reads what `bytes` gave; nil where it is something else.
    public init?(_ bytes: [UInt8]) {
        let end = bytes.count - Self.hashBytes
        guard end >= Self.headBytes, bytes.starts(with: Self.magic),
            SHA256.digest(Array(bytes[..<end])) == Array(bytes[end...]),
            let coins = CoinTable(saved: Array(bytes[Self.headBytes..<end]))
        else { return nil }
        func integer(_ offset: Int) -> UInt64 {
            (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
        }
        self.init(coins, journalHigh: integer(8), journalLow: integer(16))
    }
}
