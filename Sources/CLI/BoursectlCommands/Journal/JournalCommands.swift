// journal verify, journal dump

import ArgumentParser
import Configuration
import Glibc
import JSON
import Journal
import Platform
import Presentation
import Terms
import Wire

struct JournalGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal", abstract: "The log on disk.",
        discussion: """
            Reading it changes nothing and works while matchd runs and while it does not. What \
            changes it needs matchd to be stopped: void, accept-loss, accept-clock, clear-fault, \
            renew-guards.
            """,
        subcommands: [
            JournalVerify.self, JournalDump.self, JournalRehearse.self, JournalVoids.self,
            VoidRecord.self, JournalAcceptLoss.self, JournalClearFault.self,
            JournalRenewGuards.self, JournalAcceptClock.self,
        ])
}

/// The journal, also while matchd writes on.
enum JournalOnDisk {
    /// What stands there. A write that is under way can look like damage for a moment, so that is
    /// looked at again before it is believed.
    static func inspect(
        _ settings: Settings, progress: (Int, Int) -> Void = { _, _ in }
    ) throws(JournalError) -> RecoveredJournal {
        for _ in 0..<3 {
            do throws(JournalError) {
                return try inspectOnce(settings, progress)
            } catch {
                guard case .damaged = error else { throw error }
                Clock.sleep(nanos: 200_000_000)
            }
        }
        return try inspectOnce(settings, progress)
    }

    private static func inspectOnce(
        _ settings: Settings, _ progress: (Int, Int) -> Void
    ) throws(JournalError) -> RecoveredJournal {
        // Asked first: a running matchd may be further when the journal is read.
        let floor = try Journal.floor(JournalPlace(settings))
        return try Journal.inspect(
            directory: settings.journalDirectory, floor: floor, progress: progress)
    }
}

extension Failure {
    /// A fault of the journal or of a snapshot.
    init(_ error: JournalError) { self.init("\(error)") }
}

struct JournalVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Checks every record of the journal.",
        discussion: """
            Looks at the checksum, sequence, time and epoch of every record. Unfinished bytes at \
            the very end are what a crash or a running matchd leaves; they hold nothing that was \
            acknowledged, and the next start cuts them off and keeps them in journal/cut. A \
            journal that ends before a record that was durable is not whole.

            JSON: {"ok", "journal", "segments", "bytes", "first", "last", "lastTime", "epoch", \
            "voided", "tail"}; tail is null or {"file", "offset", "bytes"}. For a damaged journal \
            {"ok": false, "problem"}, and the exit status is 1.
            """)

    @OptionGroup var common: Common

    func run() throws {
        let settings = try common.settings()
        var meter = ProgressMeter("Verifying", unit: "bytes")
        let found: RecoveredJournal
        do throws(JournalError) {
            found = try JournalOnDisk.inspect(settings) { done, total in
                meter.draw(done: UInt64(done), total: UInt64(total))
            }
        } catch {
            meter.clear()
            guard common.output != .text else { throw Failure(error) }
            common.out.give(["ok": .bool(false), "problem": .string("\(error)")], text: [])
            throw ExitCode(Failure.Code.failed.rawValue)
        }
        meter.clear()
        common.out.give(json(found), text: text(found, meter.elapsedNanos))
    }

    private func json(_ found: RecoveredJournal) -> JSONValue {
        let tail: JSONValue? = found.cut.map {
            ["file": .string($0.file), "offset": .number($0.offset), "bytes": .number($0.bytes)]
        }
        return [
            "ok": .bool(true), "journal": found.identity.map { .string("\($0)") } ?? .null,
            "segments": .number(found.segmentCount), "bytes": .number(found.bytesScanned),
            "first": .number(found.firstSequence), "last": .number(found.lastSequence),
            "lastTime": found.isEmpty ? .null : .string(Readable.time(found.lastTimestamp)),
            "epoch": .number(found.lastEpoch),
            "voided": .array(found.voided.all.map { .number($0) }), "tail": tail ?? .null,
        ]
    }

    private func text(_ found: RecoveredJournal, _ nanos: Int64) -> [String] {
        let ink = common.out.ink
        guard !found.isEmpty else { return ["The journal is empty."] }
        var facts = Facts()
        facts.add("journal", found.identity.map { "\($0)" } ?? "-")
        let count = found.lastSequence - found.firstSequence + 1
        facts.add(
            "records",
            "\(Readable.count(count)), \(found.firstSequence) to \(found.lastSequence)")
        facts.add("last", "\(Readable.time(found.lastTimestamp)), epoch \(found.lastEpoch)")
        facts.add(
            "segments",
            "\(Readable.count(found.segmentCount)), "
                + "\(Readable.bytes(found.bytesScanned)) read")
        if !found.voided.isEmpty {
            facts.add("voided", found.voided.all.map { "\($0)" }.joined(separator: ", "))
        }
        facts.add("tail", found.cut.map { "\($0)" } ?? "clean")
        let rate = Readable.rate(count, nanos: nanos)
        return ["\(ink.good("The journal is whole."))  \(rate)"] + facts.lines(ink)
    }
}

struct JournalDump: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump", abstract: "Prints the records of the journal.",
        discussion: """
            One line a record: sequence, time, session/number, kind, fields. Prices are in ticks, \
            quantities in lots, amounts in smallest units. Secrets are sealed and not shown.

            With --output json every line is an object: {"sequence", "time", "epoch", "session", \
            "number", "kind", …}, and "voided": true where a later record voids it.

            EXAMPLE
              boursectl journal dump --kind adjustBalance --output json
            """)

    @OptionGroup var common: Common
    @Option(help: "First sequence.") var from: UInt64 = 1
    @Option(help: "Last sequence.") var to: UInt64 = .max
    @Option(help: "Only records of this kind, as place or adjustBalance.") var kind: String?

    func validate() throws {
        guard from >= 1, from <= to else {
            throw ValidationError("--from is at least 1 and not above --to.")
        }
        let kinds = CommandKind.allCases.map { "\($0)" }
        guard kind == nil || kinds.contains(kind ?? "") else {
            throw ValidationError("Kinds are \(kinds.joined(separator: ", ")).")
        }
    }

    func run() throws {
        let settings = try common.settings()
        // A damaged journal is printed up to the damage, without marks of what is voided.
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
        } catch {
            throw Failure(error)
        }
    }
}

/// Writes records to standard output, many at a time.
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
        case .yaml: text += "---\n\(record.json(voided: isVoided).yaml.dropLast())"
        }
        text += "\n"
    }

    mutating func flush() {
        Terminal.write(text, to: STDOUT_FILENO)
        text.removeAll(keepingCapacity: true)
    }
}
