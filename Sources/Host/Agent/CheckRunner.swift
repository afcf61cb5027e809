// One round: what is read, what the checks find in it, and what is known after it.

public import AgentAPI
import Checks
import DequeModule
import Platform

/// Which groups a round is of.
enum RoundKind {
    /// Those whose time has come.
    case due
    /// Those that read what may have changed just now.
    case woken
    /// Every one.
    case every
}

/// What a round found.
struct CheckRound: Sendable {
    /// When, in nanoseconds since 1970.
    var time: Int64
    /// How long reading and checking took, in nanoseconds.
    var nanos: Int64
    var groups: [CheckGroup]
    /// The findings of each group.
    var findings: [[Finding]]
    /// What was read last for each group, and for the tables.
    var observations: [String: Observation]
    var tables: HostTables
}

/// Reads and checks; remembers what was read before.
struct CheckRunner {
    private let options: AgentOptions
    private var seconds = 0
    private var before: [String: Observation] = [:]

    private var queues: [HostTables.Queue] = []

    /// The names under which the observations of the tables are kept.
    private static let tables = (most: "tables", queues: "tables.queues")
    /// Rounds between two looks at the queues: they seldom change, and are many files.
    private static let queuePeriod = 10
    /// Groups that read one of these are checked again when something changed.
    private static let wakers: Set<String> = [UnitStatus.path, ExchangeReading.path]

    init(_ options: AgentOptions) { self.options = options }

    /// Reads and checks the groups of a round.
    mutating func run(_ reader: HostReader, _ kind: RoundKind) -> CheckRound {
        let began = Clock.monotonicNanos()
        let readsQueues = kind != .woken && seconds % Self.queuePeriod == 0
        let groups = groups(kind)
        let read = reader.read(
            [HostState.sources, readsQueues ? HostState.queueSources : []]
                + groups.map(\.sources), plan: options.plan, at: began)
        let time = Clock.realtimeNanos()
        var findings: [[Finding]] = []
        for (group, now) in zip(groups, read.dropFirst(2)) {
            let input = CheckInput(now: now, before: before[group.name], plan: options.plan)
            before[group.name] = now
            findings.append(group.run(input).filter { !options.plan.off.contains($0.kind.name) })
        }
        if readsQueues {
            queues = HostState(now: read[1], before: nil, plan: options.plan).queues
            before[Self.tables.queues] = read[1]
        }
        let tables = HostState(now: read[0], before: before[Self.tables.most], plan: options.plan)
            .tables(queues: queues)
        if kind != .woken { before[Self.tables.most] = read[0] }
        return CheckRound(
            time: time, nanos: Clock.monotonicNanos() - began, groups: groups, findings: findings,
            observations: before, tables: tables)
    }

    /// The groups of a round. Those of longer periods are spread over the seconds, but all of them
    /// are in the first.
    private mutating func groups(_ kind: RoundKind) -> [CheckGroup] {
        switch kind {
        case .every: return options.groups
        case .woken: return options.groups.filter { !Self.wakers.isDisjoint(with: $0.sources) }
        case .due:
            defer { seconds += 1 }
            return options.groups.enumerated().filter { index, group in
                seconds == 0 || (seconds + index) % max(1, group.seconds) == 0
            }.map(\.element)
        }
    }
}

/// What is known after the rounds so far.
struct Round {
    /// Rounds that are done.
    private(set) var number: UInt64 = 0
    private(set) var table: AlarmTable
    private(set) var observations: [String: Observation] = [:]
    private var time: Int64 = 0
    private var nanos: Int64 = 0
    private var tables = HostTables()
    /// The last rounds: when, how long, exchange and disks, oldest first: where a picture over time
    /// begins.
    private(set) var trend: Deque<TrendSample> = []

    /// Rounds in `trend`.
    private static let trendMax = 300

    init(table: AlarmTable) { self.table = table }

    /// Takes what a round found; returns the events that come of it.
    mutating func take(_ found: CheckRound) -> [AlarmEvent] {
        var events: [AlarmEvent] = []
        for (group, findings) in zip(found.groups, found.findings) {
            events += table.take(findings, of: group.kinds, at: found.time)
        }
        number += 1
        observations = found.observations
        tables = found.tables
        (time, nanos) = (found.time, found.nanos)
        if trend.count == Self.trendMax { trend.removeFirst() }
        trend.append(
            TrendSample(
                time: time, roundNanos: nanos, exchange: tables.exchange, disks: tables.disks))
        return events
    }

    /// The state after the rounds so far.
    func report(_ options: AgentOptions, started: Int64, sequence: UInt64) -> AgentState {
        AgentState(
            host: options.host, version: options.version, time: time, started: started,
            worst: table.worst, sequence: sequence, dropped: table.dropped, roundNanos: nanos,
            tables: tables, checks: table.sorted.map { $0.reported(options.plan) })
    }
}

extension AgentOptions {
    /// The state after `rounds` rounds of every group, a second apart: for who asks once, and keeps
    /// nothing.
    public func runChecksOnce(rounds: Int, reader: HostReader) -> AgentState {
        var runner = CheckRunner(self)
        reader.awaitProbes()
        var round = Round(table: AlarmTable())
        for index in 0..<rounds {
            if index > 0 { Clock.sleep(nanos: 1_000_000_000) }
            _ = round.take(runner.run(reader, .every))
        }
        return round.report(self, started: Clock.realtimeNanos(), sequence: 0)
    }
}
