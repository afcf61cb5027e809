// The progress line of a long operation.

/// The progress of an operation as text. Pure: the caller provides the time.
package struct Progress: Sendable {
    /// The operation, as `Replaying`.
    package let title: String
    /// The unit that is counted, as `records`.
    package let unit: String

    /// The progress of this operation.
    package init(title: String, unit: String) { (self.title, self.unit) = (title, unit) }

    /// The line, at most `width` columns: title, bar, share, rate and time left. Without a known
    /// `total` (0) it shows the count instead of a bar.
    package func line(done: UInt64, total: UInt64, elapsedNanos: Int64, width: Int) -> String {
        let rate = Readable.rate(done, nanos: elapsedNanos)
        guard total > 0 else {
            return clip("\(title) \(Readable.count(done)) \(unit), \(rate)", width)
        }
        let done = min(done, total)
        let percent = Int(Int128(done) * 100 / Int128(total))
        let share = " \(pad(percent))%"
        var left = ""
        if done > 0, done < total {
            let nanos = Int128(elapsedNanos) * Int128(total - done) / Int128(done)
            // Whole seconds, rounded up: zero only when all is done.
            let seconds = (nanos + 999_999_999) / 1_000_000_000
            left = ", \(Readable.duration(nanos: seconds * 1_000_000_000)) left"
        }
        // On a narrow terminal the counts go first, then the time, then the bar.
        let counts = "  \(Readable.count(done)) \(unit), \(rate)"
        let tails = [share + counts + left, share + left, share]
        for tail in tails {
            let room = width - title.count - tail.count - 3
            guard room >= 8 else { continue }
            return "\(title) [\(bar(done: done, total: total, cells: min(room, 40)))]\(tail)"
        }
        return clip(title + share, width)
    }

    private func bar(done: UInt64, total: UInt64, cells: Int) -> String {
        let full = Int(Int128(done) * Int128(cells) / Int128(total))
        let head = full < cells ? ">" : ""
        let blank = cells - full - head.count
        return String(repeating: "=", count: full) + head + String(repeating: " ", count: blank)
    }

    private func pad(_ percent: Int) -> String {
        String(repeating: " ", count: 3 - "\(percent)".count) + "\(percent)"
    }

    private func clip(_ text: String, _ width: Int) -> String { String(text.prefix(max(0, width))) }
}
