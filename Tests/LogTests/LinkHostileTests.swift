// Goal: whoever can reach matchd's TCP port and has no key costs it a bounded share of connections,
// memory and time, and those inside notice nothing.

import Glibc
import Link
import Pipeline
import Platform
import Secrets
import Synchronization
import Terms
import Testing
import Wire

@Suite struct LinkHostileTests {
    private static let connectionsMax = 16
    private static let good = [UInt8](repeating: 7, count: 32)

    private static func running() throws -> RunningPipeline {
        try RunningPipeline(
            try PipelinePlace(), tcpKey: LinkKey(SecretBytes(good))
        ) { $0.connectionsMax = connectionsMax }
    }

    private static func frame(_ frame: LinkFrame) -> [UInt8] {
        var encoder = LinkEncoder()
        encoder.append(frame)
        return encoder.take()
    }

    private static func hello() throws -> [UInt8] {
        frame(.hello(LinkHello(wantsAcks: true, name: try #require(Text40("stranger")))))
    }

    /// Waits until nobody but `count` is connected.
    private static func waitForConnections(_ client: LinkClient, _ count: UInt64) throws -> Bool {
        try becomes { try client.status().connections <= count }
    }

    @Test func `strangers cannot take the place of those who trade`() throws {
        let running = try Self.running()
        let port = running.listeners[1].port
        let inside = try running.connect()
        var desk = try TestDesk(inside, "desk")
        try desk.prepare()
        let strangers = try (0..<64).map { _ in try RawLink(port: port) }
        // Some say nothing, some greet and stop, some begin a frame of the largest size.
        for (number, stranger) in strangers.enumerated() {
            switch number % 4 {
            case 0: stranger.send(try Self.hello())
            case 1: stranger.send(Array(try Self.hello().prefix(9)))
            case 2: stranger.send([0, 0, 4, 0, 3, 0, 0, 0] + [UInt8](repeating: 1, count: 60_000))
            default: break
            }
        }
        let most = UInt64(Self.connectionsMax / 4)
        // Those beyond the bound are turned away.
        #expect(becomes { strangers.count { !$0.isOpen } >= strangers.count - Int(most) })
        #expect(try inside.status().connections <= 1 + most)
        // Who comes over the Unix socket now is let in, and trades.
        let late = try running.connect("late")
        #expect(try late.status().connections <= 2 + most)
        var second = try TestDesk(late, "late")
        #expect(try second.submit(TestDesk.place(5)).refusal == .none)
        #expect(try desk.submit(TestDesk.place(6)).refusal == .none)
        // All are gone when the time for a greeting is over: none may stay for ever.
        for stranger in strangers { #expect(stranger.readToEnd()) }
        #expect(try Self.waitForConnections(inside, 2))
        let key = try #require(LinkKey(SecretBytes(Self.good)))
        let remote = try LinkClient.connect(
            host: "127.0.0.1", port: port, key: key, name: try #require(Text40("remote")))
        #expect(try remote.status().connections == 3)
        try running.stop()
    }

    @Test func `a greeting that drips in does not stretch its time`() throws {
        let running = try Self.running()
        let raw = try RawLink(port: running.listeners[1].port)
        var sent = 0
        for byte in try Self.hello() where raw.isOpen {
            raw.send([byte])
            sent += 1
            usleep(300_000)
        }
        // With a time that stretches, all of it were taken.
        #expect(sent < (try Self.hello().count))
        try running.stop()
    }

    @Test func `guesses at the key are refused one by one, and leave nothing behind`() throws {
        let running = try Self.running()
        let inside = try running.connect()
        var random = LinkFuzz()
        let name = try #require(Text40("remote"))
        for round in 0..<100 {
            let bytes = (0..<32).map { _ in UInt8(random.below(256)) }
            let wrong = try #require(LinkKey(SecretBytes(bytes)))
            #expect("round \(round), \(random.replay)") {
                _ = try LinkClient.connect(
                    host: "127.0.0.1", port: running.listeners[1].port, key: wrong, name: name)
            } throws: { error in
                guard case .refused(let refusal) = error as? LinkError else { return false }
                return refusal.code == .access
            }
        }
        #expect(try Self.waitForConnections(inside, 1))
        try running.stop()
    }

    @Test func `a flood of connections does not delay existing ones`() throws {
        let running = try Self.running()
        let port = running.listeners[1].port
        var desk = try TestDesk(try running.connect(), "desk")
        try desk.prepare()
        let flood = Flood()
        let thread = try PinnedThread.start(name: "flood") {
            while !flood.isOver.load(ordering: .relaxed) {
                // Closed at once: a connection that is gone before it is looked at.
                _ = try? RawLink(port: port)
                flood.count.add(1, ordering: .relaxed)
            }
        }
        // Each order is answered within its bound, or this throws.
        let began = Clock.monotonicNanos()
        var now = began
        while now - began < 2_000_000_000
            || flood.count.load(ordering: .relaxed) <= 100 && now - began < patience
        {
            let ack = try desk.submit(TestDesk.place(Int64(1 + now % 1_000)))
            now = Clock.monotonicNanos()
            // A fast machine fills the small engine's orders within the time.
            #expect(ack.refusal == .none || ack.refusal == .capacity)
        }
        flood.isOver.store(true, ordering: .relaxed)
        thread.join()
        #expect(flood.count.load(ordering: .relaxed) > 100)
        try running.stop()
    }

    @Test func `a client that never reads is read no further, and delays nobody`() throws {
        let running = try Self.running()
        var desk = try TestDesk(try running.connect(), "desk")
        try desk.prepare()
        let raw = try RawLink(running.place.socket)
        raw.send(try Self.hello())
        let questions = Array(repeating: Self.frame(.askStatus), count: 8_192).flatMap { $0 }
        var taken = 0
        raw.limitSending(milliseconds: 500)
        while taken < 1 << 28 {
            let count = raw.sendSome(questions)
            if count <= 0 { break }
            taken += count
        }
        #expect(taken < 1 << 28, "its questions are taken without end")
        for price in 1...50 {
            #expect(try desk.submit(TestDesk.place(Int64(price))).refusal == .none)
        }
        try running.stop()
    }
}

private final class Flood: Sendable {
    let isOver = Atomic<Bool>(false)
    let count = Atomic<Int>(0)
}

extension RawLink {
    /// How long a `send` may wait.
    func limitSending(milliseconds: Int) {
        var limit = timeval(tv_sec: 0, tv_usec: milliseconds * 1000)
        _ = unsafe setsockopt(
            descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// How many bytes were taken; 0 or less for none in the time given.
    func sendSome(_ bytes: [UInt8]) -> Int {
        unsafe bytes.withUnsafeBytes {
            unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
    }

    /// Whether the other side has not closed.
    var isOpen: Bool {
        var byte: UInt8 = 0
        let got = unsafe recv(descriptor, &byte, 1, Int32(MSG_DONTWAIT | MSG_PEEK))
        // What can be read is its word that it is over.
        return got < 0 && errno == EAGAIN
    }
}
