// audit, audit verify

import ArgumentParser
import JSON
import Journal
import Presentation
import Terms
import Wire

struct AuditGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "What operators did, and that nobody has changed it since.",
        subcommands: [AuditVerifyCommand.self])
}

struct AuditVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Checks every signature of operators and the chain over all they did.",
        discussion: """
            It executes the journal from its first record, chains each command of operators to \
            those before, and checks that each signature is of its key, its command and the chain \
            as its signer saw it. It only reads, also a copy on another machine, which is best: \
            --journal DIR needs no configuration. The first record that does not fit ends it with \
            exit status 1.

            What nobody has signed after cannot be proved: note the chain's end that it prints, \
            and give it next time as --expect.

            JSON: {"ok", "last", "commands", "signatures", "voided", "unknown", "head", \
            "operators"}; voided are records of operators and the wallet that are voided, unknown \
            are signed ones that were refused because no operator signed them, or too late, and \
            that name a past which the journal never had; operators is [{"name", "publicKey"}]. \
            Where it fails {"ok": false, "record", "problem"}.

            EXAMPLE
              boursectl audit verify --journal /mnt/copy/journal --expect 41:9c0f…
            """)

    @OptionGroup var common: CommonOptions
    @Option(help: ArgumentHelp("The journal's directory, as of a copy.", valueName: "dir"))
    var journal: String?
    @Option(
        help: ArgumentHelp(
            "The chain's end as it was noted: COUNT:HEX.", valueName: "end"))
    var expect: String?

    func run() throws {
        let expected = try expect.map { (text) throws(CommandError) -> AuditHead in
            let parts = text.split(separator: ":")
            guard parts.count == 2, let count = UInt64(parts[0]),
                let head = Digest256(hex: parts[1])
            else {
                throw CommandError(
                    "\(text) is no end of an audit chain",
                    repair: "give what `audit verify` printed, as 41:9c0f…", code: .usage)
            }
            return AuditHead(count: count, digest: head)
        }
        do throws(AuditTrailError) {
            let found = try recovered()
            var meter = ProgressMeter("Verifying", unit: "records")
            defer { meter.clear() }
            let report = try AuditWalk.run(found, expected) {
                meter.draw(done: $0, total: found.lastSequence)
            }
            meter.clear()
            common.out.give(report.json, text: report.text(common.out.ink))
        } catch {
            guard common.output != .text else {
                throw CommandError(error.problem, repair: error.repair)
            }
            common.out.give(
                [
                    "ok": .bool(false),
                    "record": error.record.map { JSONValue.number($0) } ?? .null,
                    "problem": .string(error.problem),
                ], text: [])
            throw ExitCode(CommandError.Code.failed.rawValue)
        }
    }

    private func recovered() throws(AuditTrailError) -> RecoveredJournal {
        do {
            guard let journal else { return try JournalOnDisk.inspect(common.settings()) }
            return try Journal.inspect(directory: journal)
        } catch { throw AuditTrailError("\(CommandError(error).problem)") }
    }
}
