// The values of BOURSE-MIB at one moment, and how they are encoded.

public import SNMP
import Terms

/// Values by name, in the order of the tree, at one moment.
public struct MIBView: Sendable {
    /// What there is, ascending, each name once.
    public let entries: [(name: ObjectID, value: MIBValue)]

    /// A view without anything.
    public init() { entries = [] }

    /// A view of these, in any order. Of those with one name the first one counts; names that are
    /// too long are left out. O(n log n).
    public init(_ all: [(name: ObjectID, value: MIBValue)]) {
        var sorted: [(name: ObjectID, value: MIBValue)] = []
        sorted.reserveCapacity(all.count)
        // Swift's sort keeps the order of equal ones.
        for entry in all.sorted(by: { $0.name < $1.name })
        where entry.name != sorted.last?.name && entry.name.numbers.count <= ObjectID.numbersMax {
            sorted.append(entry)
        }
        entries = sorted
    }

    /// The value of this name, or nil. O(log n).
    public subscript(name: ObjectID) -> MIBValue? {
        let index = firstIndex { $0 >= name }
        return index < entries.count && entries[index].name == name ? entries[index].value : nil
    }

    /// The next name with its value, or nil. O(log n).
    public func next(after name: ObjectID) -> (name: ObjectID, value: MIBValue)? {
        let index = firstIndex { $0 > name }
        return index < entries.count ? entries[index] : nil
    }

    /// Where `isBeyond` begins to hold.
    private func firstIndex(where isBeyond: (ObjectID) -> Bool) -> Int {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if isBeyond(entries[middle].name) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

extension MIBValue {
    /// A TruthValue (RFC 2579).
    static func truth(_ value: Bool) -> MIBValue { .integer(value ? 1 : 2) }

    /// What of 32 bits comes closest to a number.
    static func closest(_ value: Int64) -> MIBValue { .integer(Int32(clamping: value)) }

    /// What of Gauge32 comes closest to a number.
    static func gauge(closest value: Int64) -> MIBValue { .gauge(UInt32(clamping: value)) }

    /// A number that is not below zero, in 64 bits.
    static func wide(_ value: Int64) -> MIBValue { .counter64(UInt64(clamping: value)) }

    /// A text of at most `max` bytes, cut between characters.
    static func text(_ text: String, max: Int = 255) -> MIBValue {
        guard text.utf8.count > max else { return .octets(Array(text.utf8)) }
        var bytes: [UInt8] = []
        for scalar in text.unicodeScalars {
            let more = UTF8.encode(scalar).map(Array.init) ?? []
            guard bytes.count + more.count <= max else { break }
            bytes += more
        }
        return .octets(bytes)
    }

    /// A DateAndTime (RFC 2579) in UTC, of nanoseconds since 1970.
    static func date(_ nanos: Int64) -> MIBValue {
        let deciseconds = nanos.dividedFloor(by: 100_000_000)
        let seconds = deciseconds.dividedFloor(by: 10)
        let days = seconds.dividedFloor(by: 86_400)
        let second = Int(seconds - days * 86_400)
        let date = CivilDate(days: days)
        let number = UInt16(clamping: date.year)
        return .octets([
            UInt8(number >> 8), UInt8(number & 0xFF), UInt8(date.month), UInt8(date.day),
            UInt8(second / 3_600), UInt8(second / 60 % 60), UInt8(second % 60),
            UInt8(deciseconds - seconds * 10), UInt8(ascii: "+"), 0, 0,
        ])
    }
}
