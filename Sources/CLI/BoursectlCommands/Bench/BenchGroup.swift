// bench

import ArgumentParser

struct BenchGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures the engine and the durable path.",
        subcommands: [BenchReplay.self, BenchGenerate.self, BenchWorst.self, DurableBench.self])
}
