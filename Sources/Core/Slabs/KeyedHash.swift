// Hashes that are unpredictable without their key.

/// A hash of a few words under a key of 128 bits: products of 64 × 64 bits with their halves folded
/// together, as in wyhash. Texts from outside that collide under one key do not under another, so a
/// random key per log keeps an index balanced. Not a cryptographic hash.
public struct KeyedHash: BitwiseCopyable, Sendable {
    @usableFromInline let high: UInt64
    @usableFromInline let low: UInt64

    /// The hash with this key; any value, even zero, is valid.
    public init(high: UInt64, low: UInt64) {
        // Words are xored with these before multiplication: neither may have few bits set.
        self.high = SplitMix64.finish(high &+ 0x9E37_79B9_7F4A_7C15) | 1
        self.low = SplitMix64.finish(low &+ 0xD1B5_4A32_D192_ED03)
    }

    @inlinable @inline(__always) static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    /// The hash of one word.
    @inlinable @inline(__always) public func hash(_ word: UInt64) -> UInt64 {
        Self.fold(word ^ low, high)
    }

    /// The hash of a text of five words and its owner.
    @inlinable @inline(__always) public func hash(
        _ w0: UInt64, _ w1: UInt64, _ w2: UInt64, _ w3: UInt64, _ w4: UInt64, owner: UInt32
    ) -> UInt64 {
        let front = Self.fold(w0 ^ low, w1 ^ high)
        let back = Self.fold(
            w2 ^ (low &+ 0x9E37_79B9_7F4A_7C15), w3 ^ (high &+ 0xD6E8_FEB8_6659_FD93))
        return Self.fold(front ^ w4 ^ high, back ^ UInt64(owner) ^ low)
    }
}
