// A question and its answer over a Unix socket: for tools and for what is asked now and then.

public import Glibc

/// Unix sockets, from the side of one who asks.
public enum UnixSocket {
    /// Connects to `path`, sends `question`, and gives all that comes until `isWhole` says so or
    /// the other side closes.
    ///
    /// Throws where nobody listens (ENOENT, ECONNREFUSED), where it takes longer than
    /// `timeoutNanos` (ETIMEDOUT), and where more than `bytesMax` bytes come (EMSGSIZE).
    public static func ask(
        _ path: String, _ question: [UInt8], bytesMax: Int, timeoutNanos: Int64,
        isWhole: ([UInt8]) -> Bool = { _ in false }
    ) throws(SystemError) -> [UInt8] {
        let deadline = Clock.monotonicNanos() + timeoutNanos
        let descriptor = try connected(path)
        defer { _ = close(descriptor) }
        func wait(_ events: Int32) throws(SystemError) {
            let left = deadline - Clock.monotonicNanos()
            var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
            let millis = Int32(clamping: left / 1_000_000 + 1)
            guard left > 0, unsafe poll(&entry, 1, millis) > 0 else {
                throw SystemError(code: ETIMEDOUT, operation: "wait for", path: path)
            }
        }
        var rest = question[...]
        while !rest.isEmpty {
            try wait(POLLOUT)
            let count = unsafe rest.withUnsafeBytes {
                unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else { throw .last("write to", path) }
            rest = rest.dropFirst(count)
        }
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while !isWhole(answer) {
            try wait(POLLIN)
            let count = unsafe recv(descriptor, &chunk, chunk.count, 0)
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count >= 0 else { throw .last("read from", path) }
            if count == 0 { break }
            answer += chunk[..<count]
            guard answer.count <= bytesMax else {
                throw SystemError(code: EMSGSIZE, operation: "read from", path: path)
            }
        }
        return answer
    }

    /// Calls `body` with the address of a Unix socket at `path`: its result, or -1 with errno.
    ///
    /// An address holds 107 bytes (unix(7)); a longer path goes by a descriptor of its directory.
    public static func withAddress(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var short = path
        var directory: Int32 = -1
        defer { if directory >= 0 { _ = close(directory) } }
        if path.utf8.count > 107, let slash = path.lastIndex(of: "/") {
            directory = unsafe open(String(path[..<slash]), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            if directory < 0 { return -1 }
            short = "/proc/self/fd/\(directory)\(path[slash...])"
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(short.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            errno = ENAMETOOLONG
            return -1
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        return unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func connected(_ path: String) throws(SystemError) -> Int32 {
        // Connecting to a Unix socket waits only for room in the listener's queue; it fails at once
        // where the descriptor may not wait.
        let kind =
            Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { throw .last("make a socket for", path) }
        guard unsafe withAddress(path, { unsafe connect(descriptor, $0, $1) }) == 0 else {
            let code = errno
            _ = close(descriptor)
            throw SystemError(code: code, operation: "connect to", path: path)
        }
        return descriptor
    }
}
