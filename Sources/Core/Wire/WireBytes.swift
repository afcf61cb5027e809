// Cursors over bytes. The reader never traps on input from outside: it becomes invalid.

public import Terms

/// Reads little-endian values in order. Past the end it returns zeros and stays invalid, so a
/// decoder reads all its fields and checks once at the end.
@safe public struct WireReader {
    let bytes: UnsafeRawBufferPointer
    /// Bytes read so far.
    public private(set) var offset: Int
    /// False once a read went past the end or a value was invalid for its type.
    public private(set) var isValid: Bool

    /// A reader over `bytes`, which must outlive it.
    public init(_ bytes: UnsafeRawBufferPointer) {
        unsafe self.bytes = bytes
        offset = 0
        isValid = true
    }

    /// Bytes left.
    public var remaining: Int { unsafe bytes.count - offset }

    /// Marks the input as malformed.
    public mutating func invalidate() { isValid = false }

    /// The next integer.
    @inline(__always)
    public mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type = T.self) -> T {
        let size = MemoryLayout<T>.size
        guard unsafe bytes.count - offset >= size else {
            isValid = false
            return 0
        }
        let value = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: T.self)
        offset += size
        return T(littleEndian: value)
    }

    /// The next value of an enumeration with raw bytes; `fallback`, and invalid, if unknown.
    @inline(__always)
    public mutating func choice<E: RawRepresentable>(_ fallback: E) -> E
    where E.RawValue == UInt8 {
        if let value = E(rawValue: integer()) { return value }
        isValid = false
        return fallback
    }

    /// The next flag, a byte of 0 or 1; invalid when it is another.
    public mutating func flag() -> Bool {
        let raw: UInt8 = integer()
        if raw > 1 { invalidate() }
        return raw == 1
    }

    /// The next text; invalid when it is not printable ASCII padded with zeros.
    @inline(__always)
    public mutating func text<T: FixedText>(_: T.Type = T.self) -> T {
        let size = MemoryLayout<T>.size
        guard unsafe bytes.count - offset >= size else {
            isValid = false
            return T()
        }
        let value = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: T.self)
        offset += size
        if !value.isWellFormed { isValid = false }
        return value
    }

    /// The next bytes, preceded by their 16-bit count; invalid when more than `most`.
    public mutating func blob(most: Int) -> [UInt8] {
        bytes(count: Int(integer(UInt16.self)), most: most)
    }

    /// The next `count` bytes; invalid when more than `most`.
    public mutating func bytes(count: Int, most: Int) -> [UInt8] {
        guard count <= most, unsafe bytes.count - offset >= count else {
            isValid = false
            return []
        }
        let value = unsafe [UInt8](bytes[offset..<offset + count])
        offset += count
        return value
    }

    /// The next UTF-8 string, preceded by its 16-bit byte count; invalid when more than `most`.
    public mutating func string(most: Int) -> String {
        let raw = blob(most: most)
        guard let value = String(validating: raw, as: UTF8.self) else {
            isValid = false
            return ""
        }
        return value
    }

    /// Skips `count` bytes that must be zero.
    @inline(__always)
    public mutating func reserved(_ count: Int) {
        for _ in 0..<count where integer(UInt8.self) != 0 { isValid = false }
    }
}

/// Writes little-endian values in order into memory that must suffice; else the process stops, as
/// that is a bug of the caller.
@safe public struct WireWriter {
    let bytes: UnsafeMutableRawBufferPointer
    /// Bytes written so far.
    public private(set) var offset: Int

    /// A writer over `bytes`, which must outlive it.
    public init(_ bytes: UnsafeMutableRawBufferPointer) {
        unsafe self.bytes = bytes
        offset = 0
    }

    /// Writes an integer.
    @inline(__always)
    public mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        let size = MemoryLayout<T>.size
        precondition(unsafe bytes.count - offset >= size, "room for an integer")
        unsafe bytes.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
        offset += size
    }

    /// Writes an enumeration's raw byte.
    @inline(__always)
    public mutating func choice<E: RawRepresentable>(_ value: E) where E.RawValue == UInt8 {
        integer(value.rawValue)
    }

    /// Writes a flag as a byte of 0 or 1.
    public mutating func flag(_ value: Bool) { integer(UInt8(value ? 1 : 0)) }

    /// Writes a text with its padding.
    @inline(__always)
    public mutating func text<T: FixedText>(_ value: T) {
        let size = MemoryLayout<T>.size
        precondition(unsafe bytes.count - offset >= size, "room for a text")
        unsafe bytes.storeBytes(of: value, toByteOffset: offset, as: T.self)
        offset += size
    }

    /// Writes bytes, preceded by their 16-bit count.
    public mutating func blob(_ value: [UInt8]) {
        integer(UInt16(value.count))
        for byte in value { integer(byte) }
    }

    /// Writes a UTF-8 string, preceded by its 16-bit byte count.
    public mutating func string(_ value: String) { blob([UInt8](value.utf8)) }

    /// Writes `count` zero bytes.
    public mutating func reserved(_ count: Int) { for _ in 0..<count { integer(UInt8(0)) } }

    /// Writes zero bytes up to a multiple of 8.
    public mutating func pad() { while offset & 7 != 0 { integer(UInt8(0)) } }
}
