// Sockets for the Link: addresses, listening, connecting, and who is at the other end.

import Glibc
import Platform
public import Terms

/// System calls on stream sockets.
enum LinkSocket {
    /// Sets what every socket of the Link has.
    static func prepare(_ descriptor: Int32) {
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        let flags = fcntl(descriptor, F_GETFL)
        _ = fcntl(descriptor, F_SETFL, flags | O_NONBLOCK)
    }

    /// Larger kernel buffers: fewer system calls when much is on the way.
    static func widen(_ descriptor: Int32) {
        set(descriptor, SOL_SOCKET, SO_SNDBUF, 1 << 20)
        set(descriptor, SOL_SOCKET, SO_RCVBUF, 1 << 20)
    }

    static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        _ = unsafe setsockopt(
            descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Waits until the socket can be read or written; false when `nanos` passed first.
    static func wait(_ descriptor: Int32, _ events: Int32, nanos: Int64) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        let millis = Int32(min(max(0, (nanos + 999_999) / 1_000_000), 1_000_000_000))
        return unsafe poll(&entry, 1, millis) > 0
    }

    /// Calls `body` with each address of a host and port until it gives a descriptor.
    static func resolve(
        _ host: String, _ port: UInt16, passive: Bool, _ body: (UnsafePointer<addrinfo>) -> Int32?
    ) -> Int32? {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0)
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, String(port), &hints, &list) == 0 else { return nil }
        defer { unsafe freeaddrinfo(list) }
        var next = unsafe list
        while let entry = unsafe next {
            if let descriptor = unsafe body(entry) { return descriptor }
            unsafe next = entry.pointee.ai_next
        }
        return nil
    }
}

/// A connection that was accepted.
public struct LinkNewcomer {
    /// Its socket, the receiver's to close.
    public var socket: Int32
    /// What the sessions of the gateway are called that proved its name; nil: sessions are not
    /// bound to a name.
    public var writer: Text40?
}

/// A socket that listens for Link connections.
public final class LinkListener: Sendable {
    /// The descriptor; it does not block.
    public let descriptor: Int32
    /// The key that a connection has to prove to know; nil where its user decides its role.
    public let key: LinkKey?
    /// Where it listens, for messages.
    public let address: String
    /// The TCP port; 0 for a Unix socket.
    public let port: UInt16
    private let path: String?
    /// Where `pass` writes the sockets that `accept` reads; nil: connections come from elsewhere.
    private let passing: Int32?

    private init(
        _ descriptor: Int32, key: LinkKey?, address: String, path: String?, passing: Int32? = nil
    ) {
        LinkSocket.prepare(descriptor)
        (self.descriptor, self.key, self.address, self.path) = (descriptor, key, address, path)
        self.passing = passing
        port = path == nil && passing == nil ? TCPSocket.port(of: descriptor) : 0
    }

    deinit {
        if let passing {
            while let passed = nextPassed() { close(passed.socket) }
            close(passing)
        }
        close(descriptor)
        if let path { unsafe unlink(path) }
    }

    /// Takes the sockets that this process passes to it: each is a gateway's, which has proved its
    /// name on its way here and gets no session of another name. `address` is where it came in, for
    /// people.
    public static func passed(address: String) throws(LinkError) -> LinkListener {
        var ends = [Int32](repeating: -1, count: 2)
        guard unsafe pipe(&ends) == 0 else { throw .system(.last("make", "a pipe")) }
        LinkSocket.prepare(ends[1])
        return LinkListener(ends[0], key: nil, address: address, path: nil, passing: ends[1])
    }

    /// Passes the connected socket of the gateway whose sessions are called `writer`. It belongs to
    /// the listener from then on; false, and it is still the caller's, where many wait already. Any
    /// thread.
    public func pass(_ socket: Int32, of writer: Text40) -> Bool {
        guard let passing else { return false }
        var passed = Passed(writer: writer, socket: socket)
        // Whole or not at all: it is shorter than PIPE_BUF, see pipe(7).
        return unsafe write(passing, &passed, MemoryLayout<Passed>.size) > 0
    }

    /// What goes through the pipe.
    private struct Passed: BitwiseCopyable {
        var writer = Text40()
        var socket: Int32 = -1
    }

    private func nextPassed() -> Passed? {
        var passed = Passed()
        let size = MemoryLayout<Passed>.size
        return unsafe read(descriptor, &passed, size) == size ? passed : nil
    }

    /// Listens on a Unix socket. A socket file that nobody listens on any more is replaced; one
    /// that somebody does is an error.
    public static func unix(_ path: String) throws(LinkError) -> LinkListener {
        let descriptor: Int32
        do throws(SystemError) {
            descriptor = try UnixSocket.listen(path, mode: 0o660, backlog: 64)
        } catch { throw .system(error) }
        return LinkListener(descriptor, key: nil, address: path, path: path)
    }

    /// Listens on TCP; each connection has to prove that it knows `key`.
    public static func tcp(
        host: String, port: UInt16, key: LinkKey
    ) throws(LinkError) -> LinkListener {
        var code = EADDRNOTAVAIL
        let descriptor = unsafe LinkSocket.resolve(host, port, passive: true) { entry in
            let info = unsafe entry.pointee
            let descriptor = unsafe socket(info.ai_family, info.ai_socktype, info.ai_protocol)
            guard descriptor >= 0 else { return nil }
            LinkSocket.set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
            guard unsafe bind(descriptor, info.ai_addr, info.ai_addrlen) == 0,
                listen(descriptor, 64) == 0
            else {
                code = errno
                close(descriptor)
                return nil
            }
            return descriptor
        }
        guard let descriptor else {
            throw .system(SystemError(code: code, operation: "listen on", path: "\(host):\(port)"))
        }
        return LinkListener(descriptor, key: key, address: "\(host):\(port)", path: nil)
    }

    /// The next connection that waits, or nil.
    public func accept() -> LinkNewcomer? {
        if passing != nil {
            guard let passed = nextPassed() else { return nil }
            LinkSocket.prepare(passed.socket)
            return LinkNewcomer(socket: passed.socket, writer: passed.writer)
        }
        let peer = Glibc.accept(descriptor, nil, nil)
        guard peer >= 0 else { return nil }
        LinkSocket.prepare(peer)
        LinkSocket.widen(peer)
        if path == nil {
            LinkSocket.set(peer, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
            LinkSocket.set(peer, SOL_SOCKET, SO_KEEPALIVE, 1)
        }
        return LinkNewcomer(socket: peer)
    }

    /// Whether a connection that was accepted here is of this process's user or root.
    public func isOwn(_ peer: Int32) -> Bool {
        guard path != nil, let credentials = try? PeerCredentials(socket: peer) else {
            return false
        }
        return LinkUsers.isOwner(credentials.userID, own: geteuid())
    }

    /// The role of a connection that was accepted here, or nil where it may not be: a gateway's,
    /// once it has proved that it knows the key, or as it was passed; else its user's, as the
    /// kernel says.
    public func role(of peer: Int32, _ users: LinkUsers) -> LinkRole? {
        if key != nil || passing != nil { return .gateway }
        guard path != nil, let credentials = try? PeerCredentials(socket: peer),
            let groups = try? PeerCredentials.groups(socket: peer)
        else { return nil }
        return users.role(
            user: credentials.userID, groups: groups + [credentials.groupID], own: geteuid())
    }
}
