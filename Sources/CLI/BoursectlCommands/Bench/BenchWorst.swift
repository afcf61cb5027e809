// bench worst: the longest turns of the engine.

import ArgumentParser
import Bench
import Glibc

struct BenchWorstCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worst",
        abstract: "Measures the engine's longest turns in the worst known cases, at full limits.",
        discussion: """
            Each case builds an exchange at its declared limits (a million open orders, 100,000 \
            accounts), applies what takes longest there, and continues with ticks until nothing is \
            pending. A turn is measured in CPU time of its thread, and each case runs several \
            times: "longest" is the longest turn of its quietest run, "own" the longest turn where \
            each turn counts with its shortest run, since what neighbours do to the caches does \
            not hit the same turn twice. "noise" is the longest gap that a bare loop saw in this \
            run. The last line is the longest own turn of all kinds except those marked apart: \
            raising limits moves memory.

            --search mutates random logs to find longer turns instead, and prints the worst as a \
            recipe that --recipe applies again.
            """)

    @Option(help: "full, or small: the limits of the tests.") var scale: ScaleChoice = .full
    @Option(help: "Only this case. Default: all cases.") var only: String?
    @Option(help: "Runs of each case.") var runs: Int = 3
    @Flag(help: "Searches for longer turns at random.") var search = false
    @Option(help: "Seed of the search.") var seed: UInt64 = 1
    @Option(help: "Seconds of the search.") var seconds: Int = 60
    @Option(help: "Applies a recipe that a search printed.") var recipe: String?

    enum ScaleChoice: String, ExpressibleByArgument, CaseIterable {
        case full, small
        var scale: WorstScale {
            let clock: @Sendable () -> UInt64 = { benchNanos(CLOCK_THREAD_CPUTIME_ID) }
            return self == .full ? .full(clock) : .small(clock)
        }
    }

    func validate() throws {
        guard (1...100).contains(runs), (1...1_000_000).contains(seconds) else {
            throw ValidationError("--runs takes 1 to 100, --seconds 1 to 1000000")
        }
        if let only, WorstCase(rawValue: only) == nil {
            let names = WorstCase.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--only takes one of \(names)")
        }
        if let recipe, WorstRecipe(recipe) == nil {
            throw ValidationError("--recipe takes what --search printed")
        }
    }

    func run() throws {
        if let recipe = recipe.flatMap(WorstRecipe.init) {
            var report = WorstReport()
            report.take(merge { recipe.run(scale.scale) })
            report.finish()
        } else if search {
            runSearch()
        } else {
            var report = WorstReport()
            report.start()
            for known in WorstCase.allCases where only == nil || only == known.rawValue {
                report.take(
                    merge {
                        let venue = known.run(scale.scale)
                        return venue.kinds
                    })
            }
            report.finish()
        }
    }

    /// The turns of the quietest run, and with the shortest run of each.
    private func merge(_ run: () -> [WorstTurns]) -> [(first: WorstTurns, own: WorstTurns)] {
        let first = run()
        var own = first
        var longest = first
        for _ in 1..<max(1, runs) {
            let again = run()
            for i in own.indices {
                own[i].keepShorter(again[i])
                if again[i].longest < longest[i].longest { longest[i] = again[i] }
            }
        }
        return own.indices.map { (longest[$0], own[$0]) }
    }

    private func runSearch() {
        var search = WorstSearch(seed: seed, scale: scale.scale)
        let end = benchNanos() + UInt64(seconds) * 1_000_000_000
        while benchNanos() < end {
            if search.step(), let worst = search.worst {
                print("\(search.longest / 1_000) us  \(search.kind)  \(worst.text)")
            }
        }
        print("\(search.tried) recipes, seed \(seed)")
        print("longest turn  \(search.longest / 1_000) us  \(search.kind)")
    }
}

/// The longest gap between two readings of the cycle counter, over a tenth of a second, in ns.
func benchNoise() -> UInt64 {
    let (startNanos, startCycles) = (benchNanos(), Replay.cycles())
    var (last, longest) = (startCycles, UInt64(0))
    while benchNanos() < startNanos + 100_000_000 {
        last = Replay.cycles()
        for _ in 0..<1_000 {
            let now = Replay.cycles()
            longest = max(longest, now &- last)
            last = now
        }
    }
    let perCycle = Double(benchNanos() - startNanos) / Double(Replay.cycles() - startCycles)
    return UInt64(Double(longest) * perCycle)
}

/// The table.
struct WorstReport {
    private var worst: (nanos: UInt64, kind: String) = (0, "none")
    private var noise: UInt64 = 0

    init() {}

    private func micros(_ nanos: UInt64) -> UInt64 { nanos / 1_000 }

    private func pad(_ value: UInt64, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: " ", count: max(0, width - text.utf8.count)) + text
    }

    func start() { print("    turns   p99.9 us   longest us   own us   kind") }

    mutating func take(_ kinds: [(first: WorstTurns, own: WorstTurns)]) {
        noise = max(noise, benchNoise())
        for (first, own) in kinds {
            print(
                pad(UInt64(own.nanos.count), 9) + pad(micros(first.percentile(perMille: 999)), 11)
                    + pad(micros(first.longest), 13) + pad(micros(own.longest), 9)
                    + "   " + own.name + (own.isApart ? " (apart)" : ""))
            if !own.isApart, own.longest > worst.nanos { worst = (own.longest, own.name) }
        }
        _ = fflush(nil)
    }

    func finish() {
        print("noise         \(micros(noise)) us")
        print("longest turn  \(micros(worst.nanos)) us  \(worst.kind)")
    }
}
