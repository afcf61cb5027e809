// Memory that is reserved at start.

public import CLinux
internal import Glibc

/// A fixed number of plain values in address space of its own, zeroed, bounds-checked.
///
/// Pages are taken from the system at the first touch, in huge pages if the kernel has them (a TLB
/// miss costs more than the load itself on virtual machines), or before by taking `memory`: the
/// first touch of a huge page takes up to milliseconds. Not for few or short-lived values: each
/// slab is a mapping. All operations are O(1).
@safe public struct Slab<Element: BitwiseCopyable>: ~Copyable {
    @usableFromInline let base: UnsafeMutablePointer<Element>
    /// The number of elements.
    public let capacity: Int
    let bytes: Int
    /// The part worth taking ahead of time.
    public let memory: SlabMemory

    /// Reserves `capacity` zeroed elements. Stops the process when the address space is exhausted.
    /// If fewer are `dense`, those after them are rarely used: they get small pages, which are
    /// taken quickly.
    public init(capacity: Int, dense: Int = .max) {
        precondition(capacity > 0, "a slab holds at least one element")
        let hugePage = 2 << 20
        let need = capacity * MemoryLayout<Element>.stride
        // Huge pages only pay for large slabs; small ones take small pages.
        let unit = need >= hugePage ? hugePage : 4096
        bytes = (need + unit - 1) / unit * unit
        let slack = unit == hugePage ? hugePage : 0
        let raw = unsafe mmap(
            nil, bytes + slack, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let raw = unsafe raw, unsafe raw != MAP_FAILED else {
            preconditionFailure("no address space left for a slab")
        }
        var start = unsafe raw
        if slack > 0 {
            let misfit = Int(bitPattern: raw) & (hugePage - 1)
            let head = misfit == 0 ? 0 : hugePage - misfit
            unsafe start = raw + head
            // Unmap the unaligned parts, so that deinit unmaps just `bytes`.
            if head > 0 { _ = unsafe munmap(raw, head) }
            if slack > head { _ = unsafe munmap(start + bytes, slack - head) }
            let front = dense < capacity ? dense * MemoryLayout<Element>.stride : need
            let huge = min(bytes, (front + hugePage - 1) / hugePage * hugePage)
            _ = unsafe madvise(start, huge, MADV_HUGEPAGE)
            if huge < bytes { _ = unsafe madvise(start + huge, bytes - huge, MADV_NOHUGEPAGE) }
            memory = SlabMemory(start: UInt(bitPattern: start), bytes: huge)
        } else {
            memory = SlabMemory(start: UInt(bitPattern: raw), bytes: bytes)
        }
        unsafe base = start.assumingMemoryBound(to: Element.self)
        self.capacity = capacity
    }

    deinit { _ = unsafe munmap(UnsafeMutableRawPointer(base), bytes) }

    /// Makes room for `capacity` elements, no fewer than before; new ones are zeroed. Pages are
    /// moved, not copied: about a millisecond per GiB. Stops the process when the address space is
    /// exhausted.
    public mutating func raise(capacity: Int, dense: Int = .max) {
        precondition(capacity >= self.capacity, "a slab never shrinks")
        if capacity == self.capacity { return }
        let larger = Slab(capacity: capacity, dense: dense)
        if bytes < 2 << 20 {
            // Its end need not be aligned to a huge page: see `bourse_move_pages`.
            unsafe larger.base.update(from: base, count: self.capacity)
        } else {
            let moved = unsafe bourse_move_pages(base, bytes, larger.base)
            precondition(moved == 0, "pages of a slab move")
        }
        self = larger
    }

    /// The element at `index`; stops the process outside `0..<capacity`.
    @inlinable public subscript(index: Int) -> Element {
        @inline(__always) unsafeAddress {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: capacity), "slab index")
            return unsafe UnsafePointer(base + index)
        }
        @inline(__always) unsafeMutableAddress {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: capacity), "slab index")
            return unsafe base + index
        }
    }

    /// The element at `index`; stops the process outside `0..<capacity`.
    @inlinable public subscript(index: UInt32) -> Element {
        @inline(__always) unsafeAddress {
            precondition(Int(index) < capacity, "slab index")
            return unsafe UnsafePointer(base + Int(index))
        }
        @inline(__always) unsafeMutableAddress {
            precondition(Int(index) < capacity, "slab index")
            return unsafe base + Int(index)
        }
    }

    /// The address of the element at `index`, valid until the slab is raised or gone; stops the
    /// process outside `0..<capacity`.
    @inlinable @inline(__always) public func address(_ index: UInt32) -> UnsafeMutablePointer<
        Element
    > {
        precondition(Int(index) < capacity, "slab index")
        return unsafe base + Int(index)
    }

    /// Prefetches the line of `index`; no effect out of range.
    @inlinable @inline(__always) public func prefetch(_ index: Int) {
        if UInt(bitPattern: index) < UInt(bitPattern: capacity) {
            unsafe bourse_prefetch(UnsafeRawPointer(base + index))
        }
    }

    /// Calls `body` with the elements in `range`, for input and output in bulk.
    @inlinable public borrowing func withSpan<R>(
        _ range: Range<Int>, _ body: (UnsafeBufferPointer<Element>) -> R
    ) -> R {
        precondition(range.lowerBound >= 0 && range.upperBound <= capacity, "slab range")
        return unsafe body(UnsafeBufferPointer(start: base + range.lowerBound, count: range.count))
    }
}
