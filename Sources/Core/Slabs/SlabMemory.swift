// Taking memory before it is used.

internal import CLinux
internal import Glibc

/// The pages of a slab, to be taken from the system ahead of their use. May be sent to another
/// thread; its owner ensures that the slab outlives it.
public struct SlabMemory: Sendable {
    let start: UInt
    /// Bytes, whole pages.
    public let bytes: Int

    init(start: UInt, bytes: Int) {
        self.start = start
        self.bytes = bytes
    }

    /// Takes all pages that are not there yet, and locks them if `locks`; contents are kept. One
    /// huge page at a time, calling `goesOn` before each; false when that or the system refuses.
    /// Linux 5.14 or later.
    public func take(locks: Bool = false, while goesOn: () -> Bool = { true }) -> Bool {
        let step = 2 << 20
        var done = 0
        while done < bytes {
            guard goesOn(), let place = unsafe UnsafeMutableRawPointer(bitPattern: start) else {
                return false
            }
            let count = min(step, bytes - done)
            if unsafe madvise(place + done, count, MADV_POPULATE_WRITE) != 0 { return false }
            if locks, unsafe mlock(place + done, count) != 0 { return false }
            done += count
        }
        return true
    }
}
