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
        if drawn == begin { EndingSignals.eraseLineFirst() }
        drawn = now
        let width = Terminal.width(STDERR_FILENO)
        let line = progress.line(done: done, total: total, elapsedNanos: now - begin, width: width)
        Terminal.write("\(EndingSignals.eraseLine)\(line)", to: STDERR_FILENO)
    }

    /// Removes the bar.
    package mutating func clear() {
        if drawn > begin { Terminal.write("\(EndingSignals.eraseLine)", to: STDERR_FILENO) }
        drawn = begin
    }
}
