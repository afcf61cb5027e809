// init

import ArgumentParser
import Configuration
import Glibc
import JSON
import Journal
import Platform
import Presentation
import Secrets

struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sets up a new exchange: configuration, keys, directories.",
        discussion: """
            On an installed host, as root and without --state: asks what it has to know (or takes \
            it from flags), writes /etc/bourse/bourse.toml with every key explained, and makes the \
            key that seals API secrets as a credential that only this host's systemd opens. \
            Nothing is started.

            With --state: makes that directory (mode 0700) with bourse.toml and secrets/seal.key, \
            for an exchange that is run by hand.

            It also begins the exchange's journal, with the [limits] that stand in bourse.toml; \
            nothing else does. Its identity is kept in journal.id beside bourse.toml, so that a \
            lost or unmounted journal is noticed: it is not begun again. As long as the journal \
            holds nothing but its first record, changed [limits] or another matchd.segment_mib \
            begin it anew.

            A journal that is there but whose replica file or floor is missing or damaged is \
            refused with status 76, and so is one that lacks records: it may be an old copy.

            What is there already stays as it is; only --listen, --cpu and --set change keys of a \
            bourse.toml that exists. It can be repeated.

            JSON: {"state", "config", "created"}; created lists what was made.

            EXAMPLE
              sudo boursectl init --listen 0.0.0.0:8080 --cpu 2
              boursectl --state ./state init --listen 127.0.0.1:8080
              boursectl --state ./state init --set 'matchd.idle="spin"'
            """)

    /// Where the packages look for the configuration.
    private static let installed = "/etc/bourse/bourse.toml"
    /// What differs on an installed host, where each daemon is a user with a directory of its own.
    private static let installedKeys = [
        ("exchange.state", "\"/var/lib/bourse\""),
        ("exchange.secrets", "\"/etc/bourse/secrets\""),
        ("matchd.socket", "\"/run/bourse/match/match.sock\""),
        ("matchd.gateway_users", "\"bourse-gateway\""),
        ("matchd.observer_users", "\"bourse-agent\""),
        ("gatewayd.state", "\"/var/lib/bourse-gateway\""),
        ("agent.socket", "\"/run/bourse-agent/agent.sock\""),
        ("agent.state", "\"/var/lib/bourse-agent\""),
        ("snmp.targets", "\"/etc/bourse/targets\""),
    ]

    @OptionGroup var common: Common
    @Option(help: "Where the gateway listens, as 127.0.0.1:8080.") var listen: String?
    @Option(help: "CPU that the engine has for itself; -1: none.") var cpu: Int?
    @Option(
        help: ArgumentHelp(
            "Sets a key of bourse.toml; the value as TOML has it. May be repeated.",
            valueName: "key=value"))
    var set: [String] = []
    @Flag(
        help: ArgumentHelp(
            "Makes a new seal key although API keys were sealed with a lost one; these end."))
    var newSealKey = false
    @Flag(
        help: ArgumentHelp(
            "Gives up the journal that was here for ever, and begins a new exchange."))
    var newJournal = false

    func run() throws {
        var created: [String] = []
        if let state = common.state {
            let overrides = try self.overrides(Answers(listen: listen, cpu: cpu))
            try Self.makeDirectory(state, &created)
            try Self.configure(state + "/bourse.toml", overrides, mode: 0o600, &created)
            let settings = try common.settings()
            for directory in [
                settings.state, settings.snapshotsDirectory, settings.historyDirectory,
                settings.secretsDirectory, settings.logDirectory, settings.state + "/run",
            ] { try Self.makeDirectory(directory, &created) }
            try makeSealKey(settings, isInstalled: false, &created)
            try beginJournal(settings, &created)
            give(settings, created, next: [])
        } else {
            try setUpHost(&created)
        }
    }

    /// /etc/bourse: the directories below /var/lib and /run are the units' own.
    private func setUpHost(_ created: inout [String]) throws {
        let file = common.config ?? Self.installed
        guard geteuid() == 0 else {
            throw Failure(
                "only root sets up this host",
                repair: "sudo boursectl init; or for an exchange run by hand: "
                    + "boursectl --state ./state init", code: .usage)
        }
        let isNew = !Directory.exists(file)
        let answers =
            isNew
            ? try Answers(listen: listen, cpu: cpu).asked() : Answers(listen: listen, cpu: cpu)
        let overrides = (isNew ? Self.installedKeys : []) + (try self.overrides(answers))
        try Self.makeDirectory(Directory.parent(of: file) ?? "/", mode: 0o755, &created)
        try Self.configure(file, overrides, mode: 0o644, &created)
        let settings: Settings
        do {
            settings = try Settings.load(path: file)
        } catch {
            throw Failure("\(error)", code: .configuration)
        }
        try Self.makeDirectory(settings.secretsDirectory, &created)
        // Devices that bourse-poller reads, and their passphrases as credentials.
        if let targets = settings.snmp.targets {
            try Self.makeDirectory(targets, mode: 0o755, &created)
        }
        try Self.makeDirectory(settings.secretsDirectory + "/snmp", &created)
        try makeSealKey(settings, isInstalled: true, &created)
        let hasJournal = try beginInstalled(settings, &created)
        let key = SealKeyFile(settings)
        give(
            settings, created,
            next: created.isEmpty
                ? []
                : [
                    ""
                ]
                    + (hasJournal
                        ? []
                        : [
                            "There is no user \(Self.journalUser) yet, so no journal was begun: "
                                + "install bourse-matchd, then `boursectl init` again", "",
                        ]) + [
                        "Start it:           systemctl enable --now bourse.target",
                        "Look at it:         boursectl status",
                        "Tune this host:     boursectl tune plan",
                        "A copy of the key for another host, to be kept apart from the journal:",
                        "  systemd-creds decrypt --name=\(SealKeyFile.credential) "
                            + "\(key.encrypted) FILE",
                    ])
    }

    private func give(_ settings: Settings, _ created: [String], next: [String]) {
        common.out.give(
            [
                "state": .string(settings.state), "config": .string(settings.file),
                "created": .array(created.map { .string($0) }),
            ],
            text: created.isEmpty
                ? ["\(settings.file) is set up; nothing was changed."]
                : ["\(settings.file) is set up. Made or changed:"] + created.map { "  \($0)" }
                    + next)
    }

    private func overrides(
        _ answers: Answers
    ) throws(Failure) -> [(key: String, value: String)] {
        var all: [(key: String, value: String)] = []
        if let listen = answers.listen {
            guard ListenAddress(listen) != nil else {
                throw Failure(
                    "\(listen) is no address", repair: "give HOST:PORT, as 127.0.0.1:8080",
                    code: .usage)
            }
            all.append(("gatewayd.listen", "\"\(listen)\""))
        }
        if let cpu = answers.cpu { all.append(("matchd.cpu", "\(cpu)")) }
        for text in set {
            guard let equals = text.firstIndex(of: "="), text[..<equals].contains(".") else {
                throw Failure(
                    "--set \(text) is not understood",
                    repair: "give TABLE.KEY=VALUE, as --set matchd.cpu=2", code: .usage)
            }
            all.append(
                (String(text[..<equals]), String(text[text.index(after: equals)...])))
        }
        return all
    }

    /// Writes a new configuration, or changes keys of the one there is. What is written was read
    /// back first, so a file that no daemon would take is never left behind.
    private static func configure(
        _ path: String, _ overrides: [(key: String, value: String)], mode: UInt32,
        _ created: inout [String]
    ) throws(Failure) {
        let before = try TextFile.read(path)
        var text: String
        if let before {
            text = before
            for (key, value) in overrides { text = TOMLEdit.set(key, to: value, in: text) }
        } else {
            text = Settings.text(
                overriding: Dictionary(overrides, uniquingKeysWith: { $1 }))
        }
        guard text != before else { return }
        do {
            _ = try Settings.parse(Array(text.utf8), file: path)
        } catch {
            throw Failure("\(error)", code: .configuration)
        }
        try TextFile.write(text, to: path, mode: mode)
        created.append(path)
    }

    private func makeSealKey(
        _ settings: Settings, isInstalled: Bool, _ created: inout [String]
    ) throws(Failure) {
        let file = SealKeyFile(settings)
        guard !file.exists else {
            _ = try file.load()
            return
        }
        guard newSealKey || isJournalEmpty(settings) else {
            throw Failure(
                "\(file.path) is missing, and the journal may hold API secrets sealed with it",
                repair: "put its copy back; or go on without these keys: init --new-seal-key")
        }
        if isInstalled {
            try file.createEncrypted()
            created.append(file.encrypted)
        } else {
            try file.create()
            created.append(file.path)
        }
    }

    /// The user of matchd on an installed host, whose directories the journal stands in.
    private static let journalUser = "bourse-match"

    /// Begins the journal as the user of matchd; false where there is none.
    private func beginInstalled(
        _ settings: Settings, _ created: inout [String]
    ) throws(Failure) -> Bool {
        guard let user = Host.userID(named: Self.journalUser) else { return false }
        let group = Host.groupID(named: "bourse") ?? 0
        var made: [String] = []
        for directory in [settings.state, settings.journalDirectory, settings.snapshotsDirectory] {
            try Self.makeDirectory(directory, &made)
        }
        created += made
        try beginJournal(settings, &created)
        do {
            for directory in [
                settings.state, settings.journalDirectory, settings.snapshotsDirectory,
            ] {
                try File(directory, .read).setOwner(user, group: group)
            }
            let place = JournalPlace(settings)
            let segments = try Directory.names(in: place.directory).map {
                Directory.join(place.directory, $0)
            }
            for path in segments + [place.replicaFile, place.floorFile, settings.state + "/lock"]
            where Directory.exists(path) {
                try File(path, .read).setOwner(user, group: group)
            }
        } catch {
            throw Failure(error)
        }
        return true
    }

    private func beginJournal(_ settings: Settings, _ created: inout [String]) throws(Failure) {
        let place = JournalPlace(settings)
        do {
            let lock: StateLock
            do { lock = try StateLock(directory: settings.state) } catch {
                // A running matchd has opened it: there is nothing to begin.
                if case .held = error, !newJournal { return }
                throw Failure("\(error)", repair: "stop matchd first")
            }
            try Self.makeDirectory(settings.journalDirectory, &created)
            let done = try withExtendedLifetime(lock) { () throws(JournalError) in
                try Journal.begin(
                    place, limits: settings.limits,
                    snapshots: SnapshotStore(directory: settings.snapshotsDirectory),
                    options: JournalOptions(
                        segmentBytes: settings.matchd.segmentBytes,
                        reserveBytes: settings.matchd.reserveBytes),
                    isNew: newJournal)
            }
            switch done {
            case .begun(let identity): created.append("journal \(identity)")
            case .completed(_, let files): created += files
            case .unchanged: break
            }
        } catch let error as JournalError where error.needsOperator {
            throw Failure("\(error)", code: .journal)
        } catch {
            throw Failure(any: error)
        }
    }

    private func isJournalEmpty(_ settings: Settings) -> Bool {
        (try? Directory.names(in: settings.journalDirectory))?.isEmpty ?? true
    }

    private static func makeDirectory(
        _ path: String, mode: UInt32 = 0o700, _ created: inout [String]
    ) throws(Failure) {
        guard !Directory.isDirectory(path) else { return }
        do {
            try Directory.create(path, mode: mode)
        } catch {
            throw Failure(error)
        }
        created.append(path)
    }
}

/// What an owner is asked when a host is set up.
private struct Answers {
    /// Where the gateway listens.
    var listen: String?
    /// The engine's CPU.
    var cpu: Int?

    /// With what flags left open, asked on the terminal; without one the defaults stand.
    func asked() throws(Failure) -> Answers {
        guard Terminal.isTerminal(STDIN_FILENO) else { return self }
        var all = self
        if listen == nil {
            all.listen = try Self.ask("Where shall clients reach the gateway", "127.0.0.1:8080") {
                ListenAddress($0) == nil ? "give HOST:PORT, as 0.0.0.0:8080" : nil
            }
        }
        if cpu == nil {
            let last = Host.processorCount - 1
            let answer = try Self.ask(
                "Which CPU shall the engine have for itself (0-\(last), -1: none)", "-1"
            ) {
                Int($0).map { -1...last ~= $0 } == true ? nil : "give a number from -1 to \(last)"
            }
            all.cpu = Int(answer)
        }
        return all
    }

    private static func ask(
        _ question: String, _ initial: String, _ problem: (String) -> String?
    ) throws(Failure) -> String {
        while true {
            Terminal.write("\(question) [\(initial)]? ", to: STDERR_FILENO)
            guard let line = readLine() else {
                throw Failure("nothing was set up", code: .usage)
            }
            let answer = line.isEmpty ? initial : line
            guard let text = problem(answer) else { return answer }
            Terminal.warn(text)
        }
    }
}
