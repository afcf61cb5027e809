// Sleeping until another thread has work: by futex between threads, by eventfd beside sockets.

internal import CLinux
internal import Glibc
internal import Synchronization

/// A place where one thread sleeps; any thread may wake it.
///
/// `unpark` leaves a permit: a thread that then parks does not sleep, so no wake-up is lost.
/// Publish the work first, then `unpark`; after `park`, look for work again, as it may also return
/// spuriously. `unpark` is one atomic exchange while nobody sleeps.
public final class Parking: Sendable {
    private static let empty: UInt32 = 0
    private static let permit: UInt32 = 1
    private static let parked: UInt32 = 2

    // On cache lines of its own, as waker and sleeper are on different cores.
    private let line = Padded()

    private final class Padded: Sendable {
        let front: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) =
            (0, 0, 0, 0, 0, 0, 0, 0)
        let word = Atomic<UInt32>(0)
        let back: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) =
            (0, 0, 0, 0, 0, 0, 0, 0)
    }

    /// A place where nobody sleeps.
    public init() {}

    /// Sleeps until there is a permit, at most `timeoutNanos` (negative: for ever); takes the
    /// permit. Called by one thread only.
    public func park(timeoutNanos: Int64 = -1) {
        let (took, _) = line.word.compareExchange(
            expected: Self.permit, desired: Self.empty, ordering: .sequentiallyConsistent)
        if took { return }
        let (slept, _) = line.word.compareExchange(
            expected: Self.empty, desired: Self.parked, ordering: .sequentiallyConsistent)
        if slept { unsafe withWord { _ = unsafe bourse_futex_wait($0, Self.parked, timeoutNanos) } }
        _ = line.word.exchange(Self.empty, ordering: .sequentiallyConsistent)
    }

    /// Leaves a permit, and wakes the sleeper if there is one. Any thread.
    public func unpark() {
        let old = line.word.exchange(Self.permit, ordering: .sequentiallyConsistent)
        if old == Self.parked { unsafe withWord { _ = unsafe bourse_futex_wake($0) } }
    }

    /// The word's address, for the kernel. An `Atomic` in a class never moves.
    private func withWord(_ body: (UnsafeRawPointer) -> Void) {
        unsafe withUnsafePointer(to: line.word) { unsafe body(UnsafeRawPointer($0)) }
    }
}

/// A wake-up for one thread that waits for descriptors, by eventfd(2).
///
/// `ring` is one atomic exchange while the bell is not armed. The waiting thread calls `arm`, looks
/// for work once more, waits, then calls `disarm`. A second thread has a bell of its own: it would
/// be disarmed by the first.
public final class Doorbell: Sendable {
    /// The descriptor to wait for: readable when the bell was rung.
    public let descriptor: Int32
    private let isArmed = Atomic<Bool>(false)

    /// A bell that is not armed.
    public init() throws(SystemError) {
        descriptor = try checked(bourse_eventfd(), "make", "eventfd")
    }

    deinit { _ = close(descriptor) }

    /// Until `disarm`, a ring makes the descriptor readable.
    public func arm() { _ = isArmed.exchange(true, ordering: .sequentiallyConsistent) }

    /// Disarms the bell. `isReadable`: whether the wait found its descriptor readable, so that it
    /// is read. No flag of the thread that rings can say that: its write often has this thread
    /// take its core in the middle of the ring.
    public func disarm(isReadable: Bool) {
        isArmed.store(false, ordering: .sequentiallyConsistent)
        guard isReadable else { return }
        var count: UInt64 = 0
        _ = unsafe read(descriptor, &count, 8)
    }

    /// Wakes the waiting thread if the bell is armed. Any thread; publish the work first.
    public func ring() {
        if isArmed.exchange(false, ordering: .sequentiallyConsistent) {
            var one: UInt64 = 1
            _ = unsafe write(descriptor, &one, 8)
        }
    }
}
