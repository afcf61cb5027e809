// The latency of memory alone: the bound for an engine's step.

internal import Slabs

/// Cache lines in one random ring, each with the place of the next: a walk has to wait for each
/// load before the next, as a step of the engine does for its first ones.
public struct BareMemory: ~Copyable {
    /// A line is 16 words; the first is the place of the next line.
    private var words: Slab<UInt32>
    private var at: UInt32 = 0
    /// The bytes of the ring.
    public let bytes: Int

    /// A ring of this many bytes, at least one line.
    public init(bytes: Int) {
        let count = max(1, bytes / 64)
        self.bytes = count * 64
        words = Slab(capacity: count * 16)
        for i in 0..<count { words[i * 16] = UInt32(i) }
        // Sattolo's shuffle: the result is a single ring.
        var random: UInt64 = 1
        for i in stride(from: count - 1, to: 0, by: -1) {
            // Knuth's MMIX; its high bits are the good ones.
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let j = Int((random >> 32) % UInt64(i))
            let next = words[i * 16]
            words[i * 16] = words[j * 16]
            words[j * 16] = next
        }
    }

    /// Walks `steps` loads and returns the line reached; the start is line 0.
    public mutating func walk(_ steps: Int) -> UInt32 {
        var at = at
        for _ in 0..<steps { at = words[Int(at) << 4] }
        self.at = at
        return at
    }
}

/// Mixes a key over all bits, so that each step reads elsewhere.
@inline(__always) private func scatter(_ key: UInt64) -> UInt64 {
    let product = (key ^ (key >> 32)) &* 0x9E37_79B9_7F4A_7C15
    return product ^ (product >> 32)
}
