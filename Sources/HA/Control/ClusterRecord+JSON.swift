// The record and the floor as texts, which are etcd's values. A swap compares texts, so each value
// has exactly one text, and any other is refused.

public import Failover
internal import JSON
internal import Terms

/// Why a value in etcd is refused.
public enum RecordError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Longer than any record, in bytes.
    case tooLong(Int)
    /// Of a version that this release does not know.
    case newerVersion(UInt64)
    /// No record, and what is wrong with it.
    case garbled(String)

    /// The reason, as a part of a sentence.
    public var description: String {
        switch self {
        case .tooLong(let bytes):
            "it has \(bytes) bytes, at most \(ClusterRecord.bytesMax) are a record"
        case .newerVersion(let version):
            "it is of version \(version), this release knows \(ClusterRecord.version)"
        case .garbled(let why): "it is garbled: \(why)"
        }
    }
}

extension ClusterRecord {
    /// The version of the text that this release reads and writes.
    public static var version: UInt64 { 1 }
    /// Maximum length of a record's text.
    public static var bytesMax: Int { 2_048 }

    /// The text: JSON in one line, with its members in this order; `forced` only where there was
    /// a forced failover, `replaces` only where this etcd was made in another's place.
    ///
    ///     {"version":1,"epoch":6,"primary":"a","insync":[{"host":"a","replica":"<32 hex>"}],
    ///      "attempt":{"run":"<16 hex>","number":1},"forced":{"epoch":4,"from":91},
    ///      "replaces":"<16 hex>"}
    public var text: String {
        let members = inSync.map { replica -> JSONValue in
            ["host": .string(replica.host.text), "replica": .string(replica.replica.description)]
        }
        var record: [JSONValue.Member] = [
            .init("version", .number(Self.version)), .init("epoch", .number(epoch)),
            .init("primary", .string(primary.text)), .init("insync", .array(members)),
            .init(
                "attempt",
                ["run": .string(attempt.run.hexText), "number": .number(attempt.number)]),
        ]
        if let forced { record.append(.init("forced", forced.json)) }
        if let replaces { record.append(.init("replaces", .string(replaces.hexText))) }
        return JSONValue.object(record).compact
    }

    /// The record of a text, exactly as `text` gives it. O(bytes).
    public init(parsing text: [UInt8]) throws(RecordError) {
        guard text.count <= Self.bytesMax else { throw .tooLong(text.count) }
        guard let json = JSONValue(parsing: text, valuesMax: 64) else {
            throw .garbled("it is no JSON")
        }
        guard let version = json["version"]?.unsigned else { throw .garbled("it has no version") }
        guard version <= Self.version else { throw .newerVersion(version) }
        guard let record = ClusterRecord(json) else {
            throw .garbled("a member is missing, or has a value that it cannot have")
        }
        guard record.text.utf8.elementsEqual(text) else {
            throw .garbled("it is not written as this release writes it")
        }
        self = record
    }

    /// The record of this JSON, if its values can be a record's: one or two replicas on different
    /// hosts in sync, with the primary's among them.
    private init?(_ json: JSONValue) {
        guard let epoch = json["epoch"]?.epoch, epoch > 0, epoch - 1 <= Self.epochMax,
            let primary = json["primary"]?.host,
            let inSync = json["insync"]?.rows(\.inSyncReplica),
            let run = json["attempt"]?["run"]?.text.flatMap({ UInt64($0, radix: 16) }),
            let number = json["attempt"]?["number"]?.unsigned
        else { return nil }
        let hosts = Set(inSync.map(\.host))
        guard inSync.count <= 2, hosts.count == inSync.count, hosts.contains(primary) else {
            return nil
        }
        var forced: ForcedStart?
        if let json = json["forced"] {
            guard let start = json["epoch"]?.epoch, start <= epoch,
                let from = json["from"]?.unsigned
            else { return nil }
            forced = ForcedStart(epoch: start, from: from)
        }
        var replaces: UInt64?
        if let json = json["replaces"] {
            guard let id = json.text.flatMap({ UInt64($0, radix: 16) }), id > 0 else { return nil }
            replaces = id
        }
        self.init(
            epoch: epoch, primary: primary, inSync: inSync,
            attempt: SwapAttempt(run: run, number: number), forced: forced, replaces: replaces)
    }
}

extension JSONValue {
    /// A whole number of 64 bits without a sign, or nil.
    fileprivate var unsigned: UInt64? {
        if case .numeral(let text) = self { UInt64(text) } else { nil }
    }

    /// A host's name: 1 to 253 letters, digits, hyphens and dots.
    package var host: HostName? {
        guard let text, 1...253 ~= text.utf8.count,
            text.utf8.allSatisfy({ byte in
                UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
                    || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
                    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
            })
        else { return nil }
        return HostName(text)
    }

    fileprivate var inSyncReplica: InSyncReplica? {
        guard let host = self["host"]?.host,
            let replica = self["replica"]?.text.flatMap(ReplicaID.init), replica != .none
        else { return nil }
        return InSyncReplica(host: host, replica: replica)
    }
}

/// The floor as a text: 20 digits, so that etcd's order of texts is that of numbers.
package enum FloorText {
    private static let digits = 20

    package static func text(_ floor: UInt64) -> String {
        let text = String(floor)
        return String(repeating: "0", count: digits - text.utf8.count) + text
    }

    /// The first text above this floor's.
    package static func above(_ floor: UInt64) -> String {
        floor == .max ? "18446744073709551616" : text(floor + 1)
    }

    package static func parse(_ text: [UInt8]) throws(RecordError) -> UInt64 {
        guard text.count == digits,
            text.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }),
            let floor = UInt64(String(decoding: text, as: UTF8.self))
        else { throw .garbled("a floor is \(digits) digits, at most 2^64 - 1") }
        return floor
    }
}
