// What is known of every check over time: since when it is so, how often it failed, its last day.

public import AgentAPI

/// A check with its history's summary.
public struct BoardEntry: Hashable, Sendable {
    /// What was found last.
    public var finding: Finding
    /// When its state began, in nanoseconds since 1970.
    public var since: Int64
    /// When it was looked at last, in nanoseconds since 1970.
    public var seen: Int64
    /// How often it has turned into a warning or a critical state.
    public var failures: UInt64

    /// An entry of these.
    public init(finding: Finding, since: Int64, seen: Int64, failures: UInt64) {
        self.finding = finding
        self.since = since
        self.seen = seen
        self.failures = failures
    }

    /// As the agent reports it.
    public func reported(_ plan: HostPlan) -> ReportedCheck {
        let kind = finding.kind
        var check = ReportedCheck(
            name: finding.name, kind: kind.number, subject: finding.subject, state: finding.state,
            value: finding.value, unit: kind.unit,
            thresholds: plan.thresholds[kind.name] ?? kind.thresholds, since: since, seen: seen,
            failures: failures, text: finding.text, source: finding.source, why: kind.why)
        switch finding.fix {
        case .change(let requests): check.changes = requests.map(\.line)
        case .advice(let lines): check.advice = lines
        case nil: break
        }
        return check
    }
}

/// What was told of a check. One that flaps is held: whatever it does, it makes less than forty
/// events in an hour, and the first of them as soon as it is found.
struct Alarm: Hashable, Sendable {
    /// The first hold, and the longest, in nanoseconds; each is twice the one before.
    static let holdNanos: (first: Int64, most: Int64) = (10_000_000_000, 600_000_000_000)
    /// Nanoseconds without worsening after which it is taken for calm.
    static let calmNanos: Int64 = 1_800_000_000_000

    /// The state that was told last; nil where that was before a restart.
    private(set) var told: CheckState?
    /// How long it must be better before that is told.
    private var hold: Int64 = 0
    private var betterSince: Int64?
    /// When it was last told that it got better.
    private var improved: Int64?

    init(told: CheckState?) { self.told = told }

    var isStanding: Bool { told != .ok }

    func isRecent(_ time: Int64) -> Bool { improved.map { time - $0 < Self.calmNanos } ?? false }

    /// Takes what was found; true where it is to be told.
    mutating func takes(_ state: CheckState, at time: Int64) -> Bool {
        guard let told else {
            if state.isAlarm { self.told = state }
            return state == .ok && improves(to: .ok, at: time)
        }
        // What cannot be seen is neither better nor worse.
        if state == told || state == .unknown {
            betterSince = nil
            return false
        }
        guard state.severity > told.severity else { return improves(to: state, at: time) }
        worsens(to: state, at: time)
        return true
    }

    /// It got worse, which is told.
    mutating func worsens(to state: CheckState, at time: Int64) {
        (told, betterSince) = (state, nil)
        hold = isRecent(time) ? min(max(2 * hold, Self.holdNanos.first), Self.holdNanos.most) : 0
    }

    /// It is better; true where it was for long enough, which is told.
    mutating func improves(to state: CheckState, at time: Int64) -> Bool {
        let since = betterSince ?? time
        betterSince = since
        guard time - since >= hold else { return false }
        (told, betterSince, improved) = (state, nil, time)
        return true
    }
}

/// All checks of a host. Pure: time is an argument.
public struct Board: Sendable {
    /// Most checks that are kept; what comes beyond is counted in `dropped`.
    public static var entriesMax: Int { 4_096 }
    /// Minutes that are kept of each.
    public static var minutesMax: Int { 1_440 }

    /// The checks by name.
    public private(set) var entries: [String: BoardEntry] = [:]
    /// The number of the last event; a restarted agent goes on behind it.
    public private(set) var sequence: UInt64
    /// Findings that found no place.
    public private(set) var dropped: UInt64 = 0
    private var samples: [String: [CheckSample]] = [:]
    /// What was told of checks that are, or not long ago were, alarms.
    private var alarms: [String: Alarm] = [:]

    /// A board without checks, whose last event had this number.
    ///
    /// `raised` are the names of the alarms that stood when it was kept: they are not raised again.
    public init(sequence: UInt64 = 0, raised: some Sequence<String> = []) {
        self.sequence = sequence
        for name in raised { alarms[name] = Alarm(told: nil) }
    }

    /// The names of the alarms that stand.
    public var raised: [String] { alarms.filter(\.value.isStanding).keys.sorted() }

    /// The worst state of all: critical, warning, unknown, ok. What cannot be seen does not hide
    /// what can.
    public var worst: CheckState {
        entries.values.map(\.finding.state).max { $0.severity < $1.severity } ?? .unknown
    }

    /// Takes a round of one group's findings at `time` (nanoseconds since 1970), and gives the
    /// events that come of it. A check of the group that is not among them any more has gone with
    /// its subject; its alarm is cleared.
    ///
    /// What worsens is told at once, and so is that it got better. Only where it does so over and
    /// over, an alarm stands until it was better for a while: see `Alarm`.
    public mutating func take(
        _ findings: [Finding], of kinds: some Sequence<CheckKind>, at time: Int64
    ) -> [AlarmEvent] {
        var events: [AlarmEvent] = []
        var seen: Set<String> = []
        for finding in findings where seen.insert(finding.name).inserted {
            note(finding, time, &events)
        }
        let names = Set(kinds.map(\.name))
        for name in entries.keys.sorted() where !seen.contains(name) {
            guard let entry = entries[name], names.contains(entry.finding.kind.name) else {
                continue
            }
            if alarms[name]?.isStanding == true {
                guard alarms[name]?.improves(to: .ok, at: time) == true else { continue }
                var gone = entry.finding
                gone.text = "gone: " + gone.text
                gone.state = .unknown
                events.append(event(gone, isRaised: false, time))
            }
            entries[name] = nil
            samples[name] = nil
        }
        forget(time)
        return events
    }

    /// Forgets alarms that were cleared long ago; all that were, where subjects are too many.
    private mutating func forget(_ time: Int64) {
        let isFull = alarms.count > 2 * Self.entriesMax
        alarms = alarms.filter { $1.isStanding || !isFull && $1.isRecent(time) }
    }

    private mutating func note(_ finding: Finding, _ time: Int64, _ events: inout [AlarmEvent]) {
        let name = finding.name
        let old = entries[name]
        guard old != nil || entries.count < Self.entriesMax else {
            dropped += 1
            return
        }
        let isNew = old?.finding.state != finding.state
        var failures = old?.failures ?? 0
        // An alarm from before a restart is not told again.
        let isKnown = old == nil && alarms[name]?.isStanding == true
        if finding.state.isAlarm, isNew, !isKnown { failures += 1 }
        if finding.state.isAlarm, alarms[name]?.isStanding != true {
            alarms[name, default: Alarm(told: .ok)].worsens(to: finding.state, at: time)
            events.append(event(finding, isRaised: true, time))
        } else if alarms[name]?.takes(finding.state, at: time) == true {
            events.append(event(finding, isRaised: finding.state.isAlarm, time))
        }
        entries[name] = BoardEntry(
            finding: finding, since: isNew ? time : old?.since ?? time, seen: time,
            failures: failures)
        sample(finding, time)
    }

    private mutating func event(
        _ finding: Finding, isRaised: Bool, _ time: Int64
    ) -> AlarmEvent {
        sequence += 1
        return AlarmEvent(
            sequence: sequence, time: time, isRaised: isRaised, name: finding.name,
            kind: finding.kind.number, subject: finding.subject, state: finding.state,
            value: finding.value, text: finding.text)
    }

    private mutating func sample(_ finding: Finding, _ time: Int64) {
        let minute = time / 60_000_000_000
        var new = CheckSample(minute: minute, state: finding.state, value: finding.value)
        // In place: a day of samples is not copied for each finding.
        let index = (samples[finding.name]?.count ?? 0) - 1
        if index >= 0, let last = samples[finding.name]?[index], last.minute == minute {
            if last.state.severity >= new.state.severity { new.state = last.state }
            new.value = [last.value, new.value].compactMap { $0 }.max()
            samples[finding.name]?[index] = new
        } else {
            if index + 1 == Self.minutesMax { samples[finding.name]?.removeFirst() }
            samples[finding.name, default: []].append(new)
        }
    }

    /// The last day of a check, oldest first; empty where there is no such check.
    public func history(_ name: String) -> [CheckSample] { samples[name] ?? [] }

    /// The checks in the order of their kinds' numbers, then of their subjects.
    public var sorted: [BoardEntry] {
        entries.values.sorted {
            ($0.finding.kind.number, $0.finding.subject)
                < ($1.finding.kind.number, $1.finding.subject)
        }
    }
}
