// Signals as something to read, not as an interruption.

internal import CLinux
internal import Glibc

/// A signal that a daemon takes, so that it does not end the process.
///
/// Those that are not here stop or end it as ever: faults, SIGKILL, SIGSTOP, and SIGQUIT and
/// SIGABRT, which ask for a core dump. A service manager counts none of them as a good end.
public enum Signal: Int32, Hashable, Sendable, CaseIterable {
    /// SIGHUP: the terminal is gone, or somebody asks to read the configuration again.
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

    /// Whether a daemon stops at it, with all that a clean stop does.
    public var isStop: Bool { self == .interrupt || self == .terminate }

    /// What there is to say of one that is skipped.
    var note: String {
        self == .hangUp
            ? "got signal hangUp: the configuration is read at the start alone; restart to read it"
            : "got signal \(self), which means nothing here"
    }
}

/// Signals taken out of the process and given to whoever asks.
public final class Signals: Sendable {
    /// Readable when a signal waits; for `Poller`.
    public let descriptor: Int32
    private let note: @Sendable (String) -> Void

    /// Takes all of `Signal`. Make it first thing in `main`, before any thread, as threads inherit
    /// what is blocked. `note` is given a line for the log about each that does not stop a daemon.
    ///
    /// Also ignores SIGPIPE and SIGXFSZ, for a peer that is gone and a file that may not grow are
    /// errors of `write`, and the real-time signals; and has SIGQUIT and SIGABRT end the process.
    public init(note: @escaping @Sendable (String) -> Void) throws(SystemError) {
        let set = Signal.allCases.reduce(into: UInt64(0)) { $0 |= 1 << UInt64($1.rawValue) }
        descriptor = try checked(bourse_signalfd(set), "take", "signals")
        self.note = note
        for number in [SIGPIPE, SIGXFSZ]
            + Array(__libc_current_sigrtmin()...__libc_current_sigrtmax())
        {
            _ = signal(number, SIG_IGN)
        }
        // Swift's runtime would print a backtrace and go on: a watchdog's SIGABRT is to end it.
        for number in [SIGQUIT, SIGABRT] { _ = signal(number, SIG_DFL) }
    }

    deinit { _ = close(descriptor) }

    /// The next signal at which a daemon stops, or nil; others that wait are skipped.
    public func next() -> Signal? {
        while let signal = Signal(rawValue: bourse_signalfd_read(descriptor)) {
            if signal.isStop { return signal }
            note(signal.note)
        }
        return nil
    }

    /// Waits for a signal, at most `milliseconds` (negative: for ever). Nil when the time is up, or
    /// when only such came as are skipped.
    public func wait(milliseconds: Int32 = -1) -> Signal? {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let result = unsafe poll(&entry, 1, milliseconds)
        precondition(result >= 0 || errno == EINTR, "signals can be waited for")
        return next()
    }
}
