// The one command line of the exchange: its tree, and what becomes of errors.

import ArgumentParser
import Glibc
import Platform
import Presentation

/// What the executable runs.
public enum BoursectlProcess {
    /// Runs the command that this process's arguments name, and ends the process where it fails.
    public static func run() { Boursectl.main() }
}

struct Boursectl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "boursectl",
        abstract: "Administers a Bourse exchange.",
        discussion: """
            Every command takes --config FILE or --state DIR to say which exchange is meant, \
            before the command's name or after it; else $BOURSE_CONFIG and /etc/bourse/bourse.toml \
            are looked at. With --output json it writes JSON on standard output: a list is an \
            array of objects, amounts and prices are decimal strings, ids and counts are numbers, \
            and keys are never renamed. Errors and progress go to standard error.

            Who did it and why stands in the journal: --operator NAME (default: who you are logged \
            in as) and --reason TEXT.

            ACCOUNT is an account's name, or id:NUMBER. An amount is a decimal, as 1.5 or \
            100_000_000. A rate ends in % or bp, as 0.1% or 10bp.

            EXAMPLES
              boursectl --state ./state init
              boursectl status
              boursectl asset add BTC --scale 8
              boursectl instrument add BTCUSDT --base BTC --quote USDT \\
                --tick 0.01 --lot 0.00001
              boursectl account open alice
              boursectl credit alice USDT 1000 --reference "wire 4711" --reason deposit
              boursectl key add alice --permissions read,trade
              boursectl halt BTCUSDT --reason "fork of the chain"
              boursectl journal verify
              boursectl check; boursectl explain cpu.thread-affinity/bourse-matchd/engine

            EXIT STATUS
              0 done   1 refused, or something failed   3 matchd does not run (status)
              check: 0 ok   1 warning   2 critical   3 unknown
              64 wrong usage   78 wrong configuration
            """,
        version: Version.text,
        subcommands: [],
        groupedSubcommands: [
            CommandGroup(
                name: "Set up", subcommands: [Init.self, Demo.self, Status.self, Upgrade.self]),
            CommandGroup(
                name: "Markets",
                subcommands: [
                    AssetGroup.self, InstrumentGroup.self, FeesGroup.self, Book.self, Halt.self,
                    Pause.self, Resume.self, PreOpen.self, Close.self,
                ]),
            CommandGroup(
                name: "Accounts",
                subcommands: [
                    AccountGroup.self, KeyGroup.self, LimitsGroup.self, Credit.self, Debit.self,
                    Orders.self, CancelAll.self, Kill.self,
                ]),
            CommandGroup(
                name: "The log",
                subcommands: [JournalGroup.self, SnapshotGroup.self, VoidRecord.self]),
            CommandGroup(
                name: "This host",
                subcommands: [
                    Check.self, Explain.self, Fix.self, TuneGroup.self, Undo.self, Changes.self,
                    Watch.self, SupportBundle.self,
                ]),
            CommandGroup(name: "Measuring", subcommands: [BenchGroup.self, NoiseCommand.self]),
        ])

    static func main() {
        // A reader that went away, as `| head`, ends this quietly.
        signal(SIGPIPE, SIG_DFL)
        do {
            var command = try parseAsRoot(Arguments.leafFirst(CommandLine.arguments))
            if Arguments.asksNagios, !(command is any NagiosCommand) {
                throw Failure(
                    "--output nagios is for check and status",
                    repair: "take --output json here", code: .usage)
            }
            try command.run()
        } catch let failure as Failure {
            failure.exit()
        } catch let fault as InputFault {
            Failure(fault.problem, repair: fault.repair, code: .usage).exit()
        } catch {
            if let amount = Arguments.negativeAmount(CommandLine.arguments) {
                Failure(negative: amount).exit()
            }
            exit(withError: error)
        }
    }
}

/// The program's version.
enum Version {
    /// As `--version` shows it.
    static var text: String { "boursectl \(Release.version)" }
}

/// A command that monitoring plugins can run.
protocol NagiosCommand {}

/// The arguments as they are parsed.
enum Arguments {
    /// Whether the form of monitoring plugins is asked for.
    static var asksNagios: Bool {
        let all = CommandLine.arguments
        return all.contains("--output=nagios")
            || zip(all, all.dropFirst()).contains { $0 == ("--output", "nagios") }
    }

    private static let shared = ["--config", "--state", "--output", "--operator"]

    /// `arguments` without the program. The options that all commands have may stand before the
    /// command's name; they are moved behind it.
    static func leafFirst(_ arguments: [String]) -> [String] {
        var rest = Array(arguments.dropFirst())
        var moved: [String] = []
        while let first = rest.first {
            if shared.contains(first), rest.count > 1 {
                moved += rest[..<2]
                rest.removeFirst(2)
            } else if shared.contains(where: { first.hasPrefix($0 + "=") }) {
                moved.append(rest.removeFirst())
            } else {
                break
            }
        }
        guard let command = rest.first else { return moved }
        if command == "help" { return rest }
        rest.insert(contentsOf: moved, at: rest.firstIndex(of: "--") ?? rest.endIndex)
        return rest
    }

    /// A negative amount given to `credit` or `debit`, which looks like an option and is told to be
    /// an unknown one; nil where there is none.
    static func negativeAmount(_ arguments: [String]) -> String? {
        let all = leafFirst(arguments)
        guard let command = all.first, command == "credit" || command == "debit" else { return nil }
        return zip(all, all.dropFirst()).first { before, text in
            // What follows an option's name is its value.
            let isValue = before.hasPrefix("--") && !before.contains("=")
            return !isValue && text.hasPrefix("-")
                && text.dropFirst().first.map { $0.isWholeNumber || $0 == "." } ?? false
        }?.1
    }
}
