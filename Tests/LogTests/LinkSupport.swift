// Random input for the Link's tests: seeded, and a failure says how to have it again.

import Glibc
import Slabs

/// Numbers from a seed that the environment may give.
struct LinkFuzz {
    let seed: UInt64
    private var random: SplitMix64

    /// How many rounds: few in the tests, many with `make fuzz`.
    static var iterations: Int {
        environment("BOURSE_FUZZ_ITERATIONS").flatMap { Int($0) } ?? 5_000
    }

    init() {
        seed = Self.environment("BOURSE_SEED").flatMap { UInt64($0) } ?? 20_240_607
        random = SplitMix64(seed: seed)
    }

    static func environment(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }

    /// How to have this run again.
    var replay: String { "BOURSE_SEED=\(seed) swift test --filter LogTests" }

    mutating func next() -> UInt64 { random.next() }

    /// A number from 0 to `bound` - 1.
    mutating func below(_ bound: Int) -> Int { random.below(bound) }
}
