// journal dump

import ArgumentParser
import Configuration
import Glibc
import JSON
import Journal
import Presentation
import Wire

struct JournalDumpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump", abstract: "Prints the records of the journal.",
        discussion: """
            One line per record: sequence, time, session/number, kind, fields. Prices are in \
            ticks, quantities in lots, amounts in smallest units. Secrets are sealed and not \
            shown.

            With --output json every line is an object: {"sequence", "time", "epoch", "session", \
            "number", "kind", …}, and "voided": true where a later record voids it.

            EXAMPLE
              boursectl journal dump --kind adjustBalance --output json
            """)

    @OptionGroup var common: CommonOptions
    @Option(help: "First sequence.") var from: UInt64 = 1
    @Option(help: "Last sequence.") var to: UInt64 = .max
    @Option(help: "Only records of this kind, as place or adjustBalance.") var kind: String?

    func validate() throws {
        guard from >= 1, from <= to else {
            throw ValidationError("--from is at least 1 and at most --to.")
        }
        let kinds = CommandKind.allCases.map { "\($0)" }
        guard kind == nil || kinds.contains(kind ?? "") else {
            throw ValidationError("Kinds are \(kinds.joined(separator: ", ")).")
        }
    }

    func run() throws {
        let settings = try common.settings()
        // A damaged journal is printed up to the damage, without marking voided records.
        let found = try? JournalOnDisk.inspect(settings)
        let (first, last) = (found?.firstSequence ?? 1, found?.lastSequence ?? .max)
        guard max(from, first) <= min(to, last) else { return }
        let reader = JournalReader(
            directory: settings.journalDirectory, from: max(from, first), isLive: found != nil)
        var printer = RecordPrinter(
            format: common.output, kind: kind, voided: found?.voided ?? VoidedSequences())
        do throws(JournalError) {
            while try unsafe reader.next(
                upTo: min(to, last), bytesMax: 1 << 16,
                { run in
                    unsafe Records.forEach(run) { header, bytes in unsafe printer.add(header, bytes)
                    }
                })
            { printer.flush() }
        } catch { throw CommandError(error) }
    }
}

/// Writes records to standard output in batches.
private struct RecordPrinter {
    let format: OutputFormat
    let kind: String?
    let voided: VoidedSequences
    private var text = ""

    init(format: OutputFormat, kind: String?, voided: VoidedSequences) {
        (self.format, self.kind, self.voided) = (format, kind, voided)
    }

    mutating func add(_ header: RecordHeader, _ bytes: UnsafeRawBufferPointer) {
        guard let record = unsafe RecordText(bytes), kind == nil || record.kindName == kind else {
            return
        }
        let isVoided = voided.contains(header.sequence)
        switch format {
        case .text, .nagios: text += record.line(voided: isVoided)
        case .json: text += record.json(voided: isVoided).compact
        }
        text += "\n"
    }

    mutating func flush() {
        print(text, terminator: "")
        if !Terminal.hasShownAll() { exit(1) }
        text.removeAll(keepingCapacity: true)
    }
}
