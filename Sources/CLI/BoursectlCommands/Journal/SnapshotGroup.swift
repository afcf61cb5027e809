// snapshot, and what its verbs share.

import ArgumentParser
import Configuration
import JSON
import Platform
import Presentation

struct SnapshotGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot", abstract: "The engine's snapshots on disk.",
        subcommands: [SnapshotListCommand.self, SnapshotVerifyCommand.self])
}

/// A snapshot's file.
struct SnapshotFile {
    /// The last record in it.
    let sequence: UInt64
    /// Its size.
    let bytes: Int

    /// As JSON.
    var json: JSONValue { ["sequence": .number(sequence), "bytes": .number(bytes)] }

    /// The snapshots of an exchange, the newest first. Their contents are not read.
    static func list(_ settings: Settings) -> [SnapshotFile] {
        let directory = settings.snapshotsDirectory
        let names = (try? Directory.names(in: directory)) ?? []
        return names.compactMap { name -> SnapshotFile? in
            guard name.hasSuffix(".snap"), let sequence = UInt64(name.dropLast(5)) else {
                return nil
            }
            let size = try? File(Directory.join(directory, name), .read).size()
            return SnapshotFile(sequence: sequence, bytes: size ?? 0)
        }.sorted { $0.sequence > $1.sequence }
    }

    /// A summary.
    static func summary(_ snapshots: [SnapshotFile]) -> String {
        guard let newest = snapshots.first else { return "none yet" }
        return "\(snapshots.count), the newest at record \(Readable.count(newest.sequence)) "
            + "(\(Readable.bytes(newest.bytes)))"
    }
}
