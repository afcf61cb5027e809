// standby: letting the second host in, and doing without it

import AgentAPI
import ArgumentParser
import JSON
import Platform
import Presentation

struct StandbyGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "standby", abstract: "Adds or removes the standby, on the primary.",
        subcommands: [StandbyAddCommand.self, StandbyRemoveCommand.self])
}

/// What both verbs give.
enum StandbyReport {
    static func give(
        _ options: ClusterOrderOptions, _ done: ClusterDocument, _ begin: Int64, _ what: String
    ) {
        let nanos = Clock.monotonicNanos() - begin
        options.common.out.give(
            [
                "host": .string(done.host), "inSync": .strings(done.inSync),
                "milliseconds": .number(nanos / 1_000_000),
            ], text: ["\(what); it took \(Readable.duration(nanos: nanos))."])
    }
}
