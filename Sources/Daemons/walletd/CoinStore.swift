// The wallet's coins over restarts: a file from which it goes on.

import Custodian
import Logging
import Payments
import Platform

/// The coins of one state directory. One owner at a time.
final class CoinStore {
    /// How often they are saved while they change: a start reads what came since then.
    static let saveNanos: Int64 = 600_000_000_000

    /// The coins, as the log goes on.
    let keeper: CoinKeeper
    private let path: String
    private let log: Logger
    private let complaint: Complaint
    private var saved: SavedCoins?
    private var journal: (high: UInt64, low: UInt64) = (0, 0)
    private var savedSequence: UInt64
    private var saveTime = Clock.monotonicNanos()

    /// The coins of the file at `path`; none where there is none, or no whole one.
    init(_ path: String, _ log: Logger) {
        (self.path, self.log, complaint) = (path, log, Complaint(log))
        saved = Self.read(path)
        keeper = CoinKeeper(saved?.coins ?? CoinTable())
        savedSequence = keeper.table.sequence
        if saved == nil, Directory.exists(path) {
            log.warning(
                "\(path) is not whole, or of another version: the log is read from its start")
        }
    }

    private static func read(_ path: String) -> SavedCoins? {
        guard let file = try? File(path, .read), let size = try? file.size(),
            size <= SavedCoins.bytesMax, let bytes = try? file.read(count: size)
        else { return nil }
        return SavedCoins(bytes)
    }

    /// A log of this journal is followed: coins of another one are forgotten.
    func begin(_ high: UInt64, _ low: UInt64) {
        journal = (high, low)
        if let saved, saved.journalHigh != high || saved.journalLow != low {
            log.warning("\(path) is of another journal: the log is read from its start")
            keeper.forget()
        } else if keeper.table.sequence > 0 {
            log.notice("goes on behind record \(keeper.table.sequence) of the log")
        }
        (saved, savedSequence) = (nil, keeper.table.sequence)
    }

    /// Whether the coins are of another log than one that has so many records: the file is removed
    /// then.
    func isOfOtherLog(_ sequence: UInt64) -> Bool {
        guard keeper.isOfOtherLog || keeper.table.sequence > sequence else { return false }
        log.warning("\(path) is of another log: it is removed, and the log is read from its start")
        do throws(SystemError) { try Directory.remove(path) } catch {
            complaint.say("\(path) is not removed: \(error)")
            Clock.sleep(nanos: 1_000_000_000)
        }
        return true
    }

    /// Saves them where that is due, and where there is something new. A file that cannot be
    /// written stops nothing.
    func save(atLeastEvery nanos: Int64) {
        let now = Clock.monotonicNanos()
        guard now - saveTime >= nanos, keeper.table.sequence > savedSequence,
            !keeper.table.hasGap, !keeper.isOfOtherLog
        else { return }
        saveTime = now
        let content = SavedCoins(
            keeper.table, journalHigh: journal.high, journalLow: journal.low)
        do throws(SystemError) {
            try File.replace(path, with: content.bytes)
            savedSequence = keeper.table.sequence
            complaint.isOver()
        } catch { complaint.say("the coins are not saved: \(error)") }
    }
}
