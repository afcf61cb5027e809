// Random input for the Link's tests: seeded, and a failure says how to have it again.

import Glibc

/// SplitMix64 (Steele, Lea, Flood 2014).
struct LinkFuzz {
    let seed: UInt64
    private var state: UInt64

    /// How many rounds: few in the tests, many with `make fuzz`.
    static var iterations: Int {
        environment("BOURSE_FUZZ_ITERATIONS").flatMap { Int($0) } ?? 5_000
    }

    init() {
        seed = Self.environment("BOURSE_SEED").flatMap { UInt64($0) } ?? 20_240_607
        state = seed
    }

    static func environment(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }

    /// How to have this run again.
    var replay: String { "BOURSE_SEED=\(seed) swift test --filter LogTests" }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A number from 0 to `bound` - 1.
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(1, bound))) }
}
