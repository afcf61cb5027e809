// snapshot verify

import ArgumentParser
import Configuration
import Engine
import JSON
import Journal
import Presentation

struct SnapshotVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Loads every snapshot and checks its hashes and balances.",
        discussion: """
            Exit status 1 where one is damaged. Recovery skips a damaged snapshot and uses the one \
            before it.

            JSON: [{"sequence", "ok", "time", "stateHash", "problem"}]; time and stateHash, or \
            problem, are null.
            """)

    @OptionGroup var common: CommonOptions

    func run() throws {
        let settings = try common.settings()
        let store = SnapshotStore(directory: settings.snapshotsDirectory)
        let ink = common.out.ink
        var table = Table([
            .numbers("RECORD"), .words("TIME"), .words("STATE HASH"), .words("RESULT"),
        ])
        var (rows, isWhole): ([JSONValue], Bool) = ([], true)
        for snapshot in SnapshotFile.list(settings) {
            let result = Self.check(store, snapshot.sequence)
            isWhole = isWhole && result.problem == nil
            table.add([
                Readable.count(snapshot.sequence), result.time ?? "-", result.hash ?? "-",
                result.problem ?? "whole",
            ])
            rows.append([
                "sequence": .number(snapshot.sequence), "ok": .bool(result.problem == nil),
                "time": result.time.map { .string($0) } ?? .null,
                "stateHash": result.hash.map { .string($0) } ?? .null,
                "problem": result.problem.map { .string($0) } ?? .null,
            ])
        }
        common.out.give(.array(rows), table: table, empty: "There are no snapshots yet.")
        guard isWhole else {
            if common.output == .text {
                Terminal.warn(ink.bad("At least one snapshot is damaged."))
            }
            throw ExitCode(CommandError.Code.failed.rawValue)
        }
    }

    private static func check(
        _ store: SnapshotStore, _ sequence: UInt64
    ) -> (time: String?, hash: String?, problem: String?) {
        do {
            let loaded = try store.load(sequence, identity: nil)
            return (
                Readable.time(loaded.info.timestamp, digits: 3),
                Readable.hex(loaded.info.stateHash), loaded.engine.checkInvariants()
            )
        } catch { return (nil, nil, "\(error)") }
    }
}
