// Goal: over TLS only a gateway of the cluster comes in, as a gateway and nothing more, and neither
// strangers nor gateways that misbehave hold up anybody else.

import Failover
import Glibc
import Link
import Pipeline
import Platform
import Secrets
import Synchronization
import Terms
import Testing
import Wire

private let second: Int64 = 1_000_000_000

/// A pipeline that gateways of other hosts reach.
private final class RemotePlace {
    let authority: LinkAuthority
    let running: RunningPipeline
    let remote: RemoteGateways
    let address: String
    let notes = Notes()
    private let key: LinkKey
    private let directory: PipelinePlace
    private let removed: String

    final class Notes: Sendable {
        private let lines = Mutex<[String]>([])
        var all: [String] { lines.withLock { $0 } }
        func add(_ line: String) { lines.withLock { $0.append(line) } }
    }

    init(_ change: (inout PipelineOptions) -> Void = { _ in }) throws {
        let key = try #require(LinkKey(SecretBytes([UInt8](repeating: 7, count: 32))))
        self.key = key
        directory = try PipelinePlace()
        removed = directory.path + "/gateways.removed"
        let authority = try LinkAuthority()
        self.authority = authority
        let probe = try TCPSocket.listen("127.0.0.1:0", backlog: 1)
        address = "127.0.0.1:\(TCPSocket.port(of: probe))"
        close(probe)
        let link = try LinkListener.passed(address: address)
        running = try RunningPipeline(try PipelinePlace(), tcpKey: key, passed: link, change)
        let notes = notes
        remote = try RemoteGateways(
            address: address, files: try authority.host("alpha"), removed: removed, link: link
        ) { notes.add($0) }
    }

    /// Writes the list of removed gateways.
    func remove(_ text: String) throws {
        try File.replace(removed, with: Array(text.utf8))
    }

    /// A gateway that is bound to no name, as on this host.
    func local() throws -> LinkClient {
        try LinkClient.connect(
            host: "127.0.0.1", port: running.listeners[1].port, key: key,
            name: try #require(Text40("local")))
    }

    func connect(_ files: TLSFiles) throws -> RemoteClient {
        RemoteClient(
            try TLSStream.connect(
                to: address, files: files, expecting: ["alpha"],
                deadline: Clock.monotonicNanos() + patience))
    }

    /// Waits until that many gateways are connected.
    func await(_ names: [String]) -> Bool {
        becomes { remote.connected.map(\.name) == names }
    }

    func stop() throws {
        try running.stop()
        remote.stop()
    }
}

/// A gateway's end: frames over TLS.
private final class RemoteClient {
    let stream: TLSStream
    private var decoder = LinkDecoder()

    init(_ stream: TLSStream) { self.stream = stream }

    func send(_ bytes: [UInt8]) throws {
        var failure: TLSError?
        unsafe bytes.withUnsafeBytes { bytes in
            do throws(TLSError) {
                try unsafe stream.writeAll(bytes, deadline: Clock.monotonicNanos() + patience)
            } catch { failure = error }
        }
        if let failure { throw failure }
    }

    func send(_ frames: LinkFrame...) throws { try send(frames) }

    func send(_ frames: [LinkFrame]) throws {
        var encoder = LinkEncoder()
        for frame in frames { encoder.append(frame) }
        try send(encoder.take())
    }

    /// The next frame; nil at the end of the stream.
    func next() throws -> LinkFrame? {
        var room = [UInt8](repeating: 0, count: 65_536)
        while true {
            if let frame = try decoder.next() { return frame }
            var (count, failure): (Int, TLSError?) = (0, nil)
            unsafe room.withUnsafeMutableBytes { room in
                do throws(TLSError) {
                    count = try unsafe stream.read(
                        into: room, deadline: Clock.monotonicNanos() + patience)
                } catch { failure = error }
            }
            if let failure { throw failure }
            if count == 0 { return nil }
            unsafe room.withUnsafeBytes {
                unsafe decoder.receive(UnsafeRawBufferPointer(rebasing: $0[..<count]))
            }
        }
    }

    func greet(_ name: String) throws {
        try send(.hello(LinkHello(wantsAcks: true, name: try #require(Text40(name)))))
        guard case .welcome = try next() else {
            Issue.record("a welcome was due")
            return
        }
    }

    func submit(
        _ command: some CommandPayload, session: UInt32, number: UInt64
    ) throws -> LinkAck? {
        var encoder = LinkEncoder()
        encoder.submit(session: SessionID(session), number: number, command)
        try send(encoder.take())
        while let frame = try next() {
            switch frame {
            case .acks(let acks): return acks.first
            case .error(let refusal): throw LinkError.refused(refusal)
            default: break
            }
        }
        return nil
    }

    func openSession(_ name: String) throws -> UInt32 {
        let open = OpenSession(name: try #require(Text40(name)))
        let ack = try #require(try submit(open, session: 0, number: 1))
        #expect(ack.refusal == .none)
        return UInt32(ack.id)
    }
}

@Suite(.serialized) struct RemoteGatewaysTests {
    @Test func `a gateway trades over TLS, and is no more than a gateway`() throws {
        let place = try RemotePlace()
        var own = try TestDesk(place.running.connect(), "operator/own")
        try own.prepare()
        let client = try place.connect(place.authority.gateway("g1"))
        try client.greet("gateway/g1")
        #expect(place.await(["g1"]))
        let session = try client.openSession("gateway/g1")
        for number in 1...300 as ClosedRange<UInt64> {
            let ack = try client.submit(
                TestDesk.place(Int64(number)), session: session, number: number)
            #expect(ack?.refusal == Refusal.none)
        }
        // Not an operator's session, nor one of its own that is named so.
        let thief = try place.connect(place.authority.gateway("g2"))
        try thief.greet("gateway/g2")
        #expect(place.await(["g1", "g2"]))
        #expect(throws: LinkError.self) {
            _ = try thief.submit(
                OpenSession(name: try #require(Text40("operator/g2"))), session: 0, number: 1)
        }
        let other = try place.connect(place.authority.gateway("g2"))
        try other.greet("gateway/g2")
        let kill = SetKillSwitch(
            account: AccountID(0), isOn: true,
            audit: Audit(operatorName: try #require(Text40("op")), reason: "stop"))
        #expect(throws: LinkError.self) {
            _ = try other.submit(kill, session: session, number: 400)
        }
        #expect(try own.submit(TestDesk.place(5)).refusal == .none)
        #expect(place.notes.all.contains { $0.contains("gateway g1 is connected from 127.0.0.1") })
        try place.stop()
    }

    @Test func `a gateway has the sessions of its own name alone`() throws {
        let place = try RemotePlace()
        var own = try TestDesk(place.running.connect(), "operator/own")
        try own.prepare()
        var local = try TestDesk(place.local(), "gateway/local")
        let client = try place.connect(place.authority.gateway("g1"))
        try client.greet("gateway/g1")
        let session = try client.openSession("gateway/g1")
        let lane = try client.openSession("gateway/g1#2")
        #expect(try client.submit(TestDesk.place(1), session: session, number: 1)?.isLogged == true)
        let files = try place.authority.gateway("g2")
        func thief() throws -> RemoteClient {
            let made = try place.connect(files)
            try made.greet("gateway/g2")
            return made
        }
        let others = ["gateway/g1", "gateway/g1#2", "gateway/local", "gateway/g2x", "g2", "new"]
        for name in others + ["operator/g2", "wallet/g2"] {
            let thief = try thief()
            let open = OpenSession(name: try #require(Text40(name)))
            #expect(throws: LinkError.self, "\(name)") {
                _ = try thief.submit(open, session: 0, number: 1)
            }
            // Nor as one of that name from the start.
            let named = try place.connect(files)
            try named.send(.hello(LinkHello(wantsAcks: true, name: try #require(Text40(name)))))
            guard case .error(let refusal) = try named.next() else {
                Issue.record("a refusal was due for \(name)")
                continue
            }
            #expect(refusal.code == .access && refusal.text.contains("gateway/g2"))
        }
        // To it the sessions of others are unknown, and whose they are goes on.
        let second = try thief()
        for stolen in [session, lane, local.session.number] {
            let ack = try second.submit(TestDesk.place(2), session: stolen, number: 2)
            #expect(ack?.refusal == .sessionUnknown && ack?.isLogged == false)
            let end = CloseSession(session: SessionID(stolen))
            #expect(try second.submit(end, session: 0, number: 3)?.refusal == .sessionUnknown)
        }
        let last = try thief()
        #expect(throws: LinkError.self) {
            _ = try last.submit(TestDesk.place(2), session: own.session.number, number: 90)
        }
        #expect(try client.submit(TestDesk.place(3), session: session, number: 2)?.isLogged == true)
        #expect(try client.submit(TestDesk.place(3), session: lane, number: 1)?.isLogged == true)
        #expect(try local.submit(TestDesk.place(4)).isLogged)
        #expect(try own.submit(TestDesk.place(5)).isLogged)
        // Its own it goes on with after a loss, and ends.
        let before = try thief()
        let mine = try before.openSession("gateway/g2")
        #expect(try before.submit(TestDesk.place(6), session: mine, number: 1)?.isLogged == true)
        let third = try thief()
        #expect(try third.submit(TestDesk.place(7), session: mine, number: 2)?.isLogged == true)
        let end = CloseSession(session: SessionID(mine))
        #expect(try third.submit(end, session: 0, number: 1)?.refusal == Refusal.none)
        try place.stop()
    }

    /// Cut off from the peer and from etcd, it cannot know that the other host leads.
    @Test func `out of its lease it is silent to gateways of other hosts`() throws {
        var timing = FailoverTiming()
        timing.leaseNanos = .max / 4
        let set = InSyncSet(following: "standby", released: 0, timing: timing)
        set.begin(epoch: 1, requiring: nil)
        let place = try RemotePlace {
            ($0.inSync, $0.heartbeatNanos) = (set, 5_000_000)
        }
        func greeted(_ gateway: String) throws -> (client: RemoteClient, role: LinkServerRole?) {
            let client = try place.connect(place.authority.gateway(gateway))
            let name = try #require(Text40("gateway/\(gateway)"))
            try client.send(
                .hello(LinkHello(wantsAcks: false, name: name)))
            guard case .welcome(let welcome) = try client.next() else { return (client, nil) }
            return (client, welcome.role)
        }
        let follower = try greeted("g1")
        #expect(follower.role == .standalone)
        try follower.client.send(.subscribe(LinkSubscription(from: 1, epoch: 0, crc: 0)))
        func nextBeat() throws -> Int64 {
            while let frame = try follower.client.next() {
                if case .position(_, let time, _) = frame { return time }
            }
            throw LinkError.closed
        }
        var (last, longest) = (0 as Int64, 0 as Int64)
        for _ in 0..<20 { last = try nextBeat() }
        _ = set.require(PipelineSetTests.replica)
        let silence = second
        Clock.sleep(nanos: silence)
        #expect(try greeted("g2").role == .standby)
        #expect(try place.local().welcome.role == .standalone)
        set.echoed(sentAt: BootTime(nanos: Clock.monotonicNanos()))
        let heldAgain = Clock.realtimeNanos()
        while last < heldAgain {
            let time = try nextBeat()
            (last, longest) = (time, max(longest, time - last))
        }
        // A beat that a busy thread was about to send may come within the silence.
        #expect(longest >= silence / 2)
        #expect(try greeted("g2").role == .standalone)
        try place.stop()
    }

    @Test func `strangers do not get in, whatever they show`() throws {
        let place = try RemotePlace()
        let authority = place.authority
        let other = try LinkAuthority()
        let foreign = try other.gateway("g1")
        let good = try authority.gateway("g1")
        let hostile: [(String, TLSFiles)] = [
            (
                "another authority's",
                TLSFiles(
                    authority: good.authority, certificate: foreign.certificate, key: foreign.key)
            ),
            ("a host's", try authority.host("beta")),
            ("one that is named as a gateway's in part", try authority.host("_gateway")),
            ("one whose name has more behind", try authority.host("g1._gateway.example")),
            ("expired", try authority.gateway("old", days: -1)),
            ("none", TLSFiles(authority: good.authority)),
        ]
        for (what, files) in hostile {
            #expect(throws: (any Error).self, "\(what)") {
                // With TLS 1.3 a client's handshake ends before the server's.
                let client = try place.connect(files)
                try client.greet("gateway/g1")
            }
            #expect(place.remote.connected.isEmpty, "\(what)")
        }
        // One whose certificate is refused learns why.
        let expired = try authority.gateway("old", days: -1)
        for _ in 0..<2 * RemoteGateways.refusedMax {
            do {
                let client = try place.connect(expired)
                try client.greet("gateway/old")
                Issue.record("a refusal was due")
            } catch let error as TLSError {
                guard case .refused(_, alert: 45) = error else { throw error }
            }
        }
        // A gateway's certificate is no host's: nothing that trusts the authority takes it.
        let raw = try TCPSocket.connect(place.address, timeoutNanos: patience)
        close(raw)
        #expect(place.notes.all.contains { $0.contains("was refused") })
        let client = try place.connect(good)
        try client.greet("gateway/g1")
        #expect(try place.running.connect().status().connections == 2)
        try place.stop()
    }

    @Test func `connections that never prove themselves are bounded and end`() throws {
        let place = try RemotePlace()
        let port = try #require(UInt16(place.address.split(separator: ":")[1]))
        let silent = try (0..<40).map { _ in try RawLink(port: port, source: 9) }
        for (number, one) in silent.enumerated() {
            switch number % 3 {
            case 0: one.send([22, 3, 1, 2, 0, 1, 0, 1])
            case 1: one.send([UInt8](repeating: 0x41, count: 5_000))
            default: break
            }
        }
        // Meanwhile, and though more are opened all the time, a gateway gets in and trades.
        let isOver = Atomic(false)
        let flood = try PinnedThread.start(name: "flood") {
            while !isOver.load(ordering: .acquiring) {
                _ = try? RawLink(port: port, source: 9)
                usleep(200)
            }
        }
        let client = try place.connect(place.authority.gateway("g1"))
        try client.greet("gateway/g1")
        var own = try TestDesk(place.running.connect(), "operator/own")
        try own.prepare()
        let session = try client.openSession("gateway/g1")
        #expect(
            try client.submit(TestDesk.place(1), session: session, number: 1)?.refusal
                == Refusal.none)
        isOver.store(true, ordering: .releasing)
        flood.join()
        // Connections are taken in their order: when a later one is in, those beyond the bound are
        // gone. The others go when their time is over.
        let later = try place.connect(place.authority.gateway("g2"))
        try later.greet("gateway/g2")
        #expect(silent.count { $0.isOpen } <= RemoteGateways.strangersMax)
        for one in silent { #expect(one.readToEnd()) }
        #expect(place.remote.connected.map(\.name) == ["g1", "g2"])
        try place.stop()
    }

    @Test func `of one gateway the newest connection counts, and there are not too many gateways`()
        throws
    {
        let place = try RemotePlace()
        let files = try place.authority.gateway("g")
        let first = try place.connect(files)
        try first.greet("gateway/g")
        let second = try place.connect(files)
        try second.greet("gateway/g")
        #expect(place.await(["g"]))
        #expect(throws: (any Error).self) {
            while try first.next() != nil {}
            throw LinkError.timedOut
        }
        var all = [second]
        for number in 1..<RemoteGateways.gatewaysMax {
            all.append(try place.connect(place.authority.gateway("g\(number)")))
            try all[number].greet("gateway/g\(number)")
        }
        // One too many is told why, and whatever it has sent meanwhile does not take that from it.
        let lateFiles = try place.authority.gateway("late")
        for _ in 0..<2 * RemoteGateways.refusedMax {
            let late = try place.connect(lateFiles)
            try late.send([LinkFrame](repeating: .askStatus, count: 100))
            guard case .error(let refusal) = try late.next() else {
                Issue.record("a refusal was due")
                break
            }
            #expect(refusal.code == .limit && refusal.text.contains("16 gateways"))
            #expect(try late.next() == nil)
        }
        #expect(place.remote.connected.count == RemoteGateways.gatewaysMax)
        withExtendedLifetime(all) {}
        try place.stop()
    }

    @Test func `a gateway that was removed reaches nothing until it is certified anew`() throws {
        let place = try RemotePlace()
        let old = try place.authority.gateway("g1")
        let client = try place.connect(old)
        try client.greet("gateway/g1")
        let other = try place.connect(place.authority.gateway("g2"))
        try other.greet("gateway/g2")
        #expect(place.await(["g1", "g2"]))
        try place.remove("g1 \(Clock.realtimeNanos() / second)\n")
        #expect(place.await(["g2"]))
        #expect(throws: (any Error).self) {
            while try client.next() != nil {}
            throw LinkError.closed
        }
        func refusal(_ files: TLSFiles) throws -> LinkRefusal? {
            guard case .error(let refusal) = try place.connect(files).next() else { return nil }
            return refusal
        }
        let found = try #require(try refusal(old))
        #expect(found.code == .access && found.text.contains("removed from the cluster"))
        usleep(1_100_000)
        let anew = try place.connect(place.authority.gateway("g1", days: 3))
        try anew.greet("gateway/g1")
        #expect(try refusal(old)?.code == .access)
        #expect(place.await(["g1", "g2"]))
        // Of a damaged list nobody knows whom it named; who is in stays.
        for text in ["g1\n", "g1 soon\n", String(repeating: "g 1\n", count: 9_999)] {
            try place.remove(text)
            #expect(try refusal(old)?.code == .unavailable, "\(text.prefix(20))")
        }
        usleep(300_000)
        #expect(place.remote.connected.map(\.name) == ["g1", "g2"])
        try anew.send(.askStatus)
        guard case .status = try anew.next() else {
            Issue.record("a status was due")
            return
        }
        try place.stop()
    }

    @Test func `nonsense from a gateway ends its connection alone`() throws {
        let place = try RemotePlace()
        let good = try place.connect(place.authority.gateway("good"))
        try good.greet("gateway/good")
        let files = try place.authority.gateway("bad")
        var random = LinkFuzz()
        for _ in 0..<50 {
            let bad = try place.connect(files)
            if random.below(2) == 0 { try bad.greet("gateway/bad") }
            var encoder = LinkEncoder()
            encoder.append(.askStatus)
            encoder.append(.query(try #require(Text40("gateway/bad"))))
            var bytes = encoder.take()
            for _ in 0..<1 + random.below(8) {
                bytes[random.below(bytes.count)] = UInt8(random.below(256))
            }
            if random.below(3) == 0 { bytes += (0..<random.below(70_000)).map { UInt8($0 & 255) } }
            // It may be closed while this is sent.
            try? bad.send(bytes)
            try? bad.stream.end(deadline: Clock.monotonicNanos() + second)
        }
        #expect(place.await(["good"]), "\(random.replay)")
        try good.send(.askStatus)
        guard case .status = try good.next() else {
            Issue.record("a status was due")
            return
        }
        try place.stop()
    }

    @Test func `a gateway that reads nothing is closed, and the others trade on`() throws {
        let place = try RemotePlace { $0.stallNanos = 2 * second }
        var own = try TestDesk(place.running.connect(), "operator/own")
        try own.prepare()
        let slow = try place.connect(place.authority.gateway("slow"))
        try slow.greet("gateway/slow")
        #expect(place.await(["slow"]))
        let questions = [LinkFrame](repeating: .askStatus, count: 1_024)
        var encoder = LinkEncoder()
        for frame in questions { encoder.append(frame) }
        let bytes = encoder.take()
        // It asks until it is closed, and reads no answer.
        #expect(throws: TLSError.self) {
            for _ in 0..<100_000 {
                var failure: TLSError?
                unsafe bytes.withUnsafeBytes { bytes in
                    do throws(TLSError) {
                        try unsafe slow.stream.writeAll(
                            bytes, deadline: Clock.monotonicNanos() + patience)
                    } catch { failure = error }
                }
                if let failure { throw failure }
            }
        }
        for price in 1...50 {
            #expect(try own.submit(TestDesk.place(Int64(price))).refusal == .none)
        }
        #expect(place.await([]))
        try place.stop()
    }
}
