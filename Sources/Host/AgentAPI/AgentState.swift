// The reply to GET /v1/state.

public import JSON

/// The state of a host, as its agent reports it.
public struct AgentState: Hashable, Sendable {
    /// The host's name and the agent's version.
    public var host, version: String
    /// When the agent made it and when it started, in nanoseconds since 1970.
    public var time, started: Int64
    /// The worst state of all checks.
    public var worst: CheckState
    /// The number of the last event.
    public var sequence: UInt64
    /// Findings beyond the maximum number of checks.
    public var dropped: UInt64
    /// Duration of the last round in nanoseconds.
    public var roundNanos: Int64
    /// The host's tables.
    public var tables: HostTables
    /// The checks.
    public var checks: [ReportedCheck]

    /// A state of these.
    public init(
        host: String, version: String, time: Int64, started: Int64, worst: CheckState,
        sequence: UInt64, dropped: UInt64, roundNanos: Int64, tables: HostTables,
        checks: [ReportedCheck]
    ) {
        (self.host, self.version, self.time, self.started) = (host, version, time, started)
        (self.worst, self.sequence, self.dropped) = (worst, sequence, dropped)
        (self.roundNanos, self.tables, self.checks) = (roundNanos, tables, checks)
    }

    /// As JSON.
    public var json: JSONValue {
        .object(
            [
                .init("host", .string(host)), .init("version", .string(version)),
                .init("time", .number(time)), .init("started", .number(started)),
                .init("worst", .string(worst.name)), .init("sequence", .number(sequence)),
                .init("dropped", .number(dropped)), .init("roundNanos", .number(roundNanos)),
            ] + tables.members + [.init("checks", .array(checks.map(\.json)))])
    }

    /// Reads `json`; nil when a member is missing or of another kind. Unknown members are skipped,
    /// so that a newer agent is understood.
    public init?(_ json: JSONValue) {
        guard let host = json["host"]?.text, let version = json["version"]?.text,
            let time = json["time"]?.whole, let started = json["started"]?.whole,
            let worst = CheckState(json["worst"]), let sequence = json["sequence"]?.count,
            let dropped = json["dropped"]?.count, let tables = HostTables(json),
            let checks = json["checks"]?.rows(ReportedCheck.init)
        else { return nil }
        self.init(
            host: host, version: version, time: time, started: started, worst: worst,
            sequence: sequence, dropped: dropped, roundNanos: json["roundNanos"]?.whole ?? 0,
            tables: tables, checks: checks)
    }
}

/// A round of the agent for a chart over time: a row of the reply to GET /v1/trend.
public struct TrendSample: Hashable, Sendable {
    /// When it was made, in nanoseconds since 1970.
    public var time: Int64
    /// Its duration in nanoseconds.
    public var roundNanos: Int64
    /// matchd's counters; nil while it does not answer.
    public var exchange: ExchangeCounters?
    /// The disks.
    public var disks: [HostTables.Disk]

    /// A sample of these.
    public init(
        time: Int64, roundNanos: Int64, exchange: ExchangeCounters?, disks: [HostTables.Disk]
    ) {
        (self.time, self.roundNanos) = (time, roundNanos)
        (self.exchange, self.disks) = (exchange, disks)
    }

    /// As JSON.
    public var json: JSONValue {
        [
            "time": .number(time), "roundNanos": .number(roundNanos),
            "exchange": ExchangeCounters.json(exchange), "disks": .array(disks.map(\.json)),
        ]
    }
}
