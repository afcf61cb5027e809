// Goal: the failover core holds its promises under every fault that a seed puts together, and the
// simulation is able to see each rule broken.

import Failover
import Glibc
import Testing

func environment(_ name: String, _ fallback: Int) -> Int {
    guard let text = unsafe getenv(name) else { return fallback }
    return Int(unsafe String(cString: text)) ?? fallback
}

@Suite struct SimulationTests {
    /// `BOURSE_SEED` is the first seed, `BOURSE_SEEDS` how many there are.
    @Test func `no acknowledged record is lost, over thousands of seeds`() {
        let first = environment("BOURSE_SEED", 1)
        let count = environment("BOURSE_SEEDS", 10_000)
        var failures = 0
        for seed in first..<(first + count) {
            let world = Simulation(seed: UInt64(seed))
            if environment("BOURSE_TRACE", 0) != 0 {
                world.trace = { print("\(world.time / 1_000) \($0)") }
            }
            if let violation = world.run() {
                failures += 1
                print("seed \(seed): \(violation)")
                if failures > 20 { break }
            }
        }
        #expect(failures == 0)
    }
}
