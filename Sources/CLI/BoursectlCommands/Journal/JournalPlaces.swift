// The journal of a state directory, for commands that change it.

import Configuration
import Glibc
import Journal
import Platform

extension JournalPlace {
    /// The journal of these settings.
    init(_ settings: Settings) {
        self.init(
            directory: settings.journalDirectory, state: settings.state,
            runtime: Directory.parent(of: settings.matchd.socket), configuration: settings.file)
    }
}

/// The right to change a journal: its owner's, while matchd does not run.
struct JournalHold {
    private let lock: StateLock

    /// Takes it. `why` is said where a running matchd has it.
    init(_ settings: Settings, _ why: String) throws {
        let directory =
            Directory.exists(settings.journalDirectory) ? settings.journalDirectory : settings.state
        let owner = try File(directory, .read).owner()
        guard owner == geteuid() else {
            throw Failure(
                "\(directory) belongs to user \(owner)",
                repair: "run it as that user, so that matchd can write on: sudo -u '#\(owner)' "
                    + "boursectl …")
        }
        do {
            lock = try StateLock(directory: settings.state)
        } catch {
            throw Failure("\(error)", repair: why)
        }
    }
}
