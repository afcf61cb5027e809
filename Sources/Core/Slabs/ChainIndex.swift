// From 64-bit hashes to slab slots, without a copy of the keys and without a step that is long.

/// A chained table of slab slots, found by a 64-bit hash, that grows by one bucket an insert.
///
/// ```
/// heads:  one entry a bucket          links: one a slot, by the slot's number
///         ┌──────────┬────────────┐          ┌──────────────┬───────────┐
///         │ 8  hash  │ 24 slot+1  │ ───────▶ │ 32 next entry │ 32 hash   │ ───▶ …
///         └──────────┴────────────┘          └──────────────┴───────────┘
/// ```
///
/// An entry carries bits 24–31 of its hash, so a find costs one line of `heads` and, nearly always,
/// the slab's line that the caller wants anyway; the caller compares the key itself. Adding and
/// removing read the links of the same bucket alone, never another slot of the caller's.
///
/// The table grows by linear hashing (Litwin, "Linear hashing: a new tool for file and table
/// addressing", 1980): while there are fewer than two buckets an entry, each insert splits one
/// bucket, the next in turn. It does not shrink. All operations are O(1) expected, and none is
/// longer than a chain or two; under hashes that somebody else controls a chain holds all entries,
/// so that keys from outside, numbers of which somebody can keep a choice included, are to go
/// through a `KeyedHash`.
public struct ChainIndex: ~Copyable {
    @usableFromInline struct Link: BitwiseCopyable {
        /// The entry behind this one in its bucket, or 0.
        @usableFromInline var next: UInt32
        /// Bits 0–31 of this entry's own hash.
        @usableFromInline var hash: UInt32

        @inlinable @inline(__always) init(next: UInt32, hash: UInt32) {
            self.next = next
            self.hash = hash
        }
    }

    @usableFromInline var heads: Slab<UInt32>
    @usableFromInline var links: Slab<Link>
    /// Buckets in use. Those from `(mask + 1) / 2` on are the upper halves of split ones.
    @usableFromInline var buckets: UInt32
    /// 2ⁿ − 1, where 2ⁿ⁻¹ ≤ `buckets` < 2ⁿ.
    @usableFromInline var mask: UInt32
    @usableFromInline var entries = 0
    /// The number of entries.
    @inlinable public var count: Int { entries }

    /// Buckets of an empty table: 16 KiB, which stay in the nearest caches.
    static var bucketsMin: Int { 4_096 }

    /// A table for the slots `0..<capacity`, fewer than 2²⁴. Memory is taken as it grows.
    public init(capacity: Int) {
        precondition(capacity > 0 && capacity < 1 << 24, "an index entry has 24 bits")
        heads = Slab(capacity: max(2 * capacity, Self.bucketsMin))
        links = Slab(capacity: capacity)
        buckets = UInt32(Self.bucketsMin)
        mask = UInt32(2 * Self.bucketsMin - 1)
    }

    /// Makes room for the slots `0..<capacity`, no fewer than before. The entries stay.
    public mutating func raise(capacity: Int) {
        precondition(capacity < 1 << 24, "an index entry has 24 bits")
        heads.raise(capacity: max(2 * capacity, Self.bucketsMin))
        links.raise(capacity: capacity)
    }

    @inlinable @inline(__always) func bucket(_ hash: UInt32) -> UInt32 {
        let wide = hash & mask
        return wide < buckets ? wide : wide & (mask >> 1)
    }

    @inlinable @inline(__always) static func slot(_ entry: UInt32) -> UInt32 {
        (entry & 0xFF_FFFF) &- 1
    }

    @inlinable @inline(__always) static func entry(_ hash: UInt32, _ slot: UInt32) -> UInt32 {
        (hash & 0xFF00_0000) | (slot &+ 1)
    }

    /// Loads the line where `hash` would be found.
    @inlinable @inline(__always) public func prefetch(_ hash: UInt64) {
        heads.prefetch(Int(bucket(UInt32(truncatingIfNeeded: hash))))
    }

    /// The slot under `hash` for which `matches` holds; nil when there is none. `matches` may be
    /// asked of slots under other hashes, too.
    @inlinable @inline(__always) public func find(
        _ hash: UInt64, _ matches: (UInt32) -> Bool
    ) -> UInt32? {
        let hash = UInt32(truncatingIfNeeded: hash)
        var entry = heads[bucket(hash)]
        while entry != 0 {
            let slot = Self.slot(entry)
            if (entry ^ hash) >> 24 == 0, matches(slot) { return slot }
            entry = links[slot].next
        }
        return nil
    }

    /// The slot that `find` would most likely give, without a look at anything but the line that
    /// `prefetch` loads; nil when there is none. For loading more ahead of time.
    @inlinable @inline(__always) public func guess(_ hash: UInt64) -> UInt32? {
        let entry = heads[bucket(UInt32(truncatingIfNeeded: hash))]
        return entry == 0 ? nil : Self.slot(entry)
    }

    /// Adds `slot` under `hash`. The caller has made sure that it is not there.
    @inlinable @inline(__always) public mutating func insert(_ hash: UInt64, _ slot: UInt32) {
        if 2 &* entries >= Int(buckets), Int(buckets) < heads.capacity { split() }
        let hash = UInt32(truncatingIfNeeded: hash)
        let place = bucket(hash)
        links[slot] = Link(next: heads[place], hash: hash)
        heads[place] = Self.entry(hash, slot)
        entries &+= 1
    }

    /// Takes `slot` out, which was added under `hash`; stops the process when it is not there.
    @inlinable @inline(__always) public mutating func remove(_ hash: UInt64, _ slot: UInt32) {
        let hash = UInt32(truncatingIfNeeded: hash)
        let place = bucket(hash)
        let wanted = Self.entry(hash, slot)
        let first = heads[place]
        if first == wanted {
            heads[place] = links[slot].next
        } else {
            unlink(first, wanted)
        }
        entries &-= 1
    }

    /// Takes an entry out from behind `first`.
    @inlinable mutating func unlink(_ first: UInt32, _ wanted: UInt32) {
        var entry = first
        while true {
            precondition(entry != 0, "a slot to remove stands in the index")
            let slot = Self.slot(entry)
            entry = links[slot].next
            if entry == wanted {
                links[slot].next = links[Self.slot(wanted)].next
                return
            }
        }
    }

    /// Shares out the entries of the next bucket in turn between itself and a new last one.
    @inlinable @inline(never) mutating func split() {
        let half = mask / 2 + 1
        var entry = heads[buckets - half]
        var (lower, upper): (UInt32, UInt32) = (0, 0)
        while entry != 0 {
            let slot = Self.slot(entry)
            let next = links[slot].next
            if links[slot].hash & half == 0 {
                links[slot].next = lower
                lower = entry
            } else {
                links[slot].next = upper
                upper = entry
            }
            entry = next
        }
        heads[buckets - half] = lower
        heads[buckets] = upper
        buckets += 1
        if buckets > mask { mask = mask * 2 + 1 }
    }
}
