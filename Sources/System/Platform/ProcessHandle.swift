// A process that cannot be mistaken for a later one of its number: pidfd_open(2).

internal import CLinux
internal import Glibc

/// A process of this host. Any thread may use it.
public final class ProcessHandle: Sendable {
    private let descriptor: Int32
    /// Its number.
    public let number: Int32

    /// The process that listens where this Unix socket is connected to; throws ESRCH where it has
    /// closed the connection or is gone.
    public init(peerOf socket: Int32) throws(SystemError) {
        var process: Int32 = 0
        descriptor = try checked(
            unsafe bourse_peer_process(socket, &process), "watch", "the peer of a socket")
        number = process
    }

    deinit { _ = close(descriptor) }

    /// Whether it has ended, all its threads with it: it does nothing any more.
    public var hasEnded: Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return retryingInterrupts { unsafe poll(&entry, 1, 0) } > 0
    }
}
