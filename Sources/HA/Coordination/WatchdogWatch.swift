// When the hardware watchdog is armed, and what is reported of it. The time is an argument.

public import Failover

/// Looks at the machine's hardware watchdog now and then. A host that only follows has it armed
/// already when it has to lead.
public struct WatchdogWatch: Sendable {
    /// Nanoseconds between two looks.
    public static var lookNanos: Int64 { 2_000_000_000 }
    /// Nanoseconds between two attempts to arm it.
    public static var armNanos: Int64 { 60_000_000_000 }

    private let arms: Bool
    private let isRequired: Bool
    private var triedAt: Int64?
    private var said = ""

    /// One that arms it where `arms`; where `isRequired`, this host takes no lead without it.
    public init(arms: Bool, isRequired: Bool) {
        (self.arms, self.isRequired) = (arms, isRequired)
    }

    /// Looks with `find` at `now` of the monotonic clock, and calls `arm`, which returns why it
    /// failed, if it is time to. Returns what was found at last, and a line if there is news.
    public mutating func look(
        at now: Int64, find: () -> WatchdogState, arm: () -> String?
    ) -> (state: WatchdogState, note: ClusterNote?) {
        var found = find()
        var fault: String?
        let isDue = triedAt.map { now - $0 >= Self.armNanos } ?? true
        if found == .inactive, arms, isDue {
            triedAt = now
            fault = arm()
            found = find()
        }
        // Between two attempts nothing is known of why.
        guard isDue || found != .inactive else { return (found, nil) }
        let text = words(found, fault)
        guard text != said else { return (found, nil) }
        said = text
        return (found, ClusterNote(severity(found), text))
    }

    private func words(_ state: WatchdogState, _ fault: String?) -> String {
        let why = fault.map { ": \($0)" } ?? ""
        let bars = isRequired && state != .armed
        return state.text + why + (bars ? "; required: this host takes no lead" : "")
    }

    private func severity(_ state: WatchdogState) -> ClusterNote.Severity {
        if state == .armed { return .notice }
        return isRequired ? .error : arms ? .warning : .notice
    }
}
