// The Link's frames between matchd, writers and followers. This file is their schema.
//
//      0  u32  length      bytes of the frame, header included; a multiple of 8, at most
//                          `LinkProtocol.frameBytesMax`
//      4  u16  type        `LinkFrameType`
//      6  u16  reserved    0
//      8  …    body
//
// All integers are little-endian. Bodies, offsets from the body's start:
//
//   to matchd
//     hello      0 u32 version   4 u32 flags (1: acknowledge every command)   8 text40 name
//                48 u32 highest epoch seen   52 u32 purpose   56 u64 process
//     proof      0 32 bytes      HMAC-SHA256 of the challenge with the Link's key
//     submit     0 u32 session   4 u32 count   8 entries, back to back:
//                    0 u64 number   8 u32 payload bytes, a multiple of 8   12 u16 kind
//                    14 u16 revision   16 payload
//     subscribe  0 u64 from      sequence of the first record wanted; 0: begin with a snapshot
//                8 u64 atMost    where `from` is 0: the highest sequence of that snapshot
//               16 u32 epoch    20 u32 crc: of the record before `from`; 0 where it is not known
//     query      0 text40 name   asks for the session that a writer has open
//     askStatus  empty
//
//   from matchd
//     challenge  0 32 bytes      random; only where the connection has to prove itself
//     welcome    0 u32 version   4 u32 epoch   8 u64 × 2 journal id   24 u32 role
//                28 u32 forcedEpoch   32 u64 released   40 i64 time   48 u64 process
//                56 u64 forcedFrom    64 text40 primary
//     acks       0 u32 session   4 u32 count   8 entries, back to back:
//                    0 u64 number   8 u64 sequence   16 u64 id   24 u16 refusal   26 u8 status
//                    27 5 reserved
//     voids      0 u32 count     4 u32 reserved   8 u64 × count: sequences to skip
//     snapshot   0 u64 sequence  8 i64 time   16 u32 epoch   20 u32 crc of that record
//                24 u64 stateHash   32 u64 bytes of the whole   — its chunks follow
//     chunk      0 u32 count     4 u32 reserved   8 bytes, padded with zeros
//     records    0 whole records, as they stand in the log
//     position   0 u64 released  8 i64 time   16 u32 epoch   20 u32 reserved
//                all up to `released` was sent; `epoch` is that of the sender's term
//     session    0 text40 name  40 u32 id (0: none)  44 u32 reserved  48 u64 lastNumber
//     status     see `LinkStatus`
//     error      0 u16 code      2 u16 count   4 text in UTF-8, padded; the connection closes

public import Terms
internal import Wire

/// Constants of the Link.
public enum LinkProtocol {
    /// The version that this code speaks.
    public static var version: UInt32 { 2 }
    /// Bytes of a frame's header.
    public static var headerBytes: Int { 8 }
    /// Maximum bytes of a frame.
    public static var frameBytesMax: Int { 1 << 18 }
    /// Maximum bytes of commands that a client puts in one submit frame.
    public static var submitBytesMax: Int { 1 << 16 }
    /// Bytes of a submit entry before its payload.
    public static var entryBytes: Int { 16 }
    /// Bytes of an acknowledgement.
    public static var ackBytes: Int { 32 }
    /// Bytes of a challenge, and of the proof that answers it.
    public static var proofBytes: Int { 32 }
    /// Maximum voided sequences that matchd names to a follower.
    public static var voidsMax: Int { 1024 }
    /// Maximum bytes of an error's text.
    public static var errorBytesMax: Int { 512 }
    /// The prefix of operators' session names; only operators may open them.
    public static var operatorPrefix: String { OpenSession.operatorPrefix }
    /// The prefix of wallets' session names; only wallets may open them.
    public static var walletPrefix: String { "wallet/" }
    /// What a gateway's name in its certificate ends with. No host's name ends so, for none has
    /// an underscore.
    public static var gatewaySuffix: String { "._gateway" }
    /// What the sessions of the gateway on a host of its own are called, by its certificate's name
    /// without the suffix: this, and this with `#2` and so on. Nil: it is no such name.
    public static func writer(ofGateway name: String) -> Text40? {
        guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "#")) else { return nil }
        return Text40("gateway/\(name)")
    }

    /// Whether a session's name is one of this gateway's.
    public static func isSession(_ name: Text40, of writer: Text40) -> Bool {
        if name == writer { return true }
        let words = name.description.split(separator: "#", omittingEmptySubsequences: false)
        return words.count == 2 && words[0] == writer.description
            && (2...lanesMax).contains { words[1] == "\($0)" }
    }

    /// Maximum number of a gateway's sessions.
    public static var lanesMax: Int { 16 }

    /// Maximum bytes of a snapshot in one chunk.
    public static var chunkBytesMax: Int { 1 << 17 }
}

/// Frame types. Never renumber.
public enum LinkFrameType: UInt16, Sendable, CaseIterable {
    /// The client's first frame.
    case hello = 1
    /// The answer to a challenge.
    case proof = 2
    /// Commands of one session.
    case submit = 3
    /// Asks for the log.
    case subscribe = 4
    /// Asks for a writer's session.
    case query = 5
    /// Asks how matchd is.
    case askStatus = 6

    /// Random bytes that a connection over TCP has to sign.
    case challenge = 64
    /// The server's greeting: the client may submit and subscribe from here on.
    case welcome = 65
    /// The outcomes of commands.
    case acks = 66
    /// Sequences that replicas skip.
    case voids = 67
    /// A snapshot begins.
    case snapshot = 68
    /// A part of a snapshot.
    case chunk = 69
    /// A run of the log.
    case records = 70
    /// All records up to here were sent.
    case position = 71
    /// A writer's session.
    case session = 72
    /// The status of matchd.
    case status = 73
    /// The error, before the server closes.
    case error = 74
}

/// The purpose of a connection, which limits its requests; queries are always allowed.
public struct LinkPurpose: OptionSet, Hashable, Sendable {
    /// The bits.
    public let rawValue: UInt32
    /// A purpose of these bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// Submits commands.
    public static let writer = LinkPurpose(rawValue: 1)
    /// Follows the log.
    public static let follower = LinkPurpose(rawValue: 2)
    /// Keeps a copy of the journal.
    public static let replica = LinkPurpose(rawValue: 4)
    /// Asks for customers, as a gateway does: matchd's own user and root, who are operators
    /// otherwise, are no more than a gateway then. An operator that is named as one stays one, who
    /// cannot ask for a withdrawal as its customer and approve it.
    public static let customers = LinkPurpose(rawValue: 8)
    /// Says what chains say, as the wallet does: matchd's own user and root, who are operators
    /// otherwise, are the wallet then, and nothing else. An operator that is named as one stays
    /// one, who cannot credit what never came.
    public static let wallet = LinkPurpose(rawValue: 16)
}

/// The role of a matchd. Never renumber.
public enum LinkServerRole: UInt32, Sendable, CaseIterable, CustomStringConvertible {
    /// The only host.
    case standalone = 0
    /// Accepts commands, and has a peer.
    case primary = 1
    /// Follows a primary; accepts no commands.
    case standby = 2
    /// A former primary that accepts nothing more, because another host takes over.
    case sealed = 3

    /// Whether it accepts commands.
    public var takesCommands: Bool { self == .standalone || self == .primary }

    /// As in status.
    public var description: String {
        switch self {
        case .standalone: "standalone"
        case .primary: "primary"
        case .standby: "standby"
        case .sealed: "sealed"
        }
    }
}

/// A client's greeting.
public struct LinkHello: Hashable, Sendable {
    /// The version that the client speaks.
    public var version: UInt32
    /// Whether it wants an acknowledgement of every command. A writer that follows the log needs
    /// only those of its sessions and of commands that did not enter the log.
    public var wantsAcks: Bool
    /// Its name, for logs and status.
    public var name: Text40
    /// The highest epoch it has seen: a server of an earlier term refuses it (`epoch`).
    public var epochMax: UInt32
    /// The purpose of the connection.
    public var purpose: LinkPurpose
    /// A number unique to the client's process.
    public var process: UInt64

    /// A greeting.
    public init(
        version: UInt32 = LinkProtocol.version, wantsAcks: Bool, name: Text40,
        epochMax: UInt32 = 0, purpose: LinkPurpose = [.writer, .follower], process: UInt64 = 0
    ) {
        (self.version, self.wantsAcks, self.name) = (version, wantsAcks, name)
        (self.epochMax, self.purpose, self.process) = (epochMax, purpose, process)
    }
}

/// The server's greeting.
public struct LinkWelcome: Hashable, Sendable {
    /// The version that the server speaks.
    public var version: UInt32
    /// The epoch of its term.
    public var epoch: UInt32
    /// The journal's identity, first half.
    public var journalHigh: UInt64
    /// The journal's identity, second half.
    public var journalLow: UInt64
    /// The last record released when it was written.
    public var released: UInt64
    /// The log's clock, ns since 1970: it decides deadlines, not the host's clock.
    public var time: Int64
    /// The server's role.
    public var role = LinkServerRole.standalone
    /// A number unique to the server's process.
    public var process: UInt64 = 0
    /// The last epoch that an operator forced, when records may have been cut; 0: none.
    public var forcedEpoch: UInt32 = 0
    /// The first record of that epoch: earlier epochs' records from here on are gone.
    public var forcedFrom: UInt64 = 0
    /// The primary's address, as `host:port`; empty if it is this one or unknown.
    public var primary = Text40()

    /// A greeting.
    public init(
        version: UInt32 = LinkProtocol.version, epoch: UInt32, journalHigh: UInt64,
        journalLow: UInt64, released: UInt64, time: Int64
    ) {
        (self.version, self.epoch, self.journalHigh) = (version, epoch, journalHigh)
        (self.journalLow, self.released, self.time) = (journalLow, released, time)
    }
}

/// The outcome of one command, sent when it is durable.
@frozen public struct LinkAck: Hashable, BitwiseCopyable, Sendable {
    /// Its session.
    public var session: SessionID
    /// Its number there; for session 0, the submitter's number.
    public var number: UInt64
    /// Its record in the log; 0: it did not enter the log, and its number is still free.
    public var sequence: UInt64
    /// The engine's outcome; where it did not enter the log, the last record that the engine had
    /// applied when it was refused.
    public var id: UInt64
    /// Why it was refused.
    public var refusal: Refusal
    /// The order's status.
    public var status: OrderStatus

    /// Whether the command is in the log.
    public var isLogged: Bool { sequence != 0 }

    /// An acknowledgement.
    public init(
        session: SessionID, number: UInt64, sequence: UInt64, id: UInt64, refusal: Refusal,
        status: OrderStatus
    ) {
        (self.session, self.number, self.sequence) = (session, number, sequence)
        (self.id, self.refusal, self.status) = (id, refusal, status)
    }
}

/// Asks for the log.
public struct LinkSubscription: Hashable, Sendable {
    /// The first record wanted; 0: begin with a snapshot.
    public var from: UInt64
    /// Where `from` is 0: the highest sequence of that snapshot.
    public var atMost: UInt64
    /// The epoch of the record before `from`, as the follower has it.
    public var epoch: UInt32
    /// The CRC of that record; 0: not known. Another one in the log is a fork.
    public var crc: UInt32

    /// The log after a record that the follower has.
    public init(from: UInt64, epoch: UInt32, crc: UInt32) {
        (self.from, atMost, self.epoch, self.crc) = (from, 0, epoch, crc)
    }

    /// A snapshot of at most `atMost`, and the log from there.
    public init(snapshotAtMost atMost: UInt64) {
        (from, self.atMost, epoch, crc) = (0, atMost, 0, 0)
    }
}

/// The head of a snapshot that comes over the Link.
public struct LinkSnapshot: Hashable, Sendable {
    /// The last record in it.
    public var sequence: UInt64
    /// That record's time.
    public var time: Int64
    /// That record's epoch.
    public var epoch: UInt32
    /// The state hash that the engine must have once it is loaded.
    public var stateHash: UInt64
    /// Bytes of the whole.
    public var count: UInt64
    /// That record's CRC; 0 where it is not known.
    public var crc: UInt32 = 0

    /// A head.
    public init(sequence: UInt64, time: Int64, epoch: UInt32, stateHash: UInt64, count: UInt64) {
        (self.sequence, self.time, self.epoch) = (sequence, time, epoch)
        (self.stateHash, self.count) = (stateHash, count)
    }
}

/// A writer's session as the log has it.
public struct LinkSession: Hashable, Sendable {
    /// The writer.
    public var name: Text40
    /// Its open session; 0: none.
    public var id: SessionID
    /// The last number that the log holds of it.
    public var lastNumber: UInt64

    /// A session.
    public init(name: Text40, id: SessionID, lastNumber: UInt64) {
        (self.name, self.id, self.lastNumber) = (name, id, lastNumber)
    }
}

/// What matchd says before it closes a connection.
public struct LinkRefusal: Hashable, Sendable, Error, CustomStringConvertible {
    /// Kinds of errors, for programs. Never renumber.
    public enum Code: UInt16, Sendable, CaseIterable {
        /// The two speak different versions.
        case version = 1
        /// Not allowed in: the user, or the proof.
        case access = 2
        /// A frame that is not well formed, or not one for here.
        case malformed = 3
        /// A limit was reached: connections, or time.
        case limit = 4
        /// The log does not have what was asked for.
        case unavailable = 5
        /// matchd stops.
        case stopping = 6
        /// This matchd is no primary: commands go to another one.
        case notPrimary = 7
        /// This matchd was primary and takes nothing more.
        case sealed = 8
        /// This matchd's term is over: the client has seen a later epoch.
        case epoch = 9
        /// The log has another record where the follower's last one stands: start afresh.
        case forked = 10
        /// It took too little of what it asked for, for too long.
        case stalled = 11
        /// All connections were taken, and this one was the least useful.
        case evicted = 12
    }
    /// What kind.
    public var code: Code
    /// What an operator can do about it.
    public var text: String

    /// An error.
    public init(_ code: Code, _ text: String) { (self.code, self.text) = (code, text) }

    /// The text.
    public var description: String { text }
}

/// A frame, decoded.
public enum LinkFrame: Hashable, Sendable {
    /// See `LinkHello`.
    case hello(LinkHello)
    /// The proof's 32 bytes.
    case proof([UInt8])
    /// Commands of a session.
    case submit(LinkSubmit)
    /// See `LinkSubscription`.
    case subscribe(LinkSubscription)
    /// Asks for a writer's session.
    case query(Text40)
    /// Asks how matchd is.
    case askStatus
    /// The challenge's 32 bytes.
    case challenge([UInt8])
    /// See `LinkWelcome`.
    case welcome(LinkWelcome)
    /// See `LinkAck`.
    case acks([LinkAck])
    /// Sequences that replicas skip.
    case voids([UInt64])
    /// A snapshot begins.
    case snapshot(LinkSnapshot)
    /// A part of it.
    case chunk([UInt8])
    /// A run of the log.
    case records(LinkRecords)
    /// All up to `released` was sent, at the log's `time`, in the server's epoch.
    case position(released: UInt64, time: Int64, epoch: UInt32)
    /// See `LinkSession`.
    case session(LinkSession)
    /// See `LinkStatus`.
    case status(LinkStatus)
    /// See `LinkRefusal`.
    case error(LinkRefusal)
}
