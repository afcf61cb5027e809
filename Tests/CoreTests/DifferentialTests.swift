// Goal: the engine and its slow twin, written apart from the same rules, never differ over random
// logs with every command and order type in them; and a difference would not go unseen.

import Engine
import Glibc
import Terms
import Testing
import Wire

/// A number from the environment, or `fallback`.
func environment(_ name: String, _ fallback: Int) -> Int {
    guard let text = unsafe getenv(name) else { return fallback }
    return Int(unsafe String(cString: text)) ?? fallback
}

@Suite struct DifferentialTests {
    /// `BOURSE_SEED` with `BOURSE_STEPS` replays one run; `BOURSE_FUZZ_ITERATIONS` is the number of
    /// seeds.
    @Test func `the engine and its slow twin agree over random logs`() throws {
        let seed = environment("BOURSE_SEED", 0)
        if seed != 0 {
            let run = Differential(seed: UInt64(seed))
            try run.run(steps: environment("BOURSE_STEPS", 4_000))
            return
        }
        var refusals: [UInt16: Int] = [:]
        var kinds: [String: Int] = [:]
        let isLong = environment("BOURSE_FUZZ_ITERATIONS", 0) > 0
        for seed in 1...max(8, environment("BOURSE_FUZZ_ITERATIONS", 80)) {
            let run = Differential(seed: UInt64(seed))
            try run.run(steps: 4_000)
            if isLong { print("seed \(seed) agrees over \(run.twin.sequence) commands") }
            refusals.merge(run.refusals, uniquingKeysWith: +)
            kinds.merge(run.eventKinds, uniquingKeysWith: +)
        }
        // What never happened was not compared.
        for refusal in Refusal.allCases where !Self.isFromElsewhere(refusal) {
            #expect(refusals[refusal.rawValue] ?? 0 > 0, "no command met \(refusal)")
        }
        // Thirteen kinds, and ends for every reason but a refused trigger.
        #expect(kinds.count == 13 + 9, "kinds of event that happened: \(kinds)")
    }

    /// Given by the sequencer, not by the engine.
    static func isFromElsewhere(_ refusal: Refusal) -> Bool { refusal == .diskReserve }

    @Test(arguments: Flaw.allCases)
    func `a planted flaw is found`(_ flaw: Flaw) {
        for seed in 1...40 {
            let run = Differential(seed: UInt64(seed), flaw: flaw)
            do {
                try run.run(steps: 3_000)
            } catch {
                #expect(error.description.contains("BOURSE_SEED=\(seed)"))
                return
            }
        }
        Issue.record("\(flaw) was not found in 40 seeds")
    }
}
