// A progress bar on standard error.

import Glibc
import Platform

/// A progress bar on standard error, where that is a terminal that can draw over a line.
package struct ProgressMeter {
    private let progress: Progress
    private let isShown =
        Terminal.isTerminal(STDERR_FILENO) && Terminal.environment("TERM") != "dumb"
    private let begin = Clock.monotonicNanos()
    private var drawn: Int64

    private static var eraseLine: StaticString { "\r\u{1B}[2K" }

    /// A meter of a piece of work.
    package init(_ title: String, unit: String) {
        progress = Progress(title: title, unit: unit)
        // Work that is over sooner than a tenth of a second shows none.
        drawn = begin
    }

    /// Nanoseconds since the work began.
    package var elapsedNanos: Int64 { Clock.monotonicNanos() - begin }

    /// Draws how far the work is, at most ten times a second.
    package mutating func draw(done: UInt64, total: UInt64) {
        let now = Clock.monotonicNanos()
        guard isShown, now - drawn > 100_000_000 else { return }
        if drawn == begin { Self.clearWhenInterrupted() }
        drawn = now
        let width = Terminal.width(STDERR_FILENO)
        let line = progress.line(done: done, total: total, elapsedNanos: now - begin, width: width)
        Terminal.write("\(Self.eraseLine)\(line)", to: STDERR_FILENO)
    }

    /// Takes the bar away.
    package mutating func clear() {
        if drawn > begin { Terminal.write("\(Self.eraseLine)", to: STDERR_FILENO) }
        drawn = begin
    }

    /// Whoever interrupts the work gets a clean line to go on with; the process still ends by the
    /// signal.
    private static func clearWhenInterrupted() {
        for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
            signal(number) { number in
                // Only what may be called in a signal handler, signal-safety(7).
                let text = ProgressMeter.eraseLine
                _ = unsafe Glibc.write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
                signal(number, SIG_DFL)
                raise(number)
            }
        }
    }
}
