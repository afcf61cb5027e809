// From 64-bit hashes to slab slots, without copies of the keys and without long steps.

/// A hash table of slab slots, by 64-bit hashes: buckets of four entries, with a chain behind a
/// full one; it grows by one bucket every second insert.
///
/// ```
/// buckets: four entries each               links: one a slot, by the slot's number
///   ┌─────────┬────────────┐ ×4               ┌───────────────┬──────────┐
///   │ 8  hash │ 24  slot+1 │      fourth's ─▶ │ 32 next entry │ 32  hash │ ─▶ …
///   └─────────┴────────────┘                  └───────────────┴──────────┘
/// ```
///
/// An entry has bits 24–31 of its hash, so a find costs one line of `buckets` and, nearly always,
/// only the slab's line that the caller wants anyway; the caller compares the key itself. Adding
/// and removing read at most the links of the same bucket, never another slot of the caller's.
///
/// The table grows by linear hashing (Litwin, "Linear hashing: a new tool for file and table
/// addressing", 1980): while more than half of the places are filled, an insert splits the next
/// bucket in turn. It does not shrink. All operations are O(1) expected, and none is longer than a
/// bucket or two with their chains, which hold at most one entry in 27. Under hashes that somebody
/// controls one chain could hold all entries: keys from outside, including numbers that somebody
/// can select, need a `KeyedHash`.
public struct ChainIndex: ~Copyable {
    @usableFromInline struct Link: BitwiseCopyable {
        /// The next entry of its bucket's chain, or 0.
        @usableFromInline var next: UInt32
        /// Bits 0–31 of this entry's own hash.
        @usableFromInline var hash: UInt32

        @inlinable @inline(__always) init(next: UInt32, hash: UInt32) {
            (self.next, self.hash) = (next, hash)
        }
    }

    /// Four to a bucket, those in use first; the fourth's link begins the bucket's chain.
    @usableFromInline var places: Slab<UInt32>
    @usableFromInline var links: Slab<Link>
    /// Buckets in use. Those from `(mask + 1) / 2` on are the upper halves of split ones.
    @usableFromInline var used: UInt32
    /// 2ⁿ − 1, where 2ⁿ⁻¹ ≤ `used` < 2ⁿ.
    @usableFromInline var mask: UInt32
    @usableFromInline var entries = 0
    /// The number of entries.
    @inlinable public var count: Int { entries }

    /// Buckets of an empty table: 16 KiB, which stay in the L1 cache.
    static var bucketsMin: Int { 1_024 }

    /// A table for the slots `0..<capacity`, fewer than 2²⁴. Memory is taken as it grows.
    public init(capacity: Int) {
        precondition(capacity > 0 && capacity < 1 << 24, "an index entry has 24 bits")
        places = Slab(capacity: Self.places(capacity))
        links = Slab(capacity: capacity)
        used = UInt32(Self.bucketsMin)
        mask = UInt32(2 * Self.bucketsMin - 1)
    }

    /// Makes room for the slots `0..<capacity`, no fewer than before. The entries stay.
    public mutating func raise(capacity: Int) {
        precondition(capacity < 1 << 24, "an index entry has 24 bits")
        places.raise(capacity: Self.places(capacity))
        links.raise(capacity: capacity)
    }

    /// The pages of the table.
    public var memory: [SlabMemory] { [places.memory, links.memory] }

    private static func places(_ capacity: Int) -> Int { 4 * max(capacity / 2, bucketsMin) }

    /// The first place of a hash's bucket.
    @inlinable @inline(__always) func bucket(_ hash: UInt32) -> UInt32 {
        let wide = hash & mask
        return (wide < used ? wide : wide & (mask >> 1)) &* 4
    }

    @inlinable @inline(__always) static func slot(_ entry: UInt32) -> UInt32 {
        (entry & 0xFF_FFFF) &- 1
    }

    @inlinable @inline(__always) static func entry(_ hash: UInt32, _ slot: UInt32) -> UInt32 {
        (hash & 0xFF00_0000) | (slot &+ 1)
    }

    /// An entry of the bucket with the hash's bits, or 0; chosen without a branch. Free places
    /// follow those in use, so none hides an entry.
    @inlinable @inline(__always) func candidate(_ bucket: UInt32, _ hash: UInt32) -> UInt32 {
        // All four are in range, or none.
        let first = unsafe places.address(bucket)
        var entry: UInt32 = 0
        for lane in (0..<4).reversed() {
            let other = unsafe first[lane]
            if (other ^ hash) >> 24 == 0 { entry = other }
        }
        return entry
    }

    /// Prefetches the line of `hash`.
    @inlinable @inline(__always) public func prefetch(_ hash: UInt64) {
        places.prefetch(Int(bucket(UInt32(truncatingIfNeeded: hash))))
    }

    /// The slot under `hash` for which `matches` holds; nil if there is none. `matches` may also be
    /// called for slots under other hashes.
    @inlinable @inline(__always) public func find(
        _ hash: UInt64, _ matches: (UInt32) -> Bool
    ) -> UInt32? {
        let hash = UInt32(truncatingIfNeeded: hash)
        let bucket = bucket(hash)
        let entry = candidate(bucket, hash)
        if entry != 0, matches(Self.slot(entry)) { return Self.slot(entry) }
        if places[bucket &+ 3] == 0, entry == 0 { return nil }
        return search(bucket, hash, but: entry, matches)
    }

    /// Walks a bucket and its chain.
    @inlinable @inline(never) func search(
        _ bucket: UInt32, _ hash: UInt32, but refused: UInt32, _ matches: (UInt32) -> Bool
    ) -> UInt32? {
        var entry: UInt32 = 0
        for lane in 0..<4 as Range<UInt32> {
            entry = places[bucket + lane]
            if entry == 0 { return nil }
            if (entry ^ hash) >> 24 == 0, entry != refused, matches(Self.slot(entry)) {
                return Self.slot(entry)
            }
        }
        while true {
            entry = links[Self.slot(entry)].next
            if entry == 0 { return nil }
            if (entry ^ hash) >> 24 == 0, matches(Self.slot(entry)) { return Self.slot(entry) }
        }
    }

    /// The likely result of `find`, from the line that `prefetch` loads; nil if there is none. For
    /// further prefetching.
    @inlinable @inline(__always) public func guess(_ hash: UInt64) -> UInt32? {
        let hash = UInt32(truncatingIfNeeded: hash)
        let entry = candidate(bucket(hash), hash)
        return entry == 0 ? nil : Self.slot(entry)
    }

    /// Number of a bucket's first three places in use.
    @inlinable @inline(__always) func filled(_ bucket: UInt32) -> UInt32 {
        (places[bucket] == 0 ? 0 : 1) &+ (places[bucket &+ 1] == 0 ? 0 : 1)
            &+ (places[bucket &+ 2] == 0 ? 0 : 1)
    }

    /// Adds `slot` under `hash`. The caller has checked that it is not there.
    @inlinable @inline(__always) public mutating func insert(_ hash: UInt64, _ slot: UInt32) {
        if entries >= 2 &* Int(used), 4 &* Int(used) < places.capacity { split() }
        let hash = UInt32(truncatingIfNeeded: hash)
        add(Self.entry(hash, slot), hash, to: bucket(hash))
        entries &+= 1
    }

    @inlinable @inline(__always)
    mutating func add(_ entry: UInt32, _ hash: UInt32, to bucket: UInt32) {
        let fourth = places[bucket &+ 3]
        var next: UInt32 = 0
        if fourth == 0 {
            places[bucket &+ filled(bucket)] = entry
        } else {
            // Behind the fourth, before its chain.
            next = links[Self.slot(fourth)].next
            links[Self.slot(fourth)].next = entry
        }
        links[Self.slot(entry)] = Link(next: next, hash: hash)
    }

    /// Removes `slot`, added under `hash`; stops the process if it is missing.
    @inlinable @inline(__always) public mutating func remove(_ hash: UInt64, _ slot: UInt32) {
        let hash = UInt32(truncatingIfNeeded: hash)
        let bucket = bucket(hash)
        let wanted = Self.entry(hash, slot)
        if places[bucket &+ 3] == 0 {
            // The last entry replaces the removed one.
            let place =
                bucket &+ (places[bucket] == wanted ? 0 : places[bucket &+ 1] == wanted ? 1 : 2)
            precondition(places[place] == wanted, "a slot to remove is in the index")
            let last = bucket &+ filled(bucket) &- 1
            places[place] = places[last]
            places[last] = 0
        } else {
            unlink(bucket, wanted)
        }
        entries &-= 1
    }

    /// Removes an entry from a full bucket or its chain.
    @inlinable @inline(never) mutating func unlink(_ bucket: UInt32, _ wanted: UInt32) {
        let last = bucket + 3
        let fourth = Self.slot(places[last])
        let chained = links[fourth].next
        for place in bucket...last where places[place] == wanted {
            if place != last, chained != 0 {
                links[fourth].next = links[Self.slot(chained)].next
                links[Self.slot(chained)].next = 0
            }
            // The fourth's successor has the rest of the chain already.
            places[place] = chained != 0 ? chained : places[last]
            if chained == 0 { places[last] = 0 }
            return
        }
        var before = fourth
        while true {
            let entry = links[before].next
            precondition(entry != 0, "a slot to remove is in the index")
            if entry == wanted {
                links[before].next = links[Self.slot(entry)].next
                return
            }
            before = Self.slot(entry)
        }
    }

    /// Splits the next bucket in turn between itself and a new last one.
    @inlinable @inline(never) mutating func split() {
        let half = mask / 2 + 1
        let (lower, upper) = ((used - half) * 4, used * 4)
        used += 1
        if used > mask { mask = mask * 2 + 1 }
        var entries = InlineArray<4, UInt32>(repeating: 0)
        for lane in 0..<4 { entries[lane] = places[lower + UInt32(lane)] }
        for lane in 0..<4 { places[lower + UInt32(lane)] = 0 }
        var chained = entries[3] == 0 ? 0 : links[Self.slot(entries[3])].next
        for lane in 0..<4 where entries[lane] != 0 { share(entries[lane], half, lower, upper) }
        while chained != 0 {
            let next = links[Self.slot(chained)].next
            share(chained, half, lower, upper)
            chained = next
        }
    }

    @inlinable
    mutating func share(_ entry: UInt32, _ half: UInt32, _ lower: UInt32, _ upper: UInt32) {
        let hash = links[Self.slot(entry)].hash
        add(entry, hash, to: hash & half == 0 ? lower : upper)
    }
}
