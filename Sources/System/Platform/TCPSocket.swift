// Stream sockets between hosts: tcp(7).

internal import Glibc

/// TCP sockets, by numeric addresses: whom a host reaches must not depend on a name server, whose
/// answer no deadline bounds.
public enum TCPSocket {
    /// Connects to `address`, as `10.0.0.2:7001` or `[fd00::2]:7001`, within `timeoutNanos`; gives
    /// a descriptor that does not block and sends at once (TCP_NODELAY).
    ///
    /// Throws EINVAL for what is no numeric address with a port, ECONNREFUSED where nobody listens,
    /// ETIMEDOUT.
    public static func connect(
        _ address: String, timeoutNanos: Int64
    ) throws(SystemError) -> Int32 {
        let deadline = Clock.monotonicNanos() + timeoutNanos
        return unsafe try make(address, "connect to") { descriptor, info throws(SystemError) in
            sendAtOnce(descriptor)
            if unsafe Glibc.connect(descriptor, info.ai_addr, info.ai_addrlen) == 0 { return }
            guard errno == EINPROGRESS || errno == EINTR else { throw .last("connect to", address) }
            guard wait(descriptor, Int16(POLLOUT), deadline: deadline) else {
                throw SystemError(code: ETIMEDOUT, operation: "connect to", path: address)
            }
            var code: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0 else {
                throw .last("connect to", address)
            }
            guard code == 0 else {
                throw SystemError(code: code, operation: "connect to", path: address)
            }
        }
    }

    /// Listens at `address`; gives a descriptor that does not block. Throws EADDRINUSE,
    /// EADDRNOTAVAIL, EINVAL.
    public static func listen(_ address: String, backlog: Int32) throws(SystemError) -> Int32 {
        unsafe try make(address, "listen on") { descriptor, info throws(SystemError) in
            var yes: Int32 = 1
            let size = socklen_t(MemoryLayout<Int32>.size)
            guard unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, size) == 0,
                unsafe bind(descriptor, info.ai_addr, info.ai_addrlen) == 0,
                Glibc.listen(descriptor, backlog) == 0
            else { throw .last("listen on", address) }
        }
    }

    /// Takes a connection that waits, as `connect` gives it; nil where none does. Throws EMFILE and
    /// what else is not the newcomer's fault.
    public static func accept(_ listener: Int32) throws(SystemError) -> Int32? {
        while true {
            let descriptor = Glibc.accept(listener, nil, nil)
            if descriptor >= 0 {
                _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
                _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
                sendAtOnce(descriptor)
                return descriptor
            }
            switch errno {
            case EINTR, ECONNABORTED, EPROTO: continue
            case EAGAIN: return nil
            default: throw .last("accept a connection")
            }
        }
    }

    /// Ends a connection whose peer is gone without a word, or takes nothing: after `seconds`
    /// without an acknowledged byte or an answered probe. See tcp(7), TCP_USER_TIMEOUT.
    public static func limitSilence(_ descriptor: Int32, seconds: Int32) {
        func set(_ level: Int32, _ option: Int32, _ value: Int32) {
            var value = value
            let size = socklen_t(MemoryLayout<Int32>.size)
            _ = unsafe setsockopt(descriptor, level, option, &value, size)
        }
        set(SOL_SOCKET, SO_KEEPALIVE, 1)
        set(Int32(IPPROTO_TCP), TCP_KEEPIDLE, max(1, seconds / 3))
        set(Int32(IPPROTO_TCP), TCP_KEEPINTVL, max(1, seconds / 3))
        set(Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, seconds * 1000)
    }

    /// The port that a socket is bound to; 0 where it is none.
    public static func port(of descriptor: Int32) -> UInt16 {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let got = unsafe withUnsafeMutablePointer(to: &storage) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(descriptor, $0, &size)
            }
        }
        guard got == 0 else { return 0 }
        // Both families have the port in bytes 2 and 3, in network order (RFC 3493).
        return unsafe withUnsafeBytes(of: &storage) {
            unsafe UInt16(bigEndian: $0.load(fromByteOffset: 2, as: UInt16.self))
        }
    }

    /// The address of the peer of a connected socket, numeric, without its port; empty where there
    /// is none any more.
    public static func peer(of descriptor: Int32) -> String {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let code = unsafe withUnsafeMutablePointer(to: &storage) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard unsafe getpeername(descriptor, address, &size) == 0 else { return EAI_FAIL }
                return unsafe getnameinfo(
                    address, size, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST)
            }
        }
        guard code == 0 else { return "" }
        return String(
            decoding: host.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Waits until a descriptor is ready for some of the events of poll(2), or failed; false when
    /// the deadline, by the monotonic clock, came first.
    public static func wait(_ descriptor: Int32, _ events: Int16, deadline: Int64) -> Bool {
        while true {
            let left = deadline - Clock.monotonicNanos()
            var entry = pollfd(fd: descriptor, events: events, revents: 0)
            let millis = Int32(clamping: max(0, left + 999_999) / 1_000_000)
            let count = unsafe poll(&entry, 1, millis)
            if count > 0 { return true }
            if left <= 0 { return false }
        }
    }

    private static func sendAtOnce(_ descriptor: Int32) {
        var yes: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        _ = unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, size)
    }

    /// Makes a socket for `address` and hands it to `body`; closes it where that throws.
    private static func make(
        _ address: String, _ operation: String,
        _ body: (Int32, addrinfo) throws(SystemError) -> Void
    ) throws(SystemError) -> Int32 {
        let invalid = SystemError(code: EINVAL, operation: operation, path: address)
        guard let colon = address.lastIndex(of: ":") else { throw invalid }
        var host = String(address[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let port = String(address[address.index(after: colon)...])
        guard !host.isEmpty, !port.isEmpty,
            unsafe getaddrinfo(host, port, &hints, &found) == 0, let info = unsafe found
        else { throw invalid }
        defer { unsafe freeaddrinfo(info) }
        let descriptor = unsafe socket(
            info.pointee.ai_family,
            Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
                | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .last("make a socket for", address) }
        do throws(SystemError) { try unsafe body(descriptor, info.pointee) } catch {
            _ = close(descriptor)
            throw error
        }
        return descriptor
    }
}
