// matchd's counters, as the agent passes them on.

internal import JSON
public import Terms

/// The counters of matchd by name, in their order: the keys of `boursectl status`. The list is
/// open, so that a newer matchd needs no newer reader.
public struct ExchangeCounters: Hashable, Sendable {
    /// A counter's value.
    public enum Value: Hashable, Sendable {
        /// A number.
        case number(Int64)
        /// A condition.
        case flag(Bool)
        /// A word.
        case text(String)
    }

    /// A counter.
    public struct Counter: Hashable, Sendable {
        /// Its name.
        public var name: String
        /// Its value.
        public var value: Value

        /// A counter of these.
        public init(_ name: String, _ value: Value) { (self.name, self.value) = (name, value) }
    }

    /// The counters in their order.
    public let all: [Counter]

    /// These counters.
    public init(_ all: [Counter]) { self.all = all }

    /// A number; nil where there is none of this name. O(counters).
    public subscript(name: String) -> Int64? {
        if case .number(let number) = value(name) { number } else { nil }
    }

    /// A counter's number; nil where there is none. O(counters).
    public subscript(counter: ExchangeCounter) -> Int64? { self[counter.rawValue] }

    /// The host's role in its exchange.
    public var role: ExchangeRole {
        if case .text(let name) = value(ExchangeCounter.role.rawValue) {
            ExchangeRole(name: name)
        } else {
            .unknown
        }
    }

    /// The epoch.
    public var epoch: Int64 { self[.epoch] ?? 0 }

    /// Whether only cancels are accepted for lack of disk space.
    public var isBelowReserve: Bool { value(ExchangeCounter.belowReserve.rawValue) == .flag(true) }

    private func value(_ name: String) -> Value? { all.first { $0.name == name }?.value }

    /// As JSON; nil: matchd does not answer.
    static func json(_ counters: ExchangeCounters?) -> JSONValue {
        guard let counters else { return ["running": .bool(false)] }
        return .object(
            [.init("running", .bool(true))]
                + counters.all.map { counter in
                    switch counter.value {
                    case .number(let number): .init(counter.name, .number(number))
                    case .flag(let flag): .init(counter.name, .bool(flag))
                    case .text(let text): .init(counter.name, .string(text))
                    }
                })
    }

    /// Reads `json`; nil when role, epoch or the reserve is missing or of another kind. Other
    /// members of an unknown kind are skipped.
    init?(_ json: JSONValue) {
        guard case .object(let members) = json, json["role"]?.text != nil,
            json["epoch"]?.whole != nil, json["belowReserve"]?.flag != nil
        else { return nil }
        all = members.compactMap { member in
            guard member.name != "running" else { return nil }
            if let number = member.value.whole { return Counter(member.name, .number(number)) }
            if let flag = member.value.flag { return Counter(member.name, .flag(flag)) }
            return member.value.text.map { Counter(member.name, .text($0)) }
        }
    }
}

/// A host's role in its exchange. The raw values are those of BOURSE-MIB.
public enum ExchangeRole: Int32, Hashable, Sendable, CaseIterable {
    /// matchd does not answer.
    case unknown = 1
    /// There is no other host.
    case standalone = 2
    /// It serves, and another host stands by.
    case primary = 3
    /// It stands by.
    case standby = 4

    /// Its name in JSON.
    public var name: String {
        switch self {
        case .unknown: "unknown"
        case .standalone: "standalone"
        case .primary: "primary"
        case .standby: "standby"
        }
    }

    /// The role of that name; unknown for any other.
    public init(name: String) { self = Self.allCases.first { $0.name == name } ?? .unknown }
}
