// From 64-bit keys to slab indices, without a second copy of the keys.

/// An open-addressing table of 32-bit slab indices, found by a 64-bit hash.
///
/// An entry is an index (24 bits) and 8 bits of the hash; the caller compares the key itself in its
/// slab, so a probe costs one line of the table and, nearly always, the slab's line that is wanted
/// anyway. Linear probing with deletion by backward shift, so there are no tombstones; the shift
/// needs the hash of its neighbours, which the caller gives. The table doubles in one step, up to
/// the reserved size, when half of it is full, of a small one a quarter. O(1) expected; doubling
/// O(n).
public struct HashIndex: ~Copyable {
    @usableFromInline var slots: Slab<UInt32>
    @usableFromInline var mask: Int
    /// The number of entries.
    public private(set) var count: Int

    /// A table for at most `capacity` entries, fewer than 2^24.
    public init(capacity: Int) {
        precondition(capacity < 1 << 24, "an index entry has 24 bits")
        var size = 64
        while size < capacity * 2 || size < min(capacity * 4, Self.small) { size *= 2 }
        slots = Slab(capacity: size)
        mask = 63
        count = 0
    }

    /// A table of fewer places stays in the nearest caches; there a second probe, which the
    /// processor cannot foresee, costs more than the room.
    @usableFromInline static var small: Int { 16_384 }

    @inlinable @inline(__always) static func entry(_ hash: UInt64, _ index: UInt32) -> UInt32 {
        // The tag comes from the top, the place from the bottom: the two are independent.
        UInt32(truncatingIfNeeded: hash >> 56) << 24 | (index + 1)
    }

    /// Loads the line where `hash` would be found.
    @inlinable @inline(__always) public func prefetch(_ hash: UInt64) {
        slots.prefetch(Int(truncatingIfNeeded: hash) & mask)
    }

    /// The index whose tag fits `hash` and for which `matches` holds; nil when there is none.
    @inlinable @inline(__always) public func find(
        _ hash: UInt64, _ matches: (UInt32) -> Bool
    ) -> UInt32? {
        var place = Int(truncatingIfNeeded: hash) & mask
        let tag = UInt32(truncatingIfNeeded: hash >> 56)
        while true {
            let entry = slots[place]
            if entry == 0 { return nil }
            if entry >> 24 == tag {
                let index = (entry & 0xFF_FFFF) - 1
                if matches(index) { return index }
            }
            place = (place &+ 1) & mask
        }
    }

    /// Adds `index` under `hash`. The caller has made sure that its key is not there.
    /// `hashOf` gives the hash of any index that is in the table, from the caller's `keys`.
    @inlinable public mutating func insert<Keys: ~Copyable>(
        _ hash: UInt64, _ index: UInt32, keys: borrowing Keys,
        hashOf: (borrowing Keys, UInt32) -> UInt64
    ) {
        if count * (mask < Self.small - 1 ? 4 : 2) >= mask + 1 { grow(keys, hashOf) }
        var place = Int(truncatingIfNeeded: hash) & mask
        while slots[place] != 0 { place = (place &+ 1) & mask }
        slots[place] = Self.entry(hash, index)
        addToCount(1)
    }

    /// Takes `index` out, which stands under `hash`; stops the process when it does not.
    @inlinable public mutating func remove<Keys: ~Copyable>(
        _ hash: UInt64, _ index: UInt32, keys: borrowing Keys,
        hashOf: (borrowing Keys, UInt32) -> UInt64
    ) {
        let wanted = Self.entry(hash, index)
        var hole = Int(truncatingIfNeeded: hash) & mask
        while slots[hole] != wanted {
            precondition(slots[hole] != 0, "an index to remove stands in the table")
            hole = (hole &+ 1) & mask
        }
        // Backward shift: move up each follower that may stand in the hole.
        var next = (hole &+ 1) & mask
        while slots[next] != 0 {
            let follower = (slots[next] & 0xFF_FFFF) - 1
            let home = Int(truncatingIfNeeded: hashOf(keys, follower)) & mask
            if (next &- home) & mask >= (next &- hole) & mask {
                slots[hole] = slots[next]
                hole = next
            }
            next = (next &+ 1) & mask
        }
        slots[hole] = 0
        addToCount(-1)
    }

    @usableFromInline mutating func addToCount(_ n: Int) { count += n }

    @inlinable @inline(never)
    mutating func grow<Keys: ~Copyable>(
        _ keys: borrowing Keys, _ hashOf: (borrowing Keys, UInt32) -> UInt64
    ) {
        let old = mask + 1
        precondition(old * 2 <= slots.capacity, "the table holds no more than it was made for")
        mask = old * 2 - 1
        // In place: entries from a run that wraps around the old end come first, so begin after the
        // first empty place and go once round; each entry then only moves to a place already left.
        var start = 0
        while slots[start] != 0 { start += 1 }
        for step in 0..<old {
            let place = (start + step) & (old - 1)
            let entry = slots[place]
            if entry == 0 { continue }
            slots[place] = 0
            var target = Int(truncatingIfNeeded: hashOf(keys, (entry & 0xFF_FFFF) - 1)) & mask
            while slots[target] != 0 { target = (target &+ 1) & mask }
            slots[target] = entry
        }
    }
}

/// Spreads a 64-bit key over all bits (Fibonacci hashing between two folds), so that sequential and
/// patterned keys alike meet few collisions: without the first fold, keys that differ in their high
/// bits alone would share a place. Identifiers kept in sequence would share lines, but a dense run
/// of them piles up behind older ones under linear probing.
@inlinable @inline(__always) public func scatter(_ key: UInt64) -> UInt64 {
    let product = (key ^ (key >> 32)) &* 0x9E37_79B9_7F4A_7C15
    return product ^ (product >> 32)
}
