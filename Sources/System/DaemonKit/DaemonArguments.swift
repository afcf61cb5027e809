// The command line that every daemon has, and how it writes its log.

public import Configuration
import Glibc

/// A daemon's arguments: `--config FILE`, `--check-config`, `--version`, `--help`.
public struct DaemonArguments: Sendable {
    /// The daemon, as `bourse-matchd`.
    public let name: String
    /// The configuration, checked.
    public let settings: Settings
    /// The values of options that only this daemon has; of a flag the empty text.
    public private(set) var others: [String: String] = [:]

    /// The version that every daemon of this build has.
    public static var version: String { "0.1.0" }
    /// Exit status of a daemon whose configuration is wrong (EX_CONFIG, sysexits.h).
    public static var badConfiguration: Int32 { 78 }
    /// Exit status of a daemon whose journal an operator has to look at: damaged, not there, or on
    /// a disk that failed. Another start would find the same.
    public static var journalFault: Int32 { 76 }
    /// Exit status of a wrong command line (EX_USAGE).
    public static var badUsage: Int32 { 64 }

    /// Reads the process's arguments and the configuration. Ends the process where that is all that
    /// was asked for, or where something is wrong with them.
    ///
    /// `purpose` is one line about what the daemon does, for `--help`. `own` are further options of
    /// this daemon; `also` finds what else is wrong with its settings.
    public init(
        name: String, purpose: String, own: [OwnOption] = [],
        also: (Settings) -> [(key: String, text: String)] = { _ in [] }
    ) {
        var file: String?
        var isCheck = false
        var rest = CommandLine.arguments.dropFirst()
        while let argument = rest.popFirst() {
            switch argument {
            case "--config" where !rest.isEmpty: file = rest.popFirst()
            case _ where argument.hasPrefix("--config="): file = String(argument.dropFirst(9))
            case "--check-config": isCheck = true
            case "--version":
                print("\(name) \(Self.version)")
                exit(0)
            case "--help", "-h":
                print(Self.help(name, purpose, own))
                exit(0)
            default:
                let option = own.first { $0.name == argument }
                guard let option, option.valueName == nil || !rest.isEmpty else {
                    DaemonLog(name).line(
                        "unknown argument \(argument)\n\(Self.help(name, purpose, own))")
                    exit(Self.badUsage)
                }
                others[argument] = option.valueName == nil ? "" : rest.popFirst()
            }
        }
        guard let file else {
            DaemonLog(name).line("--config FILE is missing\n\(Self.help(name, purpose, own))")
            exit(Self.badUsage)
        }
        do throws(SettingsError) {
            settings = try Settings.load(path: file, also: also)
        } catch {
            DaemonLog(name).line(error.description)
            exit(Self.badConfiguration)
        }
        self.name = name
        if isCheck {
            print("\(settings.file): good")
            exit(0)
        }
    }

    /// An option that one daemon has.
    public struct OwnOption: Sendable {
        let name: String
        let valueName: String?
        let help: String

        /// An option, as `--root`; `valueName` is nil for a flag.
        public init(_ name: String, valueName: String? = nil, help: String) {
            (self.name, self.valueName, self.help) = (name, valueName, help)
        }

        /// Its line of help.
        var line: String {
            let text = valueName.map { "\(name) \($0)" } ?? name
            return "\n  \(text)" + String(repeating: " ", count: max(1, 17 - text.utf8.count))
                + help
        }
    }

    static func help(_ name: String, _ purpose: String, _ own: [OwnOption]) -> String {
        """
        \(name): \(purpose)

        usage: \(name) --config FILE [--check-config]
          --config FILE    the exchange's configuration, bourse.toml
          --check-config   check it, say what is wrong, and end\(own.map(\.line).joined())
          --version        print the version and end
          --help           print this and end
        exit status: 0 stopped as asked, 1 a fault, 64 wrong usage,
          76 the journal needs an operator, 78 wrong configuration
        """
    }
}

/// Lines of a daemon's log on standard error, which systemd keeps.
public struct DaemonLog: Sendable {
    /// Who speaks.
    let name: String

    /// A log of this daemon.
    public init(_ name: String) { self.name = name }

    /// Writes a line with one write(2), so that lines of several threads do not mix.
    public func line(_ text: String) {
        let bytes = Array("\(name): \(text)\n".utf8)
        _ = unsafe bytes.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// Writes a line about a fault: at the priority of an error for the journal of systemd
    /// (sd-daemon(3)), where it is the one that reads it.
    public func fault(_ text: String) {
        let isJournal = unsafe getenv("JOURNAL_STREAM") != nil
        let bytes = Array("\(isJournal ? "<2>" : "")\(name): \(text)\n".utf8)
        _ = unsafe bytes.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// Writes a line and ends the process at once, without waiting for other threads.
    public func fatal(_ text: String, status: Int32 = 1) -> Never {
        line(text)
        _exit(status)
    }
}
