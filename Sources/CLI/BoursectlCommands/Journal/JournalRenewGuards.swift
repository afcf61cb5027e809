// journal renew-guards

import ArgumentParser
import JSON
import Journal
import Presentation

struct JournalRenewGuardsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "renew-guards",
        abstract: "Makes anew what stands beside a journal, where it is missing or damaged.",
        discussion: """
            The replica file, the floor (the last durable record) and journal.id show that a \
            journal is the right one, and all of it. Without them nothing but its own end does, so \
            matchd and `boursectl init` refuse. Put them back from a backup. Without one, make \
            sure that the journal is not an old copy (compare its last record with a standby, the \
            gateway's history or what clients were told), then this makes them from what is \
            there. Damaged ones are kept aside, the newest four of each. matchd must not run.

            It asks for the last record to be typed; --confirm SEQUENCE says it beforehand.

            JSON: {"last", "made", "kept"}: files that were made, and damaged ones that were moved.

            EXAMPLE
              boursectl journal renew-guards
            """)

    @OptionGroup var common: CommonOptions
    @Option(help: ArgumentHelp("The journal's last record.", valueName: "sequence"))
    var confirm: UInt64?

    func run() throws {
        let settings = try common.settings()
        do {
            let hold = try JournalHold(settings, "a running matchd has its guards")
            let done = try withExtendedLifetime(hold) {
                try Journal.renewGuards(JournalPlace(settings)) { last in
                    try Confirmation.ask(
                        "The journal ends at record \(last). Type that number if it is the last "
                            + "one there was: ", "\(last)", confirm.map { "\($0)" })
                }
            }
            common.out.give(
                [
                    "last": .number(done.last),
                    "made": .array(done.made.map { .string($0) }),
                    "kept": .array(done.kept.map { .string($0) }),
                ],
                text: done.made.isEmpty
                    ? ["Nothing is missing beside the journal; nothing was changed."]
                    : done.made.map { "Made for the journal up to record \(done.last): \($0)" }
                        + done.kept.map { "The damaged one is kept: \($0)" }
                        + ["Start matchd again: systemctl start bourse-matchd"])
        } catch {
            throw CommandError(any: error)
        }
    }
}
