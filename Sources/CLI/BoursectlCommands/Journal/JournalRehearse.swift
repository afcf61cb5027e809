// journal rehearse

import ArgumentParser
import JSON
import Presentation

struct JournalRehearseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rehearse",
        abstract: "Re-executes the journal with this version and compares the hashes.",
        discussion: """
            Run it before an upgrade: the installed version executes the whole log from its \
            beginning, beside the running exchange and without touching it. It must reproduce the \
            hash of every mark in the log and of every snapshot, and its books must balance. Any \
            difference ends it with exit status 1.

            JSON: {"ok", "last", "applied", "voided", "hashMarks", "snapshots", "eventHash", \
            "stateHash", "seconds"}; snapshots is [{"sequence", "ok"}]. Where it fails {"ok": \
            false, "problem"}.
            """)

    @OptionGroup var common: CommonOptions

    func run() throws {
        let settings = try common.settings()
        let report: Rehearsal.Report
        do throws(CommandError) {
            report = try Rehearsal(settings: settings).run()
        } catch {
            guard common.output != .text else { throw error }
            common.out.give(["ok": .bool(false), "problem": .string(error.problem)], text: [])
            throw ExitCode(error.code.rawValue)
        }
        common.out.give(report.json, text: report.text(common.out.ink))
    }
}
