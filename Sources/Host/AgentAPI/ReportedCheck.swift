// A check as the agent reports it: what a reader needs, without the code behind it.

public import JSON

/// A check as the agent reports it.
public struct ReportedCheck: Hashable, Sendable {
    /// `kind/subject`.
    public var name: String
    /// The number of its kind.
    public var kind: Int
    /// What it looked at; empty: the host itself.
    public var subject: String
    /// Its state.
    public var state: CheckState
    /// Its value, if it has one.
    public var value: Int64?
    /// The unit of the value.
    public var unit: String
    /// Its thresholds as configured.
    public var thresholds: Thresholds
    /// When its state began, in nanoseconds since 1970.
    public var since: Int64
    /// When it was last made, in nanoseconds since 1970.
    public var seen: Int64
    /// How often it has failed.
    public var failures: UInt64
    /// What was found.
    public var text: String
    /// Where it was read.
    public var source: String
    /// Why it matters.
    public var why: String
    /// The helper's requests that repair it, as lines.
    public var changes: [String] = []
    /// What a person has to do.
    public var advice: [String] = []

    /// A check without a repair.
    public init(
        name: String, kind: Int, subject: String, state: CheckState, value: Int64?, unit: String,
        thresholds: Thresholds, since: Int64, seen: Int64, failures: UInt64, text: String,
        source: String, why: String
    ) {
        (self.name, self.kind, self.subject, self.state) = (name, kind, subject, state)
        (self.value, self.unit, self.thresholds) = (value, unit, thresholds)
        (self.since, self.seen, self.failures) = (since, seen, failures)
        (self.text, self.source, self.why) = (text, source, why)
    }

    /// As JSON.
    public var json: JSONValue {
        [
            "name": .string(name), "kind": .number(kind), "subject": .string(subject),
            "state": .string(state.name), "value": .orNull(value), "unit": .string(unit),
            "warning": .orNull(thresholds.warning), "critical": .orNull(thresholds.critical),
            "since": .number(since), "seen": .number(seen), "failures": .number(failures),
            "text": .string(text), "source": .string(source), "why": .string(why),
            "changes": .strings(changes), "advice": .strings(advice),
        ]
    }

    /// Reads `json`; nil when a member is missing or of another kind.
    public init?(_ json: JSONValue) {
        guard let name = json["name"]?.text, let kind = json["kind"]?.whole,
            let subject = json["subject"]?.text, let state = CheckState(json["state"]),
            let unit = json["unit"]?.text, let since = json["since"]?.whole,
            let seen = json["seen"]?.whole, let failures = json["failures"]?.count,
            let text = json["text"]?.text, let source = json["source"]?.text,
            let why = json["why"]?.text, let changes = json["changes"]?.texts,
            let advice = json["advice"]?.texts
        else { return nil }
        self.init(
            name: name, kind: Int(kind), subject: subject, state: state,
            value: json["value"]?.whole, unit: unit,
            thresholds: Thresholds(
                warning: json["warning"]?.whole, critical: json["critical"]?.whole),
            since: since, seen: seen, failures: failures, text: text, source: source, why: why)
        (self.changes, self.advice) = (changes, advice)
    }
}

extension CheckState {
    /// Reads a member; nil when it is missing or no state's name.
    init?(_ json: JSONValue?) {
        guard let name = json?.text else { return nil }
        self.init(name: name)
    }
}

/// One minute of a check: the worst state, and the largest value.
public struct CheckSample: Hashable, Sendable {
    /// The minute, counted since 1970.
    public var minute: Int64
    /// The worst state in it.
    public var state: CheckState
    /// The largest value in it, if there was one.
    public var value: Int64?

    /// A sample of these.
    public init(minute: Int64, state: CheckState, value: Int64?) {
        (self.minute, self.state, self.value) = (minute, state, value)
    }

    /// As JSON.
    public var json: JSONValue { .array([.number(minute), .string(state.name), .orNull(value)]) }

    /// Reads `json`; nil when it is of another kind.
    public init?(_ json: JSONValue) {
        guard case .array(let parts) = json, parts.count == 3, let minute = parts[0].whole,
            let state = CheckState(parts[1])
        else { return nil }
        self.init(minute: minute, state: state, value: parts[2].whole)
    }
}

/// The reply to GET /v1/checks/NAME: a check with its last day.
public struct CheckDetail: Hashable, Sendable {
    /// The check.
    public var check: ReportedCheck
    /// Its last day, oldest first.
    public var history: [CheckSample]

    /// A check with these samples.
    public init(check: ReportedCheck, history: [CheckSample]) {
        (self.check, self.history) = (check, history)
    }

    /// As JSON.
    public var json: JSONValue { ["check": check.json, "history": .array(history.map(\.json))] }

    /// Reads `json`; nil when a member is missing or of another kind.
    public init?(_ json: JSONValue) {
        guard let check = json["check"].flatMap(ReportedCheck.init),
            let history = json["history"]?.rows(CheckSample.init)
        else { return nil }
        self.init(check: check, history: history)
    }
}
