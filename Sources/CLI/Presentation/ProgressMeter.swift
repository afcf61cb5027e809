// A progress bar on standard error.

import Glibc
import Platform

/// A progress bar on standard error, where that is a terminal that can redraw a line.
package struct ProgressMeter {
    private let progress: Progress
    private let isShown =
        Terminal.isTerminal(STDERR_FILENO) && Terminal.environment("TERM") != "dumb"
    private let begin = Clock.monotonicNanos()
    private var drawn: Int64

    private static var eraseLine: StaticString { "\r\u{1B}[2K" }

    /// A meter of an operation.
    package init(_ title: String, unit: String) {
        progress = Progress(title: title, unit: unit)
        // An operation shorter than a tenth of a second shows no bar.
        drawn = begin
    }

    /// Nanoseconds since the operation began.
    package var elapsedNanos: Int64 { Clock.monotonicNanos() - begin }

    /// Draws the progress, at most ten times per second.
    package mutating func draw(done: UInt64, total: UInt64) {
        let now = Clock.monotonicNanos()
        guard isShown, now - drawn > 100_000_000 else { return }
        if drawn == begin { Self.clearWhenInterrupted() }
        drawn = now
        let width = Terminal.width(STDERR_FILENO)
        let line = progress.line(done: done, total: total, elapsedNanos: now - begin, width: width)
        Terminal.write("\(Self.eraseLine)\(line)", to: STDERR_FILENO)
    }

    /// Removes the bar.
    package mutating func clear() {
        if drawn > begin { Terminal.write("\(Self.eraseLine)", to: STDERR_FILENO) }
        drawn = begin
    }

    /// Clears the line when a signal ends the process.
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
