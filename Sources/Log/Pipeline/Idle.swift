// What the engine thread does between two turns without work.

import Glibc
import Platform

/// What a thread does while there is no work.
public enum Idle: Sendable {
    /// Looks again without pause. Lowest latency; takes a whole processor.
    case spin
    /// Looks a few times, then lets other threads run before it looks again.
    case yield
    /// Looks for some microseconds, then sleeps until it is woken.
    case park
}

/// The engine thread's rest.
struct EngineRest {
    let stages: Stages
    let idle: Idle
    var looks = 0
    /// When what is due by time alone was looked at last.
    var looked: Int64 = 0

    /// Looks before it sleeps: some microseconds, less than waking it would take.
    static var looksMax: Int { 400 }
    /// The longest sleep: the watchdog wants to see turns, and the clock is looked at.
    static var sleepNanosMax: Int64 { 250_000_000 }

    init(stages: Stages, idle: Idle) {
        self.stages = stages
        self.idle = idle
    }

    mutating func worked() { looks = 0 }

    /// Waits for a wake-up, for the timer that is due in `nanos`, or for the end of a short while.
    /// True when it is time to look at what is due by time alone.
    mutating func rest(nanosToTimer nanos: Int64?) -> Bool {
        looks += 1
        if idle == .park, looks >= Self.looksMax {
            stages.sequencerPark.park(timeoutNanos: min(Self.sleepNanosMax, nanos ?? .max))
            looks = 0
            return true
        }
        if idle == .yield, looks > Self.looksMax { sched_yield() } else { Clock.relax() }
        guard idle != .park, looks & 1023 == 0 else { return false }
        let now = Clock.monotonicNanos()
        guard now - looked >= Self.sleepNanosMax else { return false }
        looked = now
        return true
    }
}
