// journal accept-loss, journal clear-fault, journal renew-guards, journal accept-clock

import ArgumentParser
import Configuration
import Glibc
import JSON
import Journal
import Platform
import Presentation
import Wire

struct JournalAcceptLoss: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accept-loss",
        abstract: "Goes on with what is left of a damaged journal.",
        discussion: """
            For a journal that matchd refuses, where neither a backup nor a standby has the rest: \
            keeps the records up to --after, and gives up what was acknowledged behind it. \
            Clients were told of those orders and trades: reconcile with them.

            Nothing is deleted: what is given up is moved to journal/cut, and snapshots of later \
            records get other names. matchd must not run. The journal that is left is checked as \
            a whole before this ends.

            --before is for a journal that lacks its first segments: it goes on with what follows, \
            where a snapshot stands for them.

            It asks for the sequence to be typed again; --confirm SEQUENCE says it beforehand.

            JSON: {"last", "records"}

            EXAMPLE
              boursectl journal accept-loss --after 81234 --reason "ticket 99: disk lost"
            """)

    @OptionGroup var common: Common
    @OptionGroup var signature: ReasonedSignature
    @Option(help: "The last record that stays.") var after: UInt64?
    @Option(help: "The first record that stays.") var before: UInt64?
    @Option(help: ArgumentHelp("The sequence again.", valueName: "sequence"))
    var confirm: UInt64?

    func validate() throws {
        guard (after == nil) != (before == nil) else {
            throw ValidationError("Give --after or --before.")
        }
        guard after != 0, before != 0 else {
            throw ValidationError(
                "Without any record there is nothing to go on with: boursectl init --new-journal.")
        }
    }

    func run() throws {
        let audit = try signature.audit()
        let settings = try common.settings()
        do {
            let hold = try JournalHold(
                settings, "a running matchd has lost nothing that could be accepted")
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
        } catch {
            throw Failure(any: error)
        }
    }
}

struct JournalClearFault: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clear-fault",
        abstract: "Checks a disk that failed, so that the exchange can start again.",
        discussion: """
            After a write or a sync of the journal failed, matchd ends with status 76 and does not \
            start again: what it reads could stand in memory only. This writes the newest segment \
            again, syncs it, and reads it back past the page cache (O_DIRECT; where the file \
            system has none, after POSIX_FADV_DONTNEED). Only if all of that succeeds is the fault \
            cleared. Then the journal is checked: what it lacks is said, with the way out, and \
            stops the next start.

            Look into the kernel log first, and replace a disk that is to blame. matchd must not \
            run.

            JSON: {"cleared", "fault", "segment", "bytes", "readBack", "last", "damage"}; readBack \
            is direct or cache-dropped, damage null where the journal is whole.
            """)

    @OptionGroup var common: Common

    func run() throws {
        let settings = try common.settings()
        do {
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
                    "\(done.segment) was written again and read back "
                        + (done.isDirect
                            ? "from the disk." : "after its cache was dropped: no O_DIRECT here."),
                    done.damage.map { "The fault is cleared, but \($0)" }
                        ?? "The journal is whole up to record \(done.last). Start matchd again: "
                        + "systemctl start bourse-matchd",
                ])
        } catch {
            throw Failure(any: error)
        }
    }
}

struct JournalRenewGuards: ParsableCommand {
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

    @OptionGroup var common: Common
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
            throw Failure(any: error)
        }
    }
}

struct JournalAcceptClock: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accept-clock",
        abstract: "Says that the host's clock is right, though it is far ahead of the log.",
        discussion: """
            After a boot nothing but the host's clock tells how long the exchange was away, and \
            what it stamps stands for ever. So a clock more than a week ahead of the log's last \
            record is refused by matchd, which names the days. Put a wrong clock right. For a \
            right one, as after a long holiday, this notes that it is; the note holds for a week \
            of that clock. matchd must not run.

            It asks for today's date, as the host's clock has it; --confirm DATE says it beforehand.

            JSON: {"accepted"}, milliseconds since 1970.

            EXAMPLE
              boursectl journal accept-clock
            """)

    @OptionGroup var common: Common
    @Option(help: ArgumentHelp("Today in UTC, as 2031-01-31.", valueName: "date"))
    var confirm: String?

    func run() throws {
        let settings = try common.settings()
        do {
            let hold = try JournalHold(settings, "a running matchd has a clock that it follows")
            let now = Clock.realtimeNanos()
            let today = String(Readable.time(now).prefix(10))
            try Confirmation.ask(
                "The host's clock says \(today) (UTC). Type that date if it is right: ", today,
                confirm)
            try withExtendedLifetime(hold) { () throws(JournalError) in
                try JournalPlace(settings).acceptClock(now)
            }
            common.out.give(
                ["accepted": .number(now / 1_000_000)],
                text: ["Noted. Start matchd again: systemctl start bourse-matchd"])
        } catch {
            throw Failure(any: error)
        }
    }
}

/// A question whose answer has to be typed.
enum Confirmation {
    /// Goes on where `wanted` is typed, or was given beforehand.
    static func ask(_ question: String, _ wanted: String, _ given: String?) throws(Failure) {
        if let given {
            guard given == wanted else {
                throw Failure("--confirm \(given) is not \(wanted)", code: .usage)
            }
            return
        }
        guard Terminal.isTerminal(STDIN_FILENO) else {
            throw Failure(
                "nobody is there to confirm", repair: "add --confirm \(wanted)", code: .usage)
        }
        Terminal.write(question, to: STDERR_FILENO)
        guard readLine() == wanted else { throw Failure("not confirmed; nothing was done") }
    }
}
