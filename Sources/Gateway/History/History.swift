// The history file: one writer, pooled readers, both behind one serial queue.

import Dispatch
import GRDB
import Glibc
import Synchronization
import Terms

/// Orders that ended, trades, balance adjustments, deposits and withdrawals, projected from the log
/// into SQLite.
///
/// The file records its journal and its last record, in the same transaction as the rows of a
/// batch. So after a crash at any moment it is complete up to some record, and the feed continues
/// after it: nothing is lost, nothing is there twice. It can always be rebuilt: a damaged file is
/// set aside at the next opening, and written anew from the log.
///
/// A write that fails (a full disk) is retried, after a pause that grows to `retrySecondsMax`;
/// meanwhile `append` takes no more than its bound, and reads fail with the error.
public final class History: Sendable {
    /// Maximum number of rows that wait to be written; a single batch may exceed it.
    public static var queuedRowsMax: Int { 200_000 }
    /// Maximum number of reads that wait or run.
    public static var readsMax: Int { 256 }
    /// The longest pause before a failed write is retried.
    public static var retrySecondsMax: Int { 5 }

    /// The file.
    public let file: String
    /// The last record in the file when it was opened: the feed continues after it.
    public let openedAt: UInt64
    /// Why and where the previous file was set aside; nil: it was not.
    public let replaced: String?

    private let pool: DatabasePool
    private let queue = DispatchQueue(label: "history")
    private let shared = Mutex(Shared())

    /// State that both sides of the queue use.
    private struct Shared {
        var queuedRows = 0
        var reads = 0
        var cursor: UInt64 = 0
        var fault: HistoryError?
        var isClosed = false
        /// Batches in order; only the queue removes them.
        var batches: [HistoryBatch] = []
        var pauseMillis = 0
        var isPaused = false

        /// Records the result of the last write. Damage stays, whatever else can be written.
        mutating func set(_ new: HistoryError?) {
            if case .damaged = fault { return }
            fault = new
        }
    }

    /// Opens the file, or makes it, for the journal of this identity.
    ///
    /// A missing directory is made (0700).
    public init(file: String, journalHigh: UInt64, journalLow: UInt64) throws(HistoryError) {
        self.file = file
        if let slash = file.lastIndex(of: "/") {
            let directory = String(file[..<slash])
            if !directory.isEmpty, unsafe mkdir(directory, 0o700) != 0, errno != EEXIST {
                throw .database(
                    file: file,
                    text: unsafe "cannot make its directory: \(String(cString: strerror(errno)))")
            }
        }
        let journal = Self.text(journalHigh, journalLow)
        var damage = DamagedHistory.noted(file)
        if damage == nil {
            do throws(HistoryError) {
                (pool, openedAt) = try Self.open(file, journal)
                replaced = nil
                shared.withLock { [openedAt] in $0.cursor = openedAt }
                return
            } catch {
                guard case .damaged(_, let text) = error else { throw error }
                damage = text
            }
        }
        let aside = try DamagedHistory.setAside(file)
        replaced = "\(file) is damaged (\(damage ?? "")) and kept as \(aside)"
        (pool, openedAt) = try Self.open(file, journal)
        let start = openedAt
        shared.withLock { $0.cursor = start }
    }

    private static func open(
        _ file: String, _ journal: String
    ) throws(HistoryError) -> (DatabasePool, UInt64) {
        do {
            let pool = try DatabasePool(path: file, configuration: configuration)
            return (pool, try HistorySchema.prepare(pool, file: file, journal: journal))
        } catch { throw explain(error, file) }
    }

    /// A journal's identity as the file has it.
    static func text(_ high: UInt64, _ low: UInt64) -> String { high.hexText + low.hexText }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.label = "history"
        configuration.maximumReaderCount = 4
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { db in
            // A crash of the process loses nothing; a power failure may lose the newest
            // transactions with their cursor, and the feed writes them again.
            try db.execute(sql: "PRAGMA synchronous = NORMAL")
            try db.execute(sql: "PRAGMA journal_size_limit = 67108864")
        }
        return configuration
    }

    /// The last record in the file.
    public var cursor: UInt64 { shared.withLock { $0.cursor } }

    /// Why the last write failed and is being retried; nil when all is well. A damaged file stays
    /// so: close it and open it again.
    public var fault: HistoryError? { shared.withLock { $0.fault } }

    /// Rows that wait to be written.
    public var queuedRows: Int { shared.withLock { $0.queuedRows } }

    /// Queues a batch. False, with no effect, when too much waits: keep it and stop feeding.
    public func append(_ batch: HistoryBatch) -> Bool {
        if batch.isEmpty { return true }
        let isTaken = shared.withLock { shared in
            if shared.isClosed { return false }
            guard shared.queuedRows == 0 || shared.queuedRows + batch.rows <= Self.queuedRowsMax
            else { return false }
            shared.queuedRows += batch.rows
            shared.batches.append(batch)
            return true
        }
        if isTaken { queue.async { self.drain(isRetry: false) } }
        return isTaken
    }

    /// Reads off the caller's thread, and calls `done` with the result on another thread. The read
    /// sees all batches appended before it.
    public func read<T: Sendable>(
        _ body: @escaping @Sendable (HistoryReader) throws -> T,
        _ done: @escaping @Sendable (Result<T, HistoryError>) -> Void
    ) {
        let refusal: HistoryError? = shared.withLock { shared in
            if shared.isClosed { return .closed }
            if shared.reads >= Self.readsMax { return .busy }
            shared.reads += 1
            return nil
        }
        if let refusal { return done(.failure(refusal)) }
        queue.async {
            if let fault = self.fault { return self.finish(.failure(fault), done) }
            self.pool.asyncRead { access in
                let result: Result<T, HistoryError>
                do {
                    result = .success(try body(HistoryReader(db: access.get())))
                } catch { result = .failure(self.note(Self.explain(error, self.file))) }
                self.finish(result, done)
            }
        }
    }

    /// Reads on the caller's thread; for starting up and for tests.
    public func readNow<T>(_ body: (HistoryReader) throws -> T) throws(HistoryError) -> T {
        queue.sync {}
        if let fault { throw fault }
        do {
            return try pool.read { db in try body(HistoryReader(db: db)) }
        } catch { throw note(Self.explain(error, file)) }
    }

    /// Writes what waits and closes the file. Returns the error if that failed; then what was not
    /// written is written from the log at the next start.
    @discardableResult
    public func close() -> HistoryError? {
        shared.withLock { $0.isClosed = true }
        queue.sync { drain(isRetry: true) }
        let fault = self.fault
        try? pool.close()
        return fault
    }

    private func finish<T>(
        _ result: Result<T, HistoryError>, _ done: (Result<T, HistoryError>) -> Void
    ) {
        shared.withLock { $0.reads -= 1 }
        done(result)
    }

    // MARK: On the queue

    /// Writes all batches that wait, in one transaction.
    private func drain(isRetry: Bool) {
        let batches = shared.withLock { shared in
            if isRetry { shared.isPaused = false }
            return shared.isPaused ? [] : shared.batches
        }
        guard let last = batches.last else { return }
        do {
            try pool.write { db in
                for batch in batches { try batch.write(db, file: file) }
            }
            shared.withLock { shared in
                shared.batches.removeFirst(batches.count)
                shared.queuedRows -= batches.reduce(0) { $0 + $1.rows }
                shared.cursor = last.lastSequence
                shared.set(nil)
                shared.pauseMillis = 0
            }
        } catch { pause(note(Self.explain(error, file))) }
    }

    /// Records damage for the next opening, beside the file and as the fault.
    private func note(_ error: HistoryError) -> HistoryError {
        guard case .damaged(_, let text) = error else { return error }
        shared.withLock { $0.fault = error }
        DamagedHistory.note(file, text)
        return error
    }

    /// Records an error, and retries after a pause.
    private func pause(_ fault: HistoryError) {
        let pause = shared.withLock { shared -> Int? in
            shared.set(fault)
            shared.isPaused = true
            shared.pauseMillis = min(max(100, shared.pauseMillis * 2), Self.retrySecondsMax * 1_000)
            return shared.isClosed ? nil : shared.pauseMillis
        }
        guard let pause else { return }
        queue.asyncAfter(deadline: .now() + .milliseconds(pause)) { [weak self] in
            self?.drain(isRetry: true)
        }
    }

    /// An error with advice on what to do.
    static func explain(_ error: any Error, _ file: String) -> HistoryError {
        if let error = error as? HistoryError { return error }
        guard let error = error as? DatabaseError else {
            return .database(file: file, text: "\(error)")
        }
        if [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode) {
            return .damaged(file: file, text: "\(error)")
        }
        let advice =
            switch error.resultCode {
            case .SQLITE_FULL: "the disk is full: make room; what waits is written then"
            case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH:
                "it may not be written: check the owner and mode of the file and its directory, "
                    + "and that the file system is not read-only"
            case .SQLITE_CANTOPEN: "it cannot be opened: check its directory's owner and mode"
            case .SQLITE_IOERR: "the disk failed or is full"
            case .SQLITE_BUSY, .SQLITE_LOCKED: "another process holds it: end that one"
            default: "SQLite failed"
            }
        return .database(file: file, text: "\(advice) (\(error))")
    }
}
