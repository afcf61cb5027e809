// Random numbers that are the same everywhere for the same seed.

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
struct SplitMix64 {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

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
