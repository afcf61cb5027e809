// journal clear-fault

import ArgumentParser
import Configuration
import JSON
import Journal
import Presentation

struct JournalClearFaultCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clear-fault",
        abstract: "Checks a disk that failed, so that the exchange can start again.",
        discussion: """
            After a write or a sync of the journal failed, matchd ends with status 76 and does not \
            start again: what it reads back may exist in memory only. This command rewrites the \
            newest segment, syncs it, and reads it back from the disk (O_DIRECT; where the file \
            system does not support that, after POSIX_FADV_DONTNEED). Only if all of that succeeds \
            is the fault cleared. Then the journal is checked: missing records are reported with \
            the way out, and prevent the next start.

            Look into the kernel log first, and replace a faulty disk. matchd must not be running.

            JSON: {"cleared", "fault", "segment", "bytes", "readBack", "last", "damage"}; readBack \
            is direct or cache-dropped, damage is null where the journal is whole.
            """)

    @OptionGroup var common: CommonOptions

    func run() throws {
        let settings = try common.settings()
        let hold = try JournalHold(settings, "a running matchd has no fault to clear")
        let done = try withExtendedLifetime(hold) {
            try Journal.clearFault(
                JournalPlace(settings),
                snapshots: SnapshotStore(directory: settings.snapshotsDirectory))
        }
        guard let done else {
            common.out.give(["cleared": .bool(false)], text: ["There is no fault to clear."])
            return
        }
        common.out.give(
            [
                "cleared": .bool(true), "fault": .string(done.fault),
                "segment": .string(done.segment), "bytes": .number(done.bytes),
                "readBack": .string(done.isDirect ? "direct" : "cache-dropped"),
                "last": .number(done.last),
                "damage": done.damage.map { .string($0.description) } ?? .null,
            ],
            text: [
                "The fault was: \(done.fault)",
                "\(done.segment) was rewritten and read back "
                    + (done.isDirect
                        ? "from the disk."
                        : "after its cache was dropped, as O_DIRECT is unsupported here."),
                done.damage.map { "The fault is cleared, but \($0)" }
                    ?? "The journal is whole up to record \(done.last). Start matchd again: "
                    + "systemctl start bourse-matchd",
            ])
    }
}
