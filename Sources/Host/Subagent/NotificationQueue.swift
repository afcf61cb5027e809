// The notifications that wait, and how far they have been sent. Pure: time is an argument.

public import AgentAPI
internal import DequeModule
internal import SNMP

/// How far the host's events have been sent; kept on disk.
public struct NotificationCursor: Hashable, Sendable {
    /// The last event that was sent; 0: none.
    public var sequence: UInt64 = 0
    /// The role that was last sent; nil: none was ever seen.
    public var role: ExchangeRole?
    /// The epoch that was last sent.
    public var epoch: Int64 = 0

    /// Nothing sent.
    public init() {}

    /// As a file's text.
    public var text: String {
        "sequence \(sequence)\n" + (role.map { "role \($0.name)\nepoch \(epoch)\n" } ?? "")
            + "end\n"
    }

    /// Reads `text`; nil when it is not whole.
    public init?(_ text: String) {
        let lines = text.split(separator: "\n").map { $0.split(separator: " ") }
        func value(_ key: String) -> String? {
            lines.first { $0.count == 2 && $0[0] == key }.map { String($0[1]) }
        }
        guard lines.last == ["end"], let sequence = value("sequence").flatMap(UInt64.init)
        else { return nil }
        self.sequence = sequence
        if let role = value("role") {
            guard let epoch = value("epoch").flatMap(Int64.init) else { return nil }
            self.role = ExchangeRole(name: role)
            self.epoch = epoch
        }
    }
}

/// The content of a notification.
public enum Notification: Hashable, Sendable {
    /// An alarm was raised or cleared.
    case alarm(AlarmEvent)
    /// The host has another role, or the epoch another number.
    case role(former: ExchangeRole, now: ExchangeRole, epoch: Int64)
    /// The events from `first` to `last` are no longer kept; both 0: they are numbered anew.
    case lost(first: UInt64, last: UInt64)
}

/// The events on their way to the master agent: in order, one at a time, each until acknowledged.
public struct NotificationQueue: Sendable {
    /// Maximum number of waiting notifications; further ones wait at the agent.
    public static var waitingMax: Int { 1_000 }

    /// How far notifications have been acknowledged.
    public private(set) var cursor: NotificationCursor
    private var waiting: Deque<Notification> = []
    /// The last event that waits or was sent.
    private var fetched: UInt64
    /// The latest role and epoch.
    private var seen: (role: ExchangeRole, epoch: Int64)?
    private var current: (token: UInt64, notice: Notification)?
    private var token: UInt64 = 0

    /// A queue that continues after a cursor.
    public init(_ cursor: NotificationCursor) {
        self.cursor = cursor
        fetched = cursor.sequence
    }

    /// The event after which to request more; nil: enough wait.
    public var asksAfter: UInt64? { waiting.count < Self.waitingMax / 2 ? fetched : nil }

    /// Takes the reply to a request for the events after `after`. A reply to another request than
    /// the last one is skipped.
    public mutating func take(_ answer: AlarmEvents, after: UInt64) {
        guard after == fetched else { return }
        if answer.last < fetched {
            // The agent lost its own count, with its disk or by a new installation.
            waiting.append(.lost(first: 0, last: 0))
            fetched = 0
            return
        }
        for event in answer.events where event.sequence > fetched {
            if event.sequence > fetched + 1 {
                waiting.append(.lost(first: fetched + 1, last: event.sequence - 1))
            }
            waiting.append(.alarm(event))
            fetched = event.sequence
        }
        if answer.events.isEmpty, answer.first > fetched + 1 {
            waiting.append(.lost(first: fetched + 1, last: answer.first - 1))
            fetched = answer.first - 1
        }
    }

    /// Takes the role and epoch of the exchange. The first role that is ever seen is no change;
    /// then the cursor is returned, to be stored.
    public mutating func take(role: ExchangeRole, epoch: Int64) -> NotificationCursor? {
        guard role != .unknown else { return nil }
        seen = (role, epoch)
        guard cursor.role == nil else { return nil }
        cursor.role = role
        cursor.epoch = epoch
        return cursor
    }

    /// The next notification to send, with the token of its acknowledgement; nil while one is on
    /// its way, or there is none.
    public mutating func next() -> (token: UInt64, notice: Notification)? {
        guard current == nil, let notice = changedRole ?? waiting.first else { return nil }
        token += 1
        current = (token, notice)
        return current
    }

    private var changedRole: Notification? {
        guard let seen, let former = cursor.role, former != seen.role || cursor.epoch != seen.epoch
        else { return nil }
        return .role(former: former, now: seen.role, epoch: seen.epoch)
    }

    /// The notification with this token was taken, or was not and is sent again. Returns the cursor
    /// where it moved: it is to be stored before the next one is sent.
    public mutating func answered(_ token: UInt64, isTaken: Bool) -> NotificationCursor? {
        guard let notice = current?.notice, current?.token == token else { return nil }
        current = nil
        guard isTaken else { return nil }
        switch notice {
        case .role(_, let now, let epoch):
            cursor.role = now
            cursor.epoch = epoch
            return cursor
        case .alarm(let event): cursor.sequence = event.sequence
        case .lost(_, let last): cursor.sequence = last
        }
        waiting.removeFirst()
        return cursor
    }

    /// The session ended: a notification on its way is sent again. It may have been taken already,
    /// so that one may be sent twice.
    public mutating func sessionEnded() { current = nil }
}

extension BourseMIB {
    /// The name and the variables of a notice.
    func notification(
        _ notice: Notification, host: String, at time: Int64
    ) -> (name: ObjectID, variables: [(name: ObjectID, value: MIBValue)]) {
        func event(_ number: UInt32, _ value: MIBValue) -> (name: ObjectID, value: MIBValue) {
            (scalar(4, number), value)
        }
        let hostName = (name: scalar(1, 2), value: MIBValue.text(host))
        switch notice {
        case .alarm(let alarm):
            return (
                notification(alarm.isRaised ? 1 : 2),
                [
                    event(1, .gauge(UInt32(truncatingIfNeeded: alarm.sequence))),
                    event(2, .date(alarm.time)), hostName, event(3, .text(alarm.name)),
                    event(4, .gauge(closest: Int64(alarm.kind))), event(5, .text(alarm.subject)),
                    event(6, .integer(Int32(alarm.state.rawValue))),
                    event(7, .text(alarm.value.map { String($0) } ?? "")),
                    event(8, .text(alarm.text)),
                ]
            )
        case .role(let former, let now, let epoch):
            return (
                notification(3),
                [
                    event(1, .gauge(0)), event(2, .date(time)), hostName,
                    event(9, .integer(former.rawValue)),
                    (scalar(2, 2), .integer(now.rawValue)), (scalar(2, 3), .wide(epoch)),
                ]
            )
        case .lost(let first, let last):
            return (
                notification(4),
                [
                    event(1, .gauge(0)), event(2, .date(time)), hostName,
                    event(10, .gauge(UInt32(truncatingIfNeeded: first))),
                    event(11, .gauge(UInt32(truncatingIfNeeded: last))),
                ]
            )
        }
    }
}
