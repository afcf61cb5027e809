// Goal: whatever ends the process, and whatever happens to the disk or the file, no row is lost or
// doubled: it is reported or repaired.

import Engine
import GRDB
import Glibc
import History
import MarketData
import Terms
import Testing

@Suite struct HistoryFaultTests {
    @Test func `the history of another journal is refused`() throws {
        let directory = TestDirectory()
        let history = try History(file: directory.file, journalHigh: 1, journalLow: 0xAB)
        #expect(history.close() == nil)
        let error = #expect(throws: HistoryError.self) {
            try History(file: directory.file, journalHigh: 1, journalLow: 0xAC)
        }
        #expect(
            error?.description == "\(directory.file) is the history of journal "
                + "000000000000000100000000000000ab, and this exchange's is "
                + "000000000000000100000000000000ac: move the file away, and history is written "
                + "anew from the log")
    }

    @Test func `the file of a newer version is refused`() throws {
        let directory = TestDirectory()
        let history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        #expect(history.close() == nil)
        // SQLite's user version stands big-endian at byte 60 of the file (sqlite.org/fileformat).
        try overwrite(directory.file, at: 60, [0, 0, 0, 99])
        let error = #expect(throws: HistoryError.self) {
            try History(file: directory.file, journalHigh: 1, journalLow: 2)
        }
        #expect(error == .newerVersion(file: directory.file, found: 99, known: 3))
    }

    /// A copy of a file from before there were migrations: `user_version` 2, up to record 20.
    private func oldFile(_ directory: TestDirectory) throws {
        let parts = #filePath.split(separator: "/").dropLast()
        let path = "/" + parts.joined(separator: "/") + "/Fixtures/history-2.sqlite"
        unsafe mkdir(directory.path + "/history", 0o700)
        let descriptor = unsafe open(directory.file, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        close(descriptor)
        try overwrite(directory.file, at: 0, try bytes(path))
    }

    @Test func `a file from before custody keeps its rows, gets its tables, and continues`() throws
    {
        let directory = TestDirectory()
        try oldFile(directory)
        var history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        #expect(history.replaced == nil && history.openedAt == 20)
        try history.readNow { reader in
            let kept = try #require(
                try reader.order(TestVenue.alice, clOrdID: TestVenue.text("kept")))
            #expect(kept.order.status == .partiallyFilled && kept.order.leavesQty.lots == 2)
            let trades = try reader.marketTrades(TestVenue.btc, HistoryRange())
            #expect(trades.map(\.quantity.lots) == [3])
            #expect(try reader.minutes(TestVenue.btc, from: 0, limit: 9).count == 1)
            let amounts = try reader.adjustments(TestVenue.bob, HistoryRange()).map(\.amount.units)
            #expect(amounts == [1 << 80, 1 << 80, 1 << 80])
        }
        try history.readNow { reader in
            let deposits = try reader.deposits(TestVenue.bob, DepositFilter())
            let withdrawals = try reader.withdrawals(TestVenue.bob, WithdrawalFilter())
            #expect(deposits.isEmpty && withdrawals.isEmpty)
        }
        var batch = HistoryBatch()
        batch.add(sequence: 21, time: 7, events: [])
        #expect(history.append(batch))
        #expect(history.close() == nil)
        // What opens it looks at SQLite's user version.
        let version = try DatabaseQueue(path: directory.file).read { db in
            try Int.fetchOne(db, sql: "PRAGMA user_version")
        }
        #expect(version == 3)
        history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        #expect(history.replaced == nil && history.openedAt == 21)
        #expect(history.close() == nil)
    }

    @Test func `a file that lacks the transactions of its deposits is rewritten`() throws {
        let stream = RecordedStream(seed: 3, commands: 200)
        let directory = TestDirectory()
        try oldFile(directory)
        try DatabaseQueue(path: directory.file).write { db in
            try db.execute(
                sql: """
                    INSERT INTO adjustments (sequence, kind, account, asset, amount, time)
                    VALUES (20, 2, 1, 1, 5, 7)
                    """)
        }
        let history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        #expect(history.replaced == nil && history.openedAt == 0)
        history.feed(stream.records, batch: 50)
        try ExpectedHistory(stream.records).check(history)
        #expect(history.close() == nil)
    }

    @Test func `the file of an older version is rewritten, another journal's is not`() throws {
        let stream = RecordedStream(seed: 3, commands: 200)
        let directory = TestDirectory()
        try oldFile(directory)
        try overwrite(directory.file, at: 60, [0, 0, 0, 1])
        #expect(throws: HistoryError.self) {
            try History(file: directory.file, journalHigh: 1, journalLow: 3)
        }
        let history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        #expect(history.replaced == nil && history.openedAt == 0)
        history.feed(stream.records, batch: 50)
        try ExpectedHistory(stream.records).check(history)
        #expect(history.close() == nil)
    }

    /// The file's bytes.
    private func bytes(_ path: String) throws -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY)
        defer { close(descriptor) }
        var all = [UInt8](repeating: 0, count: 1 << 22)
        let count = unsafe read(descriptor, &all, all.count)
        return Array(all.prefix(try #require(count >= 0 ? count : nil)))
    }

    @Test func `an invalid file is kept aside, up to a few, and rewritten`() throws {
        let stream = RecordedStream(seed: 3, commands: 200)
        let directory = TestDirectory()
        for round in 1...4 {
            var history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
            #expect(history.replaced == nil)
            #expect(history.close() == nil)
            try overwrite(directory.file, at: 0, Array("no database, copy \(round)".utf8))
            history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
            #expect(history.replaced?.contains(directory.file + ".damaged-1") == true)
            #expect(history.openedAt == 0)
            history.feed(stream.records, batch: 50)
            try ExpectedHistory(stream.records).check(history)
            #expect(history.close() == nil)
            let kept = try bytes(directory.file + ".damaged-1")
            #expect(kept.starts(with: Array("no database, copy \(round)".utf8)))
        }
        #expect(try bytes(directory.file + ".damaged-2").starts(with: Array("no database".utf8)))
        #expect(unsafe access(directory.file + ".damaged-3", F_OK) != 0)
    }

    @Test func `a file without its cursor is damaged, and is rewritten`() throws {
        let stream = RecordedStream(seed: 3, commands: 200)
        let directory = TestDirectory()
        var history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        history.feed(stream.records, batch: 50)
        #expect(history.close() == nil)
        try DatabaseQueue(path: directory.file).write { db in
            try db.execute(sql: "DELETE FROM cursor")
        }
        history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        #expect(history.replaced?.contains(directory.file + ".damaged-1") == true)
        #expect(history.openedAt == 0)
        history.feed(stream.records, batch: 50)
        try ExpectedHistory(stream.records).check(history)
        #expect(history.close() == nil)
    }

    @Test func `after damage found later the next opening rewrites the file`() throws {
        let stream = RecordedStream(seed: 3, commands: 400)
        let directory = TestDirectory()
        var history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        history.feed(stream.records, batch: 50)
        #expect(history.close() == nil)
        // All pages but the first, which says where the tables are.
        let size = try bytes(directory.file).count
        try overwrite(directory.file, at: 4_096, [UInt8](repeating: 0x5A, count: size - 4_096))
        history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        if history.replaced == nil {
            #expect(throws: HistoryError.self) {
                try history.readNow { try $0.orders(AccountID(1), InstrumentID(1), HistoryRange()) }
            }
            guard case .damaged = history.fault else {
                Issue.record("\(String(describing: history.fault))")
                return
            }
            history.close()
            history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        }
        #expect(history.replaced != nil && history.openedAt == 0)
        history.feed(stream.records, batch: 50)
        try ExpectedHistory(stream.records).check(history)
        #expect(history.close() == nil)
        history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        #expect(history.replaced == nil && history.openedAt > 0)
        #expect(history.close() == nil)
    }

    @Test func `a history that was found damaged stays so, whatever else can be written`() throws {
        let stream = RecordedStream(seed: 3, commands: 400)
        let directory = TestDirectory()
        var history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        history.feed(stream.records, batch: 50)
        #expect(history.close() == nil)
        history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        // The first pages hold the cursor and where the tables begin, those behind them their rows.
        let (start, size) = (18 * 4_096, try bytes(directory.file).count)
        try overwrite(directory.file, at: start, [UInt8](repeating: 0x5A, count: size - start))
        #expect(throws: HistoryError.self) {
            try history.readNow { try $0.orders(AccountID(1), InstrumentID(1), HistoryRange()) }
        }
        let damage = try #require(history.fault)
        guard case .damaged = damage else {
            Issue.record("\(damage)")
            return
        }
        var batch = HistoryBatch()
        batch.add(sequence: history.openedAt + 1, time: 7, events: [])
        #expect(history.append(batch))
        wait("the batch is not written") { history.cursor == batch.lastSequence }
        #expect(history.fault == damage)
        #expect(throws: damage) { try history.readNow { try $0.cursor() } }
        #expect(history.close() == damage)
        history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
        #expect(history.replaced != nil && history.openedAt == 0)
        #expect(history.close() == nil)
    }

    @Test func `a directory that cannot be made is reported`() {
        let error = #expect(throws: HistoryError.self) {
            try History(file: "/proc/none/history.sqlite", journalHigh: 1, journalLow: 2)
        }
        #expect(
            error?.description
                == "/proc/none/history.sqlite: cannot make its directory: "
                + "No such file or directory")
    }

    /// The child is ended by itself with SIGKILL while it writes; the parent goes on with the file.
    @Test func `killed at any moment, it is complete up to its cursor, and continues`() async throws
    {
        let stream = RecordedStream(seed: 21, commands: 3_000)
        let directory = TestDirectory()
        let file = directory.file
        var written: UInt64 = 0
        for round in 0..<6 {
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [file = file as String, round = round as Int] in
                let stream = RecordedStream(seed: 21, commands: 3_000)
                let history = try History(file: file, journalHigh: 1, journalLow: 2)
                // After some rows of this round the process is ended from beside the writer.
                let start = Int(history.openedAt)
                let target = UInt64(start + 60 + 40 * round)
                let killer = try startThread {
                    while history.cursor < target { usleep(50) }
                    usleep(UInt32(37 * round))
                    kill(getpid(), SIGKILL)
                }
                // Not all of it, however late the end comes.
                let last = min(stream.records.count, Int(target) + 300)
                for next in stride(from: start, to: last, by: 7) {
                    // The queue stays short, so that the end comes between many transactions.
                    wait("nothing is written") { history.queuedRows <= 100 }
                    let end = min(next + 7, last)
                    history.feed(stream.records[next..<end], batch: 7)
                }
                pthread_join(killer, nil)
            }
            let history = try History(file: file, journalHigh: 1, journalLow: 2)
            #expect(history.openedAt > written, "the killed one had written")
            written = history.openedAt
            #expect(history.openedAt < UInt64(stream.records.count), "it was killed before its end")
            try ExpectedHistory(stream.records[..<Int(history.openedAt)]).check(history)
            #expect(history.close() == nil)
        }
        let history = try History(file: file, journalHigh: 1, journalLow: 2)
        history.feed(stream.records[Int(history.openedAt)...], batch: 500)
        try ExpectedHistory(stream.records).check(history)
        #expect(history.close() == nil)
    }

    /// RLIMIT_FSIZE stands for the full disk: in a process of its own, for it holds for all files.
    @Test func `a full disk is reported, holds the feed back, and loses nothing`() async {
        await #expect(processExitsWith: .success) {
            let directory = TestDirectory()
            let history = try History(file: directory.file, journalHigh: 1, journalLow: 2)
            let stream = RecordedStream(seed: 33, commands: 2_000)
            history.feed(stream.records[..<500], batch: 100)
            require(try history.readNow { try $0.cursor() } == 500, "all is well at first")
            let cursor = history.cursor

            signal(SIGXFSZ, SIG_IGN)
            limitFiles(to: 64 << 10)
            history.feed(stream.records[500..<1_000], batch: 100)
            wait("no fault") { history.fault != nil }
            let read = #expect(throws: HistoryError.self) {
                try history.readNow { try $0.cursor() }
            }
            require(read != nil, "a read gives the fault")
            var batch = HistoryBatch()
            for record in stream.records[1_000...] {
                batch.add(sequence: record.sequence, time: record.time, events: record.events)
            }
            // Batches are taken up to the bound, then the feed must wait.
            var isFull = false
            for _ in 0..<(History.queuedRowsMax / batch.rows + 2) where !isFull {
                isFull = !history.append(batch)
            }
            require(isFull, "the queue is bounded")
            require(history.cursor >= cursor, "the cursor stands")

            limitFiles(to: rlim_t.max)
            wait("the fault stays") { history.fault == nil }
            require(try history.readNow { try $0.cursor() } == UInt64(stream.records.count), "all")
            try ExpectedHistory(stream.records).check(history)
            require(history.close() == nil, "closed well")
        }
    }
}

/// Ends the child with a failure and words for it.
private func require(_ condition: Bool, _ words: StaticString) {
    precondition(condition, "\(words)")
}

/// Sets the size that files of this process may have.
private func limitFiles(to bytes: rlim_t) {
    var limit = rlimit()
    unsafe getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
    limit.rlim_cur = min(bytes, limit.rlim_max)
    let result = unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
    precondition(result == 0, "the limit is set")
}

/// An error code of the system.
private struct TestError: Error { var code: Int32 }

private func overwrite(_ file: String, at offset: Int, _ bytes: [UInt8]) throws {
    let descriptor = unsafe open(file, O_WRONLY)
    guard descriptor >= 0 else { throw TestError(code: errno) }
    defer { close(descriptor) }
    guard unsafe pwrite(descriptor, bytes, bytes.count, offset) == bytes.count else {
        throw TestError(code: errno)
    }
}

/// Runs `body` on a thread of its own.
private func startThread(_ body: @escaping @Sendable () -> Void) throws -> pthread_t {
    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let argument = unsafe Unmanaged.passRetained(Box(body)).toOpaque()
    let code = unsafe pthread_create(
        &thread, nil,
        { argument in
            guard let argument = unsafe argument else { return nil }
            unsafe Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
            return nil
        }, argument)
    guard code == 0 else { throw TestError(code: code) }
    return thread
}
