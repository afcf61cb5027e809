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

/// How often a thread checks for work before it sleeps.
///
/// Waking a thread takes longer than the next work often does to come; but where it comes seldom,
/// each look is time that another thread could have had on a shared processor. So a sleep that was
/// longer than waking takes halves the looks before the next one, and a shorter one doubles them.
struct Looks {
    /// Looks before the next sleep.
    private(set) var most = Self.most

    /// The most looks: some microseconds, less than waking a thread takes.
    static var most: Int { 400 }
    static var fewest: Int { 16 }
    /// A sleep shorter than this was not worth it.
    static var shortNanos: Int64 { 20_000 }

    /// Sleeps at `parking`, at most `timeoutNanos`; returns the time afterwards.
    mutating func sleep(_ parking: Parking, _ timeoutNanos: Int64) -> Int64 {
        let began = Clock.monotonicNanos()
        parking.park(timeoutNanos: timeoutNanos)
        let now = Clock.monotonicNanos()
        let isShort = now - began < Self.shortNanos
        most = isShort ? min(Self.most, 2 * most) : max(Self.fewest, most / 2)
        return now
    }
}

/// How the engine thread waits.
struct EngineIdle {
    let stages: Stages
    let idle: Idle
    var looks = 0
    var spin = Looks()
    /// When what is due by time alone was looked at last.
    var looked: Int64 = 0

    /// The longest sleep: the watchdog needs turns, and the clock has to be read.
    static var sleepNanosMax: Int64 { 250_000_000 }

    mutating func worked() { looks = 0 }

    /// Waits for a wake-up, for the timer that is due in `nanos`, or for the end of a short while.
    /// True when it is time to look at what is due by time alone.
    mutating func wait(nanosToTimer nanos: Int64?) -> Bool {
        looks += 1
        if idle == .park, looks >= spin.most {
            _ = spin.sleep(stages.sequencerPark, min(Self.sleepNanosMax, nanos ?? .max))
            looks = 0
            return true
        }
        if idle == .yield, looks > Looks.most { sched_yield() } else { Clock.relax() }
        guard idle != .park, looks & 1023 == 0 else { return false }
        let now = Clock.monotonicNanos()
        guard now - looked >= Self.sleepNanosMax else { return false }
        looked = now
        return true
    }
}
