// A small exchange's log as records, and scratch directories, for the journal's tests.

import Engine
import Glibc
import Journal
import Platform
import Slabs
import Terms
import Wire

/// A directory that goes when its owner does.
final class JournalScratch {
    let path: String

    init() throws {
        let parent = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/var/tmp"
        // Not ASCII on purpose: paths are UTF-8.
        path = Directory.join(parent, "bourse-prüfung-\(SystemRandom.number())")
        try Directory.create(path)
    }

    deinit { Self.remove(path) }

    static func remove(_ path: String) {
        for name in (try? Directory.names(in: path)) ?? [] {
            let inner = Directory.join(path, name)
            if Directory.isDirectory(inner) { remove(inner) } else { try? Directory.remove(inner) }
        }
        _ = unsafe rmdir(path)
    }

    func file(_ name: String) -> String { Directory.join(path, name) }

    /// The file of the segment that begins with `sequence`.
    func segment(_ sequence: UInt64) -> String {
        let digits = String(sequence)
        return file(String(repeating: "0", count: 20 - digits.count) + digits + ".seg")
    }

    func bytes(_ path: String) throws -> [UInt8] {
        let file = try File(path, .read)
        return try file.read(count: try file.size())
    }

    func put(_ bytes: [UInt8], _ path: String) throws { try File(path, .replace).write(bytes) }
}

/// A log of a small exchange: genesis, assets, a market, two funded accounts, then orders.
struct JournalSample {
    static let identity = JournalIdentity(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210)
    static let start: Int64 = 1_700_000_000_000_000_000

    /// Whole records with their CRC.
    private(set) var records: [[UInt8]] = []
    private var random: SplitMix64

    init(_ count: Int = 24, seed: UInt64 = 1, rules: UInt32 = SetRules.current) {
        random = SplitMix64(seed: seed)
        let audit = Audit(operatorName: Text40("alice")!, reason: "set up – Prüfung")
        add(
            Genesis(
                rules: rules, limits: .small, journalHigh: Self.identity.high,
                journalLow: Self.identity.low,
                hashKeyHigh: 11, hashKeyLow: 13))
        add(SetAsset(code: Text16("BTC")!, scale: 8, audit: audit))
        add(SetAsset(code: Text16("USDT")!, scale: 6, audit: audit))
        add(
            SetInstrument(
                symbol: Text16("BTCUSDT")!, base: AssetID(1), quote: AssetID(2), tickMantissa: 1,
                tickScale: 2, lotUnits: 10_000, priceMax: Price(ticks: 1 << 30),
                quantityMax: Quantity(lots: 1 << 30), audit: audit))
        for (id, name) in [(1, "ann"), (2, "bob")] {
            add(OpenAccount(name: Text40(name)!, audit: audit))
            for asset in [1, 2] {
                add(
                    AdjustBalance(
                        account: AccountID(UInt32(id)), asset: AssetID(UInt16(asset)),
                        amount: Amount(units: 1_000_000_000_000_000),
                        reference: Text64("funds \(id) \(asset)")!, audit: audit))
            }
        }
        while records.count < count { add(order()) }
        records.removeLast(records.count - count)
    }

    var sequence: UInt64 { UInt64(records.count) }

    /// Adds a record of this payload.
    mutating func add(_ payload: some CommandPayload) {
        let number = sequence + 1
        var record = payload.recordBytes(
            RecordHeader(
                sequence: number, timestamp: Self.start + Int64(number) * 1_000_000,
                kind: type(of: payload).kind))
        unsafe record.withUnsafeMutableBytes { unsafe CRC32C.seal(record: $0) }
        records.append(record)
    }

    mutating func order() -> Place {
        Place(
            account: AccountID(UInt32(1 + random.below(2))), instrument: InstrumentID(1),
            side: random.below(2) == 0 ? .buy : .sell, type: .limit,
            price: Price(ticks: Int64(1000 + random.below(20))),
            quantity: Quantity(lots: Int64(1 + random.below(50))))
    }

    /// The records of a range of sequences, back to back.
    func bytes(_ range: ClosedRange<Int>) -> [UInt8] {
        range.flatMap { records[$0 - 1] }
    }

    /// The last record, or the record `last`, as all replicas name it.
    func point(_ last: Int? = nil) -> LogPoint {
        unsafe records[(last ?? records.count) - 1].withUnsafeBytes {
            unsafe LogPoint(RecordHeader($0)!)
        }
    }

    /// The engine that applied all of it.
    func engine(upTo last: Int? = nil, voided: Set<Int> = []) -> Engine {
        var engine = Engine(limits: .small)
        for (index, record) in records.prefix(last ?? records.count).enumerated() {
            unsafe record.withUnsafeBytes {
                if voided.contains(index + 1) {
                    _ = unsafe engine.skip(record: $0)
                } else {
                    _ = unsafe engine.apply(record: $0)
                }
            }
        }
        return engine
    }
}

extension SnapshotStore {
    /// The snapshot of a sample's state.
    @discardableResult
    func write(
        _ sample: JournalSample, upTo last: Int? = nil, keepFree: Int = 0
    ) throws -> SnapshotInfo {
        try write(
            sample.engine(upTo: last), identity: JournalSample.identity,
            recordCRC: sample.point(last).crc, keepFree: keepFree)
    }
}

extension JournalWriter {
    func append(_ bytes: [UInt8], isForeign: Bool = false) throws {
        var failure: JournalError?
        unsafe bytes.withUnsafeBytes { raw in
            do throws(JournalError) { try unsafe append(raw, isForeign: isForeign) } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }
}

/// A journal of the smallest segments in a scratch directory.
struct JournalLab {
    static let options = JournalOptions(
        segmentBytes: 64 << 10, reserveBytes: 0, zeroesAhead: false)
    let scratch: JournalScratch
    var directory: String { scratch.path }

    init() throws { scratch = try JournalScratch() }

    func writer() throws -> JournalWriter {
        try JournalWriter(
            recovered: Journal.recover(directory: directory), identity: JournalSample.identity,
            options: Self.options)
    }

    /// Writes the sample's records, `batch` of them between syncs.
    func write(_ sample: JournalSample, batch: Int = 1, from first: Int = 1) throws {
        let writer = try writer()
        for next in stride(from: first, through: sample.records.count, by: batch) {
            try writer.append(sample.bytes(next...min(next + batch - 1, sample.records.count)))
            try writer.sync()
        }
    }

    /// All records that a reader gives.
    func read(from sequence: UInt64 = 1) throws -> [[UInt8]] {
        let reader = JournalReader(directory: directory, from: sequence)
        var records: [[UInt8]] = []
        while try unsafe reader.next({ run in
            unsafe Records.forEach(run) { unsafe records.append([UInt8]($1)) }
        }) {}
        return records
    }
}

/// The error that `body` throws, or nil.
func journalError(_ body: () throws -> Void) -> JournalError? {
    do { try body() } catch { return error as? JournalError }
    return nil
}
