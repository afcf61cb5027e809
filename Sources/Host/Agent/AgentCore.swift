// The agent's knowledge, shared by the thread that makes the rounds and those that serve it.

public import AgentAPI
public import Checks
public import JSON
import Platform
internal import Synchronization

/// The options of an agent.
public struct AgentOptions: Sendable {
    /// This host's name.
    public var host = Host.name
    /// The version of this build.
    public var version: String
    /// What the owner declared.
    public var plan: HostPlan
    /// The groups of checks.
    public var groups: [CheckGroup] = CheckCatalog.groups

    /// Options of these, all else by default.
    public init(version: String, plan: HostPlan) { (self.version, self.plan) = (version, plan) }
}

/// What the agent knows now. Any thread may ask.
public final class AgentCore: Sendable {
    /// Its options.
    public let options: AgentOptions
    /// The alarm events.
    public let alarmLog: AlarmLog
    /// What changes the host.
    public let executor: ChangeExecutor
    /// This host's part in its cluster; nil: there is none.
    public let cluster: (any ClusterRole)?

    private let round: Mutex<Round>
    private let started = Clock.realtimeNanos()
    private let cache = Mutex<(number: UInt64, body: [UInt8])>((0, []))

    /// A core that knows nothing yet.
    public init(
        _ options: AgentOptions, alarmLog: AlarmLog, executor: ChangeExecutor,
        cluster: (any ClusterRole)? = nil
    ) {
        (self.options, self.alarmLog, self.executor) = (options, alarmLog, executor)
        self.cluster = cluster
        let end = alarmLog.end
        round = Mutex(Round(table: AlarmTable(sequence: end.sequence, raised: end.raised)))
    }

    /// Takes a round, and reports its events.
    func take(_ found: CheckRound) {
        // In place: a copy of the table would be made anew each round.
        let events = round.withLock { $0.take(found) }
        alarmLog.add(events)
        executor.repair(found.findings.flatMap { $0 })
    }

    /// Rounds that are done: it grows as long as the agent works.
    public var rounds: UInt64 { round.withLock { $0.number } }

    /// One line about how the host is.
    public var summary: String {
        var counts: [CheckState: Int] = [:]
        for entry in entries { counts[entry.finding.state, default: 0] += 1 }
        let words = [CheckState.critical, .warning, .unknown, .ok].compactMap { state in
            counts[state].map { "\($0) \(state.name)" }
        }
        return words.isEmpty ? "no check was made yet" : words.joined(separator: ", ")
    }

    /// The checks, in the order of the table.
    var entries: [CheckEntry] { round.withLock { $0.table.sorted } }

    /// The whole state.
    public var state: AgentState {
        let last = alarmLog.events(after: .max).last
        return round.withLock { $0.report(options, started: started, sequence: last) }
    }

    /// The state's text, made once a round.
    func stateBody() -> [UInt8] {
        let number = rounds
        if let body = cache.withLock({ $0.number == number && number > 0 ? $0.body : nil }) {
            return body
        }
        let body = Array(state.json.compact.utf8)
        cache.withLock { $0 = (number, body) }
        return body
    }

    /// What was found last under a name; nil where there is no such check.
    func finding(_ name: String) -> Finding? { round.withLock { $0.table.entries[name]?.finding } }

    /// A check with its last day; nil where there is none of this name.
    func check(_ name: String) -> CheckDetail? {
        let (found, samples) = round.withLock { round in
            (round.table.entries[name], round.table.history(name))
        }
        return found.map { CheckDetail(check: $0.reported(options.plan), history: samples) }
    }

    /// The last minutes of what is drawn over time.
    var trend: JSONValue { .array(round.withLock { $0.trend }.map(\.json)) }

    /// Everything that was read last, by path.
    public var observation: JSONValue {
        var texts: [String: String] = [:]
        let observations = round.withLock { $0.observations }
        for observation in observations.values.sorted(by: { $0.time < $1.time }) {
            for (path, text) in observation.all { texts[path] = text }
        }
        return .object(texts.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })
    }
}
