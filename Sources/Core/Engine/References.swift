// References of what must not count twice, as bookings: a set that only grows.

internal import Slabs
internal import Terms

/// A keyed hash of 128 bits: SipHash-2-4-128 (Aumasson, Bernstein 2012) over nine words. Collisions
/// cannot be found without the key, and do not occur by chance.
struct ReferenceHash: Hashable, BitwiseCopyable {
    var high: UInt64 = 0
    var low: UInt64 = 0

    /// The hash of an operator's reference.
    static func of(_ reference: Text64, _ key: (high: UInt64, low: UInt64)) -> ReferenceHash {
        let (a, b) = (reference.low, reference.high)
        return of([1, a.0, a.1, a.2, a.3, b.0, b.1, b.2, b.3], key)
    }

    /// The hash of an output of a transaction; `network` 0 where it was not said.
    static func of(
        asset: AssetID, network: NetworkID, transactionHigh: UInt128, transactionLow: UInt128,
        output: UInt32, _ key: (high: UInt64, low: UInt64)
    ) -> ReferenceHash {
        of(
            [
                2,
                UInt64(network.number) << 48 | UInt64(asset.number) << 32 | UInt64(output),
                UInt64(truncatingIfNeeded: transactionHigh >> 64),
                UInt64(truncatingIfNeeded: transactionHigh),
                UInt64(truncatingIfNeeded: transactionLow >> 64),
                UInt64(truncatingIfNeeded: transactionLow), 0, 0, 0,
            ], key)
    }

    /// The hash of a customer's own id of a withdrawal.
    static func of(
        account: AccountID, withdrawal id: Text40, _ key: (high: UInt64, low: UInt64)
    ) -> ReferenceHash {
        of([3, UInt64(account.number), id.w0, id.w1, id.w2, id.w3, id.w4, 0, 0], key)
    }

    /// The hash of a transaction that settled withdrawals.
    static func of(
        settled id: TransactionID, on network: NetworkID, _ key: (high: UInt64, low: UInt64)
    ) -> ReferenceHash {
        of(
            [
                4, UInt64(network.number), UInt64(truncatingIfNeeded: id.high >> 64),
                UInt64(truncatingIfNeeded: id.high), UInt64(truncatingIfNeeded: id.low >> 64),
                UInt64(truncatingIfNeeded: id.low), 0, 0, 0,
            ], key)
    }

    private static func of(
        _ words: InlineArray<9, UInt64>, _ key: (high: UInt64, low: UInt64)
    ) -> ReferenceHash {
        var v = SipState(key)
        for i in 0..<9 { v.absorb(words[i]) }
        v.absorb(UInt64(9 * 8 & 255) << 56)
        v.v2 ^= 0xEE
        let low = v.squeeze()
        v.v1 ^= 0xDD
        return ReferenceHash(high: v.squeeze(), low: low)
    }
}

private struct SipState {
    var v0: UInt64
    var v1: UInt64
    var v2: UInt64
    var v3: UInt64

    init(_ key: (high: UInt64, low: UInt64)) {
        v0 = key.low ^ 0x736F_6D65_7073_6575
        v1 = key.high ^ 0x646F_7261_6E64_6F6D ^ 0xEE
        v2 = key.low ^ 0x6C79_6765_6E65_7261
        v3 = key.high ^ 0x7465_6462_7974_6573
    }

    mutating func absorb(_ word: UInt64) {
        v3 ^= word
        round()
        round()
        v0 ^= word
    }

    mutating func squeeze() -> UInt64 {
        for _ in 0..<4 { round() }
        return v0 ^ v1 ^ v2 ^ v3
    }

    private mutating func round() {
        v0 &+= v1
        v1 = Self.rotate(v1, 13) ^ v0
        v0 = Self.rotate(v0, 32)
        v2 &+= v3
        v3 = Self.rotate(v3, 16) ^ v2
        v0 &+= v3
        v3 = Self.rotate(v3, 21) ^ v0
        v2 &+= v1
        v1 = Self.rotate(v1, 17) ^ v2
        v2 = Self.rotate(v2, 32)
    }

    private static func rotate(_ word: UInt64, _ bits: UInt64) -> UInt64 {
        word << bits | word >> (64 - bits)
    }
}

/// A stored hash.
struct ReferenceEntry: BitwiseCopyable {
    var hash = ReferenceHash()
    /// The next entry of its chain plus one, or 0.
    var next: UInt32 = 0
}

/// A bounded, append-only set of hashes in the order of the log, identical on every replica.
///
/// Linear hashing (Litwin 1980): a table of chains that grows by one chain per insertion, so that
/// no insertion is long, and memory is taken as it fills.
struct References: ~Copyable {
    private var entries: Slab<ReferenceEntry>
    /// Each chain's first entry plus one, or 0. As many chains are in use as there are entries.
    private var chains: Slab<UInt32>
    private(set) var count = 0
    private(set) var capacity: Int
    private let byAddress = ByAddress()

    /// The pages of both tables.
    var slabMemory: [SlabMemory] { [entries.memory, chains.memory] }

    init(capacity: Int) {
        self.capacity = capacity
        entries = Slab(capacity: max(1, capacity))
        chains = Slab(capacity: max(1, capacity))
    }

    /// Makes room. O(pages).
    mutating func raise(capacity: Int) {
        entries.raise(capacity: max(1, capacity))
        chains.raise(capacity: max(1, capacity))
        self.capacity = capacity
    }

    var isFull: Bool { count >= capacity }

    /// The chain of a hash among the first `used`.
    private static func chain(_ hash: ReferenceHash, _ used: Int) -> Int {
        let bits = Int.bitWidth - (used - 1).leadingZeroBitCount
        let wide = Int(truncatingIfNeeded: hash.low) & (1 << bits - 1)
        // Hashes of chains beyond those in use are still in the chain that will be split.
        return wide < used ? wide : wide & (1 << (bits - 1) - 1)
    }

    /// Whether it is in the set. O(1) expected.
    func contains(_ hash: ReferenceHash) -> Bool {
        if count == 0 { return false }
        var link = chains[Self.chain(hash, count)]
        while link != 0 {
            let entry = entries[link - 1]
            if entry.hash == hash { return true }
            link = entry.next
        }
        return false
    }

    /// Adds a new one. The caller has checked that there is room. O(1) expected.
    mutating func insert(_ hash: ReferenceHash) {
        precondition(!isFull, "room for a reference")
        entries[count].hash = hash
        count += 1
        if count > 1 { split(count - 1) }
        push(UInt32(count - 1), Self.chain(hash, count))
    }

    private mutating func push(_ entry: UInt32, _ chain: Int) {
        entries[entry].next = chains[chain]
        chains[chain] = entry + 1
    }

    /// Fills the chain `new`, the last in use, from the chain being split.
    private mutating func split(_ new: Int) {
        let old = new & (1 << (Int.bitWidth - 1 - new.leadingZeroBitCount) - 1)
        var link = chains[old]
        chains[old] = 0
        while link != 0 {
            let next = entries[link - 1].next
            push(link - 1, Self.chain(entries[link - 1].hash, new + 1))
            link = next
        }
    }

    /// The hash at `index`, from 0.
    func hash(_ index: Int) -> ReferenceHash { entries[index].hash }
}
