// The state of a check, and where its value changes it.

/// The state of a check. The raw values are those of BOURSE-MIB.
public enum CheckState: Int, Hashable, Sendable, CaseIterable {
    /// As it should be.
    case ok = 1
    /// Worth a look; the exchange is not in danger.
    case warning = 2
    /// Hurts the exchange now, or soon.
    case critical = 3
    /// Its source is missing or cannot be parsed. Never treated as `ok`.
    case unknown = 4

    /// Its name in JSON and in output.
    public var name: String {
        switch self {
        case .ok: "ok"
        case .warning: "warning"
        case .critical: "critical"
        case .unknown: "unknown"
        }
    }

    /// The state of that name, or nil.
    public init?(name: String) {
        guard let state = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = state
    }

    /// Whether it raises an alarm.
    public var isAlarm: Bool { self == .warning || self == .critical }

    /// The order from best to worst: ok, unknown, warning, critical.
    public var severity: Int {
        switch self {
        case .ok: 0
        case .unknown: 1
        case .warning: 2
        case .critical: 3
        }
    }
}

/// The values from which a check warns and from which it is critical.
public struct Thresholds: Hashable, Sendable {
    /// At or beyond it: a warning; nil: never.
    public var warning: Int64?
    /// At or beyond it: critical; nil: never.
    public var critical: Int64?

    /// Thresholds of these values.
    public init(warning: Int64? = nil, critical: Int64? = nil) {
        (self.warning, self.critical) = (warning, critical)
    }
}
