// Goal: the failover core keeps its promises under every fault that a seed puts together; each
// rule, broken, is seen; the times of a failover are within their goals, as far as the core decides
// them.

import Failover
import Glibc
import Testing

func environment(_ name: String, _ fallback: Int) -> Int {
    guard let text = unsafe getenv(name) else { return fallback }
    return Int(unsafe String(cString: text)) ?? fallback
}

@Suite struct FailoverSimulationTests {
    /// `BOURSE_SEED` is the first seed, `BOURSE_SEEDS` how many there are; `BOURSE_TRACE=1` prints
    /// what happens.
    @Test func `nothing acknowledged is lost, over thousands of seeds`() {
        let first = environment("BOURSE_SEED", 1)
        let count = environment("BOURSE_SEEDS", 10_000)
        var transitions = [Int](repeating: 0, count: FailoverTransition.allCases.count)
        var faults = [Int](repeating: 0, count: SimulatedFault.allCases.count)
        var (nanos, failures) = (Int64(0), 0)
        for seed in first..<(first + count) where failures < 10 {
            let world = Simulation(seed: UInt64(seed))
            let start = world.time
            if environment("BOURSE_TRACE", 0) != 0 {
                world.trace = { print("\((world.time - start) / 1_000) us  \($0)") }
            }
            if let violation = world.run() {
                failures += 1
                Issue.record(
                    """
                    seed \(seed): \(violation); again: BOURSE_SEED=\(seed) BOURSE_SEEDS=1 \
                    BOURSE_TRACE=1 swift test -c release --filter HATests.FailoverSimulationTests
                    """)
            }
            nanos += world.time - start
            for (index, times) in world.transitions.enumerated() { transitions[index] += times }
            for (index, times) in world.faults.enumerated() { faults[index] += times }
        }
        print("\(count) seeds, \(nanos / 3_600_000_000_000) simulated hours")
        print("transitions:", zip(FailoverTransition.allCases, transitions).map { "\($0) \($1)" })
        print("faults:", zip(SimulatedFault.allCases, faults).map { "\($0) \($1)" })
        guard count >= 5_000 else { return }
        for (transition, times) in zip(FailoverTransition.allCases, transitions) {
            #expect(times > 0, "\(transition) occurred")
        }
        for (fault, times) in zip(SimulatedFault.allCases, faults) {
            #expect(times > 0, "\(fault) occurred")
        }
    }

    @Test func `a seed comes out the same again`() {
        for seed in 1...20 {
            let (one, other) = (Simulation(seed: UInt64(seed)), Simulation(seed: UInt64(seed)))
            #expect(one.run() == other.run())
            #expect(one.time == other.time)
            #expect(one.judge.acknowledged == other.judge.acknowledged)
        }
    }

    @Test(arguments: BrokenRule.allCases.filter { $0 != .none })
    func `a broken rule is seen`(_ rule: BrokenRule) {
        for seed in 1...environment("BOURSE_SEEDS", 10_000) {
            if let violation = Simulation(seed: UInt64(seed), broken: rule).run() {
                print("\(rule): \(seed) seeds: \(violation)")
                return
            }
        }
        Issue.record("\(rule) was not seen")
    }

    /// One fault of a pair at work, and how long nothing was acknowledged: half and 99 % of the
    /// runs stay within so many milliseconds.
    @Test(arguments: [
        (SimulatedFault.powerCut, false, 1_500, 3_000), (.matchdCrash, false, 1_000, 1_000),
        (.switchover, false, 150, 500), (.powerCut, true, 500, 500),
        (.hungDisk, true, 2_500, 2_500),
        (.cutFromBoth, false, 1_500, 3_000), (.pauseMatchd, false, 1_500, 3_000),
        (.agentCrash, false, 50, 50), (.etcdDown, false, 50, 50), (.cutEtcd, false, 50, 50),
    ])
    func `a failover is within its goal`(
        _ fault: SimulatedFault, _ onStandby: Bool, _ half: Int, _ most: Int
    ) {
        var gaps: [Int] = []
        for seed in 1...100 {
            let world = Simulation(seed: UInt64(seed), only: fault, onStandby: onStandby)
            #expect(world.run() == nil, "seed \(seed)")
            #expect(world.judge.acknowledgedSince > 50, "seed \(seed) goes on")
            gaps.append(Int(world.judge.longestGap / Simulation.milli))
        }
        gaps.sort()
        let where_ = onStandby ? "standby" : "primary"
        print("\(fault) of the \(where_): p50 \(gaps[50]) ms, p99 \(gaps[98]) ms")
        #expect(gaps[50] <= half)
        #expect(gaps[98] <= most)
    }
}
