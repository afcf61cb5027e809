// The options that all commands share.

import ArgumentParser
import Configuration
import Glibc
import Platform
import Presentation

/// Which exchange, and how its answers look.
struct CommonOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Configuration file of the exchange.", valueName: "file"))
    var config: String?

    @Option(
        help: ArgumentHelp(
            "State directory of the exchange; its bourse.toml is the configuration.",
            valueName: "dir"))
    var state: String?

    @Option(help: "Form of the result: text or json; nagios for check and status.")
    var output: OutputFormat = .text

    func validate() throws {
        if config != nil, state != nil {
            throw ValidationError("Give --config or --state, not both.")
        }
    }

    /// The result's way out.
    var out: Output { Output(format: output) }

    /// The way out of results that are given over and over.
    func out(on screen: Screen) -> Output { Output(format: output, screen: screen) }

    /// The configuration file that is meant.
    func configurationFile() throws(CommandError) -> String {
        if let config { return config }
        if let state { return state + "/bourse.toml" }
        if let file = Terminal.environment("BOURSE_CONFIG"), !file.isEmpty { return file }
        let installed = "/etc/bourse/bourse.toml"
        guard unsafe access(installed, F_OK) == 0 else {
            throw CommandError(
                "which exchange? there is no \(installed)",
                repair: "name its state directory with --state DIR or its file with --config FILE",
                code: .usage)
        }
        return installed
    }

    /// The settings of the exchange.
    func settings() throws(CommandError) -> Settings {
        let file = try configurationFile()
        do {
            return try Settings.load(path: file)
        } catch {
            throw CommandError("\(error)", code: .configuration)
        }
    }

    /// The exchange itself.
    func exchange() throws(CommandError) -> Exchange { Exchange(settings: try settings()) }
}

/// A decimal on the command line.
extension DecimalNumber: ExpressibleByArgument {
    /// Reads it as `DecimalNumber.init?` does.
    public init?(argument: String) { self.init(argument) }
}

/// Whether a command shows its result once, or again and again.
struct RepeatOptions: ParsableArguments {
    @Option(
        name: [.customShort("w"), .customLong("watch")],
        help: ArgumentHelp(
            "Show it again every so many seconds, until Ctrl-C.", valueName: "seconds"))
    var seconds: Int?

    func validate() throws {
        if let seconds, !(1...3_600 ~= seconds) { throw ValidationError("Give 1 … 3600 seconds.") }
    }

    /// Shows a result once, or without end: on a terminal each over the one before. An exit status
    /// ends it where it is shown once.
    func run(_ common: CommonOptions, _ show: (Output) throws -> Void) throws {
        guard let seconds else { return try show(common.out) }
        let out = common.out(on: Screen())
        while true {
            do {
                try show(out)
            } catch is ExitCode {
                // It may be otherwise the next time.
            }
            Clock.sleep(nanos: Int64(seconds) * 1_000_000_000)
        }
    }
}

/// A form of results on the command line.
extension OutputFormat: ExpressibleByArgument {}
