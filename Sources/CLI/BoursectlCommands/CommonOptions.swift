// The options that all commands share.

import ArgumentParser
import Configuration
import Glibc
import Platform
import Presentation

/// The exchange, and the form of the result.
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

    /// The output of the result.
    var out: Output { Output(format: output) }

    /// The output of repeated results.
    func out(on screen: Screen) -> Output { Output(format: output, screen: screen) }

    /// The path of the configuration file.
    func configurationFile() throws(CommandError) -> String {
        if let config { return config }
        if let state { return state + "/bourse.toml" }
        if let file = Terminal.environment("BOURSE_CONFIG"), !file.isEmpty { return file }
        let installed = "/etc/bourse/bourse.toml"
        guard unsafe access(installed, F_OK) == 0 else {
            throw CommandError(
                "no exchange is given, and \(installed) does not exist",
                repair: "give its state directory with --state DIR, or its file with --config FILE",
                code: .usage)
        }
        return installed
    }

    /// The settings of the exchange. Throws on the witness, which has none.
    func settings() throws(CommandError) -> Settings {
        do throws(CommandError) { return try Self.settings(in: configurationFile()) } catch {
            throw HostRole.withoutExchange(self)?.refusal ?? error
        }
    }

    /// The settings in a file.
    static func settings(in file: String) throws(CommandError) -> Settings {
        do {
            return try Settings.load(path: file)
        } catch { throw CommandError("\(error)", code: .configuration) }
    }

    /// The exchange itself. Throws on a host that has none.
    func exchange() throws(CommandError) -> Exchange {
        let settings = try settings()
        if let role = HostRole.withoutExchange(self) { throw role.refusal }
        return Exchange(settings: settings)
    }
}

/// A decimal on the command line.
extension DecimalNumber: ExpressibleByArgument {
    /// Reads it as `DecimalNumber.init?` does.
    public init?(argument: String) { self.init(argument) }
}

/// Whether a command shows its result once or repeatedly.
struct RepeatOptions: ParsableArguments {
    @Option(
        name: [.customShort("w"), .customLong("watch")],
        help: ArgumentHelp("Repeat every so many seconds, until Ctrl-C.", valueName: "seconds"))
    var seconds: Int?

    func validate() throws {
        if let seconds, !(1...3_600 ~= seconds) { throw ValidationError("Give 1 … 3600 seconds.") }
    }

    /// Shows a result once, or repeatedly until the process ends. An exit status counts only where
    /// the result is shown once.
    func run(_ common: CommonOptions, _ show: (Output) throws -> Void) throws {
        guard let seconds else { return try show(common.out) }
        let out = common.out(on: Screen())
        while true {
            do {
                try show(out)
            } catch is ExitCode {
                // The next result may differ.
            }
            Clock.sleep(nanos: Int64(seconds) * 1_000_000_000)
        }
    }
}

/// A form of results on the command line.
extension OutputFormat: ExpressibleByArgument {}
