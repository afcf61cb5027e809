// journal accept-loss

import ArgumentParser
import Configuration
import JSON
import Journal
import Presentation
import Wire

struct JournalAcceptLossCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accept-loss", abstract: "Continues with what is left of a damaged journal.",
        discussion: """
            For a journal that matchd refuses where neither a backup nor a standby has the missing \
            records: keeps the records up to --after, and gives up those that were acknowledged \
            after it. Clients have seen those orders and trades: reconcile with them.

            Nothing is deleted: what is given up moves to journal/cut, and snapshots of later \
            records are renamed. matchd must not be running. The remaining journal is checked as a \
            whole.

            --before is for a journal that lacks its first segments: it continues with the records \
            that follow, where a snapshot covers the missing ones.

            It asks for the sequence to be typed again; --confirm SEQUENCE confirms beforehand.

            JSON: {"last", "records"}

            EXAMPLE
              boursectl journal accept-loss --after 81234 --reason "ticket 99: disk lost"
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: ReasonedSignatureOptions
    @Option(help: "The last record to keep.") var after: UInt64?
    @Option(help: "The first record to keep.") var before: UInt64?
    @Option(help: ArgumentHelp("The sequence again.", valueName: "sequence"))
    var confirm: UInt64?

    func validate() throws {
        guard (after == nil) != (before == nil) else {
            throw ValidationError("Give --after or --before.")
        }
        guard after != 0, before != 0 else {
            throw ValidationError(
                "No record would be left to continue with: use boursectl init --new-journal.")
        }
    }

    func run() throws {
        let audit = try signature.audit()
        let settings = try common.settings()
        let hold = try JournalHold(settings, "a running matchd has lost no records")
        let place = JournalPlace(settings)
        let snapshots = SnapshotStore(directory: settings.snapshotsDirectory)
        let (sequence, side) = after.map { ($0, "after") } ?? (before ?? 0, "before")
        try Confirmation.ask(
            "Type \(sequence) to give up all records \(side) it: ", "\(sequence)",
            confirm.map { "\($0)" })
        let left = try withExtendedLifetime(hold) {
            if let before {
                return try Journal.acceptLoss(place, before: before, snapshots: snapshots)
            }
            return try Journal.acceptLoss(
                place, after: sequence, snapshots: snapshots,
                reason: "\(audit.operatorName) accepts the loss: \(audit.reason)")
        }
        common.out.give(
            [
                "last": .number(left.lastSequence),
                "records": .number(left.lastSequence + 1 - left.firstSequence),
            ],
            text: [
                "The journal has the records \(left.firstSequence) to "
                    + "\(left.lastSequence); what was cut is in "
                    + "\(settings.journalDirectory)/cut. Start matchd again: "
                    + "systemctl start bourse-matchd"
            ])
    }
}
