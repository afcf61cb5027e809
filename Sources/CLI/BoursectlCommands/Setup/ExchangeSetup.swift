// The steps that set up an exchange: directories, configuration, seal key, journal.

import Configuration
import Glibc
import Journal
import Platform
import Presentation

/// Sets up an exchange step by step. Each step leaves alone what exists, and notes what it made or
/// changed.
struct ExchangeSetup {
    /// What was made or changed, in order.
    private(set) var created: [String] = []
    /// Whether a lost seal key is replaced, although API keys may be sealed with it.
    let replacesSealKey: Bool
    /// Whether a new journal begins in place of a lost one.
    let replacesJournal: Bool

    /// The user of matchd on an installed host, who owns the journal.
    static let journalUser = "bourse-match"

    /// Makes a directory.
    mutating func makeDirectory(_ path: String, mode: UInt32 = 0o700) throws(CommandError) {
        guard !Directory.isDirectory(path) else { return }
        try CommandError.wrapping { () throws(SystemError) in try Directory.create(path, mode: mode)
        }
        created.append(path)
    }

    /// Writes a new configuration, or changes keys of an existing one. The text is parsed before it
    /// is written, so that no file is left behind that no daemon would take.
    mutating func configure(
        _ path: String, _ overrides: [ConfigurationOverride], mode: UInt32
    ) throws(CommandError) {
        let before = try TextFile.read(path)
        let text =
            if let before {
                overrides.reduce(before) { TOMLEdit.set($1.key, to: $1.value, in: $0) }
            } else {
                Settings.text(
                    overriding: Dictionary(
                        overrides.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }))
            }
        guard text != before else { return }
        do {
            _ = try Settings.parse(Array(text.utf8), file: path) { $0.gatewayProblems }
        } catch { throw CommandError("\(error)", code: .configuration) }
        try TextFile.write(text, to: path, mode: mode)
        created.append(path)
    }

    /// Throws where a new journal would take the place of a cluster's.
    func checkCluster(_ settings: Settings) throws(CommandError) {
        guard let cluster = settings.cluster,
            replacesJournal || !Directory.exists(JournalPlace(settings).replicaFile)
        else { return }
        throw CommandError.lostDisk(cluster)
    }

    /// Makes the seal key, on an installed host as a credential of systemd.
    mutating func makeSealKey(_ settings: Settings, isInstalled: Bool) throws(CommandError) {
        let file = SealKeyFile(settings)
        guard !file.exists else {
            _ = try file.load()
            return
        }
        let names = try? Directory.names(in: settings.journalDirectory)
        guard replacesSealKey || names?.isEmpty ?? true else {
            throw CommandError(
                "\(file.path) is missing, and the journal may hold API secrets sealed with it",
                repair: "restore it from its copy, or give up these keys: init --new-seal-key")
        }
        if isInstalled {
            try file.createEncrypted()
            created.append(file.encrypted)
        } else {
            try file.create()
            created.append(file.path)
        }
    }

    /// Begins the journal as the user of matchd; returns false where that user does not exist.
    /// `record`: the first record of another host's journal, of which this one becomes a copy.
    mutating func beginInstalledJournal(
        _ settings: Settings, copying record: [UInt8]? = nil
    ) throws(CommandError) -> Bool {
        guard let user = Host.userID(named: Self.journalUser) else { return false }
        let group = Host.groupID(named: "bourse") ?? 0
        let directories = [
            settings.state, settings.journalDirectory, settings.snapshotsDirectory,
        ]
        for directory in directories { try makeDirectory(directory) }
        try beginJournal(settings, copying: record)
        do {
            let place = JournalPlace(settings)
            let segments = try Directory.names(in: place.directory).map {
                Directory.join(place.directory, $0)
            }
            let files = segments + [place.replicaFile, place.floorFile, settings.state + "/lock"]
            for path in directories + files.filter(Directory.exists) {
                try File(path, .read).setOwner(user, group: group)
            }
        } catch { throw CommandError(error) }
        return true
    }

    /// Begins the journal, or completes one that has begun.
    mutating func beginJournal(
        _ settings: Settings, copying record: [UInt8]? = nil
    ) throws(CommandError) {
        let place = JournalPlace(settings)
        do {
            let lock: StateLock
            do { lock = try StateLock(directory: settings.state) } catch {
                // A running matchd has opened it: there is nothing to begin.
                if case .held = error, !replacesJournal { return }
                throw CommandError("\(error)", repair: "stop matchd first")
            }
            try makeDirectory(settings.journalDirectory)
            let done = try withExtendedLifetime(lock) { () throws(JournalError) in
                let snapshots = SnapshotStore(directory: settings.snapshotsDirectory)
                let options = JournalOptions(
                    segmentBytes: settings.matchd.segmentBytes,
                    reserveBytes: settings.matchd.reserveBytes)
                if let record {
                    return try Journal.begin(
                        place, copying: record, snapshots: snapshots, options: options)
                }
                return try Journal.begin(
                    place, limits: settings.limits, snapshots: snapshots, options: options,
                    isNew: replacesJournal)
            }
            switch done {
            case .begun(let identity): created.append("journal \(identity)")
            case .completed(_, let files): created += files
            case .unchanged: break
            }
        } catch let error as JournalError where error.needsOperator {
            throw CommandError("\(error)", code: .journal)
        } catch { throw CommandError(error) }
    }
}
