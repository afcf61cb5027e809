// What the agent tells of its host, as JSON: the one form that boursectl, SNMP, monitoring and the
// ops page read.

import HelperAPI
public import JSON

/// A check as it is told: what a reader needs, without the code behind it.
public struct ReportedCheck: Hashable, Sendable {
    /// `kind/subject`.
    public var name: String
    /// The number of its kind.
    public var kind: Int
    /// What it looked at.
    public var subject: String
    /// How it is.
    public var state: CheckState
    /// Its value, if it has one.
    public var value: Int64?
    /// What the value counts.
    public var unit: String
    /// Its thresholds as configured.
    public var thresholds: Thresholds
    /// Since when it is so, in nanoseconds since 1970.
    public var since: Int64
    /// When it was looked at last.
    public var seen: Int64
    /// How often it has failed.
    public var failures: UInt64
    /// What was found.
    public var text: String
    /// Where it was read.
    public var source: String
    /// Why it matters.
    public var why: String
    /// The helper's requests that put it right, as lines.
    public var changes: [String]
    /// What a person has to do.
    public var advice: [String]

    /// A check as the board has it.
    public init(_ entry: BoardEntry, _ plan: HostPlan) {
        let finding = entry.finding
        name = finding.name
        kind = finding.kind.number
        subject = finding.subject
        state = finding.state
        value = finding.value
        unit = finding.kind.unit
        thresholds = plan.thresholds[finding.kind.name] ?? finding.kind.thresholds
        since = entry.since
        seen = entry.seen
        failures = entry.failures
        text = finding.text
        source = finding.source
        why = finding.kind.why
        changes = []
        advice = []
        switch finding.fix {
        case .change(let requests): changes = requests.map(\.line)
        case .advice(let lines): advice = lines
        case nil: break
        }
    }

    /// As JSON.
    public var json: JSONValue {
        [
            "name": .string(name), "kind": .number(kind), "subject": .string(subject),
            "state": .string(state.name), "value": value.map { .number($0) } ?? .null,
            "unit": .string(unit),
            "warning": thresholds.warning.map { .number($0) } ?? .null,
            "critical": thresholds.critical.map { .number($0) } ?? .null,
            "since": .number(since), "seen": .number(seen), "failures": .number(failures),
            "text": .string(text), "source": .string(source), "why": .string(why),
            "changes": .array(changes.map { .string($0) }),
            "advice": .array(advice.map { .string($0) }),
        ]
    }

    /// Reads what `json` gives; nil when a member is missing or of another kind.
    public init?(_ json: JSONValue) {
        guard let name = json["name"]?.text, let kind = json["kind"]?.whole,
            let subject = json["subject"]?.text,
            let state = (json["state"]?.text).flatMap(CheckState.init(name:)),
            let unit = json["unit"]?.text, let since = json["since"]?.whole,
            let seen = json["seen"]?.whole, let failures = json["failures"]?.whole,
            failures >= 0, let text = json["text"]?.text, let source = json["source"]?.text,
            let why = json["why"]?.text, let changes = json["changes"]?.texts,
            let advice = json["advice"]?.texts
        else { return nil }
        self.name = name
        self.kind = Int(kind)
        self.subject = subject
        self.state = state
        value = json["value"]?.whole
        self.unit = unit
        thresholds = Thresholds(
            warning: json["warning"]?.whole, critical: json["critical"]?.whole)
        self.since = since
        self.seen = seen
        self.failures = UInt64(failures)
        self.text = text
        self.source = source
        self.why = why
        self.changes = changes
        self.advice = advice
    }
}

extension AlarmEvent {
    /// As JSON.
    public var json: JSONValue {
        [
            "sequence": .number(sequence), "time": .number(time), "raised": .bool(isRaised),
            "name": .string(name), "kind": .number(kind), "subject": .string(subject),
            "state": .string(state.name), "value": value.map { .number($0) } ?? .null,
            "text": .string(text),
        ]
    }

    /// Reads what `json` gives; nil when a member is missing or of another kind.
    public init?(_ json: JSONValue) {
        guard let sequence = json["sequence"]?.whole, sequence > 0,
            let time = json["time"]?.whole, case .bool(let isRaised) = json["raised"],
            let name = json["name"]?.text, let kind = json["kind"]?.whole,
            let subject = json["subject"]?.text,
            let state = (json["state"]?.text).flatMap(CheckState.init(name:)),
            let text = json["text"]?.text
        else { return nil }
        self.init(
            sequence: UInt64(sequence), time: time, isRaised: isRaised, name: name,
            kind: Int(kind), subject: subject, state: state, value: json["value"]?.whole,
            text: text)
    }
}
