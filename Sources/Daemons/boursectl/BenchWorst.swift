// boursectl bench worst: the longest turns of the engine.

internal import ArgumentParser
internal import Bench
internal import Engine
internal import Glibc

struct BenchWorst: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worst",
        abstract: "The longest turns of the engine in the worst cases known, at full limits.",
        discussion: """
            Each case builds an exchange at its declared limits (a million open orders, 100,000 \
            accounts), applies what takes longest there, and goes on with ticks until nothing \
            waits. It is run some times; a column "longest" is the longest turn as measured, "own" \
            the longest of the turns when of each the shortest run counts, for what other threads \
            and the hypervisor steal does not come twice at the same place. "noise" is the longest \
            gap that a bare loop saw in this run. The last line is the longest own turn of all \
            kinds but those that are apart: raising limits moves memory, and says so.

            --search changes random logs for longer turns instead, and prints the worst as a recipe \
            that --recipe applies again.
            """)

    @Option(help: "full, or small: the limits of the tests.") var scale: ScaleChoice = .full
    @Option(help: "Only this case; all of them when there is none.") var only: String?
    @Option(help: "Runs of each case.") var runs: Int = 3
    @Flag(help: "Search for longer turns at random.") var search = false
    @Option(help: "Of the search: its seed.") var seed: UInt64 = 1
    @Option(help: "Of the search: how long.") var seconds: Int = 60
    @Option(help: "Apply a recipe that a search printed.") var recipe: String?

    enum ScaleChoice: String, ExpressibleByArgument, CaseIterable {
        case full, small
        var scale: WorstScale { self == .full ? .full : .small }
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
        let clock = CycleClock()
        if let recipe = recipe.flatMap(WorstRecipe.init) {
            var report = WorstReport(clock: clock)
            report.take(merge { recipe.run(scale.scale) })
            report.finish()
        } else if search {
            runSearch(clock)
        } else {
            var report = WorstReport(clock: clock)
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

    /// The turns as measured first, and with the shortest run of each.
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

    private func runSearch(_ clock: CycleClock) {
        var search = WorstSearch(seed: seed, scale: scale.scale)
        let end = benchNanos() + UInt64(seconds) * 1_000_000_000
        while benchNanos() < end {
            if search.step(), let worst = search.worst {
                print("\(clock.micros(search.longest)) us  \(search.kind)  \(worst.text)")
            }
        }
        print("\(search.tried) recipes, seed \(seed)")
        print("longest turn  \(clock.micros(search.longest)) us  \(search.kind)")
    }
}

/// What a cycle is worth, and the longest gap that a bare loop saw.
final class CycleClock {
    private let nanos = benchNanos()
    private let cycles = Replay.cycles()

    /// Cycles in whole microseconds.
    func micros(_ count: UInt64) -> Int {
        let passed = Double(benchNanos() - nanos) / Double(max(1, Replay.cycles() - cycles))
        return Int(Double(count) * passed / 1_000)
    }

    /// The longest gap between two readings, over a tenth of a second.
    func noise() -> UInt64 {
        let end = benchNanos() + 100_000_000
        var (last, longest) = (Replay.cycles(), UInt64(0))
        while benchNanos() < end {
            for _ in 0..<1_000 {
                let now = Replay.cycles()
                longest = max(longest, now &- last)
                last = now
            }
            last = Replay.cycles()
        }
        return longest
    }
}

/// The table.
struct WorstReport {
    let clock: CycleClock
    private var worst: (cycles: UInt64, kind: String) = (0, "none")
    private var noise: UInt64 = 0

    init(clock: CycleClock) { self.clock = clock }

    private func pad(_ value: Int, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: " ", count: max(0, width - text.utf8.count)) + text
    }

    func start() {
        print("    turns   p99.9 us   longest us   own us   kind")
    }

    mutating func take(_ kinds: [(first: WorstTurns, own: WorstTurns)]) {
        noise = max(noise, clock.noise())
        for (first, own) in kinds {
            print(
                pad(own.cycles.count, 9) + pad(clock.micros(first.percentile(perMille: 999)), 11)
                    + pad(clock.micros(first.longest), 13) + pad(clock.micros(own.longest), 9)
                    + "   " + own.name + (own.isApart ? " (apart)" : ""))
            if !own.isApart, own.longest > worst.cycles { worst = (own.longest, own.name) }
        }
        _ = fflush(nil)
    }

    func finish() {
        print("noise         \(clock.micros(noise)) us")
        print("longest turn  \(clock.micros(worst.cycles)) us  \(worst.kind)")
    }
}
