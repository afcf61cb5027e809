// What the gateway knows of the venue: one replica of the engine and all that hangs on it.
// Everything here belongs to one event loop, so there are no locks.

import Engine
import Follower
import History
import Link
import Logging
import MarketData
import NIOCore
import Platform
import SpotAPI
import Terms
import Wire

/// A replica of the engine with the market data and the history that are made from the same
/// records.
final class Replica {
    var follower: Follower
    var market: MarketData
    var feed: HistoryFeed
    /// Whether the market data was filled from history and takes records.
    var marketIsReady: Bool
    let history: History

    /// An empty replica that begins behind what `history` holds, or before.
    init(_ welcome: LinkWelcome, history: History) {
        follower = Follower(welcome, snapshotAtMost: history.openedAt)
        market = MarketData(sequence: history.openedAt)
        feed = HistoryFeed(history)
        marketIsReady = history.openedAt == 0
        self.history = history
    }
}

/// The gateway's state: the replica, the commands in flight, the keys, the streams, the limits.
final class Venue {
    let eventLoop: any EventLoop
    let options: GatewayOptions
    let log: Logger
    /// Opens the history of a journal, once matchd has said which one it is.
    let openHistory: @Sendable (UInt64, UInt64) throws(HistoryError) -> History
    /// Told once when the gateway can't go on, with words for the log.
    let fail: (String) -> Void
    var replica: Replica?
    /// Whether the replica has seen all that was released when it was told so last, at least once
    /// on this connection or an earlier one.
    var isCaughtUp = false
    var isStopping = false
    var pending: PendingCommands
    var limiter: RateLimiter
    let keyRing: KeyRing
    let streams: StreamHub
    let memory: ClientMemory
    /// Where frames for matchd go, while there is a connection.
    var link: LinkHandler?
    /// Sessions that matchd refused, as was last said.
    var refusedLanes = 0
    /// Clients' connections, those of streams included.
    var connections = ConnectionTable()
    private var ids = ClientIDs()

    init(
        eventLoop: any EventLoop, options: GatewayOptions, log: Logger,
        openHistory: @escaping @Sendable (UInt64, UInt64) throws(HistoryError) -> History,
        fail: @escaping (String) -> Void
    ) {
        self.eventLoop = eventLoop
        self.options = options
        self.log = log
        self.openHistory = openHistory
        self.fail = fail
        pending = PendingCommands(name: options.name, capacity: options.inFlightMax)
        limiter = RateLimiter(limits: options.rateLimits)
        keyRing = KeyRing(file: options.sealKeyFile, log: log)
        streams = StreamHub()
        memory = ClientMemory(
            bytesMax: options.clientBytesMax, log: log,
            clock: { Clock.monotonicNanos() / 1_000_000 })
    }

    /// This host's clock, milliseconds since 1970.
    func clock() -> Int64 { Clock.realtimeNanos() / 1_000_000 }

    /// This host's clock, nanoseconds since 1970.
    func clockNanos() -> Int64 { Clock.realtimeNanos() }

    /// A clock that only goes forward, milliseconds.
    func steadyClock() -> Int64 { Clock.monotonicNanos() / 1_000_000 }

    /// A client order id for one who gave none.
    func newClientID() -> Text40 { ids.next() }
}

/// Random ids of 22 letters and digits.
struct ClientIDs {
    private var pool: [UInt8] = []

    mutating func next() -> Text40 {
        var bytes: [UInt8] = []
        while bytes.count < 22 {
            if pool.isEmpty { pool = SystemRandom.bytes(1_024) }
            let byte = pool.removeLast()
            // 248 is the largest multiple of 62 in a byte: above it some letters would be likelier.
            if byte < 248 { bytes.append(Self.letters[Int(byte % 62)]) }
        }
        guard let id = Text40(ascii: bytes) else { preconditionFailure("letters and digits") }
        return id
    }

    private static let letters = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
}

/// Counts connections, all and by address.
struct ConnectionTable {
    private(set) var count = 0
    private var byAddress: [String: Int] = [:]

    /// Counts one more; false, and nothing counted, when that is too many.
    mutating func open(_ address: String, _ options: GatewayOptions) -> Bool {
        let own = byAddress[address] ?? 0
        guard count < options.connectionsMax, own < options.connectionsPerAddressMax else {
            return false
        }
        count += 1
        byAddress[address] = own + 1
        return true
    }

    /// Counts one less.
    mutating func close(_ address: String) {
        guard let own = byAddress[address] else { return }
        count -= 1
        byAddress[address] = own == 1 ? nil : own - 1
    }
}
