// What the agents of a cluster send each other: the same message whenever something in it changes
// and once a second, so that nothing depends on a single one arriving.

internal import Failover
public import JSON
internal import Terms

/// Whether claims are paused on both hosts, by the newest order.
public struct ClusterHold: Hashable, Sendable {
    /// No claims.
    public let isPaused: Bool
    /// When an operator ordered it: nanoseconds since 1970 by that host's clock, but always later
    /// than the order before, as far as that host knew it; 0: never ordered.
    public let orderedAt: Int64

    /// That order.
    public init(isPaused: Bool = false, orderedAt: Int64 = 0) {
        (self.isPaused, self.orderedAt) = (isPaused, orderedAt)
    }

    /// Latest moment that is taken from anybody, so that a later one always exists.
    static var orderedAtMax: Int64 { .max / 2 }

    /// The order of this moment, which takes the place of this one.
    package func changed(to isPaused: Bool, at realtimeNanos: Int64) -> ClusterHold {
        // A clock that is far ahead leaves room to count on.
        let next = max(min(realtimeNanos, Self.orderedAtMax / 2), orderedAt + 1)
        return ClusterHold(isPaused: isPaused, orderedAt: next)
    }

    /// Whether it takes the other's place: the later order, and of two of one moment the pause.
    package func isNewer(than other: ClusterHold) -> Bool {
        orderedAt > other.orderedAt
            || orderedAt == other.orderedAt && isPaused && !other.isPaused
    }

    /// As JSON.
    public var json: JSONValue {
        ["paused": .bool(isPaused), "orderedAt": .number(orderedAt)]
    }

    /// Reads `json`; nil for anything else.
    public init?(_ json: JSONValue) {
        guard let isPaused = json["paused"]?.flag, let orderedAt = json["orderedAt"]?.whole,
            0...Self.orderedAtMax ~= orderedAt
        else { return nil }
        self.init(isPaused: isPaused, orderedAt: orderedAt)
    }
}

/// One message, as a line of JSON.
public struct PeerMessage: Hashable, Sendable {
    /// Longest line, bytes; who sends a longer one is disconnected.
    public static var bytesMax: Int { 131_072 }

    /// The newest order that this host knows.
    public var hold: ClusterHold
    /// The highest epoch whose process this agent saw end; 0: none.
    public var reapedEpoch: UInt32
    /// The host's cluster document.
    public var document: JSONValue

    /// That message.
    public init(hold: ClusterHold, reapedEpoch: UInt32, document: JSONValue) {
        (self.hold, self.reapedEpoch, self.document) = (hold, reapedEpoch, document)
    }

    /// The id of the etcd cluster that the host belongs to; 0: not known.
    var etcdCluster: UInt64 {
        document["etcdCluster"]?.text.flatMap { UInt64($0, radix: 16) } ?? 0
    }

    /// The epoch of the record there; 0: not known.
    var epoch: UInt32 { document["recordEpoch"]?.count.flatMap(UInt32.init(exactly:)) ?? 0 }

    /// The line with its end.
    package var line: [UInt8] {
        let json: JSONValue = [
            "hold": hold.json, "reapedEpoch": .number(reapedEpoch), "document": document,
        ]
        return Array(json.compact.utf8) + [UInt8(ascii: "\n")]
    }

    /// Reads a line without its end; nil for anything else. Members that it does not know are left
    /// to newer versions.
    package init?(_ line: [UInt8]) {
        guard line.count <= Self.bytesMax, let json = JSONValue(parsing: line),
            let hold = json["hold"].flatMap(ClusterHold.init(_:)),
            let epoch = json["reapedEpoch"]?.count, epoch <= ClusterRecord.epochMax,
            let document = json["document"], case .object = document
        else { return nil }
        self.init(hold: hold, reapedEpoch: UInt32(epoch), document: document)
    }
}
