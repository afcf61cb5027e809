// The arguments of a daemon that reads the exchange's configuration.

public import Configuration
internal import Glibc
internal import Logging

/// A daemon's arguments: `--config FILE`, `--check-config` and its own options.
public struct DaemonArguments: Sendable {
    /// The daemon, as `bourse-matchd`.
    public let name: String
    /// The configuration, checked.
    public let settings: Settings
    /// The values of the given options, empty for a flag.
    public let options: [String: String]

    /// Reads the process's arguments and the configuration. Ends the process if they are wrong or
    /// request only that (`--check-config`, `--version`, `--help`).
    ///
    /// `purpose` is the daemon's one-line description for `--help`; `options` are the daemon's own;
    /// `check` returns further problems of its settings.
    public init(
        name: String, purpose: String, options own: [DaemonOption] = [],
        check: (Settings) -> [(key: String, text: String)] = { _ in [] }
    ) {
        self.name = name
        let usage = Self.usage(name: name, purpose: purpose, options: own)
        options = usage.readArguments()
        let log = Logger.daemon(name)
        guard let file = options["--config"] else {
            log.error("--config FILE is missing\n\(usage.help)")
            exit(DaemonExit.usage)
        }
        do throws(SettingsError) {
            settings = try Settings.load(path: file, also: check)
        } catch {
            log.error("\(error.description)")
            exit(DaemonExit.configuration)
        }
        if options["--check-config"] != nil {
            print("\(settings.file): good")
            exit(0)
        }
    }

    static func usage(name: String, purpose: String, options own: [DaemonOption]) -> DaemonUsage {
        DaemonUsage(
            name: name, purpose: purpose, synopsis: "--config FILE [--check-config]",
            options: [
                DaemonOption(
                    "--config", valueName: "FILE", help: "the exchange's configuration, bourse.toml"
                ),
                DaemonOption("--check-config", help: "check it, print every problem, and exit"),
            ] + own,
            notes: """
                exit status: 0 stopped as asked, 1 a fault, 64 wrong usage,
                  76 the journal needs an operator, 78 wrong configuration
                """)
    }
}
