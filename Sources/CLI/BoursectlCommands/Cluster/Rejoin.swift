// rejoin

import ArgumentParser
import Configuration
import Glibc
import JSON
import Journal
import Platform
import Presentation

struct RejoinCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rejoin", abstract: "Begins this host's copy of the log anew.",
        discussion: """
            For a host of the cluster whose matchd refuses to follow: its journal has records that \
            were released and differ from the primary's, is damaged, or is too far behind. It \
            comes back as a learner, with nothing but the first record, and gets everything from \
            the primary. Nothing is deleted: the journal, its snapshots and its guards move to \
            directories aside-TIME beside them. matchd must be stopped, and the other host must \
            lead: if this host has what no other one has, make that one the primary instead.

            It asks for this host's name to be typed; --yes-name NAME gives it beforehand. A host \
            without a journal of this exchange joins with a token instead: cluster invite.

            JSON: {"host", "journal", "last", "aside"}.

            EXAMPLE
              sudo systemctl stop bourse.target
              sudo boursectl rejoin
              sudo systemctl start bourse.target
            """)

    @OptionGroup var common: CommonOptions
    @Option(help: ArgumentHelp("This host's name, in place of typing it.", valueName: "name"))
    var yesName: String?

    func run() throws {
        let place = try ClusterPlace(common)
        let (own, peer) = try place.member()
        guard let settings = place.settings else {
            throw CommandError("the settings of this host cannot be read", code: .configuration)
        }
        let aside = try JournalAside(settings)
        let found = try aside.found()
        Terminal.warn(
            "Set aside: the journal of \(own.name), up to record \(found.last), and its snapshots. "
                + "What only it has is then in no copy of the log: see first what \(peer.name) has."
        )
        _ = try HostNameConfirmation.check(
            own.name, given: yesName, asking: "Type this host's name, \(own.name), to go on: ",
            without: CommandError(
                "confirmation needs a terminal", repair: "add --yes-name \(own.name)",
                code: .usage))
        let directories = try aside.move()
        try aside.begin(found.record)
        common.out.give(
            [
                "host": .string(own.name), "journal": .string(found.identity),
                "last": .number(found.last), "aside": .strings(directories),
            ],
            text: [
                "\(own.name) begins its copy of the log anew; what it had is kept in "
                    + "\(directories.joined(separator: ", ")).",
                "Start it: sudo systemctl start bourse.target",
            ])
    }

}

/// A journal that makes room for a new copy.
private struct JournalAside {
    let settings: Settings
    let place: JournalPlace
    /// The first record, from before the journal was moved until the new one has begun.
    private var recordFile: String { Directory.join(settings.state, "rejoin.record") }

    init(_ settings: Settings) throws(CommandError) {
        self.settings = settings
        place = JournalPlace(settings)
        if let fault = place.latched() {
            throw CommandError(
                "a write or sync failed here: \(fault.detail)",
                repair: "see `boursectl journal clear-fault --help` first")
        }
    }

    /// The journal's first record, identity and last sequence.
    func found() throws(CommandError) -> (record: [UInt8], identity: String, last: UInt64) {
        do {
            let lock = try StateLock(directory: settings.state)
            return try withExtendedLifetime(lock) {
                let kept = try? File(recordFile, .read)
                let record =
                    try kept.map { try $0.read(count: $0.size()) }
                    ?? Journal.firstRecord(settings.journalDirectory)
                let last = (try? JournalOnDisk.inspect(settings).lastSequence) ?? 0
                let identity = try? ReplicaFile(place.replicaFile)?.identity
                if kept == nil { try File.replace(recordFile, with: record) }
                return (record, identity.map { "\($0)" } ?? "", last)
            }
        } catch let error as JournalError {
            throw CommandError(
                "there is no first record here to begin with: \(error)",
                repair: "on the other host: sudo boursectl cluster invite; then join here")
        } catch let error as SystemError {
            throw CommandError(error)
        } catch {
            throw CommandError("\(error)", repair: "stop it: sudo systemctl stop bourse.target")
        }
    }

    /// Moves everything aside; returns where to.
    func move() throws(CommandError) -> [String] {
        try CommandError.wrapping { () throws(SystemError) in
            let name = "aside-\(Clock.realtimeNanos())"
            var made: [String] = []
            func take(_ names: [String], of directory: String) throws(SystemError) {
                let target = Directory.join(directory, name)
                let there = names.filter { Directory.exists(Directory.join(directory, $0)) }
                guard !there.isEmpty else { return }
                try Directory.create(target)
                for file in there {
                    try Directory.rename(
                        Directory.join(directory, file), to: Directory.join(target, file))
                }
                try Directory.sync(target)
                try Directory.sync(directory)
                made.append(target)
            }
            // The directories may be volumes of their own: their content moves within them.
            for directory in [settings.journalDirectory, settings.snapshotsDirectory]
            where Directory.exists(directory) {
                let names = try Directory.names(in: directory)
                try take(
                    names.filter { !$0.hasPrefix("aside-") && $0 != "cut" }, of: directory)
            }
            try take(["replica", "floor", "clock", "recovery.mark"], of: settings.state)
            if let identity = place.identityFile, let parent = Directory.parent(of: identity) {
                try take(["journal.id"], of: parent)
            }
            return made
        }
    }

    /// Begins the new copy.
    func begin(_ record: [UInt8]) throws(CommandError) {
        try ClusterSetup.beginCopy(settings, record)
        try CommandError.wrapping { () throws(SystemError) in try Directory.remove(recordFile) }
    }
}
