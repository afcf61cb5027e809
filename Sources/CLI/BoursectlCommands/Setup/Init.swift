// init

import ArgumentParser
import Configuration
import Glibc
import JSON
import Platform
import Presentation

struct InitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Sets up a new exchange: configuration, keys, directories.",
        discussion: """
            On an installed host, as root and without --state: asks a few questions (flags answer \
            them beforehand), writes /etc/bourse/bourse.toml with every key explained, and makes \
            the key that seals API secrets as a credential that only this host's systemd can \
            decrypt. It starts nothing.

            With --state: makes that directory (mode 0700) with bourse.toml and secrets/seal.key, \
            for an exchange that is run by hand.

            It also begins the exchange's journal with the [limits] of bourse.toml; nothing else \
            does. The journal's identity is kept in journal.id beside bourse.toml, so that a lost \
            or unmounted journal is noticed and not begun again. As long as the journal holds \
            nothing but its first record, changed [limits] or another matchd.segment_mib begin it \
            anew.

            A journal whose replica file or floor is missing or damaged is refused with status 76, \
            and so is one that lacks records: it may be an old copy.

            What exists stays as it is; only --listen, --cpu and --set change keys of an existing \
            bourse.toml. The command can be repeated.

            JSON: {"state", "config", "created"}; created lists what was made or changed.

            EXAMPLE
              sudo boursectl init --cpu 2 --listen 0.0.0.0:8443 \\
                --set 'gatewayd.tls_certificate="/etc/bourse/tls/exchange.crt"' \\
                --set 'gatewayd.tls_key="/etc/bourse/tls/exchange.key"'
              boursectl --state ./state init --listen 127.0.0.1:8080
              boursectl --state ./state init --set 'matchd.idle="spin"'
            """)

    /// Where the packages look for the configuration.
    private static let installed = "/etc/bourse/bourse.toml"

    @OptionGroup var common: CommonOptions
    @Option(help: "Address of the gateway, as 127.0.0.1:8080.") var listen: String?
    @Option(help: "CPU reserved for the engine; -1: none.") var cpu: Int?
    @Option(
        help: ArgumentHelp(
            "Sets a key of bourse.toml to a TOML value. May be repeated.", valueName: "key=value"))
    var set: [String] = []
    @Flag(
        help: ArgumentHelp(
            "Makes a new seal key in place of a lost one; API keys sealed with that one are lost."))
    var newSealKey = false
    @Flag(
        help: ArgumentHelp(
            "Gives up the previous journal for ever, and begins a new exchange."))
    var newJournal = false

    func run() throws {
        var setup = ExchangeSetup(replacesSealKey: newSealKey, replacesJournal: newJournal)
        if let state = common.state {
            let overrides = try ConfigurationOverride.parse(
                listen: listen, cpu: cpu, assignments: set)
            try setup.makeDirectory(state)
            try setup.configure(state + "/bourse.toml", overrides, mode: 0o600)
            let settings = try common.settings()
            try setup.checkCluster(settings)
            for directory in [
                settings.state, settings.snapshotsDirectory, settings.historyDirectory,
                settings.secretsDirectory, settings.logDirectory, settings.state + "/run",
            ] { try setup.makeDirectory(directory) }
            try setup.makeSealKey(settings, isInstalled: false)
            try setup.beginJournal(settings)
            give(settings, setup.created, next: [])
        } else {
            try setUpHost(&setup)
        }
    }

    /// Sets up /etc/bourse and the journal. The other directories below /var/lib and those below
    /// /run are the units' own.
    private func setUpHost(_ setup: inout ExchangeSetup) throws {
        let file = common.config ?? Self.installed
        guard geteuid() == 0 else {
            throw CommandError(
                "only root sets up this host",
                repair: "sudo boursectl init; or for an exchange run by hand: "
                    + "boursectl --state ./state init", code: .usage)
        }
        let isNew = !Directory.exists(file)
        var answers = SetupAnswers(listen: listen, cpu: cpu, assignments: set)
        if isNew { answers = try answers.asked() }
        let overrides =
            (isNew ? ConfigurationOverride.installed : [])
            + (try ConfigurationOverride.parse(
                listen: answers.listen, cpu: answers.cpu,
                assignments: answers.assignments))
        try setup.makeDirectory(Directory.parent(of: file) ?? "/", mode: 0o755)
        try setup.configure(file, overrides, mode: 0o644)
        let settings = try CommonOptions.settings(in: file)
        try setup.checkCluster(settings)
        try setup.makeDirectory(settings.secretsDirectory)
        // Devices that bourse-poller reads, and their passphrases as credentials.
        if let targets = settings.snmp.targets { try setup.makeDirectory(targets, mode: 0o755) }
        try setup.makeDirectory(settings.secretsDirectory + "/snmp")
        try setup.makeSealKey(settings, isInstalled: true)
        let hasJournal = try setup.beginInstalledJournal(settings)
        give(settings, setup.created, next: Self.nextSteps(settings, hasJournal: hasJournal))
    }

    /// What follows on an installed host.
    private static func nextSteps(_ settings: Settings, hasJournal: Bool) -> [String] {
        let missing =
            "The user \(ExchangeSetup.journalUser) does not exist yet, so no journal was begun: "
            + "install bourse-matchd, then run `boursectl init` again"
        return [""] + (hasJournal ? [] : [missing, ""]) + [
            "Start it:           systemctl enable --now bourse.target",
            "Look at it:         boursectl status", "Tune this host:     boursectl tune plan",
            "A copy of the key for another host, to be kept apart from the journal:",
            "  systemd-creds decrypt --name=\(SealKeyFile.credential) "
                + "\(SealKeyFile(settings).encrypted) FILE",
        ]
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
}
