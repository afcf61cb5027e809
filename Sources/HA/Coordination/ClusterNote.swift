// What the owner of a cluster has to know, for the program that logs it.

/// A line for the log.
public struct ClusterNote: Hashable, Sendable {
    /// How much it matters.
    public enum Severity: Hashable, Sendable {
        /// What an operator wants to read later.
        case notice
        /// What may become a fault.
        case warning
        /// What somebody has to mend.
        case error
    }

    /// How much it matters.
    public let severity: Severity
    /// One line.
    public let text: String

    /// That line.
    public init(_ severity: Severity, _ text: String) {
        (self.severity, self.text) = (severity, text)
    }
}
