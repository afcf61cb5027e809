// bench

import ArgumentParser

struct BenchGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures the engine and the durable path.",
        subcommands: [
            BenchReplayCommand.self, BenchGenerateCommand.self, BenchWorstCommand.self,
            BenchDurableCommand.self,
        ])
}
