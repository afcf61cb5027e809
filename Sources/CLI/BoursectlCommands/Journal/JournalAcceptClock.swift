// journal accept-clock

import ArgumentParser
import JSON
import Journal
import Platform
import Presentation

struct JournalAcceptClockCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accept-clock",
        abstract: "Confirms that the host's clock is right although it is far ahead of the log.",
        discussion: """
            After a boot only the host's clock shows how long the exchange was down, and its time \
            stamps are permanent. matchd therefore refuses a clock that is more than a week ahead \
            of the log's last record, and reports the difference. Correct a wrong clock. If the \
            clock is right, as after a long pause, this command notes that; the note is valid for \
            a week of that clock. matchd must not be running.

            It asks for today's date by the host's clock; --confirm DATE confirms beforehand.

            JSON: {"accepted"}, milliseconds since 1970.

            EXAMPLE
              boursectl journal accept-clock
            """)

    @OptionGroup var common: CommonOptions
    @Option(help: ArgumentHelp("Today in UTC, as 2031-01-31.", valueName: "date"))
    var confirm: String?

    func run() throws {
        let settings = try common.settings()
        let hold = try JournalHold(settings, "a running matchd has accepted the clock")
        let now = Clock.realtimeNanos()
        let today = String(Readable.time(now).prefix(10))
        try Confirmation.ask(
            "The host's clock says \(today) (UTC). Type that date if it is right: ", today, confirm)
        try withExtendedLifetime(hold) { () throws(JournalError) in
            try JournalPlace(settings).acceptClock(now)
        }
        common.out.give(
            ["accepted": .number(now / 1_000_000)],
            text: ["Noted. Start matchd again: systemctl start bourse-matchd"])
    }
}
