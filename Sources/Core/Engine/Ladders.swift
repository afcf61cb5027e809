// Price levels in order of price: a trie of 64-way nodes over the bits of the price, one for each
// side of each book, all from one pool.
//
//      price bits   … 17 ‥ 12 | 11 ‥ 6 | 5 ‥ 0
//      node height        3       2       1      → level
//
// Each node has a bitmap of its children, so the next price is a bit scan. The node above the
// last price looked up is remembered: nearly every look-up is near it. A ladder grows in height
// only when a higher price comes.

internal import Slabs
internal import Terms

/// No slot, level, node or link.
let none = UInt32.max

/// One price of one ladder: its orders in order of priority.
struct Level: BitwiseCopyable {
    var price: Int64 = 0
    /// What its orders show, in lots.
    var shown: Int64 = 0
    /// First order; while the level is free, the next free level.
    var head: UInt32 = none
    var tail: UInt32 = none
}

/// One side of one book, or its waiting stop orders in one direction.
struct Ladder: BitwiseCopyable {
    /// The best level, or `none` when the ladder is empty.
    var best: UInt32
    var root: UInt32
    /// Nodes from the root to a level; 0 when there is no root.
    var height: Int
    /// The node of height 2 that was used last, for prices whose bits above 12 are `hintKey`.
    var hintNode: UInt32
    var hintKey: Int64
    var levels: UInt32
}

/// Which ladder of an instrument.
enum LadderKind: Int {
    case bids = 0
    case asks = 1
    /// Stops that trigger when the price rises to them.
    case stopsUp = 2
    /// Stops that trigger when the price falls to them.
    case stopsDown = 3

    /// Whether the best price is the highest.
    @inline(__always) var isDescending: Bool { self == .bids || self == .stopsDown }

    @inline(__always) init(_ side: Side) { self = side == .buy ? .bids : .asks }
}

/// All ladders with their nodes and levels.
struct Ladders: ~Copyable {
    private var ladders: Slab<Ladder>
    private let byAddress = ByAddress()
    var levels: Slab<Level>
    private var bitmaps: Slab<UInt64>
    private var children: Slab<UInt32>
    private var freeLevel: UInt32 = none
    private var levelsUsed: UInt32 = 0
    private var freeNode: UInt32 = none
    private var nodesUsed: UInt32 = 0
    /// Nodes on the way to the price at hand, by height.
    private var path: Slab<UInt32>

    /// Ladders for `instruments`, with a level for each of `orders`.
    init(instruments: Int, orders: Int) {
        ladders = Slab(capacity: (instruments + 1) * 4)
        levels = Slab(capacity: orders + 1)
        // A level needs at most one node of each height of its own: 48 bits of price are 8 heights.
        // Only the price 2^48 itself is one bit longer, so a ladder has at most one more node for
        // it.
        let nodes = orders * 8 + (instruments + 1) * 4 + 64
        bitmaps = Slab(capacity: nodes)
        children = Slab(capacity: nodes * 64)
        path = Slab(capacity: 16)
        for i in 0..<(instruments + 1) * 4 {
            ladders[i] = Ladder(
                best: none, root: none, height: 0, hintNode: none, hintKey: -1, levels: 0)
        }
    }

    @inline(__always) static func index(_ instrument: UInt16, _ kind: LadderKind) -> Int {
        Int(instrument) * 4 + kind.rawValue
    }

    /// The best level of a ladder, or `none`.
    @inline(__always) func best(_ ladder: Int) -> UInt32 { ladders[ladder].best }

    /// The number of levels in a ladder.
    func count(_ ladder: Int) -> UInt32 { ladders[ladder].levels }

    /// Nodes and levels that are in use: what the books cost beside their orders.
    var memory: Int {
        Int(nodesUsed) * (64 * 4 + 8) + Int(levelsUsed) * MemoryLayout<Level>.stride
    }

    // MARK: Finding

    /// The level at `price`, or `none`. O(height), O(1) near the last price.
    @inline(__always) func find(_ ladder: Int, _ price: Int64) -> UInt32 {
        let node = leafNode(ladder, price)
        if node == none { return none }
        return child(node, Int(price & 63))
    }

    @inline(__always) private func child(_ node: UInt32, _ place: Int) -> UInt32 {
        (bitmaps[node] >> UInt64(place)) & 1 == 0 ? none : children[Int(node) << 6 + place]
    }

    @inline(__always) private func leafNode(_ ladder: Int, _ price: Int64) -> UInt32 {
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

    /// The level that follows `price` away from the best: the next lower of a descending ladder,
    /// the next higher of the others; `none` at the end. O(height).
    func after(_ ladder: Int, _ kind: LadderKind, _ price: Int64) -> UInt32 {
        let height = ladders[ladder].height
        if height == 0 { return none }
        // The nodes on the way down to `price`, as far as they exist.
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
            let place = UInt64((price >> Int64(6 * (h - 1))) & 63)
            let bits = bitmaps[nodes[h]]
            let beyond = kind.isDescending ? bits & ((1 << place) - 1) : bits & (~1 << place)
            if beyond != 0 { return edge(nodes[h], h, beyond, kind) }
            h += 1
        }
        return none
    }

    /// The outermost level below `start` of height `h`, taking one of `bits` there.
    private func edge(_ start: UInt32, _ h: Int, _ bits: UInt64, _ kind: LadderKind) -> UInt32 {
        var node = start
        var bits = bits
        var height = h
        while true {
            let place =
                kind.isDescending ? 63 - bits.leadingZeroBitCount : bits.trailingZeroBitCount
            node = children[Int(node) << 6 + place]
            height -= 1
            if height == 0 { return node }
            bits = bitmaps[node]
        }
    }

    // MARK: Changing

    /// The level at `price`, made when it is not there.
    @inline(__always)
    mutating func level(_ ladder: Int, _ kind: LadderKind, _ price: Int64) -> UInt32 {
        var node = leafNode(ladder, price)
        if node == none { node = makeLeafNode(ladder, price) }
        if ladders[ladder].hintKey != price >> 12 { setHint(ladder, price) }
        let place = Int(price & 63)
        if (bitmaps[node] >> UInt64(place)) & 1 != 0 { return children[Int(node) << 6 + place] }
        return makeLevel(ladder, kind, price, node)
    }

    @inline(never)
    private mutating func setHint(_ ladder: Int, _ price: Int64) {
        let node = walk(ladder, price, to: 2)
        ladders[ladder].hintNode = node
        ladders[ladder].hintKey = node == none ? -1 : price >> 12
    }

    private mutating func makeLevel(
        _ ladder: Int, _ kind: LadderKind, _ price: Int64, _ node: UInt32
    ) -> UInt32 {
        let level: UInt32
        if freeLevel != none {
            level = freeLevel
            freeLevel = levels[level].head
        } else {
            level = levelsUsed
            levelsUsed += 1
        }
        levels[level] = Level(price: price)
        children[Int(node) << 6 + Int(price & 63)] = level
        bitmaps[node] |= 1 << UInt64(price & 63)
        ladders[ladder].levels += 1
        let best = ladders[ladder].best
        if best == none
            || (kind.isDescending ? price > levels[best].price : price < levels[best].price)
        {
            ladders[ladder].best = level
        }
        return level
    }

    /// Takes an empty level out of its ladder.
    mutating func removeLevel(_ ladder: Int, _ kind: LadderKind, _ level: UInt32) {
        let price = levels[level].price
        let node = leafNode(ladder, price)
        if ladders[ladder].best == level {
            // Mostly the next price shares the node; otherwise look from the root.
            let place = UInt64(price & 63)
            let bits = bitmaps[node]
            let beyond = kind.isDescending ? bits & ((1 << place) - 1) : bits & (~1 << place)
            ladders[ladder].best =
                beyond != 0 ? edge(node, 1, beyond, kind) : after(ladder, kind, price)
        }
        bitmaps[node] &= ~(1 << UInt64(price & 63))
        ladders[ladder].levels -= 1
        levels[level].head = freeLevel
        freeLevel = level
        if bitmaps[node] == 0 { prune(ladder, price) }
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

    private mutating func free(node: UInt32) {
        children[Int(node) << 6] = freeNode
        freeNode = node
    }

    @inline(never)
    private mutating func makeLeafNode(_ ladder: Int, _ price: Int64) -> UInt32 {
        if ladders[ladder].height == 0 {
            ladders[ladder].root = makeNode()
            ladders[ladder].height = max(1, (69 - price.leadingZeroBitCount) / 6)
        }
        while price >> Int64(6 * ladders[ladder].height) != 0 {
            let root = makeNode()
            children[Int(root) << 6] = ladders[ladder].root
            bitmaps[root] = 1
            ladders[ladder].root = root
            ladders[ladder].height += 1
        }
        var node = ladders[ladder].root
        var height = ladders[ladder].height
        while height > 1 {
            let place = Int((price >> Int64(6 * (height - 1))) & 63)
            var next = child(node, place)
            if next == none {
                next = makeNode()
                children[Int(node) << 6 + place] = next
                bitmaps[node] |= 1 << UInt64(place)
            }
            node = next
            height -= 1
        }
        return node
    }

    /// Gives back the empty nodes on the way to `price`.
    @inline(never)
    private mutating func prune(_ ladder: Int, _ price: Int64) {
        let height = ladders[ladder].height
        var node = ladders[ladder].root
        var h = height
        while true {
            path[h] = node
            if h == 1 { break }
            node = children[Int(node) << 6 + Int((price >> Int64(6 * (h - 1))) & 63)]
            h -= 1
        }
        while h <= height, bitmaps[path[h]] == 0 {
            free(node: path[h])
            if ladders[ladder].hintNode == path[h] {
                ladders[ladder].hintNode = none
                ladders[ladder].hintKey = -1
            }
            if h == height {
                ladders[ladder].root = none
                ladders[ladder].height = 0
            } else {
                let place = UInt64((price >> Int64(6 * h)) & 63)
                bitmaps[path[h + 1]] &= ~(1 << place)
            }
            h += 1
        }
    }
}
