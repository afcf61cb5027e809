// config: what bourse.toml says.

import ArgumentParser
import Configuration
import JSON
import Presentation

struct ConfigGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Shows what bourse.toml says; runs nothing.",
        discussion: """
            A daemon takes its configuration when it starts; `systemctl reload bourse-gatewayd` \
            makes the gateway take its limits and certificate anew.

            EXAMPLE
              boursectl config get gatewayd.listen
              boursectl config show
              boursectl config show --all --output json
            """,
        subcommands: [ConfigShowCommand.self, ConfigGetCommand.self],
        defaultSubcommand: ConfigShowCommand.self)
}

extension CommonOptions {
    /// The keys of the configuration with their values.
    fileprivate func entries() throws(CommandError) -> [SettingsEntry] {
        let file = try configurationFile()
        do throws(SettingsError) { return try Settings.entries(path: file) } catch {
            throw CommandError("\(error)", code: .configuration)
        }
    }
}

extension TOMLValue {
    fileprivate var json: JSONValue {
        switch self {
        case .string(let text): .string(text)
        case .integer(let number): .number(number)
        case .boolean(let isOn): .bool(isOn)
        }
    }
}

struct ConfigGetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Prints the value of one key.",
        discussion: """
            A text comes without quotes, and where the file does not have the key, its default.

            JSON: {"key", "value", "default", "line"}; line is null where the file does not have \
            the key.
            """)

    @OptionGroup var common: CommonOptions
    @Argument(help: "The key with its table, as gatewayd.listen.") var key: String

    func run() throws {
        let entries = try common.entries()
        guard let entry = entries.first(where: { $0.key == key }) else {
            let field = key.split(separator: ".").last.map(String.init) ?? key
            let alike = entries.map(\.key).filter { $0.hasSuffix(".\(field)") }
            throw CommandError(
                "there is no key \(key)",
                repair: alike.isEmpty
                    ? "see `boursectl config show --all`"
                    : "did you mean \(alike.joined(separator: " or "))?", code: .usage)
        }
        common.out.give(entry.json, text: [entry.value.text])
    }
}

struct ConfigShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows the keys that differ from their defaults.",
        discussion: """
            JSON: an array of what `boursectl config get` gives.
            """)

    @OptionGroup var common: CommonOptions
    @Flag(help: "Every key.") var all = false

    func run() throws {
        let entries = try common.entries().filter { all || $0.value != $0.initial }
        var table = Table([.words("KEY"), .words("VALUE"), .words("DEFAULT")])
        for entry in entries {
            table.add([
                entry.key, entry.value.text, entry.value == entry.initial ? "" : entry.initial.text,
            ])
        }
        common.out.give(
            .array(entries.map(\.json)), table: table,
            empty: "Every key has its default. See `boursectl config show --all`.")
    }
}

extension SettingsEntry {
    fileprivate var json: JSONValue {
        [
            "key": .string(key), "value": value.json, "default": initial.json,
            "line": .orNull(line.map { Int64($0) }),
        ]
    }
}
