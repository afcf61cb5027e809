// The parts of ladders: links, levels, leaves and nodes. See Ladders.

internal import Slabs
internal import Terms

/// No slot, level, node or link.
let none = UInt32.max

/// The neighbours of an order in its level's queue, or the first and the last order of a level.
struct Link: BitwiseCopyable {
    var next = none
    var previous = none

    /// Set if a neighbour is a level, by its number, not an order, by its slot.
    static var levelBit: UInt32 { 1 << 31 }

    /// The order behind, or `none`.
    @inline(__always) var nextOrder: UInt32 { next < Self.levelBit ? next : none }

    /// The order before, or `none`.
    var previousOrder: UInt32 { previous < Self.levelBit ? previous : none }
}

/// 64 adjacent prices; a level's number is the leaf's × 64 + its place.
struct Leaf: BitwiseCopyable {
    /// The levels that hold orders.
    var bits: UInt64 = 0
    /// Its lowest price; while the leaf is free, the next free leaf.
    var base: Int64 = 0
    /// The node above it, or `none`.
    var parent: UInt32 = none
    /// Whether it is in the ring of emptied leaves.
    var isKept = false
}

/// The children of a node.
struct NodeBits: BitwiseCopyable {
    /// Children with orders below.
    var used: UInt64 = 0
    /// All children.
    var made: UInt64 = 0
}

/// An emptied leaf, and its ladder.
struct KeptLeaf: BitwiseCopyable {
    var leaf: UInt32
    var ladder: UInt32
}

/// A price's lots, and the ends of its queue.
struct Level: BitwiseCopyable {
    var link = Link()
    /// Displayed lots.
    var shown: Int64 = 0
    /// Open lots, hidden ones included.
    var open: Int64 = 0
    /// Number of orders.
    var count: UInt32 = 0
}

/// One side of one book, or its waiting stop orders in one direction.
struct Ladder: BitwiseCopyable {
    /// The best level, or `none` when the ladder is empty.
    var best: UInt32
    /// A leaf if `height` is 1, else a node.
    var root: UInt32
    /// The best level's price by `LadderKind.rank`; the largest value when the ladder is empty.
    var bestRank: Int64
    /// Nodes from the root to a leaf, inclusive; 0 when there is no root.
    var height: Int
    /// The node of height 2 that was used last, for prices whose bits above 12 are `hintKey`.
    var hintNode: UInt32
    var levels: UInt32
    var hintKey: Int64
}

/// The kind of a ladder of an instrument.
enum LadderKind: Int {
    case bids = 0
    case asks = 1
    /// Stops that trigger when the price rises to them.
    case stopsUp = 2
    /// Stops that trigger when the price falls to them.
    case stopsDown = 3

    /// Whether the best price is the highest.
    @inline(__always) var isDescending: Bool { self == .bids || self == .stopsDown }

    /// A price's rank, lower is better, without a branch on the side.
    @inline(__always) func rank(_ price: Int64) -> Int64 { price ^ mask }

    /// All ones where the best price is the highest.
    @inline(__always) private var mask: Int64 { Int64((rawValue ^ rawValue >> 1) & 1) &- 1 }

    @inline(__always) init(_ side: Side) { self = side == .buy ? .bids : .asks }
}
