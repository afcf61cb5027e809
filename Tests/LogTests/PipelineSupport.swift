// A pipeline with a real journal and real sockets, in a directory of its own.

import Engine
import Failover
import Follower
import Glibc
import Journal
import Link
import Pipeline
import Platform
import Synchronization
import Terms
import Testing
import Wire

/// A directory that goes away with its owner.
final class PipelinePlace {
    let path: String

    init() throws {
        var template = Array("/var/tmp/bourse-test-XXXXXX".utf8CString)
        let made = unsafe mkdtemp(&template)
        guard unsafe made != nil else { throw SystemError.last("make a directory in", "/var/tmp") }
        path = String(
            decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try Directory.create(path + "/journal")
        try Directory.create(path + "/snapshots")
    }

    deinit { Self.remove(path) }

    var socket: String { path + "/match.sock" }

    private static func remove(_ path: String) {
        for name in (try? Directory.names(in: path)) ?? [] {
            let entry = Directory.join(path, name)
            if Directory.isDirectory(entry) { remove(entry) } else { try? Directory.remove(entry) }
        }
        unsafe rmdir(path)
    }
}

/// A sink that passes on to a journal, and stalls, fails or is nearly full on request.
final class FaultySink: LogSink {
    private let inner: JournalSink
    let isStalled = Atomic<Bool>(false)
    let isBroken = Atomic<Bool>(false)
    let isFull = Atomic<Bool>(false)

    init(_ inner: JournalSink) { self.inner = inner }

    func append(_ records: UnsafeRawBufferPointer) throws(SinkError) {
        try unsafe inner.append(records)
    }

    func sync() throws(SinkError) {
        while isStalled.load(ordering: .acquiring), !isBroken.load(ordering: .acquiring) {
            usleep(1000)
        }
        if isBroken.load(ordering: .acquiring) { throw SinkError("the disk is broken") }
        try inner.sync()
    }

    func noteCommit(_ sequence: UInt64) { inner.noteCommit(sequence) }
    func settle() throws(SinkError) { try inner.settle() }
    func freeBytes() -> UInt64? { inner.freeBytes() }
    var isBelowReserve: Bool { isFull.load(ordering: .acquiring) || inner.isBelowReserve }
}

/// A journal's history that counts its readers.
final class CountedHistory: LogArchive {
    private let inner: JournalHistory
    let readers = Atomic<Int>(0)

    init(_ inner: JournalHistory) { self.inner = inner }

    func snapshot(atMost: UInt64) -> ArchivedSnapshot? { inner.snapshot(atMost: atMost) }

    func records(from sequence: UInt64) throws(SinkError) -> any RecordReader {
        readers.add(1, ordering: .relaxed)
        return try inner.records(from: sequence)
    }
}

/// A pipeline on a place's journal, from what is recovered to its orderly stop.
final class RunningPipeline {
    let place: PipelinePlace
    let pipeline: Pipeline
    let sink: FaultySink
    let inner: JournalSink
    let identity: JournalIdentity
    private let writer: JournalWriter
    private(set) var listeners: [LinkListener]
    let faults: FaultCount
    let history: CountedHistory
    /// Where the journal ended at the start.
    let last: LogPoint

    final class FaultCount: Sendable {
        let count = Atomic<Int>(0)
        let last = Mutex<SinkError?>(nil)
    }

    /// What ended the pipeline.
    var fault: SinkError? { faults.last.withLock { $0 } }

    init(
        _ place: PipelinePlace, tcpKey: LinkKey? = nil, passed: LinkListener? = nil,
        follows: Bool = false, rulesKnown: UInt32 = SetRules.current,
        _ change: (inout PipelineOptions) -> Void = { _ in }
    ) throws {
        self.place = place
        let snapshots = SnapshotStore(directory: place.path + "/snapshots")
        let recovered = try Journal.recover(
            directory: place.path + "/journal", scanFrom: try Journal.scanStart(snapshots))
        let options = JournalOptions(
            segmentBytes: 4 << 20, reserveBytes: 1 << 20, zeroesAhead: false)
        let writer = try JournalWriter(recovered: recovered, options: options)
        self.writer = writer
        identity = writer.identity
        var engine =
            recovered.isEmpty
            ? Engine(limits: .small, rulesKnown: rulesKnown)
            : try Journal.restore(
                recovered, snapshots: snapshots,
                through: follows ? max(1, recovered.commitPoint) : .max, rulesKnown: rulesKnown)
        if recovered.isEmpty {
            var record = Genesis(
                limits: .small, journalHigh: identity.high, journalLow: identity.low,
                hashKeyHigh: 11, hashKeyLow: 13
            ).recordBytes(RecordHeader(sequence: 1, timestamp: 1, kind: .genesis))
            unsafe record.withUnsafeMutableBytes { unsafe CRC32C.seal(record: $0) }
            var failure: JournalError?
            unsafe record.withUnsafeBytes { bytes in
                do throws(JournalError) { try unsafe writer.append(bytes) } catch {
                    failure = error
                }
                _ = unsafe engine.apply(record: bytes)
            }
            if let failure { throw failure }
            try writer.sync()
        }
        inner = try JournalSink(writer)
        sink = FaultySink(inner)
        var all = [try LinkListener.unix(place.socket)]
        if let tcpKey { all.append(try LinkListener.tcp(host: "127.0.0.1", port: 0, key: tcpKey)) }
        if let passed { all.append(passed) }
        listeners = all
        var pipelineOptions = PipelineOptions()
        pipelineOptions.ringBytes = 1 << 20
        pipelineOptions.requestBytes = 2 << 20
        pipelineOptions.hashEvery = 100
        pipelineOptions.journal = (identity.high, identity.low)
        if follows {
            pipelineOptions.tail = try JournalStart.tail(recovered, after: engine.sequence)
            pipelineOptions.role = .standby
            pipelineOptions.inSync = InSyncSet(
                following: "primary", released: engine.sequence, timing: FailoverTiming())
        }
        last = writer.last
        change(&pipelineOptions)
        let faults = FaultCount()
        self.faults = faults
        let history = CountedHistory(
            JournalHistory(
                directory: place.path + "/journal", snapshots: snapshots, identity: identity))
        self.history = history
        pipeline = try Pipeline.start(
            engine: engine, sink: sink, history: history, listeners: listeners,
            options: pipelineOptions
        ) { fault in
            faults.last.withLock { $0 = fault }
            faults.count.add(1, ordering: .relaxed)
        }
    }

    /// Drains and ends it; gives the engine's hash and sequence.
    @discardableResult
    func stop(snapshot: Bool = false) throws -> (hash: UInt64, sequence: UInt64) {
        let engine = pipeline.stop()
        inner.close()
        listeners = []
        if snapshot {
            _ = try SnapshotStore(directory: place.path + "/snapshots")
                .write(engine, identity: identity, recordCRC: writer.last.crc)
        }
        return (engine.stateHash(), engine.sequence)
    }

    func connect(
        _ name: String = "test", wantsAcks: Bool = true, as purpose: LinkPurpose = []
    ) throws -> LinkClient {
        try LinkClient.connect(
            unix: place.socket, name: try #require(Text40(name)), wantsAcks: wantsAcks,
            purpose: purpose.union([.writer, .follower]))
    }
}

/// A writer over a `LinkClient` that waits for each answer.
struct TestDesk {
    let client: LinkClient
    let session: SessionID
    var number: UInt64 = 0

    init(_ client: LinkClient, _ name: String) throws {
        self.client = client
        let ack = try client.openSession(try #require(Text40(name)))
        #expect(ack.refusal == .none)
        session = SessionID(UInt32(ack.id))
    }

    /// A session that is open already.
    init(_ client: LinkClient, session: SessionID, number: UInt64) {
        (self.client, self.session, self.number) = (client, session, number)
    }

    @discardableResult
    mutating func submit(_ command: some CommandPayload) throws -> LinkAck {
        number += 1
        return try client.execute(command, session: session, number: number)
    }

    /// Two assets, a market and an account with funds.
    mutating func prepare() throws {
        let audit = Audit(operatorName: try #require(Text40("test")), reason: "test")
        try submit(SetAsset(code: try #require(Text16("BTC")), scale: 8, audit: audit))
        try submit(SetAsset(code: try #require(Text16("USDT")), scale: 8, audit: audit))
        try submit(
            SetInstrument(
                symbol: try #require(Text16("BTCUSDT")), base: AssetID(1), quote: AssetID(2),
                tickMantissa: 1, tickScale: 2, lotUnits: 1000, priceMax: Price(ticks: 1 << 32),
                quantityMax: Quantity(lots: 1 << 40), audit: audit))
        try submit(OpenAccount(name: try #require(Text40("alice")), audit: audit))
        for asset in [AssetID(1), AssetID(2)] {
            let ack = try submit(
                AdjustBalance(
                    account: AccountID(1), asset: asset, amount: Amount(units: 1 << 70),
                    reference: try #require(Text64("prepare \(asset.number)")),
                    audit: audit))
            #expect(ack.refusal == .none)
        }
    }

    static func place(_ price: Int64, _ side: Side = .buy) -> Place {
        Place(
            account: AccountID(1), instrument: InstrumentID(1), side: side, type: .limit,
            price: Price(ticks: price), quantity: Quantity(lots: 1))
    }
}

/// Follows the log over a client until it is caught up with `sequence`.
func follow(
    _ client: LinkClient, _ follower: inout Follower, to sequence: UInt64,
    _ each: (RecordHeader, Outcome) -> Void = { _, _ in }
) throws {
    try client.send(follower.subscription)
    while follower.engine.sequence < sequence {
        guard let frame = try client.receive(timeoutNanos: patience) else {
            Issue.record("nothing more came after record \(follower.engine.sequence)")
            return
        }
        _ = unsafe try follower.receive(frame) { header, _, outcome, _ in each(header, outcome) }
    }
}
