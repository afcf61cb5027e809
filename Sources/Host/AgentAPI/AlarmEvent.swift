// Alarms as they are raised and cleared.

public import JSON

/// An alarm that was raised or cleared: the content of a notification.
public struct AlarmEvent: Hashable, Sendable {
    /// Its number, from 1 without a gap, for the life of the host.
    public var sequence: UInt64
    /// When, in nanoseconds since 1970.
    public var time: Int64
    /// Whether it was raised; else it was cleared.
    public var isRaised: Bool
    /// The check's name, `kind/subject`.
    public var name: String
    /// The number of its kind.
    public var kind: Int
    /// Its subject.
    public var subject: String
    /// The new state.
    public var state: CheckState
    /// Its value, if it has one.
    public var value: Int64?
    /// What was found.
    public var text: String

    /// An event of these.
    public init(
        sequence: UInt64, time: Int64, isRaised: Bool, name: String, kind: Int, subject: String,
        state: CheckState, value: Int64?, text: String
    ) {
        (self.sequence, self.time, self.isRaised) = (sequence, time, isRaised)
        (self.name, self.kind, self.subject) = (name, kind, subject)
        (self.state, self.value, self.text) = (state, value, text)
    }

    /// As JSON.
    public var json: JSONValue {
        [
            "sequence": .number(sequence), "time": .number(time), "raised": .bool(isRaised),
            "name": .string(name), "kind": .number(kind), "subject": .string(subject),
            "state": .string(state.name), "value": .orNull(value), "text": .string(text),
        ]
    }

    /// Reads `json`; nil when a member is missing or of another kind.
    public init?(_ json: JSONValue) {
        guard let sequence = json["sequence"]?.count, sequence > 0,
            let time = json["time"]?.whole, let isRaised = json["raised"]?.flag,
            let name = json["name"]?.text, let kind = json["kind"]?.whole,
            let subject = json["subject"]?.text, let state = CheckState(json["state"]),
            let text = json["text"]?.text
        else { return nil }
        self.init(
            sequence: sequence, time: time, isRaised: isRaised, name: name, kind: Int(kind),
            subject: subject, state: state, value: json["value"]?.whole, text: text)
    }
}

/// The reply to GET /v1/events?after=N.
public struct AlarmEvents: Hashable, Sendable {
    /// The numbers of the oldest event that is kept, and of the last one.
    public var first, last: UInt64
    /// Events after N, ascending.
    public var events: [AlarmEvent]

    /// Events with these bounds.
    public init(first: UInt64, last: UInt64, events: [AlarmEvent]) {
        (self.first, self.last, self.events) = (first, last, events)
    }

    /// As JSON.
    public var json: JSONValue {
        [
            "first": .number(first), "last": .number(last), "events": .array(events.map(\.json)),
        ]
    }

    /// Reads `json`; nil when a member is missing or of another kind, or the events do not ascend.
    public init?(_ json: JSONValue) {
        guard let first = json["first"]?.count, let last = json["last"]?.count,
            let events = json["events"]?.rows(AlarmEvent.init),
            zip(events, events.dropFirst()).allSatisfy({ $0.sequence < $1.sequence })
        else { return nil }
        self.init(first: first, last: last, events: events)
    }
}
