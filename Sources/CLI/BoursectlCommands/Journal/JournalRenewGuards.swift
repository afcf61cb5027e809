// journal renew-guards

import ArgumentParser
import JSON
import Journal
import Presentation

struct JournalRenewGuardsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "renew-guards",
        abstract: "Makes missing or damaged guards of the journal anew.",
        discussion: """
            The replica file, the floor (the last durable record) and journal.id prove that a \
            journal is the right one and complete. Without them only its own end does, so matchd \
            and `boursectl init` refuse it. Restore them from a backup. Without a backup, make \
            sure that the journal is not an old copy (compare its last record with a standby, the \
            gateway's history or what clients have seen); then this command makes them anew from \
            the journal. Damaged ones are kept aside, the newest four of each. matchd must not be \
            running.

            It asks for the last record to be typed; --confirm SEQUENCE confirms beforehand.

            JSON: {"last", "made", "kept"}: files that were made, and damaged ones that were \
            moved.

            EXAMPLE
              boursectl journal renew-guards
            """)

    @OptionGroup var common: CommonOptions
    @Option(help: ArgumentHelp("The journal's last record.", valueName: "sequence"))
    var confirm: UInt64?

    func run() throws {
        let settings = try common.settings()
        let hold = try JournalHold(settings, "a running matchd has its guards")
        let done = try withExtendedLifetime(hold) {
            try Journal.renewGuards(JournalPlace(settings)) { last in
                try Confirmation.ask(
                    "The journal ends at record \(last). Type that number if no later record "
                        + "existed: ", "\(last)", confirm.map { "\($0)" })
            }
        }
        common.out.give(
            [
                "last": .number(done.last), "made": .array(done.made.map { .string($0) }),
                "kept": .array(done.kept.map { .string($0) }),
            ],
            text: done.made.isEmpty
                ? ["No guard is missing or damaged; nothing was changed."]
                : done.made.map { "Made for the journal up to record \(done.last): \($0)" }
                    + done.kept.map { "Damaged file kept: \($0)" }
                    + ["Start matchd again: systemctl start bourse-matchd"])
    }
}
