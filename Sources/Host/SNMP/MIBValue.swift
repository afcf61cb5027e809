// Names and values of SNMP.

/// An object identifier (RFC 2578, section 3.5).
public struct ObjectID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Its numbers, at most `numbersMax`.
    public var numbers: [UInt32]

    /// Maximum length of a name.
    public static var numbersMax: Int { 128 }

    /// An identifier of these numbers.
    public init(_ numbers: [UInt32]) { self.numbers = numbers }

    /// The order of the tree.
    public static func < (a: ObjectID, b: ObjectID) -> Bool {
        a.numbers.lexicographicallyPrecedes(b.numbers)
    }

    /// Followed by `more`.
    public func appending(_ more: UInt32...) -> ObjectID { ObjectID(numbers + more) }
    /// Followed by `more`.
    public func appending(_ more: [UInt32]) -> ObjectID { ObjectID(numbers + more) }

    /// As `1.3.6.1`.
    public var description: String { numbers.map { String($0) }.joined(separator: ".") }
}

/// A value of SMIv2 (RFC 2578, section 7).
public enum MIBValue: Hashable, Sendable {
    /// Integer32, or an enumeration.
    case integer(Int32)
    /// Gauge32 or Unsigned32.
    case gauge(UInt32)
    /// Counter32.
    case counter32(UInt32)
    /// Counter64.
    case counter64(UInt64)
    /// OCTET STRING.
    case octets([UInt8])
    /// OBJECT IDENTIFIER.
    case objectID(ObjectID)
}
