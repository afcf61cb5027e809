// The signals that end a command: the one place where they are handled.

import Glibc
import Synchronization

/// What SIGINT, SIGTERM, SIGHUP and SIGQUIT do to a command: they end it, with a clean line, and
/// with nothing left half made where the command asks for that. One that the process was started to
/// ignore, as by nohup(1), stays ignored.
package enum EndingSignals {
    /// Whether a bar is drawn, which is erased first.
    private static let isLineDrawn = Atomic(false)
    /// Whether the first one is kept for the command to end by itself.
    private static let isHeld = Atomic(false)
    /// The one that was kept; 0: none.
    private static let kept = Atomic<Int32>(0)

    static var eraseLine: StaticString { "\r\u{1B}[2K" }

    /// From now on the line is erased first.
    static func eraseLineFirst() {
        guard !isLineDrawn.exchange(true, ordering: .relaxed) else { return }
        handle()
    }

    /// Runs `body`, which is to end soon, by throwing, once `isPending`; after that the process
    /// ends by the signal. A second signal ends it at once, whatever it leaves.
    package static func hold<Value, Failure: Error>(
        _ body: () throws(Failure) -> Value
    ) throws(Failure) -> Value {
        isHeld.store(true, ordering: .relaxed)
        handle()
        defer {
            isHeld.store(false, ordering: .relaxed)
            let number = kept.load(ordering: .relaxed)
            if number != 0 {
                signal(number, SIG_DFL)
                raise(number)
            }
        }
        return try body()
    }

    /// Whether a signal asks for the end.
    package static var isPending: Bool { kept.load(ordering: .relaxed) != 0 }

    private static func handle() {
        // The handler must not be the first to touch them.
        _ = (isLineDrawn.load(ordering: .relaxed), isHeld.load(ordering: .relaxed), isPending)
        for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
            let former = signal(number) { number in
                // Only what may be called in a signal handler, signal-safety(7).
                if EndingSignals.isLineDrawn.load(ordering: .relaxed) {
                    let text = EndingSignals.eraseLine
                    _ = unsafe write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
                }
                if EndingSignals.isHeld.load(ordering: .relaxed),
                    EndingSignals.kept.exchange(number, ordering: .relaxed) == 0
                {
                    return
                }
                signal(number, SIG_DFL)
                raise(number)
            }
            if unsafe unsafeBitCast(former, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self) {
                signal(number, SIG_IGN)
            }
        }
    }
}
