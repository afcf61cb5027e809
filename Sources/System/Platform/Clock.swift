// The host's clocks. Only the sequencer reads one for the log; time is an argument
// everywhere else.

internal import CLinux
internal import Glibc

/// The host's clocks, in nanoseconds.
public enum Clock {
    /// Nanoseconds since 1970-01-01 UTC (CLOCK_REALTIME); may step when the clock is set.
    public static func realtimeNanos() -> Int64 { read(CLOCK_REALTIME) }

    /// Nanoseconds since start-up, time asleep included (CLOCK_BOOTTIME); never decreases.
    public static func monotonicNanos() -> Int64 { read(CLOCK_BOOTTIME) }

    /// Sleeps for `nanos`, or until a signal.
    public static func sleep(nanos: Int64) {
        guard nanos > 0 else { return }
        var time = timespec(tv_sec: Int(nanos / 1_000_000_000), tv_nsec: Int(nanos % 1_000_000_000))
        _ = unsafe nanosleep(&time, nil)
    }

    /// Hints to the processor that this is a spin loop.
    @inline(__always) public static func relax() { bourse_relax() }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        let result = unsafe clock_gettime(clock, &time)
        precondition(result == 0, "the clock can be read")
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
