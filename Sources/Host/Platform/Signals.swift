// Signals as something to read, not as an interruption.

internal import CLinux
internal import Glibc

/// A signal that a daemon acts on.
public enum Signal: Int32, Hashable, Sendable {
    /// SIGHUP: read the configuration again.
    case hangUp = 1
    /// SIGINT: Ctrl-C.
    case interrupt = 2
    /// SIGTERM: stop cleanly.
    case terminate = 15
}

/// Signals taken out of the process and given to whoever asks.
public final class Signals: Sendable {
    /// Readable when a signal waits; for `Poller`.
    public let descriptor: Int32

    /// Takes these signals. Make it first thing in `main`, before any thread, as threads inherit
    /// what is blocked. Also ignores SIGPIPE: a peer that is gone is an error of `write`.
    public init(_ signals: [Signal] = [.interrupt, .terminate]) throws(SystemError) {
        let set = signals.reduce(into: UInt64(0)) { $0 |= 1 << UInt64($1.rawValue) }
        descriptor = try checked(bourse_signalfd(set), "take", "signals")
        _ = signal(SIGPIPE, SIG_IGN)
    }

    deinit { _ = close(descriptor) }

    /// The next signal that waits, or nil.
    public func next() -> Signal? { Signal(rawValue: bourse_signalfd_read(descriptor)) }

    /// Waits for a signal, at most `milliseconds` (negative: for ever).
    public func wait(milliseconds: Int32 = -1) -> Signal? {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        _ = unsafe poll(&entry, 1, milliseconds)
        return next()
    }
}
