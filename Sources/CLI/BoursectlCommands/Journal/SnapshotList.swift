// snapshot list

import ArgumentParser
import JSON
import Presentation

struct SnapshotListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the snapshots, the newest first.",
        discussion: #"JSON: [{"sequence", "bytes"}]"#)

    @OptionGroup var common: CommonOptions

    func run() throws {
        let snapshots = SnapshotFile.list(try common.settings())
        var table = Table([.numbers("RECORD"), .numbers("SIZE")])
        for snapshot in snapshots {
            table.add([Readable.count(snapshot.sequence), Readable.bytes(snapshot.bytes)])
        }
        common.out.give(
            .array(snapshots.map(\.json)), table: table,
            empty: "There are no snapshots yet: auditd writes them, and matchd when it stops.")
    }
}
