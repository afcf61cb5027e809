// Price levels in price order: a trie of 64-way nodes over the bits of the price, one per side of
// each book, all from two pools.
//
//      price bits   … 17 ‥ 12 | 11 ‥ 6 | 5 ‥ 0
//      height             3       2       1 = leaf: 64 levels, side by side
//
// Each node has a bitmap of its children with orders below, so that the next price is a bit scan,
// and one of all its children: an emptied leaf is kept for a while, as orders return to prices that
// they left. The node above the last price looked up is cached: nearly every look-up is near it. A
// ladder grows in height only for a higher price.
//
// A level's orders form a ring that the level's own link closes. So inserting and removing take the
// same stores at any place, to an order's line or a level's, without a branch: no predictor could
// foresee which order is first or last.

internal import Slabs
internal import Terms

/// All ladders with their nodes and levels, and the queues of the levels.
struct Ladders: ~Copyable {
    private var ladders: Slab<Ladder>
    private let byAddress = ByAddress()
    private var leaves: Slab<Leaf>
    /// The level of each price of each leaf.
    var levels: Slab<Level>
    private var bitmaps: Slab<NodeBits>
    private var children: Slab<UInt32>
    private var freeLeaf: UInt32 = none
    private var leavesUsed: UInt32 = 0
    private var freeNode: UInt32 = none
    private var nodesUsed: UInt32 = 0
    /// Nodes on the path to the current price, by height.
    private var path: Slab<UInt32>
    /// Emptied leaves, a ring: each replaces the oldest.
    private var kept: Slab<KeptLeaf>
    private var keptCount = 0

    /// Number of empty leaves kept.
    private static var keptMax: Int { 1_024 }

    /// Ladders for `instruments`, with a level for each of `orders`.
    init(instruments: Int, orders: Int) {
        ladders = Slab(capacity: (instruments + 1) * 4)
        // A level needs at most one leaf and one node per height of its own: 48 bits of price are 8
        // heights. Only the price 2^48 is one bit longer: at most one more node per ladder.
        let leafCount = orders + 1 + Self.keptMax
        let dense = Self.denseLeaves(orders)
        leaves = Slab(capacity: leafCount)
        levels = Slab(capacity: leafCount * 64, dense: dense * 64)
        let nodes = Self.nodesMax(instruments: instruments, orders: orders)
        bitmaps = Slab(capacity: nodes, dense: dense)
        children = Slab(capacity: nodes * 64, dense: dense * 64)
        path = Slab(capacity: 16)
        kept = Slab(capacity: Self.keptMax)
        for i in 0..<(instruments + 1) * 4 { ladders[i] = Self.emptyLadder }
    }

    /// Leaves and nodes for orders at adjacent prices: orders that are far apart need more.
    private static func denseLeaves(_ orders: Int) -> Int { orders / 64 + keptMax }

    private static func nodesMax(instruments: Int, orders: Int) -> Int {
        (orders + keptMax) * 7 + (instruments + 1) * 4 + 64
    }

    private static var emptyLadder: Ladder {
        Ladder(
            best: none, root: none, bestRank: .max, height: 0, hintNode: none, levels: 0,
            hintKey: -1)
    }

    @inline(__always) static func index(_ instrument: UInt16, _ kind: LadderKind) -> Int {
        Int(instrument) * 4 + kind.rawValue
    }

    /// The best level of a ladder, or `none`.
    @inline(__always) func best(_ ladder: Int) -> UInt32 { ladders[ladder].best }

    /// Whether an order of the other side at `price` would trade with the best level.
    @inline(__always) func crosses(_ ladder: Int, _ kind: LadderKind, _ price: Int64) -> Bool {
        kind.rank(price) >= ladders[ladder].bestRank
    }

    /// The price of a level.
    @inline(__always) func price(_ level: UInt32) -> Int64 {
        leaves[level >> 6].base | Int64(level & 63)
    }

    /// The number of levels in a ladder.
    func count(_ ladder: Int) -> UInt32 { ladders[ladder].levels }

    /// Nodes and levels in use: the books' memory beside their orders.
    var memory: Int {
        Int(nodesUsed) * (64 * 4 + MemoryLayout<NodeBits>.stride)
            + Int(leavesUsed) * (64 * MemoryLayout<Level>.stride + MemoryLayout<Leaf>.stride)
    }

    // MARK: Queues

    /// The first order of a level in use.
    @inline(__always) func first(_ level: UInt32) -> UInt32 { levels[level].link.next }

    /// The last order of a level in use.
    func last(_ level: UInt32) -> UInt32 { levels[level].link.previous }

    /// The link of an order or a level, chosen without a branch.
    @inline(__always)
    private func link(_ name: UInt32, _ orders: borrowing Slab<HotOrder>)
        -> UnsafeMutablePointer<Link>
    {
        let isLevel = name >= Link.levelBit
        let place = name & ~Link.levelBit
        precondition(Int(place) < (isLevel ? levels.capacity : orders.capacity), "a link's place")
        let base =
            unsafe isLevel
            ? UnsafeMutableRawPointer(levels.address(0))
            : UnsafeMutableRawPointer(orders.address(0))
        // The link is the first field of both.
        let shift = isLevel ? Self.levelShift : Self.orderShift
        return unsafe (base + Int(place) << shift).assumingMemoryBound(to: Link.self)
    }

    private static var levelShift: Int { MemoryLayout<Level>.stride.trailingZeroBitCount }
    private static var orderShift: Int { MemoryLayout<HotOrder>.stride.trailingZeroBitCount }

    /// Appends an order that shows `shown` of `open` lots to a level.
    @inline(__always)
    mutating func append(
        _ slot: UInt32, _ level: UInt32, _ orders: inout Slab<HotOrder>, shown: Int64, open: Int64
    ) {
        let own = level | Link.levelBit
        let last = levels[level].link.previous
        orders[slot].link = Link(next: own, previous: last)
        levels[level].link.previous = slot
        unsafe link(last, orders).pointee.next = slot
        levels[level].shown += shown
        levels[level].open += open
        levels[level].count &+= 1
    }

    /// Removes an order that shows `shown` of `open` lots from its level's queue; returns its
    /// previous neighbours.
    @inline(__always) @discardableResult
    mutating func unlink(
        _ slot: UInt32, _ level: UInt32, _ orders: inout Slab<HotOrder>, shown: Int64, open: Int64
    ) -> Link {
        let between = orders[slot].link
        unsafe link(between.previous, orders).pointee.next = between.next
        unsafe link(between.next, orders).pointee.previous = between.previous
        levels[level].shown -= shown
        levels[level].open -= open
        levels[level].count &-= 1
        return between
    }

    // MARK: Prefetching

    /// The level that a price near the last ones has or would have; nil if that takes more than one
    /// load.
    @inline(__always) func guess(_ ladder: Int, _ price: Int64) -> UInt32? {
        if ladders[ladder].hintKey != price >> 12 { return nil }
        let leaf = child(ladders[ladder].hintNode, Int((price >> 6) & 63))
        return leaf == none ? nil : leaf << 6 | UInt32(price & 63)
    }

    /// Prefetches a level.
    @inline(__always) func prefetch(level: UInt32) {
        levels.prefetch(Int(level))
        leaves.prefetch(Int(level >> 6))
    }

    /// Prefetches the last order of a level whose line is loaded.
    @inline(__always) func prefetchLast(_ level: UInt32, _ orders: borrowing Slab<HotOrder>) {
        orders.prefetch(Int(levels[level].link.previous))
    }

    /// Prefetches the lines that removing an order writes, once its own is loaded.
    @inline(__always)
    func prefetchNeighbours(_ slot: UInt32, _ orders: borrowing Slab<HotOrder>) {
        orders.prefetch(Int(orders[slot].link.next))
        orders.prefetch(Int(orders[slot].link.previous))
        levels.prefetch(Int(orders[slot].level))
    }

    // MARK: Finding

    /// The level at `price`, or `none`. O(height), O(1) near the last price.
    @inline(__always) func find(_ ladder: Int, _ price: Int64) -> UInt32 {
        let leaf = leaf(ladder, price)
        if leaf == none || (leaves[leaf].bits >> UInt64(price & 63)) & 1 == 0 { return none }
        return leaf << 6 | UInt32(price & 63)
    }

    @inline(__always) private func child(_ node: UInt32, _ place: Int) -> UInt32 {
        (bitmaps[node].made >> UInt64(place)) & 1 == 0 ? none : children[Int(node) << 6 + place]
    }

    @inline(__always) private func leaf(_ ladder: Int, _ price: Int64) -> UInt32 {
        if ladders[ladder].hintKey == price >> 12 {
            return child(ladders[ladder].hintNode, Int((price >> 6) & 63))
        }
        return walk(ladder, price, to: 1)
    }

    /// The node of height `floor` above `price`, or `none`.
    private func walk(_ ladder: Int, _ price: Int64, to floor: Int) -> UInt32 {
        var height = ladders[ladder].height
        if height < floor || height == 0 || price >> Int64(6 * height) != 0 { return none }
        var node = ladders[ladder].root
        while height > floor {
            node = child(node, Int((price >> Int64(6 * (height - 1))) & 63))
            if node == none { return none }
            height -= 1
        }
        return node
    }

    /// The next level after `price` away from the best: lower in a descending ladder, higher in the
    /// others; `none` at the end. O(height).
    func after(_ ladder: Int, _ kind: LadderKind, _ price: Int64) -> UInt32 {
        let height = ladders[ladder].height
        if height == 0 { return none }
        // Above the range of a ladder of this height.
        if price >> Int64(6 * height) != 0 { return kind.isDescending ? best(ladder) : none }
        // The existing nodes on the path to `price`.
        // Heights are 1 … 9: the highest price, 2^48, has 49 bits.
        var nodes: InlineArray<10, UInt32> = InlineArray(repeating: none)
        var node = ladders[ladder].root
        var h = height
        while h >= 1, node != none {
            nodes[h] = node
            if h == 1 { break }
            node = child(node, Int((price >> Int64(6 * (h - 1))) & 63))
            h -= 1
        }
        while h <= height {
            if nodes[h] != none {
                let place = UInt64((price >> Int64(6 * (h - 1))) & 63)
                let beyond = Self.beyond(place, bits(nodes[h], h), kind)
                if beyond != 0 { return edge(nodes[h], h, beyond, kind) }
            }
            h += 1
        }
        return none
    }

    /// The level after a level. Mostly it shares the leaf, or the node above.
    @inline(__always)
    func after(_ ladder: Int, _ kind: LadderKind, level: UInt32) -> UInt32 {
        let leaf = level >> 6
        let within = Self.beyond(UInt64(level & 63), leaves[leaf].bits, kind)
        if within != 0 { return edge(leaf, 1, within, kind) }
        let parent = leaves[leaf].parent
        if parent != none {
            let place = UInt64((leaves[leaf].base >> 6) & 63)
            let beside = Self.beyond(place, bitmaps[parent].used, kind)
            if beside != 0 { return edge(parent, 2, beside, kind) }
        }
        return after(ladder, kind, price(level))
    }

    @inline(__always) private func bits(_ node: UInt32, _ height: Int) -> UInt64 {
        height == 1 ? leaves[node].bits : bitmaps[node].used
    }

    /// The part of a bitmap further from the best than `place`.
    @inline(__always)
    private static func beyond(_ place: UInt64, _ bits: UInt64, _ kind: LadderKind) -> UInt64 {
        kind.isDescending ? bits & ((1 << place) - 1) : bits & (~1 << place)
    }

    /// The outermost level below `start` of height `h`, taking one of `bits` there.
    private func edge(_ start: UInt32, _ h: Int, _ bits: UInt64, _ kind: LadderKind) -> UInt32 {
        var node = start
        var bits = bits
        var height = h
        while true {
            let place =
                kind.isDescending ? 63 - bits.leadingZeroBitCount : bits.trailingZeroBitCount
            if height == 1 { return node << 6 | UInt32(place) }
            node = children[Int(node) << 6 + place]
            height -= 1
            bits = self.bits(node, height)
        }
    }

    // MARK: Changing

    /// The level at `price`, taken into use if it is not.
    @inline(__always)
    mutating func take(_ ladder: Int, _ kind: LadderKind, _ price: Int64) -> UInt32 {
        var leaf = leaf(ladder, price)
        if leaf == none { leaf = makeLeaf(ladder, price) }
        if ladders[ladder].hintKey != price >> 12 { setHint(ladder, price) }
        let place = UInt64(price & 63)
        let bits = leaves[leaf].bits
        if bits == 0 { use(ladder, price, leaf) }
        leaves[leaf].bits = bits | 1 << place
        ladders[ladder].levels &+= UInt32(truncatingIfNeeded: (bits >> place) & 1) ^ 1
        let level = leaf << 6 | UInt32(place)
        let rank = kind.rank(price)
        if rank < ladders[ladder].bestRank {
            ladders[ladder].best = level
            ladders[ladder].bestRank = rank
        }
        return level
    }

    /// Frees a level if removing `link` emptied it.
    @inline(__always)
    mutating func giveBack(_ ladder: Int, _ kind: LadderKind, _ level: UInt32, after link: Link) {
        // A sole order had the level's own link on both sides.
        let isEmpty: UInt64 = link.next == link.previous ? 1 : 0
        let bits = leaves[level >> 6].bits & ~(isEmpty << UInt64(level & 63))
        leaves[level >> 6].bits = bits
        ladders[ladder].levels &-= UInt32(truncatingIfNeeded: isEmpty)
        let isBestEmpty = (link.next ^ link.previous) | (ladders[ladder].best ^ level) == 0
        if isBestEmpty || bits == 0 { mend(ladder, kind, level) }
    }

    /// Updates the best level if `level` was it and is empty, and keeps an empty leaf.
    @inline(never)
    private mutating func mend(_ ladder: Int, _ kind: LadderKind, _ level: UInt32) {
        let (leaf, price) = (level >> 6, price(level))
        let bits = leaves[leaf].bits
        if bits == 0 { leaveUse(ladder, price, leaf) }
        if ladders[ladder].best == level {
            let best = after(ladder, kind, level: level)
            ladders[ladder].best = best
            ladders[ladder].bestRank = best == none ? .max : kind.rank(self.price(best))
        }
        if bits == 0 { keep(ladder, leaf) }
    }

    /// Marks on the path to a leaf that it has orders.
    @inline(never)
    private mutating func use(_ ladder: Int, _ price: Int64, _ leaf: UInt32) {
        let parent = leaves[leaf].parent
        if parent == none { return }
        let before = bitmaps[parent].used
        bitmaps[parent].used = before | 1 << UInt64((price >> 6) & 63)
        if before != 0 { return }
        var (node, h) = (ladders[ladder].root, ladders[ladder].height)
        while h > 2 {
            let place = Int((price >> Int64(6 * (h - 1))) & 63)
            bitmaps[node].used |= 1 << UInt64(place)
            node = children[Int(node) << 6 + place]
            h -= 1
        }
    }

    /// Marks on the path to a leaf that it has no orders.
    private mutating func leaveUse(_ ladder: Int, _ price: Int64, _ leaf: UInt32) {
        let parent = leaves[leaf].parent
        if parent == none { return }
        bitmaps[parent].used &= ~(1 << UInt64((price >> 6) & 63))
        if bitmaps[parent].used != 0 { return }
        let height = findPath(ladder, price)
        var h = 3
        while h <= height {
            bitmaps[path[h]].used &= ~(1 << UInt64((price >> Int64(6 * (h - 1))) & 63))
            if bitmaps[path[h]].used != 0 { return }
            h += 1
        }
    }

    /// Records the nodes on the path to a price whose leaf exists; returns the height.
    private mutating func findPath(_ ladder: Int, _ price: Int64) -> Int {
        let height = ladders[ladder].height
        var (node, h) = (ladders[ladder].root, height)
        while true {
            path[h] = node
            if h == 1 { return height }
            node = children[Int(node) << 6 + Int((price >> Int64(6 * (h - 1))) & 63)]
            h -= 1
        }
    }

    /// Keeps an emptied leaf, in place of the oldest one.
    private mutating func keep(_ ladder: Int, _ leaf: UInt32) {
        if leaves[leaf].isKept { return }
        leaves[leaf].isKept = true
        let place = keptCount % Self.keptMax
        let old = kept[place]
        kept[place] = KeptLeaf(leaf: leaf, ladder: UInt32(ladder))
        keptCount += 1
        if keptCount > Self.keptMax {
            leaves[old.leaf].isKept = false
            if leaves[old.leaf].bits == 0 { prune(Int(old.ladder), leaves[old.leaf].base) }
        }
    }

    @inline(never)
    private mutating func setHint(_ ladder: Int, _ price: Int64) {
        let node = walk(ladder, price, to: 2)
        ladders[ladder].hintNode = node
        ladders[ladder].hintKey = node == none ? -1 : price >> 12
    }

    private mutating func makeNode() -> UInt32 {
        if freeNode != none {
            let node = freeNode
            freeNode = children[Int(node) << 6]
            return node
        }
        nodesUsed += 1
        return nodesUsed - 1
    }

    /// An empty leaf for the prices around `price`.
    private mutating func newLeaf(_ price: Int64) -> UInt32 {
        let leaf: UInt32
        if freeLeaf != none {
            leaf = freeLeaf
            freeLeaf = UInt32(truncatingIfNeeded: leaves[leaf].base)
        } else {
            leaf = leavesUsed
            leavesUsed += 1
            for level in leaf << 6..<(leaf + 1) << 6 {
                let own = level | Link.levelBit
                levels[level].link = Link(next: own, previous: own)
            }
        }
        leaves[leaf].base = price & ~63
        leaves[leaf].parent = none
        return leaf
    }

    private mutating func free(_ node: UInt32, _ height: Int) {
        if height == 1 {
            leaves[node].base = Int64(freeLeaf)
            freeLeaf = node
        } else {
            children[Int(node) << 6] = freeNode
            freeNode = node
        }
    }

    @inline(never)
    private mutating func makeLeaf(_ ladder: Int, _ price: Int64) -> UInt32 {
        if ladders[ladder].height == 0 {
            let height = max(1, (69 - price.leadingZeroBitCount) / 6)
            ladders[ladder].root = height == 1 ? newLeaf(price) : makeNode()
            ladders[ladder].height = height
        }
        while price >> Int64(6 * ladders[ladder].height) != 0 {
            let root = makeNode()
            let old = ladders[ladder].root
            children[Int(root) << 6] = old
            let isUsed = bits(old, ladders[ladder].height) != 0
            bitmaps[root] = NodeBits(used: isUsed ? 1 : 0, made: 1)
            if ladders[ladder].height == 1 { leaves[old].parent = root }
            ladders[ladder].root = root
            ladders[ladder].height += 1
        }
        var node = ladders[ladder].root
        var height = ladders[ladder].height
        while height > 1 {
            let place = Int((price >> Int64(6 * (height - 1))) & 63)
            var next = child(node, place)
            if next == none {
                next = height == 2 ? newLeaf(price) : makeNode()
                children[Int(node) << 6 + place] = next
                bitmaps[node].made |= 1 << UInt64(place)
                if height == 2 { leaves[next].parent = node }
            }
            node = next
            height -= 1
        }
        return node
    }

    /// Frees the empty leaf of `price`, and the nodes above without another child.
    private mutating func prune(_ ladder: Int, _ price: Int64) {
        let height = findPath(ladder, price)
        var h = 1
        while h <= height, h == 1 || bitmaps[path[h]].made == 0 {
            free(path[h], h)
            if h == 2, ladders[ladder].hintNode == path[h] {
                ladders[ladder].hintNode = none
                ladders[ladder].hintKey = -1
            }
            if h == height {
                ladders[ladder].root = none
                ladders[ladder].height = 0
            } else {
                let place = UInt64((price >> Int64(6 * h)) & 63)
                bitmaps[path[h + 1]].made &= ~(1 << place)
            }
            h += 1
        }
    }
}

// MARK: Growing

extension Ladders {
    /// Makes room. Nothing is copied.
    mutating func raise(instruments: Int, orders: Int) {
        let before = ladders.capacity
        ladders.raise(capacity: (instruments + 1) * 4)
        for i in before..<ladders.capacity { ladders[i] = Self.emptyLadder }
        let leafCount = orders + 1 + Self.keptMax
        leaves.raise(capacity: leafCount)
        let dense = Self.denseLeaves(orders)
        levels.raise(capacity: leafCount * 64, dense: dense * 64)
        let nodes = Self.nodesMax(instruments: instruments, orders: orders)
        bitmaps.raise(capacity: nodes, dense: dense)
        children.raise(capacity: nodes * 64, dense: dense * 64)
    }
}

extension Ladders {
    /// The pages of all tables.
    var slabMemory: [SlabMemory] {
        [ladders.memory, leaves.memory, levels.memory, bitmaps.memory, children.memory]
    }
}
