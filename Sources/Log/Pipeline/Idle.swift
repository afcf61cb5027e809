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

    /// Looks before it sleeps: some microseconds, less than waking it would take.
    static var looksMax: Int { 400 }
    /// The longest sleep: the watchdog wants to see turns.
    static var sleepNanosMax: Int64 { 250_000_000 }

    init(stages: Stages, idle: Idle) {
        self.stages = stages
        self.idle = idle
    }

    mutating func worked() { looks = 0 }

    /// Waits for a wake-up, for the timer, or for the end of a short while.
    mutating func rest(until timer: Int64?) {
        looks += 1
        switch idle {
        case .spin: Clock.relax()
        case .yield: if looks > Self.looksMax { sched_yield() } else { Clock.relax() }
        case .park:
            if looks < Self.looksMax {
                Clock.relax()
                return
            }
            var nanos = Self.sleepNanosMax
            if let timer { nanos = min(nanos, max(0, timer - Clock.realtimeNanos())) }
            stages.sequencerPark.park(timeoutNanos: nanos)
            looks = 0
        }
    }
}
