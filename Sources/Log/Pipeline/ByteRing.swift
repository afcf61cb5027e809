// Memory between two threads: whole entries, one after the other, read where they stand.

import Glibc
import Slabs

/// A ring of entries with one writer. Every entry is contiguous, aligned to 8, and begins with its
/// own length in 32 bits; where one does not fit before the end, a zero length stands in its place
/// and it goes to the start.
///
/// Positions count bytes since the beginning, passed-over ends included, and never wrap. The writer
/// may overwrite what lies more than `size` behind its position; the owner makes sure, with
/// cursors, that nobody reads there.
@safe final class ByteRing: @unchecked Sendable {
    // Unchecked: threads share the bytes; the cursors beside say who may touch which.
    private let slab: Slab<UInt64>
    private let base: UnsafeMutableRawPointer
    /// Bytes; a power of two.
    let size: Int
    /// What is published: readers may read below it.
    let head = Cursor()

    init(size: Int) {
        precondition(size >= 1 << 16 && size & (size - 1) == 0, "a ring's size is a power of two")
        slab = Slab(capacity: size / 8)
        unsafe base = slab.withSpan(0..<size / 8) {
            unsafe UnsafeMutableRawPointer(mutating: UnsafeRawPointer($0.baseAddress!))
        }
        self.size = size
    }

    /// Where an entry of `count` bytes goes that comes at `position`: there, or at the next start.
    @inline(__always) func place(_ position: UInt64, _ count: Int) -> UInt64 {
        let offset = Int(truncatingIfNeeded: position) & (size - 1)
        return offset + count <= size ? position : position &+ UInt64(size - offset)
    }

    /// Room for an entry of `count` bytes at `place(position, count)`; marks the end where it is
    /// passed over. The writer has made sure that nobody reads there.
    @inline(__always) func room(_ position: UInt64, _ count: Int) -> UnsafeMutableRawBufferPointer {
        let start = place(position, count)
        if start != position {
            unsafe base.storeBytes(
                of: 0, toByteOffset: Int(truncatingIfNeeded: position) & (size - 1),
                as: UInt64.self)
        }
        return unsafe UnsafeMutableRawBufferPointer(
            start: base + (Int(truncatingIfNeeded: start) & (size - 1)), count: count)
    }

    /// The entries from `position` to `end` that stand in one piece, and the position behind them.
    /// `end` is published; the piece is empty only where the two are equal.
    @inline(__always) func piece(
        _ position: UInt64, _ end: UInt64
    ) -> (bytes: UnsafeRawBufferPointer, start: UInt64) {
        var start = position
        var offset = Int(truncatingIfNeeded: start) & (size - 1)
        if start < end, unsafe base.load(fromByteOffset: offset, as: UInt32.self) == 0 {
            start &+= UInt64(size - offset)
            offset = 0
        }
        let count = min(Int(end &- start), size - offset)
        return unsafe (UnsafeRawBufferPointer(start: base + offset, count: count), start)
    }
}
