// Members of the JSON objects in the control socket's lines. Identifiers of 64 bits are hexadecimal
// text; moments are nanoseconds of CLOCK_BOOTTIME, which both ends share.

public import Failover
public import JSON
public import Terms

/// The lines of the control socket: matchd sends a `MatchdReport` in each, the agent a
/// `MatchdOrder`.
public enum ControlLine {
    /// Longest line, bytes; who sends a longer one is disconnected.
    public static var bytesMax: Int { 8_192 }

    /// The value in a line without its end; nil where it is no JSON object.
    public static func json(_ line: some Sequence<UInt8>) -> JSONValue? {
        let bytes = Array(line)
        guard bytes.count <= bytesMax else { return nil }
        return JSONValue(parsing: bytes)
    }
}

extension JSONValue {
    static func id(_ number: UInt64) -> JSONValue { .string(number.hexText) }
    static func replica(_ replica: ReplicaID?) -> JSONValue { .orNull(replica?.description) }
    static func moment(_ moment: BootTime?) -> JSONValue { .orNull(moment?.nanos) }

    /// A number of 16 hexadecimal digits.
    var id: UInt64? {
        guard let text, text.utf8.count == 16, text.utf8.allSatisfy({ hexDigit($0) != nil }) else {
            return nil
        }
        return UInt64(text, radix: 16)
    }
    package var epoch: UInt32? { count.flatMap(UInt32.init(exactly:)) }
    var replica: ReplicaID? { text.flatMap(ReplicaID.init(_:)) }
    var moment: BootTime? { whole.map(BootTime.init(nanos:)) }

    /// A member that may be absent or null, by `read`; nil if it is. Sets `isWrong` if `read`
    /// returns nil for it.
    func optional<T>(_ name: String, _ isWrong: inout Bool, _ read: (JSONValue) -> T?) -> T? {
        guard let value = self[name], value != .null else { return nil }
        guard let result = read(value) else {
            isWrong = true
            return nil
        }
        return result
    }
}

extension LogLevel {
    /// As JSON.
    public var json: JSONValue { ["format": .number(format), "rules": .number(rules)] }

    /// Reads `json`; nil for anything else.
    public init?(_ json: JSONValue) {
        guard let format = json["format"]?.epoch, let rules = json["rules"]?.epoch else {
            return nil
        }
        self.init(format: format, rules: rules)
    }
}

extension ForcedStart {
    /// As JSON.
    public var json: JSONValue { ["epoch": .number(epoch), "from": .number(from)] }

    /// Reads `json`; nil for anything else.
    public init?(_ json: JSONValue) {
        guard let epoch = json["epoch"]?.epoch, let from = json["from"]?.count else { return nil }
        self.init(epoch: epoch, from: from)
    }
}

extension SwapAttempt {
    /// As JSON.
    public var json: JSONValue { ["run": .id(run), "number": .number(number)] }

    /// Reads `json`; nil for anything else.
    public init?(_ json: JSONValue) {
        guard let run = json["run"]?.id, let number = json["number"]?.count else { return nil }
        self.init(run: run, number: number)
    }
}

extension ClaimCause {
    /// Its name in lines.
    public var text: String {
        switch self {
        case .alone: "alone"
        case .restart: "restart"
        case .reaped: "reaped"
        case .grace: "grace"
        case .switchover: "switchover"
        case .failover: "failover"
        case .forced: "forced"
        case .raise: "raise"
        }
    }

    /// The cause of that name.
    public init?(text: String) {
        guard let cause = Self.allCases.first(where: { $0.text == text }) else { return nil }
        self = cause
    }
}
