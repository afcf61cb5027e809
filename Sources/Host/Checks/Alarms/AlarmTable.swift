// The state of every check over time: since when, how often it failed, its last day.

public import AgentAPI
import HelperAPI

/// A check with a summary of its history.
public struct CheckEntry: Hashable, Sendable {
    /// The latest finding.
    public var finding: Finding
    /// When its state began, in nanoseconds since 1970.
    public var since: Int64
    /// When it was last made, in nanoseconds since 1970.
    public var seen: Int64
    /// How often it has turned into a warning or a critical state.
    public var failures: UInt64

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

/// What was reported of a check. A check that flaps is held: it makes fewer than forty events in an
/// hour, the first of them at once.
struct Alarm: Hashable, Sendable {
    /// The first hold and the longest one, in nanoseconds; each is twice the previous one.
    static let holdNanos: (first: Int64, most: Int64) = (10_000_000_000, 600_000_000_000)
    /// Nanoseconds without an escalation after which it no longer counts as flapping.
    static let calmNanos: Int64 = 1_800_000_000_000

    /// The state that was last reported; nil where that was before a restart.
    private(set) var reported: CheckState?
    /// How long it must be better before that is reported.
    private var hold: Int64 = 0
    private var betterSince: Int64?
    /// When an improvement was last reported.
    private var improved: Int64?

    init(reported: CheckState?) { self.reported = reported }

    var isStanding: Bool { reported != .ok }

    func isRecent(_ time: Int64) -> Bool { improved.map { time - $0 < Self.calmNanos } ?? false }

    /// Takes a finding; true where it is to be reported.
    mutating func takes(_ state: CheckState, at time: Int64) -> Bool {
        guard let reported else {
            if state.isAlarm { self.reported = state }
            return state == .ok && improves(to: .ok, at: time)
        }
        // Unknown is neither better nor worse.
        if state == reported || state == .unknown {
            betterSince = nil
            return false
        }
        guard state.severity > reported.severity else { return improves(to: state, at: time) }
        worsens(to: state, at: time)
        return true
    }

    /// Notes an escalation, which is reported at once.
    mutating func worsens(to state: CheckState, at time: Int64) {
        (reported, betterSince) = (state, nil)
        hold = isRecent(time) ? min(max(2 * hold, Self.holdNanos.first), Self.holdNanos.most) : 0
    }

    /// Notes an improvement; true where it has lasted long enough to be reported.
    mutating func improves(to state: CheckState, at time: Int64) -> Bool {
        let since = betterSince ?? time
        betterSince = since
        guard time - since >= hold else { return false }
        (reported, betterSince, improved) = (state, nil, time)
        return true
    }
}

/// All checks of a host. Pure: time is an argument.
public struct AlarmTable: Sendable {
    /// Maximum number of checks; further ones are counted in `dropped`.
    public static var entriesMax: Int { 4_096 }
    /// Minutes of history of each.
    public static var minutesMax: Int { 1_440 }

    /// The checks by name.
    public private(set) var entries: [String: CheckEntry] = [:]
    /// The number of the last event; a restarted agent continues after it.
    public private(set) var sequence: UInt64
    /// Findings beyond the maximum.
    public private(set) var dropped: UInt64 = 0
    private var samples: [String: [CheckSample]] = [:]
    /// The reported state of checks that are, or recently were, alarms.
    private var alarms: [String: Alarm] = [:]

    /// A table without checks, whose last event had this number.
    ///
    /// `raised` are the names of the alarms that were raised then: they are not raised again.
    public init(sequence: UInt64 = 0, raised: some Sequence<String> = []) {
        self.sequence = sequence
        for name in raised { alarms[name] = Alarm(reported: nil) }
    }

    /// The names of the alarms that are raised.
    public var raised: [String] { alarms.filter(\.value.isStanding).keys.sorted() }

    /// The worst state of all: critical, warning, unknown, ok. An unknown state hides no alarm.
    public var worst: CheckState {
        entries.values.map(\.finding.state).max { $0.severity < $1.severity } ?? .unknown
    }

    /// Takes a round of one group's findings at `time` (nanoseconds since 1970) and returns the
    /// resulting events. A check of the group that is no longer among them has gone with its
    /// subject; its alarm is cleared.
    ///
    /// Escalations and improvements are reported at once. Only where a check flaps, its alarm is
    /// held until it has been better for a while: see `Alarm`.
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

    /// Forgets alarms that were cleared long ago; all cleared ones where there are too many.
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
        // An alarm from before a restart is not reported again.
        let isKnown = old == nil && alarms[name]?.isStanding == true
        if finding.state.isAlarm, isNew, !isKnown { failures += 1 }
        if finding.state.isAlarm, alarms[name]?.isStanding != true {
            alarms[name, default: Alarm(reported: .ok)].worsens(to: finding.state, at: time)
            events.append(event(finding, isRaised: true, time))
        } else if alarms[name]?.takes(finding.state, at: time) == true {
            events.append(event(finding, isRaised: finding.state.isAlarm, time))
        }
        entries[name] = CheckEntry(
            finding: finding, since: isNew ? time : old?.since ?? time, seen: time,
            failures: failures)
        sample(finding, time)
    }

    private mutating func event(_ finding: Finding, isRaised: Bool, _ time: Int64) -> AlarmEvent {
        sequence += 1
        return AlarmEvent(
            sequence: sequence, time: time, isRaised: isRaised, name: finding.name,
            kind: finding.kind.number, subject: finding.subject, state: finding.state,
            value: finding.value, text: finding.text)
    }

    private mutating func sample(_ finding: Finding, _ time: Int64) {
        let minute = time / 60_000_000_000
        var new = CheckSample(minute: minute, state: finding.state, value: finding.value)
        // In place: copying a day of samples for each finding would be slow.
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
    public var sorted: [CheckEntry] {
        entries.values.sorted {
            ($0.finding.kind.number, $0.finding.subject)
                < ($1.finding.kind.number, $1.finding.subject)
        }
    }
}
