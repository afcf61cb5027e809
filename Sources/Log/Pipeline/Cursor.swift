// Counters that one thread writes and others read.

import Synchronization

/// A counter on cache lines of its own, so that its writer does not slow other counters.
///
/// One thread advances it; any may read it. What was written to memory before `advance` is seen by
/// whoever reads the new value.
final class Cursor: Sendable {
    // Two lines before and after: processors fetch lines in pairs.
    private let before: (Line, Line) = (Line(), Line())
    private let value = Atomic<UInt64>(0)
    private let after: (Line, Line) = (Line(), Line())

    struct Line: Sendable {
        let words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) =
            (0, 0, 0, 0, 0, 0, 0, 0)
    }

    init(_ start: UInt64 = 0) { value.store(start, ordering: .releasing) }

    /// The value, and all that was written before it.
    @inline(__always) var now: UInt64 { value.load(ordering: .acquiring) }

    /// Sets the value. By its one writer only.
    @inline(__always) func advance(to next: UInt64) { value.store(next, ordering: .releasing) }
}
