// What the tests of the core draw from a seed.

import Slabs

extension SplitMix64 {
    /// One of `range`; the small bias of the remainder does not matter here.
    mutating func within(_ range: ClosedRange<Int64>) -> Int64 {
        let width = UInt64(bitPattern: range.upperBound &- range.lowerBound) &+ 1
        return range.lowerBound &+ Int64(bitPattern: width == 0 ? next() : next() % width)
    }

    /// True once in `n` times.
    mutating func once(in n: UInt64) -> Bool { next() % n == 0 }

    mutating func pick<T>(_ list: [T]) -> T { list[Int(next() % UInt64(list.count))] }

    /// One of the list, by weight.
    mutating func pick<T>(weighted list: [(Int, T)]) -> T {
        var place = Int(next() % UInt64(list.reduce(0) { $0 + $1.0 }))
        for (weight, value) in list {
            if place < weight { return value }
            place -= weight
        }
        preconditionFailure("the weights were summed")
    }
}
