// journal lost

import ArgumentParser
import Configuration
import JSON
import Journal
import Presentation
import Wire

struct JournalLostCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lost", abstract: "Lists the records that were cut off the journal.",
        discussion: """
            A host that led and comes back follows the one that leads now: what only it had is \
            cut, and kept in journal/cut. Most of it was never acknowledged; after a forced \
            failover, or accept-loss by an operator, some of it was: reconcile with those \
            clients. It reads files only, whether matchd runs or not.

            With --records each record is printed, as `journal dump` does. JSON: [{"file", \
            "time", "first", "last", "records", "reason"}]; with --records an object a line.

            EXAMPLE
              sudo boursectl journal lost
              sudo boursectl journal lost --records --output json
            """)

    @OptionGroup var common: CommonOptions
    @Flag(help: "Print each record.") var records = false

    func run() throws {
        let tails = try CutTail.list(common.settings().journalDirectory)
        if records { return try printRecords(tails) }
        let rows = try tails.map { tail throws(JournalError) in try LostRecords(tail) }
        var table = Table([
            .words("CUT"), .numbers("FIRST"), .numbers("LAST"), .numbers("RECORDS"),
            .words("WHY"), .words("FILE"),
        ])
        for row in rows {
            table.add([
                Readable.time(row.tail.time, digits: 0), "\(row.tail.first)",
                row.last.map { "\($0)" } ?? "-", "\(row.count)", row.tail.reason, row.tail.path,
            ])
        }
        common.out.give(
            .array(rows.map(\.json)), table: table, empty: "Nothing was cut off this journal.")
    }

    private func printRecords(_ tails: [CutTail]) throws {
        for tail in tails {
            let format = common.output
            _ = try unsafe tail.forEach { _, bytes in
                guard let record = unsafe RecordText(bytes) else { return }
                print(
                    format == .json
                        ? record.json(voided: false).compact : record.line(voided: false))
            }
        }
    }
}

/// The records of one cut.
private struct LostRecords {
    let tail: CutTail
    /// How many whole records the file has.
    let count: Int
    /// The last of them; nil: there is none.
    let last: UInt64?

    init(_ tail: CutTail) throws(JournalError) {
        self.tail = tail
        var last: UInt64?
        count = try unsafe tail.forEach { header, _ in last = header.sequence }
        self.last = last
    }

    var json: JSONValue {
        [
            "file": .string(tail.path), "time": .string(Readable.time(tail.time)),
            "first": .number(tail.first), "last": last.map { .number($0) } ?? .null,
            "records": .number(count), "reason": .string(tail.reason),
        ]
    }
}
