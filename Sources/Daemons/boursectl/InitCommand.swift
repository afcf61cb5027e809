// init

import ArgumentParser
import Configuration
import Control
import JSON
import Platform
import Secrets

struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes the state directory of a new exchange.",
        discussion: """
            Creates the directory (mode 0700), bourse.toml with every key explained, and \
            secrets/seal.key, which seals API secrets: keep a copy of it apart from the journal. \
            What is there already stays as it is; only --listen and --set change keys of a \
            bourse.toml that exists.

            JSON: {"state", "config", "created"}; created lists what was made.

            EXAMPLE
              boursectl --state ./state init --listen 127.0.0.1:8080
              boursectl --state ./state init --set 'matchd.idle="spin"'
            """)

    @OptionGroup var common: Common
    @Option(help: "Where the gateway listens, as 127.0.0.1:8080.") var listen: String?
    @Option(
        help: ArgumentHelp(
            "Sets a key of bourse.toml; the value as TOML has it. May be repeated.",
            valueName: "key=value"))
    var set: [String] = []
    @Flag(
        help: ArgumentHelp(
            "Makes a new seal key although API keys were sealed with a lost one; these end."))
    var newSealKey = false

    func run() throws {
        guard let state = common.state else {
            throw Failure(
                "which directory?", repair: "name it with --state DIR, as in `boursectl --state "
                    + "./state init`", code: .usage)
        }
        let overrides = try self.overrides()
        var created: [String] = []
        try Self.makeDirectory(state, &created)
        let config = state + "/bourse.toml"
        try Self.configure(config, overrides, &created)
        let settings = try common.settings()
        for directory in [
            settings.state, settings.journalDirectory, settings.snapshotsDirectory,
            settings.historyDirectory, settings.secretsDirectory, settings.logDirectory,
            settings.state + "/run",
        ] { try Self.makeDirectory(directory, &created) }
        try makeSealKey(settings, &created)
        common.out.give(
            [
                "state": .string(settings.state), "config": .string(settings.file),
                "created": .array(created.map { .string($0) }),
            ],
            text: created.isEmpty
                ? ["\(settings.state) is set up; nothing was changed."]
                : ["\(settings.state) is set up. Made or changed:"] + created.map { "  \($0)" })
    }

    private func overrides() throws(Failure) -> [(key: String, value: String)] {
        var all: [(key: String, value: String)] = []
        if let listen {
            guard ListenAddress(listen) != nil else {
                throw Failure(
                    "\(listen) is no address", repair: "give HOST:PORT, as 127.0.0.1:8080",
                    code: .usage)
            }
            all.append(("gatewayd.listen", "\"\(listen)\""))
        }
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
        _ path: String, _ overrides: [(key: String, value: String)], _ created: inout [String]
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
        try TextFile.write(text, to: path)
        created.append(path)
    }

    private func makeSealKey(_ settings: Settings, _ created: inout [String]) throws(Failure) {
        let path = settings.sealKeyFile
        guard !Directory.exists(path) else {
            do {
                _ = try SealKey.load(path)
            } catch {
                throw Failure("\(error)")
            }
            return
        }
        guard newSealKey || isJournalEmpty(settings) else {
            throw Failure(
                "\(path) is missing, and the journal may hold API secrets sealed with it",
                repair: "put its copy back; or go on without these keys: init --new-seal-key")
        }
        do {
            _ = try SealKey.create(path)
        } catch {
            throw Failure("\(error)")
        }
        created.append(path)
    }

    private func isJournalEmpty(_ settings: Settings) -> Bool {
        (try? Directory.names(in: settings.journalDirectory))?.isEmpty ?? true
    }

    private static func makeDirectory(_ path: String, _ created: inout [String]) throws(Failure) {
        guard !Directory.isDirectory(path) else { return }
        do {
            try Directory.create(path)
        } catch {
            throw Failure(error)
        }
        created.append(path)
    }
}
