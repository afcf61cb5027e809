// Goal: connections of an address are ended from outside, by a reset, and no others.

import Glibc
import Platform
import Testing

/// How long what is due is waited for, ns.
private let patience: Int64 = 60_000_000_000

@Suite struct ConnectionsTests {
    /// Whether a reset has come.
    private static func isReset(_ descriptor: Int32) -> Bool {
        var byte: UInt8 = 0
        guard unsafe recv(descriptor, &byte, 1, Int32(MSG_DONTWAIT)) < 0 else { return false }
        return errno == ECONNRESET
    }

    /// A listener of one family, and one of both, as the gateway has one by default.
    @Test(arguments: [("0.0.0.0:0", "127.0.0.76"), ("[::]:0", "127.0.0.78")])
    func `what comes from the address is reset, nothing else is`(
        address: String, ended: String
    ) throws {
        let listener = try TCPSocket.listen(address, backlog: 64)
        defer { _ = close(listener) }
        var both = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let port = unsafe withUnsafeMutablePointer(to: &both) { both in
            unsafe both.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
                _ = unsafe getsockname(listener, name, &size)
            }
            return unsafe both.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { name in
                UInt16(bigEndian: unsafe name.pointee.sin_port)
            }
        }
        let clients = try [ended, "127.0.0.79"].flatMap { host in
            try (0..<20).map { _ in
                (host, try TCPSocket.connect("\(host):\(port)", timeoutNanos: patience))
            }
        }
        defer { for (_, client) in clients { _ = close(client) } }
        var accepted: [Int32] = []
        defer { for one in accepted { _ = close(one) } }
        while accepted.count < clients.count {
            let deadline = Clock.monotonicNanos() + patience
            guard TCPSocket.wait(listener, Int16(POLLIN), deadline: deadline) else { break }
            if let one = try TCPSocket.accept(listener) { accepted.append(one) }
        }
        #expect(accepted.count == clients.count)

        // The clients' own sockets are of another address.
        #expect(try Host.endConnections(from: ended, milliseconds: 60_000) == 20)
        for (host, client) in clients where host == ended {
            let deadline = Clock.monotonicNanos() + patience
            #expect(TCPSocket.wait(client, Int16(POLLIN), deadline: deadline))
            #expect(Self.isReset(client))
        }
        for (host, client) in clients where host != ended { #expect(!Self.isReset(client)) }
        #expect(try Host.endConnections(from: ended, milliseconds: 60_000) == 0)
        // The listener is none of them.
        let more = try TCPSocket.connect("\(ended):\(port)", timeoutNanos: patience)
        _ = close(more)
    }

    @Test func `an address is here or not, whatever sockets may be bound to`() throws {
        #expect(try Host.hasAddress("127.0.0.1"))
        #expect(try Host.hasAddress("::1"))
        // Of the loopback's network, so that a socket can be bound to it.
        #expect(try !Host.hasAddress("127.0.0.9"))
        #expect(try !Host.hasAddress("203.0.113.9"))
        #expect(try !Host.hasAddress("2001:db8::9"))
    }

    @Test func `what is no address is refused`() {
        #expect(throws: SystemError.self) {
            try Host.endConnections(from: "10.0.0.1/24", milliseconds: 1)
        }
    }
}
