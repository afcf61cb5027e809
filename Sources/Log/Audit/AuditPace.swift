// How fast an auditor looks for more.

/// How long an auditor waits between two turns: not at all while there is more, else longer and
/// longer.
public struct AuditPace: Sendable {
    /// The shortest and the longest wait while nothing comes, milliseconds.
    public static var pauseMillis: ClosedRange<Int32> { 20...1_000 }

    private var pause = Self.pauseMillis.lowerBound

    /// At its shortest.
    public init() {}

    /// Milliseconds to wait after a turn, which executed something or found more if it `isAhead`.
    public mutating func waitMillis(isAhead: Bool) -> Int32 {
        guard !isAhead else {
            pause = Self.pauseMillis.lowerBound
            return 0
        }
        defer { pause = min(2 * pause, Self.pauseMillis.upperBound) }
        return pause
    }
}
