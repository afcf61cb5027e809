// journal accept-clock

import ArgumentParser
import JSON
import Journal
import Platform
import Presentation

struct JournalAcceptClockCommand: ParsableCommand {
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

    @OptionGroup var common: CommonOptions
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
            throw CommandError(any: error)
        }
    }
}
