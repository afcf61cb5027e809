// Whether work waits for the engine or the disk.

internal import Failover
internal import Pipeline
internal import Platform
internal import Synchronization

/// Since when the oldest work of a pipeline waits. One thread calls `look`; any may read the rest.
final class WorkWatch: Sendable {
    private let timing: FailoverTiming
    /// ns of CLOCK_BOOTTIME; 0: nothing waits.
    private let oldest = Atomic<Int64>(0)
    private let stages: Mutex<(engine: Waiting, disk: Waiting)>

    /// What one stage has not done yet.
    private struct Waiting {
        /// Work up to here waits, since that time.
        var target: UInt64 = 0
        var since: Int64 = 0

        mutating func look(wanted: UInt64, done: UInt64, at now: Int64) {
            if done >= wanted {
                since = 0
            } else if since == 0 || done >= target {
                (target, since) = (wanted, now)
            }
        }
    }

    init(_ timing: FailoverTiming) {
        self.timing = timing
        stages = Mutex((Waiting(), Waiting()))
    }

    /// Takes a sample of a pipeline. To be called at least every 50 ms.
    func look(_ work: PipelineWork, at now: Int64) {
        let since = stages.withLock { stages in
            stages.engine.look(wanted: work.requested, done: work.taken, at: now)
            stages.disk.look(wanted: work.logged, done: work.durable, at: now)
            return [stages.engine.since, stages.disk.since].filter { $0 != 0 }.min()
        }
        oldest.store(since ?? 0, ordering: .releasing)
    }

    /// Since when the oldest work waits; nil: none does.
    var oldestWaiting: BootTime? {
        let nanos = oldest.load(ordering: .acquiring)
        return nanos == 0 ? nil : BootTime(nanos: nanos)
    }

    /// Whether nothing waits for too long.
    var hasProgress: Bool {
        BeaconRule.hasProgress(
            oldestWaiting: oldestWaiting, at: BootTime(nanos: Clock.monotonicNanos()),
            timing: timing)
    }
}
