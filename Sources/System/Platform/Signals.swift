// Signals as input, not as interruptions.

internal import CLinux
internal import Glibc

/// A signal that a daemon handles, so that it does not end the process.
///
/// All others keep their default effect: faults, SIGKILL, SIGSTOP, and SIGQUIT and SIGABRT, which
/// dump core. A service manager counts none of them as a clean exit.
public enum Signal: Int32, Hashable, Sendable, CaseIterable {
    /// SIGHUP: the terminal is gone, or a request to reload the configuration.
    case hangUp = 1
    /// SIGINT: Ctrl-C.
    case interrupt = 2
    /// SIGUSR1
    case user1 = 10
    /// SIGUSR2
    case user2 = 12
    /// SIGALRM
    case alarm = 14
    /// SIGTERM: stop cleanly.
    case terminate = 15
    /// SIGSTKFLT
    case stackFault = 16
    /// SIGVTALRM
    case virtualAlarm = 26
    /// SIGPROF
    case profile = 27
    /// SIGIO
    case io = 29
    /// SIGPWR
    case power = 30

    /// Whether a daemon stops cleanly at it.
    public var isStop: Bool { self == .interrupt || self == .terminate }

    /// The log line for an ignored one.
    var note: String {
        self == .hangUp
            ? "got signal hangUp: the configuration is read only at the start; restart to reload it"
            : "got signal \(self), which is ignored"
    }
}

/// Signals of the process, as a queue.
public final class Signals: Sendable {
    /// Readable when a signal waits; for `Poller`.
    public let descriptor: Int32
    private let note: @Sendable (String) -> Void

    /// Blocks and receives all of `Signal`. Make it first in `main`, before any thread, as threads
    /// inherit blocked signals. `note` gets a log line about each that does not stop a daemon.
    ///
    /// Also ignores the real-time signals, SIGPIPE and SIGXFSZ: a closed peer and a file that may
    /// not grow are errors of `write`. SIGQUIT and SIGABRT end the process.
    public init(note: @escaping @Sendable (String) -> Void) throws(SystemError) {
        let set = Signal.allCases.reduce(into: UInt64(0)) { $0 |= 1 << UInt64($1.rawValue) }
        descriptor = try checked(bourse_signalfd(set), "take", "signals")
        self.note = note
        for number in [SIGPIPE, SIGXFSZ]
            + Array(__libc_current_sigrtmin()...__libc_current_sigrtmax())
        {
            _ = signal(number, SIG_IGN)
        }
        // Swift's runtime would print a backtrace and continue: a watchdog's SIGABRT must end it.
        for number in [SIGQUIT, SIGABRT] { _ = signal(number, SIG_DFL) }
    }

    deinit { _ = close(descriptor) }

    /// The next pending signal at which a daemon stops, or nil; others are skipped, but for SIGHUP
    /// where there is `onHangUp`, which is called.
    public func next(onHangUp: (() -> Void)? = nil) -> Signal? {
        while let signal = Signal(rawValue: bourse_signalfd_read(descriptor)) {
            if signal.isStop { return signal }
            if signal == .hangUp, let onHangUp { onHangUp() } else { note(signal.note) }
        }
        return nil
    }

    /// Waits for a signal, at most `milliseconds` (negative: for ever). Nil after that time, or if
    /// only ignored signals came.
    public func wait(milliseconds: Int32 = -1, onHangUp: (() -> Void)? = nil) -> Signal? {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let result = unsafe poll(&entry, 1, milliseconds)
        precondition(result >= 0 || errno == EINTR, "signals can be waited for")
        return next(onHangUp: onHangUp)
    }
}
