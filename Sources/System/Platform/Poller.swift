// Waiting for many descriptors: epoll(7), level-triggered.

internal import CLinux
internal import Glibc

/// A set of descriptors and their awaited events. One thread uses it.
public final class Poller: Sendable {
    /// Awaited or reported events.
    public struct Interest: OptionSet, Sendable {
        /// The kernel's bits.
        public let rawValue: UInt32
        /// The kernel's bits.
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        /// Readable, or at the end (EPOLLIN).
        public static let readable = Interest(rawValue: 0x1)
        /// Writable (EPOLLOUT).
        public static let writable = Interest(rawValue: 0x4)
        /// An error (EPOLLERR); always reported.
        public static let failed = Interest(rawValue: 0x8)
        /// The peer closed (EPOLLHUP); always reported.
        public static let closed = Interest(rawValue: 0x10)
    }

    private let descriptor: Int32

    /// An empty set.
    public init() throws(SystemError) {
        descriptor = try checked(bourse_epoll_create(), "make", "epoll")
    }

    deinit { _ = close(descriptor) }

    /// Adds a descriptor; `token` comes back with its events.
    public func add(_ fd: Int32, _ interest: Interest, token: UInt64) throws(SystemError) {
        _ = try checked(
            bourse_epoll_control(descriptor, 1, fd, interest.rawValue, token), "wait for",
            "descriptor \(fd)")
    }

    /// Changes the awaited events of a descriptor.
    public func change(_ fd: Int32, _ interest: Interest, token: UInt64) throws(SystemError) {
        _ = try checked(
            bourse_epoll_control(descriptor, 3, fd, interest.rawValue, token), "wait for",
            "descriptor \(fd)")
    }

    /// Removes a descriptor; call it before closing it.
    public func remove(_ fd: Int32) { _ = bourse_epoll_control(descriptor, 2, fd, 0, 0) }

    /// Waits until something is ready, at most `milliseconds` (negative: for ever, 0: not at all),
    /// and calls `body` for each, at most 64; returns their number. A signal ends the wait with 0.
    public func wait(
        milliseconds: Int32, _ body: (UInt64, Interest) -> Void
    ) throws(SystemError) -> Int {
        var tokens = [64 of UInt64](repeating: 0)
        var events = [64 of UInt32](repeating: 0)
        var tokenSpan = tokens.mutableSpan
        var eventSpan = events.mutableSpan
        let result = unsafe tokenSpan.withUnsafeMutableBufferPointer { t in
            unsafe eventSpan.withUnsafeMutableBufferPointer { e in
                unsafe bourse_epoll_wait(
                    descriptor, t.baseAddress!, e.baseAddress!, 64, milliseconds)
            }
        }
        let count = Int(try checked(result, "wait for", "epoll"))
        for i in 0..<count { body(tokenSpan[i], Interest(rawValue: eventSpan[i])) }
        return count
    }
}

/// The peer of a Unix socket, from the kernel.
public struct PeerCredentials: Hashable, Sendable {
    /// The process that connected.
    public let processID: Int32
    /// Its effective user at that time.
    public let userID: UInt32
    /// Its effective group at that time.
    public let groupID: UInt32

    /// The peer of a connected Unix socket.
    public init(socket: Int32) throws(SystemError) {
        var (pid, uid, gid): (Int32, UInt32, UInt32) = (0, 0, 0)
        let result = unsafe bourse_peer_credentials(socket, &pid, &uid, &gid)
        _ = try checked(result, "ask for the peer of", "socket \(socket)")
        (processID, userID, groupID) = (pid, uid, gid)
    }

    /// The supplementary groups of the peer of a connected Unix socket, at that time.
    public static func groups(socket: Int32) throws(SystemError) -> [UInt32] {
        var groups: [UInt32] = []
        while true {
            let result = unsafe bourse_peer_groups(socket, &groups, Int32(groups.count))
            let count = Int(try checked(result, "ask for the peer's groups of", "socket \(socket)"))
            if count <= groups.count { return Array(groups.prefix(count)) }
            groups = Array(repeating: 0, count: count)
        }
    }
}
