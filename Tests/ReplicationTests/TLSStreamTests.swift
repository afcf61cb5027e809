// Goal: only a peer with a valid certificate of the cluster's authority for the expected name gets
// through, each refusal says what to do, and nothing waits beyond its deadline.

import Glibc
import Platform
import Secrets
import Synchronization
import Testing

/// What a side did, or why it could not.
private typealias Outcome = Result<String, TLSError>

private let second: Int64 = 1_000_000_000

private func soon(_ seconds: Int64 = 60) -> Int64 { Clock.monotonicNanos() + seconds * second }

/// A listener on a free port of the tests' range, which accepts one connection on its own thread.
private final class TestServer: Sendable {
    let address: String
    private let descriptor: Int32
    private let thread: PinnedThread
    private let result: Mutex<Outcome?>

    init(_ body: @escaping @Sendable (Int32) throws(TLSError) -> String) throws {
        (descriptor, address) = try listenAnywhere()
        let listener = descriptor
        let box = Box()
        thread = try PinnedThread.start(name: "server") {
            let outcome: Outcome
            do throws(TLSError) {
                guard TCPSocket.wait(listener, Int16(POLLIN), deadline: soon()),
                    let socket = try? TCPSocket.accept(listener)
                else { throw .timedOut(peer: "test", during: "connect") }
                outcome = .success(try body(socket))
            } catch { outcome = .failure(error) }
            box.value.withLock { $0 = outcome }
        }
        self.box = box
        result = Mutex(nil)
    }

    private final class Box: Sendable { let value = Mutex<Outcome?>(nil) }
    private let box: Box

    func outcome() -> Outcome {
        thread.join()
        close(descriptor)
        return box.value.withLock { $0! }
    }
}

/// The next port of the range: one after the other, so that a port that is closed to be listened on
/// again is nobody else's meanwhile.
private let ports = Atomic<Int>(Int.random(in: 0..<1_000))

/// A listener on a free port of the tests' range.
func listenAnywhere() throws -> (descriptor: Int32, address: String) {
    for _ in 0..<200 {
        let address = "127.0.0.1:\(22_000 + ports.add(1, ordering: .relaxed).newValue % 1_000)"
        do throws(SystemError) {
            return (try TCPSocket.listen(address, backlog: 16), address)
        } catch {
            guard error.code == EADDRINUSE else { throw error }
        }
    }
    throw SystemError(code: EADDRINUSE, operation: "listen on", path: "ports 22000 to 22999")
}

/// Keeps a server in a test until the test is through with it.
private final class Latch: Sendable {
    private let isOpen = Atomic<Bool>(false)

    func open() { isOpen.store(true, ordering: .releasing) }

    func wait() {
        let deadline = soon()
        while !isOpen.load(ordering: .acquiring), Clock.monotonicNanos() < deadline {
            Clock.sleep(nanos: 5_000_000)
        }
    }
}

private func accept(
    _ socket: Int32, _ files: TLSFiles, expecting names: [String] = ["beta"], seconds: Int64 = 60
) throws(TLSError) -> TLSStream {
    let stream = try TLSStream(
        socket, isServer: true, address: "the client", files: files, expecting: names)
    try stream.handshake(deadline: soon(seconds))
    return stream
}

private func text(_ stream: TLSStream, _ count: Int = 64) throws(TLSError) -> String {
    var room = [UInt8](repeating: 0, count: count)
    var error: TLSError?
    let got = unsafe room.withUnsafeMutableBytes { room in
        do throws(TLSError) {
            return unsafe try stream.read(into: room, deadline: soon())
        } catch let e {
            error = e
            return 0
        }
    }
    if let error { throw error }
    return String(decoding: room.prefix(got), as: UTF8.self)
}

private func send(_ stream: TLSStream, _ text: String) throws(TLSError) {
    let bytes = Array(text.utf8)
    let error: TLSError? = unsafe bytes.withUnsafeBytes { bytes in
        do throws(TLSError) { unsafe try stream.writeAll(bytes, deadline: soon()) } catch {
            return error
        }
        return nil
    }
    if let error { throw error }
}

/// What came of a connection between a server with these files and a client with those.
private func meet(
    server: TLSFiles, client: TLSFiles, expecting name: String = "alpha",
    clientNames: [String] = ["beta"]
) throws -> (server: Outcome, client: Outcome) {
    let listening = try TestServer { socket throws(TLSError) in
        let stream = try accept(socket, server, expecting: clientNames)
        try send(stream, "hello \(stream.peerName)")
        return try text(stream)
    }
    let outcome: Outcome
    do throws(TLSError) {
        let stream = try TLSStream.connect(
            to: listening.address, files: client, expecting: [name], deadline: soon())
        let heard = try text(stream)
        try send(stream, "I am \(stream.peerName)'s")
        outcome = .success(heard)
    } catch { outcome = .failure(error) }
    return (listening.outcome(), outcome)
}

private func code(_ outcome: Outcome) -> Int32? {
    guard case .failure(.certificate(_, _, let code, _)) = outcome else { return nil }
    return code
}

private func words(_ outcome: Outcome) -> String {
    guard case .failure(let error) = outcome else { return "" }
    return error.description
}

@Suite struct TLSStreamTests {
    private let authority = CertificateAuthority.shared

    @Test func `two hosts of a cluster know each other's name`() throws {
        let (server, client) = try meet(
            server: authority.issue("alpha"), client: authority.issue("beta"))
        #expect(client == .success("hello beta"))
        #expect(server == .success("I am alpha's"))
    }

    @Test func `another cluster's host is refused, on either side`() throws {
        let stranger = try CertificateAuthority()
        defer { withExtendedLifetime(stranger) {} }
        let other = try stranger.issue("beta")
        let own = try authority.issue("beta")
        let mixed = TLSFiles(
            authority: own.authority, certificate: other.certificate, key: other.key)
        let (server, client) = try meet(server: authority.issue("alpha"), client: mixed)
        #expect(code(server) == 20)
        #expect(words(server).contains("not by this cluster's authority"))
        #expect(client == .failure(.refused(peer: try #require(peer(client)), alert: 48)))
        #expect(words(client).contains("join this host to that cluster"))

        let second = try meet(server: authority.issue("alpha"), client: other)
        #expect([18, 19, 20].contains(code(second.client)))
        #expect(second.server == .failure(.refused(peer: "the client", alert: 48)))
    }

    private func peer(_ outcome: Outcome) -> String? {
        guard case .failure(.refused(let peer, _)) = outcome else { return nil }
        return peer
    }

    @Test func `a host of another name is refused, on either side`() throws {
        let wrongClient = try meet(
            server: authority.issue("alpha"), client: authority.issue("gamma"))
        #expect(code(wrongClient.server) == 62)
        #expect(words(wrongClient.server).contains("is not for beta"))
        #expect(words(wrongClient.client).contains("compare the hosts' names"))
        let wrongServer = try meet(
            server: authority.issue("gamma"), client: authority.issue("beta"))
        #expect(code(wrongServer.client) == 62)
        let partial = try meet(
            server: authority.issue("alpha.example"), client: authority.issue("beta"))
        #expect(code(partial.client) == 62)
    }

    @Test func `one of several names will do`() throws {
        let (server, client) = try meet(
            server: authority.issue("alpha"), client: authority.issue("gamma"),
            clientNames: ["beta", "gamma"])
        #expect(client == .success("hello gamma"))
        #expect(server == .success("I am alpha's"))
    }

    @Test func `an expired certificate is refused, on either side`() throws {
        let old = try authority.issue("beta", days: -1)
        let (server, client) = try meet(server: authority.issue("alpha"), client: old)
        #expect(code(server) == 10)
        #expect(words(server).contains("has expired: renew it there"))
        #expect(words(client).contains("this host's certificate has expired"))
        let second = try meet(
            server: authority.issue("alpha", days: -1), client: authority.issue("beta"))
        #expect(code(second.client) == 10)
    }

    @Test(arguments: ["-tls1_3", "-tls1_2"])
    func `a stranger without a certificate is refused`(version: String) throws {
        let files = try authority.issue("alpha")
        let server = try TestServer { socket throws(TLSError) in
            try text(try accept(socket, files))
        }
        let stranger = try Program.run(
            "/usr/bin/openssl",
            ["s_client", "-connect", server.address, "-CAfile", files.authority, version],
            secondsMax: 20)
        guard case .failure(.handshake(_, let reason)) = server.outcome() else {
            Issue.record("the stranger got through: \(stranger.output)")
            return
        }
        #expect(
            version == "-tls1_3"
                ? reason.contains("peer did not return a certificate")
                : reason.contains("unsupported protocol"))
    }

    @Test func `plain text is no TLS, whichever side sends it`() throws {
        let files = try authority.issue("alpha")
        let server = try TestServer { socket throws(TLSError) in
            try text(try accept(socket, files))
        }
        let socket = try TCPSocket.connect(server.address, timeoutNanos: 60 * second)
        let garbage = Array("GET / HTTP/1.1\r\n\r\n".utf8)
        #expect(put(socket, garbage) == garbage.count)
        guard case .failure(.handshake(let peer, _)) = server.outcome() else {
            Issue.record("garbage got through")
            return
        }
        #expect(peer == "the client")
        close(socket)

        let plain = try TestServer { socket throws(TLSError) in
            _ = put(socket, garbage)
            Clock.sleep(nanos: second / 5)
            close(socket)
            return ""
        }
        #expect(throws: TLSError.self) {
            _ = try TLSStream.connect(
                to: plain.address, files: files, expecting: ["beta"], deadline: soon())
        }
        _ = plain.outcome()
    }

    @Test func `random bytes never get through`() throws {
        let files = try authority.issue("alpha")
        for seed in 0..<40 {
            let server = try TestServer { socket throws(TLSError) in
                try text(try accept(socket, files, seconds: 1))
            }
            let socket = try TCPSocket.connect(server.address, timeoutNanos: 60 * second)
            // A record's header first, so that some get further.
            let bytes: [UInt8] =
                [22, 3, UInt8(seed & 3), 0, UInt8(seed * 6)] + SystemRandom.bytes(seed * 6)
            _ = put(socket, bytes)
            _ = shutdown(socket, Int32(SHUT_WR))
            if case .success = server.outcome() { Issue.record("random bytes got through") }
            close(socket)
        }
    }

    @Test func `who stops in the middle of a handshake is given up at the deadline`() throws {
        let files = try authority.issue("alpha")
        let server = try TestServer { socket throws(TLSError) in
            try text(try accept(socket, files, seconds: 1))
        }
        let socket = try TCPSocket.connect(server.address, timeoutNanos: 60 * second)
        let start: [UInt8] = [22, 3, 1, 1, 0, 1]
        #expect(put(socket, start) == start.count)
        #expect(
            server.outcome() == .failure(.timedOut(peer: "the client", during: "shake hands")))
        close(socket)
        let isOver = Latch()
        let silent = try TestServer { socket throws(TLSError) in
            isOver.wait()
            close(socket)
            return ""
        }
        #expect(throws: TLSError.timedOut(peer: silent.address, during: "shake hands")) {
            _ = try TLSStream.connect(
                to: silent.address, files: files, expecting: ["beta"], deadline: soon(2))
        }
        isOver.open()
        _ = silent.outcome()
    }

    @Test func `a connection that ends without a word is cut, one that says so has ended`() throws {
        for says in [true, false] {
            let files = try authority.issue("alpha")
            let server = try TestServer { socket throws(TLSError) in
                let stream = try accept(socket, files)
                let heard = try text(stream)
                let end = try text(stream)
                // Half closed: this way is still open.
                try send(stream, "answer")
                return heard + "|" + end
            }
            let stream = try TLSStream.connect(
                to: server.address, files: authority.issue("beta"), expecting: ["alpha"],
                deadline: soon())
            try send(stream, "question")
            if says {
                try stream.end(deadline: soon())
                #expect(try text(stream) == "answer")
                #expect(server.outcome() == .success("question|"))
            } else {
                _ = shutdown(stream.descriptor, Int32(SHUT_WR))
                #expect(server.outcome() == .failure(.cut(peer: "the client")))
            }
        }
    }

    @Test func `who does not read is given up at the deadline`() throws {
        let files = try authority.issue("alpha")
        let isOver = Latch()
        let server = try TestServer { socket throws(TLSError) in
            let stream = try accept(socket, files)
            isOver.wait()
            return stream.peerName
        }
        let stream = try TLSStream.connect(
            to: server.address, files: authority.issue("beta"), expecting: ["alpha"],
            deadline: soon())
        let bytes = [UInt8](repeating: 7, count: 64 << 20)
        #expect(throws: TLSError.timedOut(peer: server.address, during: "take what is sent")) {
            unsafe try bytes.withUnsafeBytes {
                unsafe try stream.writeAll($0, deadline: soon(1))
            }
        }
        isOver.open()
        _ = server.outcome()
    }

    @Test func `nobody listens, or the address is none`() throws {
        let files = try authority.issue("alpha")
        let (descriptor, address) = try listenAnywhere()
        close(descriptor)
        func attempt(_ address: String) -> Int32? {
            do throws(TLSError) {
                _ = try TLSStream.connect(
                    to: address, files: files, expecting: ["beta"], deadline: soon())
            } catch { if case .system(let error) = error { return error.code } }
            return nil
        }
        #expect(attempt(address) == ECONNREFUSED)
        for wrong in ["", "127.0.0.1", "localhost:22000", "127.0.0.1:", ":1", "127.0.0.1:http"] {
            #expect(attempt(wrong) == EINVAL, "\(wrong)")
        }
    }

    @Test func `files that cannot be used are named`() throws {
        let good = try authority.issue("alpha")
        let other = try authority.issue("beta")
        let place = try TestPlace()
        func attempt(_ files: TLSFiles) -> TLSError? {
            do throws(TLSError) {
                _ = try TLSStream(
                    dup(0), isServer: false, address: "a", files: files, expecting: ["beta"])
            } catch { return error }
            return nil
        }
        #expect(attempt(good) == nil)
        #expect(
            attempt(
                TLSFiles(
                    authority: good.authority, certificate: good.certificate, key: other.key))
                == .keyMismatch(key: other.key, certificate: good.certificate))
        let missing = place.path + "/none"
        for files in [
            TLSFiles(authority: missing, certificate: good.certificate, key: good.key),
            TLSFiles(authority: good.authority, certificate: missing, key: good.key),
            TLSFiles(authority: good.authority, certificate: good.certificate, key: missing),
        ] {
            #expect(attempt(files)?.description.contains(missing) == true)
        }
        let garbage = place.path + "/garbage"
        try File.replace(garbage, with: Array("no PEM".utf8))
        for files in [
            TLSFiles(authority: garbage, certificate: good.certificate, key: good.key),
            TLSFiles(authority: good.authority, certificate: garbage, key: good.key),
            TLSFiles(authority: good.authority, certificate: good.certificate, key: garbage),
        ] {
            guard case .file(garbage, _, _) = attempt(files) else {
                Issue.record("\(files): \(String(describing: attempt(files)))")
                continue
            }
        }
        let open = place.path + "/open"
        try File.replace(open, with: try File(good.key, .read).read(count: 4096), mode: 0o644)
        #expect(
            attempt(
                TLSFiles(authority: good.authority, certificate: good.certificate, key: open))
                == .permissions(path: open, mode: 0o644))
    }

    @Test func `a key under a passphrase is refused, and nobody is asked for it`() throws {
        let good = try authority.issue("alpha")
        let place = try TestPlace()
        let locked = place.path + "/locked"
        let result = try Program.run(
            "/usr/bin/openssl",
            ["ec", "-in", good.key, "-aes256", "-passout", "pass:word", "-out", locked],
            secondsMax: 20)
        try #require(result.status == 0)
        #expect(throws: TLSError.self) {
            _ = try TLSStream(
                dup(0), isServer: false, address: "a",
                files: TLSFiles(
                    authority: good.authority, certificate: good.certificate, key: locked),
                expecting: ["beta"])
        }
    }

    @Test func `1 GiB beside a bare loopback socket`() throws {
        let total = 1 << 30
        let bytes = [UInt8](repeating: 7, count: 1 << 18)
        let files = try authority.issue("alpha")
        let bare = try TestServer { socket throws(TLSError) in
            "\(drainBare(socket))"
        }
        let socket = try TCPSocket.connect(bare.address, timeoutNanos: 60 * second)
        let bareStart = Clock.monotonicNanos()
        var left = total
        while left > 0 {
            let count = put(socket, left < bytes.count ? Array(bytes[..<left]) : bytes)
            if count > 0 {
                left -= count
            } else {
                _ = TCPSocket.wait(socket, Int16(POLLOUT), deadline: soon())
            }
        }
        close(socket)
        #expect(bare.outcome() == .success("\(total)"))
        let bareNanos = Clock.monotonicNanos() - bareStart

        let server = try TestServer { socket throws(TLSError) in
            let stream = try accept(socket, files)
            var room = [UInt8](repeating: 0, count: 1 << 18)
            var sum = 0
            while true {
                let count = try read(stream, &room)
                if count == 0 { return "\(sum)" }
                sum += count
            }
        }
        let stream = try TLSStream.connect(
            to: server.address, files: authority.issue("beta"), expecting: ["alpha"],
            deadline: soon())
        let start = Clock.monotonicNanos()
        for _ in 0..<(total / bytes.count) {
            unsafe try bytes.withUnsafeBytes { unsafe try stream.writeAll($0, deadline: soon()) }
        }
        try stream.end(deadline: soon())
        #expect(server.outcome() == .success("\(total)"))
        let nanos = Clock.monotonicNanos() - start
        print(
            "1 GiB on loopback: TLS 1.3 \(total / Int(nanos / 1000)) MB/s, "
                + "bare \(total / Int(bareNanos / 1000)) MB/s")
    }

    @Test func `all records that came are taken from the socket by one read`() throws {
        let (files, record) = (try authority.issue("alpha"), [UInt8](repeating: 7, count: 1_000))
        let records = 60
        let server = try TestServer { socket throws(TLSError) in
            let stream = try accept(socket, files)
            for _ in 0..<records {
                unsafe try withBytes(record) { bytes throws(TLSError) in
                    unsafe try stream.writeAll(bytes, deadline: soon())
                }
            }
            return try text(stream)
        }
        let stream = try TLSStream.connect(
            to: server.address, files: authority.issue("beta"), expecting: ["alpha"],
            deadline: soon())
        // A record has 22 bytes around what it holds (RFC 8446, 5.2).
        let total = records * (record.count + 22)
        eventually("all are in the socket") { waitingBytes(stream.descriptor) == total }
        var room = [UInt8](repeating: 0, count: 1)
        #expect(try read(stream, &room) == 1)
        #expect(waitingBytes(stream.descriptor) == 0)
        room = [UInt8](repeating: 0, count: 1 << 14)
        var count = 1
        while count < records * record.count { count += try read(stream, &room) }
        try send(stream, "all")
        #expect(server.outcome() == .success("all"))
    }
}

/// Bytes that can be read from a socket.
private func waitingBytes(_ socket: Int32) -> Int {
    var room = [UInt8](repeating: 0, count: 1 << 17)
    return max(0, unsafe recv(socket, &room, room.count, Int32(MSG_PEEK | MSG_DONTWAIT)))
}

private func read(_ stream: TLSStream, _ room: inout [UInt8]) throws(TLSError) -> Int {
    var error: TLSError?
    let count = unsafe room.withUnsafeMutableBytes { room in
        do throws(TLSError) {
            return unsafe try stream.read(into: room, deadline: soon())
        } catch let e {
            error = e
            return 0
        }
    }
    if let error { throw error }
    return count
}

private func put(_ socket: Int32, _ bytes: [UInt8]) -> Int {
    unsafe send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL))
}

private func drainBare(_ socket: Int32) -> Int {
    var room = [UInt8](repeating: 0, count: 1 << 18)
    var sum = 0
    while true {
        let count = unsafe Glibc.read(socket, &room, room.count)
        if count > 0 {
            sum += count
        } else if count == 0 || errno != EAGAIN {
            close(socket)
            return sum
        } else {
            _ = TCPSocket.wait(socket, Int16(POLLIN), deadline: soon())
        }
    }
}
