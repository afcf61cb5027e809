// What a program knows of logs, and what a log may use.

/// Versions of the log's format and of the engine's rules: the newest that a program knows, or the
/// newest that a log may use.
public struct LogLevel: Hashable, Sendable, CustomStringConvertible {
    /// The version of the log's format, see `Genesis`.
    public var format: UInt32
    /// The version of the engine's rules, see `SetRules`.
    public var rules: UInt32

    /// These versions.
    public init(format: UInt32, rules: UInt32) { (self.format, self.rules) = (format, rules) }

    /// What both know.
    public func common(_ other: LogLevel) -> LogLevel {
        LogLevel(format: min(format, other.format), rules: min(rules, other.rules))
    }

    /// Whether a program that knows this can execute a log that uses `other`.
    public func covers(_ other: LogLevel) -> Bool {
        format >= other.format && rules >= other.rules
    }

    /// Both versions in a few words, for messages.
    public var description: String { "format \(format), rules \(rules)" }
}
