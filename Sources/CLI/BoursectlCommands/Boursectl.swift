// The tree of commands, and how errors end the process.

import ArgumentParser
import Glibc
import Journal
import Link
import Platform
import Presentation

/// The program that the executable runs.
public enum BoursectlProcess {
    /// Runs the command of this process's arguments, and ends the process where it fails.
    public static func run() { BoursectlCommand.main() }
}

struct BoursectlCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "boursectl", abstract: "Administers a Bourse exchange.",
        discussion: """
            --config FILE or --state DIR, before or after the command's name, selects the \
            exchange; the default is $BOURSE_CONFIG, then /etc/bourse/bourse.toml. With --output \
            json a command writes JSON to standard output: a list is an array of objects, amounts \
            and prices are decimal strings, ids and counts are numbers, and keys are never \
            renamed. Errors and progress go to standard error.

            The journal records who made a change and why: --operator NAME (default: your login) \
            and --reason TEXT.

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
              boursectl wallet withdrawals
              boursectl journal verify
              boursectl check; boursectl explain cpu.thread-affinity/bourse-matchd/engine

            EXIT STATUS
              0 done   1 refused or failed   3 matchd is not running (status)
              check: 0 ok   1 warning   2 critical   3 unknown
              64 usage error   75 proposed: others have to endorse it
              76 the journal needs an operator (init)
              78 configuration error
            """, version: Version.text, subcommands: [],
        groupedSubcommands: [
            CommandGroup(
                name: "Set up",
                subcommands: [
                    InitCommand.self, ConfigGroup.self, DemoCommand.self, StatusCommand.self,
                    UpgradeCommand.self,
                ]),
            CommandGroup(
                name: "Markets",
                subcommands: [
                    AssetGroup.self, InstrumentGroup.self, FeesGroup.self, BookCommand.self,
                    HaltCommand.self,
                    PauseCommand.self, ResumeCommand.self, PreOpenCommand.self, CloseCommand.self,
                ]),
            CommandGroup(
                name: "Accounts",
                subcommands: [
                    AccountGroup.self, KeyGroup.self, LimitsGroup.self, CreditCommand.self,
                    DebitCommand.self, OrdersCommand.self, CancelAllCommand.self, KillCommand.self,
                ]),
            CommandGroup(
                name: "Custody",
                subcommands: [
                    WalletGroup.self, OperatorGroup.self, ProposalGroup.self, AuditGroup.self,
                ]),
            CommandGroup(
                name: "Two hosts and a witness",
                subcommands: [
                    ClusterGroup.self, SwitchoverCommand.self, FailoverCommand.self,
                    StandbyGroup.self, RejoinCommand.self, DrillCommand.self,
                ]),
            CommandGroup(
                name: "The log",
                subcommands: [
                    JournalGroup.self, SnapshotGroup.self, BackupCommand.self, VoidCommand.self,
                ]),
            CommandGroup(
                name: "This host",
                subcommands: [
                    CheckCommand.self, ExplainCommand.self, FixCommand.self, TuneGroup.self,
                    UndoCommand.self, ChangesCommand.self,
                    WatchCommand.self, SupportBundleCommand.self,
                ]),
            CommandGroup(name: "Measurements", subcommands: [BenchGroup.self, NoiseCommand.self]),
        ])

    static func main() {
        // The process ends quietly when its reader is gone, as with `| head`.
        signal(SIGPIPE, SIG_DFL)
        Terminal.checkShownAtExit()
        let arguments = CommandArguments(Array(CommandLine.arguments.dropFirst()))
        do {
            guard arguments.output != "yaml" else {
                throw CommandError(
                    "--output yaml is gone", repair: "use --output json: YAML readers read JSON",
                    code: .usage)
            }
            // Before the parser, whose errors repeat what they do not understand.
            if let secret = arguments.secret { throw secret }
            var command = try parseAsRoot(arguments.parsed)
            if arguments.output == "nagios", !(command is any NagiosCommand) {
                throw CommandError(
                    "--output nagios is for check and status", repair: "use --output json here",
                    code: .usage)
            }
            try command.run()
        } catch let error as CommandError {
            error.exit()
        } catch let error as InputError {
            CommandError(error.problem, repair: error.repair, code: .usage).exit()
        } catch let error where error is JournalError || error is LinkError || error is SystemError
        {
            CommandError(error).exit()
        } catch {
            if let amount = arguments.negativeAmount { CommandError(negative: amount).exit() }
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
