// journal verify

import ArgumentParser
import JSON
import Journal
import Presentation

struct JournalVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Checks every record of the journal.",
        discussion: """
            Checks the checksum, sequence, time and epoch of every record. Incomplete bytes at the \
            very end are left by a crash or a running matchd; they hold nothing that was \
            acknowledged, and the next start moves them to journal/cut. A journal that ends before \
            a durable record is damaged.

            JSON: {"ok", "journal", "segments", "bytes", "first", "last", "lastTime", "epoch", \
            "voided", "tail"}; tail is null or {"file", "offset", "bytes"}. For a damaged journal \
            {"ok": false, "problem"}, and the exit status is 1.
            """)

    @OptionGroup var common: CommonOptions

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
            guard common.output != .text else { throw CommandError(error) }
            common.out.give(["ok": .bool(false), "problem": .string("\(error)")], text: [])
            throw ExitCode(CommandError.Code.failed.rawValue)
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
            "records", "\(Readable.count(count)), \(found.firstSequence) to \(found.lastSequence)")
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
