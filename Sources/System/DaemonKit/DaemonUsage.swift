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

/// The command line that a daemon takes. Every one has `--version` and `--help` too.
public struct DaemonUsage: Sendable {
    /// The daemon, as `bourse-matchd`.
    public let name: String
    let purpose: String
    let synopsis: String
    let options: [DaemonOption]
    let notes: String

    /// A command line. `purpose` is one line about what the daemon does, `synopsis` the options as
    /// the usage line shows them, `notes` the end of the help: exit statuses.
    public init(
        name: String, purpose: String, synopsis: String, options: [DaemonOption], notes: String
    ) {
        self.name = name
        self.purpose = purpose
        self.synopsis = synopsis
        self.options = options
        self.notes = notes
    }

    /// The values of the options that this process was started with, empty for a flag. Ends the
    /// process after `--version`, `--help` and a wrong command line (`DaemonExit.usage`).
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

    /// What a command line asks for.
    public enum Reading: Hashable, Sendable {
        /// To run with these options.
        case options([String: String])
        /// To print this and end.
        case print(String)
        /// Something that there is not: what is wrong.
        case wrong(String)
    }

    /// Reads a command line. A value is the next argument, or stands behind `=`.
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
            DaemonOption("--version", help: "print the version and end"),
            DaemonOption("--help", help: "print this and end"),
        ]
        return """
            \(name): \(purpose)

            usage: \(name) \(synopsis)
            \((options + own).map(\.line).joined(separator: "\n"))
            \(notes)
            """
    }
}
