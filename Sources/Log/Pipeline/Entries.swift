// What passes between the Link thread and the engine thread.

import Link
import Terms
import Wire

/// What stands before a request to the engine thread. Behind it: a command's payload, or the name
/// of the writer that a query asks for, a `Text40`.
///
///      0  u32  length, of all           16  u64  number
///      4  u32  `Caller`                 24  u16  the command's kind
///      8  u32  `Purpose`                26  u16  its revision
///     12  u32  session                  28  u32  the sender's number in `GatewayNames`; 0: none
struct RequestHeader: BitwiseCopyable {
    var length: Int
    var caller: Caller
    var purpose: Purpose
    var session = SessionID(0)
    var number: UInt64 = 0
    var kind: UInt16 = 0
    var revision: UInt16 = 0
    var gateway: UInt32 = 0

    /// What is wanted.
    enum Purpose: UInt32 {
        /// A command is to be applied.
        case command = 0
        /// A writer's session is asked for.
        case query = 1
    }

    static var size: Int { 32 }

    @inline(__always) func write(to room: UnsafeMutableRawBufferPointer) {
        unsafe room.storeBytes(of: UInt32(length), toByteOffset: 0, as: UInt32.self)
        unsafe room.storeBytes(of: caller.raw, toByteOffset: 4, as: UInt32.self)
        unsafe room.storeBytes(of: purpose.rawValue, toByteOffset: 8, as: UInt32.self)
        unsafe room.storeBytes(of: session.number, toByteOffset: 12, as: UInt32.self)
        unsafe room.storeBytes(of: number, toByteOffset: 16, as: UInt64.self)
        unsafe room.storeBytes(of: kind, toByteOffset: 24, as: UInt16.self)
        unsafe room.storeBytes(of: revision, toByteOffset: 26, as: UInt16.self)
        unsafe room.storeBytes(of: gateway, toByteOffset: 28, as: UInt32.self)
    }
}

extension RequestHeader {
    @inline(__always) init(_ bytes: UnsafeRawBufferPointer) {
        unsafe length = Int(bytes.load(fromByteOffset: 0, as: UInt32.self))
        caller = Caller(raw: unsafe bytes.load(fromByteOffset: 4, as: UInt32.self))
        let raw = unsafe bytes.load(fromByteOffset: 8, as: UInt32.self)
        purpose = Purpose(rawValue: raw) ?? .command
        session = SessionID(unsafe bytes.load(fromByteOffset: 12, as: UInt32.self))
        unsafe number = bytes.load(fromByteOffset: 16, as: UInt64.self)
        unsafe kind = bytes.load(fromByteOffset: 24, as: UInt16.self)
        unsafe revision = bytes.load(fromByteOffset: 26, as: UInt16.self)
        unsafe gateway = bytes.load(fromByteOffset: 28, as: UInt32.self)
    }
}

/// Identifies a connection to the engine thread: its slot in the Link's table, its role, the slot's
/// use count, so that a late answer does not reach a later connection, and whether it wants every
/// acknowledgement.
struct Caller: Hashable, BitwiseCopyable, Sendable {
    var raw: UInt32

    init(raw: UInt32) { self.raw = raw }

    init(slot: Int, role: LinkRole, use: UInt32, wantsAcks: Bool) {
        raw =
            UInt32(slot & 0x3FFF) | UInt32(role.rawValue) << 14 | (use & 0x7FFF) << 16
            | (wantsAcks ? 1 << 31 : 0)
    }

    /// The most connections whose places differ.
    static var slotsMax: Int { 1 << 14 }

    var slot: Int { Int(raw & 0x3FFF) }
    var role: LinkRole { LinkRole(rawValue: Int(raw >> 14 & 3)) ?? .observer }
    var wantsAcks: Bool { raw >> 31 == 1 }
}

/// An answer of the engine thread, sent when the record `gate` is released:
///
///      0  u32  length: 64          28  u16  refusal
///      4  u32  `Caller`            30  u8   status
///      8  u64  gate                31  u8   `Kind`
///     16  u64  sequence or 0       32  u64  number; of a session its last
///     24  u32  session             40  u64  id; of a session the session's
struct Answer: BitwiseCopyable {
    var caller: Caller
    var gate: UInt64
    var sequence: UInt64
    var session: UInt32
    var refusal: UInt16
    var status: UInt8
    var kind: Kind
    var number: UInt64
    var id: UInt64

    /// What it answers.
    enum Kind: UInt8 {
        /// A command.
        case command = 0
        /// A question after a writer's session.
        case session = 1
        /// The opening of a session, which the connection's own is from here on.
        case opening = 2
    }

    static var size: Int { 64 }

    @inline(__always) func write(to room: UnsafeMutableRawBufferPointer) {
        unsafe room.storeBytes(of: UInt32(Self.size), toByteOffset: 0, as: UInt32.self)
        unsafe room.storeBytes(of: caller.raw, toByteOffset: 4, as: UInt32.self)
        unsafe room.storeBytes(of: gate, toByteOffset: 8, as: UInt64.self)
        unsafe room.storeBytes(of: sequence, toByteOffset: 16, as: UInt64.self)
        unsafe room.storeBytes(of: session, toByteOffset: 24, as: UInt32.self)
        unsafe room.storeBytes(of: refusal, toByteOffset: 28, as: UInt16.self)
        unsafe room.storeBytes(of: status, toByteOffset: 30, as: UInt8.self)
        unsafe room.storeBytes(of: kind.rawValue, toByteOffset: 31, as: UInt8.self)
        unsafe room.storeBytes(of: number, toByteOffset: 32, as: UInt64.self)
        unsafe room.storeBytes(of: id, toByteOffset: 40, as: UInt64.self)
    }
}

extension Answer {
    @inline(__always) init(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        caller = Caller(raw: unsafe bytes.load(fromByteOffset: offset + 4, as: UInt32.self))
        unsafe gate = bytes.load(fromByteOffset: offset + 8, as: UInt64.self)
        unsafe sequence = bytes.load(fromByteOffset: offset + 16, as: UInt64.self)
        unsafe session = bytes.load(fromByteOffset: offset + 24, as: UInt32.self)
        unsafe refusal = bytes.load(fromByteOffset: offset + 28, as: UInt16.self)
        unsafe status = bytes.load(fromByteOffset: offset + 30, as: UInt8.self)
        let raw = unsafe bytes.load(fromByteOffset: offset + 31, as: UInt8.self)
        kind = Kind(rawValue: raw) ?? .command
        unsafe number = bytes.load(fromByteOffset: offset + 32, as: UInt64.self)
        unsafe id = bytes.load(fromByteOffset: offset + 40, as: UInt64.self)
    }
}
