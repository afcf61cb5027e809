// journal, and what its verbs share: reading the journal while matchd writes, the right to
// change it, confirmation.

import ArgumentParser
import Configuration
import Glibc
import Journal
import Platform
import Presentation

struct JournalGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal", abstract: "The log on disk.",
        discussion: """
            Verbs that read the journal change nothing and work whether or not matchd is running. \
            Those that change it need matchd to be stopped: void, accept-loss, accept-clock, \
            clear-fault, renew-guards.
            """,
        subcommands: [
            JournalVerifyCommand.self, JournalDumpCommand.self, JournalRehearseCommand.self,
            JournalVoidsCommand.self, JournalLostCommand.self,
            VoidCommand.self, JournalAcceptLossCommand.self, JournalClearFaultCommand.self,
            JournalRenewGuardsCommand.self, JournalAcceptClockCommand.self,
        ])
}

/// The journal, also while matchd writes to it.
enum JournalOnDisk {
    /// Inspects it.
    static func inspect(
        _ settings: Settings, progress: (Int, Int) -> Void = { _, _ in }
    ) throws(JournalError) -> RecoveredJournal {
        try Journal.confirmingDamage { () throws(JournalError) in
            // Read first: a running matchd may write on before the journal is read.
            let floor = try Journal.floor(JournalPlace(settings))
            return try Journal.inspect(
                directory: settings.journalDirectory, floor: floor, progress: progress)
        }
    }
}

extension JournalPlace {
    /// The journal of these settings.
    init(_ settings: Settings) {
        self.init(
            directory: settings.journalDirectory, state: settings.state,
            runtime: Directory.parent(of: settings.matchd.socket), configuration: settings.file)
    }
}

/// The right to change a journal: its owner's, while matchd is not running.
struct JournalHold {
    private let lock: StateLock

    /// Acquires it. `why` is the repair where a running matchd holds it.
    init(_ settings: Settings, _ why: String) throws {
        let directory =
            Directory.exists(settings.journalDirectory) ? settings.journalDirectory : settings.state
        let owner = try File(directory, .read).owner()
        guard owner == geteuid() else {
            throw CommandError(
                "\(directory) belongs to user \(owner)",
                repair: "run it as that user, so that matchd can still write: sudo -u '#\(owner)' "
                    + "boursectl …")
        }
        do {
            lock = try StateLock(directory: settings.state)
        } catch { throw CommandError("\(error)", repair: why) }
    }
}

/// A question that the operator has to answer by typing a word.
enum Confirmation {
    /// Returns where `wanted` is typed or was given beforehand, else throws.
    static func ask(_ question: String, _ wanted: String, _ given: String?) throws(CommandError) {
        if let given {
            guard given == wanted else {
                throw CommandError("--confirm \(given) is not \(wanted)", code: .usage)
            }
            return
        }
        guard Terminal.isTerminal(STDIN_FILENO) else {
            throw CommandError(
                "confirmation needs a terminal", repair: "add --confirm \(wanted)", code: .usage)
        }
        Terminal.write(question, to: STDERR_FILENO)
        guard readLine() == wanted else { throw CommandError("not confirmed; nothing was done") }
    }

    /// Shows what is about to happen, and returns where `yes` is typed or was given beforehand,
    /// else throws.
    static func agree(
        to lines: [String], _ question: String, isGiven: Bool
    ) throws(CommandError) {
        if isGiven { return }
        for line in lines { Terminal.warn(line) }
        guard Terminal.isTerminal(STDIN_FILENO) else {
            throw CommandError("confirmation needs a terminal", repair: "add --yes", code: .usage)
        }
        Terminal.write(question, to: STDERR_FILENO)
        guard readLine() == "yes" else { throw CommandError("not confirmed; nothing was done") }
    }
}
