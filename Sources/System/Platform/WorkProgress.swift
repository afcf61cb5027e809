// The progress of long work, and a thread that reports it to the service manager periodically, as
// one record or file may take long.

internal import Glibc
internal import Synchronization

/// The progress of a piece of work. One thread updates it, any may read it.
public final class WorkProgress: Sendable {
    private let state = Mutex((stage: "", unit: "", from: UInt64(0), began: Int64(0)))
    private let done = Atomic<UInt64>(0)
    private let total = Atomic<UInt64>(0)

    /// No progress yet.
    public init() {}

    /// Begins a stage, as `replaying`, from one count of units to another.
    public func begin(_ stage: String, unit: String, from: UInt64, to: UInt64) {
        done.store(from, ordering: .relaxed)
        total.store(to, ordering: .relaxed)
        state.withLock { $0 = (stage, unit, from, Clock.monotonicNanos()) }
    }

    /// Sets the units done. One store.
    @inline(__always) public func advance(to count: UInt64) {
        done.store(count, ordering: .relaxed)
    }

    /// Sets the units done, and their total.
    public func advance(to count: UInt64, of all: UInt64) {
        total.store(all, ordering: .relaxed)
        done.store(count, ordering: .relaxed)
    }

    /// The units done: a number that grows while work proceeds.
    public var count: UInt64 { done.load(ordering: .relaxed) }

    /// One line: the stage, its progress, rate and time left.
    public var text: String {
        let (stage, unit, from, began) = state.withLock { $0 }
        let (now, end) = (done.load(ordering: .relaxed), total.load(ordering: .relaxed))
        let seconds = Double(max(1, Clock.monotonicNanos() - began)) / 1e9
        guard end > from, now >= from else { return "\(stage), \(Int(seconds)) s" }
        let rate = Double(now - from) / seconds
        let percent = Int(100 * Double(min(now, end) - from) / Double(end - from))
        let left =
            rate > 0 && now < end ? ", about \(Int(Double(end - now) / rate) + 1) s left" : ""
        return "\(stage) \(now) of \(end) \(unit), \(percent) %, \(Int(rate)) \(unit)/s\(left)"
    }
}

/// Reports the progress of a piece of work: every second to the service manager, whose timeout it
/// extends, and from time to time to `report`.
public final class WorkReporter: Sendable {
    private let ending: Ending
    private let thread: PinnedThread

    private final class Ending: Sendable {
        let isAsked = Atomic<Bool>(false)
        let parking = Parking()
    }

    /// After this time without progress the timeout is no longer extended, and the service manager
    /// ends the process.
    public static var patienceNanos: Int64 { 300_000_000_000 }
    /// Time between two lines for `report`.
    public static var lineNanos: Int64 { 10_000_000_000 }

    /// Starts reporting.
    public init(
        _ work: WorkProgress, patienceNanos: Int64 = patienceNanos, lineNanos: Int64 = lineNanos,
        report: @escaping @Sendable (String) -> Void
    ) throws(SystemError) {
        let ending = Ending()
        self.ending = ending
        thread = try PinnedThread.start(name: "progress") {
            var seen = work.count
            var (moved, line) = (Clock.monotonicNanos(), Clock.monotonicNanos())
            while !ending.isAsked.load(ordering: .acquiring) {
                let (now, count) = (Clock.monotonicNanos(), work.count)
                if count != seen { (seen, moved) = (count, now) }
                if now - moved < patienceNanos {
                    ServiceManager.extendTimeout(seconds: 30)
                    ServiceManager.watchdog()
                }
                ServiceManager.status(work.text)
                if now - line >= lineNanos {
                    line = now
                    report(work.text)
                }
                ending.parking.park(timeoutNanos: 1_000_000_000)
            }
        }
    }

    /// Stops reporting, and waits for the thread. Call it once.
    public func end() {
        ending.isAsked.store(true, ordering: .releasing)
        ending.parking.unpark()
        thread.join()
    }
}
