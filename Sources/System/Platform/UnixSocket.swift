// Stream sockets with a path: AF_UNIX, unix(7).

internal import Glibc

/// Unix sockets.
public enum UnixSocket {
    /// Connects to `path`; returns a non-blocking descriptor.
    ///
    /// If the listener's queue is full it waits if `waits`, else throws EAGAIN. Throws if nobody
    /// listens (ENOENT, ECONNREFUSED).
    public static func connect(_ path: String, waits: Bool = false) throws(SystemError) -> Int32 {
        let descriptor = try make(path)
        do throws(SystemError) {
            if !waits { try stopBlocking(descriptor, path) }
            try unsafe withAddress(path, "connect to") { address, size in
                retryingInterrupts { unsafe Glibc.connect(descriptor, address, size) }
            }
            if waits { try stopBlocking(descriptor, path) }
        } catch {
            _ = close(descriptor)
            throw error
        }
        return descriptor
    }

    /// Listens at `path`, with the permission bits `mode`; returns a non-blocking descriptor. A
    /// stale socket is replaced; if somebody listens it throws EADDRINUSE.
    public static func listen(
        _ path: String, mode: UInt32, backlog: Int32
    ) throws(SystemError) -> Int32 {
        var isTaken = true
        do throws(SystemError) { _ = close(try connect(path)) } catch {
            isTaken = error.isWouldBlock
        }
        if isTaken { throw SystemError(code: EADDRINUSE, operation: "listen on", path: path) }
        _ = unsafe unlink(path)
        let descriptor = try make(path)
        do throws(SystemError) {
            try stopBlocking(descriptor, path)
            try unsafe withAddress(path, "listen on") { unsafe bind(descriptor, $0, $1) }
            guard unsafe chmod(path, mode) == 0, Glibc.listen(descriptor, backlog) == 0 else {
                throw .last("listen on", path)
            }
        } catch {
            _ = close(descriptor)
            throw error
        }
        return descriptor
    }

    /// Connects to `path`, sends `question`, and returns the bytes received until `isWhole` is true
    /// or the peer closes.
    ///
    /// Throws if nobody listens (ENOENT, ECONNREFUSED), after `timeoutNanos` (ETIMEDOUT), and for
    /// more than `bytesMax` bytes (EMSGSIZE).
    public static func ask(
        _ path: String, _ question: [UInt8], bytesMax: Int, timeoutNanos: Int64,
        isWhole: ([UInt8]) -> Bool = { _ in false }
    ) throws(SystemError) -> [UInt8] {
        let deadline = Clock.monotonicNanos() + timeoutNanos
        let descriptor = try connect(path)
        defer { _ = close(descriptor) }
        func wait(_ events: Int32) throws(SystemError) {
            let left = deadline - Clock.monotonicNanos()
            var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
            let millis = Int32(clamping: left / 1_000_000 + 1)
            guard left > 0, retryingInterrupts({ unsafe poll(&entry, 1, millis) }) > 0 else {
                throw SystemError(code: ETIMEDOUT, operation: "wait for", path: path)
            }
        }
        var rest = question[...]
        while !rest.isEmpty {
            try wait(POLLOUT)
            let count = unsafe rest.withUnsafeBytes { bytes in
                retryingInterrupts {
                    unsafe send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
                }
            }
            if count < 0, errno == EAGAIN { continue }
            guard count > 0 else { throw .last("write to", path) }
            rest = rest.dropFirst(count)
        }
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while !isWhole(answer) {
            try wait(POLLIN)
            let count = retryingInterrupts { unsafe recv(descriptor, &chunk, chunk.count, 0) }
            if count < 0, errno == EAGAIN { continue }
            guard count >= 0 else { throw .last("read from", path) }
            if count == 0 { break }
            answer += chunk[..<count]
            guard answer.count <= bytesMax else {
                throw SystemError(code: EMSGSIZE, operation: "read from", path: path)
            }
        }
        return answer
    }

    private static func make(_ path: String) throws(SystemError) -> Int32 {
        let descriptor = socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .last("make a socket for", path) }
        return descriptor
    }

    private static func stopBlocking(_ descriptor: Int32, _ path: String) throws(SystemError) {
        guard fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) == 0 else {
            throw .last("set up the socket for", path)
        }
    }

    /// Calls `body` with the address of the socket at `path`. An address has room for 107 bytes;
    /// longer paths use a descriptor of their directory.
    private static func withAddress(
        _ path: String, _ operation: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(SystemError) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        var short = path
        var directory: Int32 = -1
        defer { if directory >= 0 { _ = close(directory) } }
        if path.utf8.count >= room, let slash = path.lastIndex(of: "/") {
            directory = unsafe open(String(path[...slash]), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard directory >= 0 else { throw .last(operation, path) }
            short = "/proc/self/fd/\(directory)\(path[slash...])"
        }
        guard short.utf8.count < room else {
            throw SystemError(code: ENAMETOOLONG, operation: operation, path: path)
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) {
            unsafe $0.copyBytes(from: short.utf8)
        }
        let result = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw .last(operation, path) }
    }
}
