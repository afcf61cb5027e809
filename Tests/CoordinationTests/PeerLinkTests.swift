// Goal: the two agents of a cluster find each other over one connection, whatever strangers and a
// broken peer do; what operators ordered on one holds on both and over restarts; and the end of a
// process reaches the peer.

import Coordination
import Failover
import Glibc
import JSON
import Platform
import Secrets
import Synchronization
import Testing

@Suite(.serialized, .timeLimit(.minutes(5))) struct PeerLinkTests {
    @Test func `both see each other's document, and see each other go and come back`() async throws
    {
        let world = try PeerWorld()
        let (a, b) = (try world.agent("a"), try world.agent("b"))
        try await eventually("both are connected") { a.sees("b") && b.sees("a") }
        a.show("new")
        try await eventually("what changed is seen") { b.peer.json["document"]?["text"] == "new" }
        await b.stop()
        try await eventually("it is gone") { a.peer.json["reachable"] == .bool(false) }
        #expect(a.peer.json["fault"]?.text?.isEmpty == false)
        #expect(a.peer.json["document"]?["host"] == "b", "the last one stays, with its time")
        let again = try world.agent("b")
        try await eventually("both are connected again") { a.sees("b") && again.sees("a") }
        #expect(a.peer.json["fault"] == .null)
        #expect(world.notes.contains("connected to the agent of b"))
        await a.stop()
        await again.stop()
    }

    @Test func `a pause holds on both, over restarts, and reaches a host that was away`()
        async throws
    {
        let world = try PeerWorld()
        var a = try world.agent("a")
        var b = try world.agent("b")
        try await eventually("both are connected") { a.sees("b") && b.sees("a") }
        #expect(await a.obey(.pause) == nil)
        try await eventually("both are paused") { a.isPaused && b.isPaused }
        await a.stop()
        await b.stop()
        // Each alone still knows it.
        a = try world.agent("a")
        #expect(a.isPaused)
        #expect(await a.obey(.resume) == nil)
        #expect(!a.isPaused)
        b = try world.agent("b")
        #expect(b.shell.status.isPaused, "it was away when that was ordered")
        try await eventually("it learns that claims go on") { !b.isPaused }
        // The other way round: the host that connects was ordered last.
        await a.stop()
        #expect(await b.obey(.pause) == nil)
        await b.stop()
        a = try world.agent("a")
        #expect(!a.isPaused)
        b = try world.agent("b")
        try await eventually("both are paused") { a.isPaused && b.isPaused }
        await a.stop()
        await b.stop()
    }

    @Test func `out until an operator adds it holds over a restart, and on one host only`()
        async throws
    {
        let world = try PeerWorld()
        var a = try world.agent("a")
        let b = try world.agent("b")
        try await eventually("both are connected") { a.sees("b") && b.sees("a") }
        #expect(await a.obey(.standbyRemove) == "notPrimary", "and nothing is kept of a refusal")
        try File.replace(
            world.file("a"),
            with: Array(
                #"{"version":1,"hold":{"paused":false,"orderedAt":0},"peerOut":true}"#.utf8))
        await a.stop()
        a = try world.agent("a")
        try await eventually("both are connected") { a.sees("b") && b.sees("a") }
        #expect(a.shell.status.isPeerOut && !b.shell.status.isPeerOut)
        #expect(await a.obey(.standbyAdd) == nil)
        await a.stop()
        a = try world.agent("a")
        #expect(!a.shell.status.isPeerOut)
        await a.stop()
        await b.stop()
    }

    @Test(arguments: ["", "{", "{}", #"{"version":2}"#])
    func `claims are paused where the file cannot be read, until somebody says otherwise`(
        text: String
    ) async throws {
        let world = try PeerWorld()
        try File.replace(world.file("a"), with: Array(text.utf8))
        let a = try world.agent("a")
        #expect(a.isPaused)
        #expect(world.notes.contains { $0.contains("claims are paused until") })
        let b = try world.agent("b")
        try await eventually("both are paused: nobody ordered anything else") { b.isPaused }
        #expect(await b.obey(.resume) == nil)
        try await eventually("claims go on") { !a.isPaused && !b.isPaused }
        await a.stop()
        await b.stop()
    }

    @Test func `the peer hears of a process that ended, also when it was away at that time`()
        async throws
    {
        let world = try PeerWorld()
        let a = try world.agent("a")
        a.peer.reportReaped(epoch: 7)
        let b = try world.agent("b")
        try await eventually("it was said") { b.reaped == 7 }
        b.peer.reportReaped(epoch: 9)
        b.peer.reportReaped(epoch: 8)
        try await eventually("the highest counts") { a.reaped == 9 }
        #expect(b.reaped == 7)
        await a.stop()
        await b.stop()
    }

    @Test(arguments: ["plain", "no certificate", "another authority", "another name"])
    func `a stranger gets nothing and takes nothing from the peer`(kind: String) async throws {
        let world = try PeerWorld()
        let a = try await world.listening()
        var held: [Int32] = []
        defer { for socket in held { _ = close(socket) } }
        // More of them than wait at a time, and they stay.
        for _ in 0..<6 {
            held.append(try TCPSocket.connect(world.address("a"), timeoutNanos: 60 * second))
        }
        let files = try world.files(of: kind)
        do throws(TLSError) {
            let deadline = Clock.monotonicNanos() + 60 * second
            let stream = try TLSStream.connect(
                to: world.address("a"), files: files, expecting: ["a"], deadline: deadline)
            #expect(try read(stream, deadline) == "", "\(kind)")
        } catch {
            if case .timedOut = error { Issue.record("it was left waiting: \(error)") }
        }
        #expect(a.peer.json["reachable"] == .bool(false) && a.peer.json["document"] == .null)
        let b = try world.agent("b")
        try await eventually("the peer gets through") { a.sees("b") && b.sees("a") }
        await a.stop()
        await b.stop()
    }

    @Test(arguments: ["nonsense", "long", "flood", "half", "mute", "deaf", "epoch", "moment"])
    func `a broken peer is sent away, and a sound one comes after it`(kind: String) async throws {
        let world = try PeerWorld()
        let a = try await world.listening()
        let deadline = Clock.monotonicNanos() + 60 * second
        let stream = try TLSStream.connect(
            to: world.address("a"), files: world.files("b"), expecting: ["a"], deadline: deadline)
        let result = Result { () throws(TLSError) in
            for part in Self.garbage(kind) { try write(stream, part, deadline) }
            while kind != "deaf", try read(stream, deadline) != "" {}
        }
        if case .failure(.timedOut(_, let what)) = result {
            Issue.record("it was left connected: \(what)")
        }
        if kind == "deaf" {
            try await eventually("it is given up") { a.fault == "nothing comes from it" }
        } else {
            let why: [String: String] = [
                "long": "it sends a line of more than 131072 bytes",
                "flood": "it sends more than 100 messages a second",
                "half": "nothing comes from it", "mute": "nothing comes from it",
            ]
            let expected = why[kind] ?? "it sends what is no message of this version"
            try await eventually("it says why: \(a.fault ?? "")") { a.fault == expected }
        }
        #expect(a.reaped == 0 && !a.isPaused)
        let b = try world.agent("b")
        try await eventually("the peer gets through") { a.sees("b") && b.sees("a") }
        await a.stop()
        await b.stop()
    }

    /// What a broken peer sends.
    private static func garbage(_ kind: String) -> [String] {
        func message(_ hold: String, _ epoch: String) -> String {
            #"{"hold":\#(hold),"reapedEpoch":\#(epoch),"document":{}}"# + "\n"
        }
        let hold = #"{"paused":false,"orderedAt":0}"#
        return switch kind {
        case "nonsense": ["hello\n"]
        case "long": [String](repeating: String(repeating: "x", count: 10_000), count: 14)
        case "flood": [String](repeating: message(hold, "0"), count: 200)
        case "half": ["{\"hold\":"]
        case "epoch": [message(hold, "4294967295")]
        case "moment": [message(#"{"paused":true,"orderedAt":9223372036854775807}"#, "0")]
        default: []
        }
    }

    @Test func `lines of every kind are read or refused, and never end the process`() {
        var random = SystemRandomNumberGenerator()
        let good = PeerMessage(
            hold: ClusterHold(isPaused: true, orderedAt: 5), reapedEpoch: 3,
            document: ["host": "a", "changes": .array([["epoch": .number(3)]])])
        let line = Array(good.line.dropLast())
        #expect(PeerMessage(line) == good)
        var read = 0
        for _ in 0..<20_000 {
            var changed = line
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<changed.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: changed[place] = UInt8.random(in: 0...255, using: &random)
                case 1 where changed.count > 1: changed.remove(at: place)
                default: changed.insert(changed[place], at: place)
                }
            }
            if let message = PeerMessage(changed) {
                read += 1
                let lasting = message.hold.changed(to: false, at: .max)
                #expect(lasting.isNewer(than: message.hold))
                #expect(PeerMessage(Array(message.line.dropLast())) == message)
            }
        }
        #expect(read > 0 && read < 20_000)
    }
}

private let second: Int64 = 1_000_000_000

private func read(_ stream: TLSStream, _ deadline: Int64) throws(TLSError) -> String {
    var room = [UInt8](repeating: 0, count: 4_096)
    var result: Result<Int, TLSError> = .success(0)
    unsafe room.withUnsafeMutableBytes { room in
        do throws(TLSError) {
            result = .success(unsafe try stream.read(into: room, deadline: deadline))
        } catch { result = .failure(error) }
    }
    return String(decoding: room[..<(try result.get())], as: UTF8.self)
}

private func write(_ stream: TLSStream, _ text: String, _ deadline: Int64) throws(TLSError) {
    var result: Result<Void, TLSError> = .success(())
    unsafe Array(text.utf8).withUnsafeBytes { bytes in
        do throws(TLSError) { unsafe try stream.writeAll(bytes, deadline: deadline) } catch {
            result = .failure(error)
        }
    }
    try result.get()
}

/// Certificates, addresses and files of hosts `a` and `b`.
final class PeerWorld: Sendable {
    let folder: String
    private let authority: TestAuthority
    private let ports: [Int]
    private let noted = Mutex<[String]>([])

    init() throws {
        folder = try temporaryFolder()
        authority = try TestAuthority("\(folder)/pki")
        ports = try freePorts(2)
        for name in ["a", "b", "c"] {
            _ = try authority.certificates(name, for: "DNS:\(name)")
        }
    }

    deinit { remove(folder) }

    var notes: [String] { noted.withLock { $0 } }

    func address(_ name: String) -> String { "127.0.0.1:\(ports[name == "a" ? 0 : 1])" }
    func file(_ name: String) -> String { "\(folder)/\(name).json" }

    func files(_ name: String) -> TLSFiles {
        TLSFiles(
            authority: "\(folder)/pki/ca.crt", certificate: "\(folder)/pki/\(name).crt",
            key: "\(folder)/pki/\(name).key")
    }

    func files(of stranger: String) throws -> TLSFiles {
        switch stranger {
        case "another name": return files("c")
        case "another authority":
            let other = try TestAuthority("\(folder)/other")
            let made = try other.certificates("b", for: "DNS:b")
            return TLSFiles(
                authority: "\(folder)/pki/ca.crt", certificate: made.certificate, key: made.key)
        default: return TLSFiles(authority: "\(folder)/pki/ca.crt")
        }
    }

    func agent(_ name: String) throws -> TestPeer {
        try TestPeer(name, self) { [self] line in noted.withLock { $0.append(line) } }
    }

    /// The agent of `a`, which takes connections.
    func listening() async throws -> TestPeer {
        let made = try agent("a")
        try await eventually("it listens") {
            guard let probe = try? TCPSocket.connect(address("a"), timeoutNanos: second) else {
                return false
            }
            _ = close(probe)
            return true
        }
        return made
    }
}

/// One host's agent without a matchd: its shell, and its end of the connection.
final class TestPeer: FailoverHost {
    private struct NoRecord: RecordStore {
        func swap(_ swap: RecordSwap) async -> EtcdAnswer { .unknown(.unreachable([])) }
        func put(_ floor: FloorPut) async -> EtcdAnswer { .unknown(.unreachable([])) }
        func read(by host: HostName, number: UInt64) async throws(EtcdError) -> EtcdReading {
            throw .unreachable([])
        }
        func expect(_ cluster: UInt64) {}
    }

    let name: String
    let peer: PeerAgent
    private let made = Mutex<FailoverShell?>(nil)
    private let text = Mutex("old")

    init(
        _ name: String, _ world: PeerWorld, note: @escaping @Sendable (String) -> Void
    ) throws {
        self.name = name
        let other = name == "a" ? "b" : "a"
        peer = try PeerAgent(file: world.file(name), note: note)
        let shell = FailoverShell(
            FailoverSettings(host: HostName(name), peer: HostName(other)), run: 1,
            start: peer.start, store: NoRecord(), host: self)
        made.withLock { $0 = shell }
        shell.start()
        try peer.start(
            PeerLinkOptions(
                host: name, peer: other, address: world.address(name),
                peerAddress: world.address(other), files: world.files(name)), feeding: shell
        ) { [self] in ["host": .string(name), "text": .string(text.withLock { $0 })] }
    }

    var shell: FailoverShell { made.withLock { $0! } }
    var isPaused: Bool { shell.status.isPaused }
    var fault: String? { peer.json["fault"]?.text }
    /// The highest epoch whose process the peer's agent saw end.
    var reaped: UInt64? { peer.json["reapedEpoch"]?.count }

    func sees(_ other: String) -> Bool {
        peer.json["reachable"] == .bool(true) && peer.json["document"]?["host"] == .string(other)
    }

    func show(_ new: String) {
        text.withLock { $0 = new }
        peer.changed()
    }

    func obey(_ verb: FailoverVerb) async -> String? {
        await peer.obey(verb, by: shell) { "\($0)" }
    }

    func stop() async {
        peer.stop()
        await shell.stop()
    }

    func dropAddress() {}
    func leaveAddress() {}
    func send(_ order: MatchdOrder) {}
    func reportReaped(epoch: UInt32) {}
    func takeAddress() {}
    func log(_ change: FailoverChange) {}
    func reconcileWallet(epoch: UInt32) async {}
}
