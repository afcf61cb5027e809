// Which copy of a journal: replicas are in sync, not hosts.

/// Which copy of a journal: 128 random bits, one for each journal directory.
public struct ReplicaID: Hashable, Sendable, CustomStringConvertible {
    /// First half.
    public var high: UInt64
    /// Second half.
    public var low: UInt64

    /// An id of these halves.
    public init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }

    /// The id of 32 hexadecimal digits, as `description` gives them; nil for any other text.
    public init?(_ text: String) {
        guard text.utf8.count == 32, text.utf8.allSatisfy({ hexDigit($0) != nil }),
            let high = UInt64(text.prefix(16), radix: 16),
            let low = UInt64(text.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }

    /// No id: for a journal without a replica.
    public static var none: ReplicaID { ReplicaID(high: 0, low: 0) }

    /// 32 hexadecimal digits.
    public var description: String { high.hexText + low.hexText }
}
