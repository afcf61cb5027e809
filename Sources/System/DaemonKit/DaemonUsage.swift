// The options of a daemon: read, and explained by `--help`.

internal import Glibc
internal import Logging
internal import Platform

/// An option of a daemon.
public struct DaemonOption: Sendable {
    let name: String
    let valueName: String?
    let help: String

    /// An option, as `--root`; `valueName` is nil for a flag. `help` may have several lines.
    public init(_ name: String, valueName: String? = nil, help: String) {
        (self.name, self.valueName, self.help) = (name, valueName, help)
    }

    /// Its line of help.
    var line: String {
        let text = valueName.map { "\(name) \($0)" } ?? name
        return "  \(text)" + String(repeating: " ", count: max(1, 17 - text.utf8.count)) + help
    }
}

/// A daemon's command line. `--version` and `--help` are always included.
public struct DaemonUsage: Sendable {
    /// The daemon, as `bourse-matchd`.
    public let name: String
    let purpose: String
    let synopsis: String
    let options: [DaemonOption]
    let notes: String

    /// A command line. `purpose` is the daemon's one-line description, `synopsis` the options in
    /// the usage line, `notes` the end of the help: exit statuses.
    public init(
        name: String, purpose: String, synopsis: String, options: [DaemonOption], notes: String
    ) {
        (self.name, self.purpose, self.synopsis) = (name, purpose, synopsis)
        (self.options, self.notes) = (options, notes)
    }

    /// The values of this process's options, empty for a flag. Ends the process after `--version`,
    /// `--help` and a wrong command line (`DaemonExit.usage`).
    public func readArguments() -> [String: String] {
        switch read(CommandLine.arguments.dropFirst()) {
        case .options(let values): return values
        case .print(let text):
            print(text)
            exit(0)
        case .wrong(let text):
            Logger.daemon(name).error("\(text)\n\(help)")
            exit(DaemonExit.usage)
        }
    }

    /// A parsed command line.
    public enum Reading: Hashable, Sendable {
        /// Run with these options.
        case options([String: String])
        /// Print this and exit.
        case print(String)
        /// Wrong: the reason.
        case wrong(String)
    }

    /// Parses a command line. A value is the next argument, or follows `=`.
    public func read(_ arguments: some Sequence<String>) -> Reading {
        var values: [String: String] = [:]
        var rest = Array(arguments)[...]
        while let argument = rest.popFirst() {
            if argument == "--version" { return .print("\(name) \(Release.version)") }
            if argument == "--help" || argument == "-h" { return .print(help) }
            let name = String(argument.prefix { $0 != "=" })
            var value = argument == name ? nil : String(argument.dropFirst(name.count + 1))
            guard let option = options.first(where: { $0.name == name }),
                option.valueName != nil || value == nil
            else { return .wrong("unknown argument \(argument)") }
            if value == nil { value = option.valueName == nil ? "" : rest.popFirst() }
            guard let value else { return .wrong("\(name) needs a value") }
            values[name] = value
        }
        return .options(values)
    }

    /// What `--help` prints.
    public var help: String {
        let own = [
            DaemonOption("--version", help: "print the version and exit"),
            DaemonOption("--help", help: "print this and exit"),
        ]
        return """
            \(name): \(purpose)

            usage: \(name) \(synopsis)
            \((options + own).map(\.line).joined(separator: "\n"))
            \(notes)
            """
    }
}
