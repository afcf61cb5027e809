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
            were released and differ from the primary's, is damaged, is too far behind, or was \
            lost with its disk. It comes back as a learner, with a new replica id and nothing but \
            the first record, and gets everything from the primary. Nothing is deleted: the \
            journal, its snapshots and its guards move to directories aside-TIME beside them. \
            matchd must be stopped, and the other host must lead: if this host has what no other \
            one has, make that one the primary instead.

            Where the journal is missing, see first that its volume is mounted. The first record \
            is kept in /etc/bourse/cluster for this; a host that has lost that as well joins with \
            a token: cluster invite.

            It asks for this host's name to be typed; --yes-name NAME gives it beforehand.

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
        let aside = try JournalAside(settings, keptRecord: place.files.firstRecord)
        guard place.plan.takesPeer(peer) else {
            throw CommandError(
                "\(peer.name) does not lead, or cannot be reached: nothing would come from it",
                repair: "see who leads: sudo boursectl cluster status")
        }
        let found = try aside.found()
        Terminal.warn(
            found.last == 0
                ? "There is no journal of \(own.name) in \(settings.journalDirectory). If its "
                    + "volume is only not mounted, mount it and start matchd instead."
                : "Set aside: the journal of \(own.name), up to record \(found.last), and its "
                    + "snapshots. What only it has is then in no copy of the log: see first what "
                    + "\(peer.name) has.")
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
                "\(own.name) begins its copy of the log anew"
                    + (directories.isEmpty
                        ? "." : "; what it had is kept in \(directories.joined(separator: ", "))."),
                "Start it: sudo systemctl start bourse.target",
            ])
    }

}

/// A journal that makes room for a new copy.
private struct JournalAside {
    let settings: Settings
    let place: JournalPlace
    /// The first record, as it was kept apart from the journal.
    let keptRecord: String
    /// The first record, from before the journal was moved until the new one has begun.
    private var recordFile: String { Directory.join(settings.state, "rejoin.record") }

    init(_ settings: Settings, keptRecord: String) throws(CommandError) {
        (self.settings, self.keptRecord) = (settings, keptRecord)
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
                let record = try firstRecord()
                let last = (try? JournalOnDisk.inspect(settings).lastSequence) ?? 0
                let identity = try? ReplicaFile(place.replicaFile)?.identity
                if !Directory.exists(recordFile) { try File.replace(recordFile, with: record) }
                return (record, identity.map { "\($0)" } ?? "", last)
            }
        } catch let error as JournalError {
            throw CommandError(
                "there is no first record here to begin with: \(error)",
                repair: "put the copy that the other host has, /etc/bourse/cluster/first.record, "
                    + "to \(keptRecord), for root alone to read; then again")
        } catch let error as SystemError {
            throw CommandError(error)
        } catch {
            throw CommandError("\(error)", repair: "stop it: sudo systemctl stop bourse.target")
        }
    }

    private func firstRecord() throws -> [UInt8] {
        if let begun = try? File(recordFile, .read) { return try begun.read(count: begun.size()) }
        // What was kept as this host joined is the cluster's; a journal may be another's.
        if let kept = try? File(keptRecord, .read) { return try kept.read(count: kept.size()) }
        return try Journal.firstRecord(settings.journalDirectory)
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
                    names.filter {
                        !$0.hasPrefix("aside-") && $0 != "cut" && $0 != "lost+found"
                    }, of: directory)
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
