// A whole exchange in one process: the real pipeline on a log in memory that can stall, the real
// gateway on a loopback port, and a client with plain sockets.

import Engine
import Gateway
import Glibc
import History
import Journal
import Link
import Pipeline
import Platform
import Secrets
import SpotAPI
import Synchronization
import Terms
import Testing
import Wire

/// Reasons that a gateway gave why it can't go on.
final class FaultList: Sendable {
    private let texts = Mutex<[String]>([])
    func add(_ text: String) { texts.withLock { $0.append(text) } }
    var all: [String] { texts.withLock { $0 } }
}

/// matchd's pipeline and a gateway, in a directory that goes away with it.
final class GatewayExchange {
    static let aliceKey = String(repeating: "A", count: 64)
    static let bobKey = String(repeating: "B", count: 64)
    static let readerKey = String(repeating: "R", count: 64)
    /// Alice's, where there is one that may withdraw.
    static let withdrawerKey = String(repeating: "W", count: 64)
    static let secret = "s3cr3t"

    let directory: String
    let log = MemoryLog()
    let faults = FaultList()
    let gatewayLog = CollectedLog()
    private(set) var gateway: GatewayServer?
    private(set) var pipeline: Pipeline?
    private var listeners: [LinkListener] = []
    private var stopped: EngineBox?

    /// An engine between two pipelines.
    private final class EngineBox {
        var engine: Engine?
        init(_ engine: consuming Engine) { self.engine = consume engine }
    }

    /// An exchange whose log holds two funded accounts with keys, then `more`. Neither part runs
    /// yet.
    init(
        _ more: [Command] = [], limits: EngineLimits = .small, hasWithdrawer: Bool = false
    ) throws {
        var template = Array("/var/tmp/bourse-gateway-XXXXXX".utf8CString)
        let made = unsafe mkdtemp(&template)
        guard unsafe made != nil else { throw SystemError.last("make a directory in", "/var/tmp") }
        directory = String(
            decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let seal = try SealKey.create(directory + "/seal.key")
        var engine = Engine(limits: limits)
        let keys: [SealedKey] =
            hasWithdrawer ? [(Self.withdrawerKey, 1, [.read, .withdraw, .withdrawAnywhere])] : []
        for command in Self.setUp(seal, limits, keys) + more { append(command, to: &engine) }
        stopped = EngineBox(engine)
    }

    deinit {
        try? stopGateway()
        stopMatching()
        for name in (try? Directory.names(in: directory)) ?? [] {
            try? Directory.remove(Directory.join(directory, name))
        }
        unsafe rmdir(directory)
    }

    private func append(_ command: Command, to engine: inout Engine) {
        let header = RecordHeader(
            sequence: engine.sequence + 1, timestamp: Clock.realtimeNanos(), kind: command.kind)
        var record = command.payload.recordBytes(header)
        unsafe record.withUnsafeMutableBytes { unsafe CRC32C.seal(record: $0) }
        unsafe record.withUnsafeBytes { bytes in
            let outcome = unsafe engine.apply(record: bytes)
            precondition(outcome.refusal == .none, "the set-up is accepted")
            unsafe try? log.append(bytes)
        }
    }

    static let audit = Audit(operatorName: TestVenue.text("test"), reason: "set up")

    /// A market of BTC in USDT: a tick is 0.01 USDT, a lot 0.00001 BTC.
    static func market(_ symbol: String) -> SetInstrument {
        SetInstrument(
            symbol: TestVenue.text(symbol), base: AssetID(1), quote: AssetID(2), tickMantissa: 1,
            tickScale: 2, lotUnits: 1_000, priceMax: Price(ticks: 100_000_000),
            quantityMax: Quantity(lots: 1 << 40), notionalMin: Amount(units: 500_000_000),
            audit: audit)
    }

    /// A key's id, account and permissions.
    private typealias SealedKey = (String, Int, Permissions)

    private static func setUp(
        _ seal: SealKey, _ limits: EngineLimits, _ keys: [SealedKey]
    ) -> [Command] {
        var commands: [Command] = [
            .genesis(
                Genesis(
                    limits: limits, journalHigh: 7, journalLow: 9, hashKeyHigh: 1, hashKeyLow: 2)),
            .setAsset(SetAsset(code: TestVenue.text("BTC"), scale: 8, audit: audit)),
            .setAsset(SetAsset(code: TestVenue.text("USDT"), scale: 8, audit: audit)),
            .setInstrument(market("BTCUSDT")),
        ]
        for (number, name) in [(1, "alice"), (2, "bob")] {
            let account = AccountID(UInt32(number))
            commands.append(.openAccount(OpenAccount(name: TestVenue.text(name), audit: audit)))
            for asset in 1...2 {
                commands.append(
                    .adjustBalance(
                        AdjustBalance(
                            account: account, asset: AssetID(UInt16(asset)),
                            amount: Amount(units: 100_000_000_000_000),
                            reference: TestVenue.text("\(name) \(asset)"), audit: audit)))
            }
        }
        for (key, account, permissions) in [
            (aliceKey, 1, Permissions([.read, .trade])), (bobKey, 2, [.read, .trade]),
            (readerKey, 1, .read),
        ] + keys {
            commands.append(
                .addAPIKey(
                    AddAPIKey(
                        account: AccountID(UInt32(account)), permissions: permissions,
                        algorithm: .hmacSHA256, keyID: TestVenue.text(key),
                        sealedSecret: seal.seal(
                            SecretBytes(Array(secret.utf8)), context: Array(key.utf8)),
                        audit: audit)))
        }
        return commands
    }

    /// Adds what the wallet and operators send, while the pipeline is stopped. Gives the last
    /// record's sequence.
    func add(_ commands: [Command]) -> UInt64 {
        guard let box = stopped, var engine = box.engine.take() else {
            preconditionFailure("the pipeline was stopped")
        }
        for command in commands { append(command, to: &engine) }
        let last = engine.sequence
        stopped = EngineBox(engine)
        return last
    }

    // MARK: Starting and stopping

    /// One that serves, its log begun with `commands`.
    static func running(
        _ commands: [Command] = [], _ change: (inout GatewayOptions) -> Void = { _ in }
    ) throws -> GatewayExchange {
        let exchange = try GatewayExchange(commands)
        try exchange.startMatching()
        try exchange.startGateway(change)
        return exchange
    }

    var socket: String { directory + "/match.sock" }

    /// Starts the pipeline where it stood.
    func startMatching() throws {
        guard let box = stopped, let engine = box.engine.take() else {
            preconditionFailure("the pipeline was stopped")
        }
        stopped = nil
        listeners = [try LinkListener.unix(socket)]
        var options = PipelineOptions()
        options.ringBytes = 1 << 20
        options.requestBytes = 2 << 20
        options.journal = (7, 9)
        pipeline = try Pipeline.start(
            engine: engine, sink: log, history: log, listeners: listeners, options: options
        ) { _ in }
    }

    /// Ends the pipeline; its connections are lost.
    func stopMatching() {
        guard let pipeline else { return }
        log.isStalled.store(false, ordering: .releasing)
        stopped = EngineBox(pipeline.stop())
        self.pipeline = nil
        listeners = []
    }

    /// Starts the gateway, and waits until it serves where `waits`.
    func startGateway(
        waits: Bool = true, name: String = "gateway/test",
        _ change: (inout GatewayOptions) -> Void = { _ in }
    ) throws {
        var options = GatewayOptions(
            host: "127.0.0.1", port: 0, linkSocket: socket, name: TestVenue.text(name),
            sealKeyFile: directory + "/seal.key")
        change(&options)
        let file = directory + "/history.sqlite"
        let faults = faults
        gateway = try GatewayServer(
            options, log: gatewayLog.logger,
            openHistory: { high, low throws(HistoryError) in
                try History(file: file, journalHigh: high, journalLow: low)
            },
            onFault: { faults.add($0) })
        if waits { try waitUntilServing() }
    }

    func stopGateway() throws {
        try gateway?.stop()
        gateway = nil
    }

    /// Overwrites all of the history file but its first page.
    func damageHistory() throws {
        let descriptor = unsafe open(directory + "/history.sqlite", O_WRONLY)
        guard descriptor >= 0 else { throw SystemError.last("open", "history.sqlite") }
        defer { close(descriptor) }
        let size = Int(lseek(descriptor, 0, SEEK_END))
        let bytes = [UInt8](repeating: 0x5A, count: size - 4_096)
        let written = unsafe pwrite(descriptor, bytes, bytes.count, 4_096)
        #expect(written == bytes.count)
    }

    /// Waits until the gateway is connected and has caught up, for at most a minute.
    func waitUntilServing() throws {
        let gateway = try #require(gateway)
        for _ in 0..<12_000 {
            let status = gateway.status()
            if status.isCaughtUp, status.isConnected,
                (try? client().signed(
                    "POST", "/api/v3/order/test", Self.aliceKey,
                    "symbol=X&side=BUY&type=MARKET"))?.code == -1121
            {
                return
            }
            usleep(5_000)
        }
        Issue.record("the gateway does not serve")
    }

    /// A new connection.
    func client() throws -> TestClient { try TestClient(port: try #require(gateway).port) }
}
