// Goal: an instrument that is busy for many turns holds up no client of another one; without a
// session of its own it is traded all the same.

import Engine
import Gateway
import Glibc
import Platform
import Terms
import Testing
import Wire

private typealias Exchange = GatewayExchange

/// Instruments of the exchange: 1 is swept, 2 has a lane of its own, 17 shares that of 1.
private let symbols = (1...17).map { $0 == 1 ? "BTCUSDT" : "C\($0)USDT" }

@Suite(.serialized) struct GatewayLaneTests {
    /// Orders of 0.0001 BTC; 2 BTC, which half of them make up, is swept in turns of few steps.
    static let makers = 40_000

    /// An exchange that serves, with those orders.
    private static func running() throws -> Exchange {
        var limits = EngineLimits.small
        (limits.instruments, limits.openOrders) = (32, UInt32(makers) + 1_024)
        (limits.sessions, limits.turnSteps) = (64, 4)
        var commands: [Command] = symbols.dropFirst().map { .setInstrument(Exchange.market($0)) }
        for number in 0..<makers {
            commands.append(
                .place(
                    Place(
                        account: AccountID(2), instrument: InstrumentID(1), side: .sell,
                        type: .limit, price: Price(ticks: 6_000_000 + Int64(number % 64)),
                        quantity: Quantity(lots: 10))))
        }
        let exchange = try Exchange(commands, limits: limits)
        try exchange.startMatching()
        try exchange.startGateway()
        return exchange
    }

    /// What came of a cancel while a sweep of half of what rests in the first market went on, with
    /// a command behind it that waited.
    private struct Cancelled {
        /// Until its reply.
        var nanos: Int64 = 0
        /// Ticks of the sweep before it in the log, and before what waited.
        var (ticks, ticksBeforeWaiting) = (0, 0)
        /// The sessions of both.
        var (session, waiting): (UInt32, UInt32) = (0, 0)
    }

    private static func cancel(_ symbol: String, _ exchange: Exchange) throws -> Cancelled {
        let begin = try #require(exchange.gateway).status().sequence
        let client = try exchange.client()
        let bid = "side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=10000"
        let rests = try client.signed(
            "POST", "/api/v3/order", Exchange.aliceKey,
            "symbol=\(symbol)&newClientOrderId=x\(symbol)&\(bid)")
        #expect(rests.status == 200, "\(rests.body)")
        let (sweeper, waiter) = (try exchange.client(), try exchange.client())
        sweeper.post(
            "/api/v3/order", Exchange.aliceKey,
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&price=70000"
                + "&quantity=2&newOrderRespType=ACK")
        waiter.post(
            "/api/v3/order", Exchange.bobKey,
            "symbol=BTCUSDT&newClientOrderId=w\(symbol)&newOrderRespType=ACK&\(bid)")
        usleep(2_000)
        let began = Clock.monotonicNanos()
        let canceled = try client.signed(
            "DELETE", "/api/v3/order", Exchange.aliceKey,
            "symbol=\(symbol)&origClientOrderId=x\(symbol)")
        var found = Cancelled()
        found.nanos = Clock.monotonicNanos() - began
        #expect(canceled.status == 200, "\(canceled.body)")
        #expect(sweeper.readReply()?.status == 200)
        #expect(waiter.readReply()?.status == 200)
        var (sequence, ticks) = (begin, 0)
        while let record = exchange.log.record(sequence) {
            let (header, text) = unsafe record.withUnsafeBytes { bytes in
                unsafe (RecordHeader(bytes), String(decoding: bytes, as: UTF8.self))
            }
            let (kind, session) = (header?.kind ?? 0, header?.session.number ?? 0)
            if kind == CommandKind.tick.rawValue { ticks += 1 }
            if kind == CommandKind.cancel.rawValue, text.contains("x\(symbol)") {
                (found.session, found.ticks) = (session, ticks)
            }
            if kind == CommandKind.place.rawValue, text.contains("w\(symbol)") {
                (found.waiting, found.ticksBeforeWaiting) = (session, ticks)
            }
            sequence += 1
        }
        return found
    }

    /// What the times are depends on what else the machine does: they are for reading.
    @Test func `what waits for one market is in no session of another one, up to sixteen`() throws {
        let exchange = try Self.running()
        let shared = try Self.cancel(symbols[16], exchange)
        let own = try Self.cancel(symbols[1], exchange)
        for (name, one) in [("in a lane of its own", own), ("behind the sweep", shared)] {
            print(
                "cancel while another market is swept, \(name): reply after",
                "\(one.nanos / 1_000) us, sequenced after \(one.ticks) of",
                "\(one.ticksBeforeWaiting) ticks")
        }
        #expect(own.session > 0 && own.waiting > 0 && own.session != own.waiting)
        #expect(shared.session == own.waiting && shared.waiting == own.waiting)
        #expect(exchange.faults.all.isEmpty)
    }

    @Test func `markets without their own session are traded, with a log line`() throws {
        var limits = EngineLimits.small
        (limits.instruments, limits.sessions) = (8, 2)
        let symbols = (2...5).map { "C\($0)USDT" }
        let exchange = try Exchange(
            symbols.map { .setInstrument(Exchange.market($0)) }, limits: limits)
        try exchange.startMatching()
        try exchange.startGateway()
        func place() throws {
            for symbol in symbols {
                let reply = try exchange.client().signed(
                    "POST", "/api/v3/order", Exchange.aliceKey,
                    "symbol=\(symbol)&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=100")
                #expect(reply.status == 200, "\(symbol): \(reply.body)")
            }
        }
        try place()
        let words = "of the sessions gateway/test#…: markets hold each other up"
        #expect(exchange.gatewayLog.lines.contains { $0.contains(words) })
        exchange.stopMatching()
        wait("the connection is lost") { exchange.gateway?.status().isConnected == false }
        try exchange.startMatching()
        try exchange.waitUntilServing()
        try place()
        #expect(exchange.faults.all.isEmpty)
    }
}
