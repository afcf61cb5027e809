// journal voids

import ArgumentParser
import Engine
import JSON
import Presentation

struct JournalVoidsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "voids", abstract: "Lists the records that operators voided.",
        discussion: """
            Every replica remembers them for the life of the log, even when their records are \
            older than the journal on disk. The journal records who voided a record and why: \
            boursectl journal dump --kind voidSequence.

            JSON: [SEQUENCE, …], in the order in which they were voided.
            """)

    @OptionGroup var common: CommonOptions

    func run() throws {
        let voids = try common.exchange().replica().engine.voids
        common.out.give(
            .array(voids.map { .number($0) }),
            text: voids.isEmpty ? ["No record is voided."] : voids.map { "\($0)" })
    }
}
