// backup

import AgentAPI
import ArgumentParser
import Configuration
import Glibc
import JSON
import Journal
import Platform
import Presentation

struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Copies the journal, beside the running exchange.",
        discussion: """
            DIRECTORY, which must not exist nor lie in a directory of the exchange's own, appears \
            whole and durable, or not at all, also after Ctrl-C: the journal \
            up to the last record that is known to be released, the newest snapshot, guards of \
            their own, and beside them journal.id and bourse.toml. Every record of the copy is \
            read back. It is a state directory that can be started: see README, Recovering the \
            journal.

            Keys are not in it: keep a copy of the key that seals API secrets, of the words of the \
            wallet's seed, and of a cluster's certificates, apart from the journal.

            Of two hosts the standby is the one that copies: on a primary it is refused while the \
            other host is in sync.

            JSON: {"directory", "journal", "first", "last", "lastTime", "snapshot", "bytes", \
            "seconds"}; snapshot is its last record, or null.

            EXAMPLE
              sudo boursectl backup /srv/backup/2027-01-31
            """)

    @Argument(help: "Where the backup is to be.") var directory: String
    @OptionGroup var common: CommonOptions
    @Option(
        help: ArgumentHelp("Maximum mebibytes a second that are copied.", valueName: "mebibytes"))
    var rate = 50
    @Flag(help: "Copies on a primary as well, beside its trading.") var here = false

    func validate() throws {
        if !(1...100_000 ~= rate) { throw ValidationError("--rate is 1 … 100000.") }
    }

    func run() throws {
        let settings = try common.exchange().settings
        if settings.cluster != nil, !here { try checkTurn(settings) }
        var directory = directory
        while directory.count > 1, directory.hasSuffix("/") { directory.removeLast() }
        guard !Directory.exists(directory) else {
            throw CommandError("\(directory) exists already", repair: "name another directory")
        }
        let parent = Directory.parent(of: directory) ?? "."
        guard Directory.isDirectory(parent) else {
            throw CommandError(
                "there is no \(parent)",
                repair: "make it first, or mount the disk that is to be there")
        }
        try checkApart(parent, settings)
        let aside = directory + ".partial"
        guard !Directory.exists(aside) else {
            throw CommandError(
                "\(aside) is there: another backup runs, or one was interrupted",
                repair: "where none runs: sudo rm -r \(aside)")
        }
        let place = JournalPlace(settings)
        let store = SnapshotStore(directory: settings.snapshotsDirectory)
        var meter = ProgressMeter("Copying", unit: "bytes")
        defer { meter.clear() }
        let configuration = try CommandError.wrapping { () throws(SystemError) in
            let file = try File(settings.file, .read)
            return try file.read(count: try file.size())
        }
        // Of one that a signal ends nothing is left.
        let made = try EndingSignals.hold { () throws(CommandError) in
            try CommandError.wrapping { () throws(JournalError) in
                try JournalBackup.write(
                    place, snapshots: store, configuration: configuration, to: directory,
                    bytesPerSecond: rate << 20, keepFree: settings.matchd.reserveBytes
                ) { (done, total) throws(JournalError) in
                    if EndingSignals.isPending { throw .stopped }
                    meter.draw(done: UInt64(done), total: UInt64(total))
                }
            }
        }
        meter.clear()
        give(made, directory, meter.elapsedNanos)
    }

    /// Throws where the copy would lie in what it is a copy of.
    private func checkApart(_ parent: String, _ settings: Settings) throws(CommandError) {
        // The journal may be a volume of its own.
        let own = [
            settings.journalDirectory, settings.snapshotsDirectory, settings.secretsDirectory,
            settings.gatewayd.state, settings.agent.state,
            settings.cluster?.directory ?? settings.state, settings.state,
        ]
        let target = Self.resolved(parent) + "/"
        guard let found = own.first(where: { target.hasPrefix(Self.resolved($0) + "/") }) else {
            return
        }
        throw CommandError(
            "\(directory) lies in \(found), a directory of the exchange's own: a backup there is "
                + "lost with what it is a copy of",
            repair: "name a directory elsewhere, better on another disk")
    }

    /// Throws where the other host is the one to copy.
    private func checkTurn(_ settings: Settings) throws(CommandError) {
        let agent = HostAgent(
            socket: settings.agent.socket, nanosMax: HostAgent.clusterNanosMax)
        let document: ClusterDocument
        do throws(CommandError) {
            document = try agent.ask { (agent) throws(AgentError) in try agent.cluster() }
        } catch {
            throw CommandError(
                "whether this host leads is not known: \(error.problem)",
                repair: "start its agent; or, to copy here all the same: --here")
        }
        guard document.leads, document.isPairInSync, let peer = document.peer else { return }
        throw CommandError(
            "\(document.host) leads, and \(peer), which is in sync, is the one to copy",
            repair: "on \(peer): sudo boursectl backup \(directory); or here all the same: --here")
    }

    /// The absolute path without links (realpath(3)); `path` where there is none.
    private static func resolved(_ path: String) -> String {
        guard let real = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    private func give(_ made: JournalBackup, _ directory: String, _ nanos: Int64) {
        var facts = Facts()
        facts.add("journal", "\(made.identity)")
        facts.add(
            "records",
            "\(made.first) to \(made.last.sequence), \(Readable.time(made.lastTimestamp))")
        facts.add("snapshot", made.snapshot.map { "of record \($0)" } ?? "none yet")
        facts.add("copied", "\(Readable.bytes(made.bytes)) in \(Readable.duration(nanos: nanos))")
        let ink = common.out.ink
        common.out.give(
            [
                "directory": .string(directory), "journal": .string("\(made.identity)"),
                "first": .number(made.first), "last": .number(made.last.sequence),
                "lastTime": .string(Readable.time(made.lastTimestamp)),
                "snapshot": .orNull(made.snapshot.map { Int64($0) }), "bytes": .number(made.bytes),
                "seconds": .string(
                    DecimalNumber(units: Int128(nanos / 1_000_000), scale: 3).text(decimals: 3)),
            ],
            text: [ink.good("\(directory) is whole; keys are not in it.")] + facts.lines(ink))
    }
}
