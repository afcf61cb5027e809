// The replication protocol between two matchds. A frame, over TLS (which protects each byte; a
// record also has its own CRC from the primary's memory to the standby's disk):
//
//      0  u32  length      bytes of the frame, these 8 included; at most 1 MiB and 64 KiB
//      4  u8   type        below
//      5  3    zero
//      8  …    body
//
//   standby                             primary
//     ── join (1) ──────────────────────►
//     ◄────────────────────── welcome (2) ──   its term
//     ── refuse (7) ────────────────────►      to a term below the promise; the primary raises
//     ── points (3) … ──────────────────►      its records from the last known to be released on
//     ◄──────────────────────── begin (4) ──   keep up to here; or
//     ◄───────── snapshot (10) chunk (11) … ─  too far behind
//     ◄─────────────────────── append (5) ──
//     ── appended (6) ──────────────────►      on disk and matched
//     ◄─────────────────────── beacon (8) ──   each 50 ms
//     ── echo (9) ──────────────────────►
//     ── reject (12) ─ either way ──────►      why this ends
//
// All integers are little-endian. The layout has a version in join and welcome; another one is
// rejected with both numbers.

package import Failover
package import Journal
internal import Terms
internal import Wire

/// Bounds of the protocol.
package enum ReplicationProtocol {
    static let version: UInt32 = 3
    static let headBytes = 8
    /// Bytes of records or of a snapshot in one frame: room for the longest record.
    package static let payloadBytesMax = 1 << 20
    package static let frameBytesMax = payloadBytesMax + (64 << 10)
    /// Points in one frame.
    static let pointsMax = 4096
    /// Bytes of a reason.
    static let reasonBytesMax = 1024
    /// Bytes of an append before its records.
    static let appendBytes = 32
}

/// The standby's first frame.
package struct ReplicationJoin: Hashable, Sendable {
    /// Which journal; nil: it has none yet.
    var identity: JournalIdentity?
    var replica: ReplicaID
    var process: ProcessNumber
    /// The etcd cluster that it belongs to; 0: not known.
    var cluster: UInt64
    /// What its program knows of logs.
    var level: LogLevel
    /// The lowest epoch that it does not refuse.
    var promise: UInt32
    /// The last record of its journal that it knows to be released.
    var released: UInt64
    /// Its journal's first and last record.
    var first: UInt64
    var last: LogPoint
}

/// The primary's answer.
package struct ReplicationWelcome: Hashable, Sendable {
    var identity: JournalIdentity
    var replica: ReplicaID
    var process: ProcessNumber
    /// What its program knows of logs.
    var level: LogLevel
    var epoch: UInt32
    var commitPoint: UInt64
    /// The last forced failover; its epoch 0: none.
    var forced: ForcedStart?
}

/// Consecutive records of the standby's journal.
package struct ReplicationPoints: Hashable, Sendable {
    var points: [LogPoint]
    /// No more points follow.
    var isLast: Bool
}

/// The head of an append, before its records.
package struct ReplicationAppend: Hashable, Sendable {
    var epoch: UInt32
    /// The record before the first.
    var before: LogPoint
    var commitPoint: UInt64
}

/// A beacon.
package struct ReplicationBeacon: Hashable, Sendable {
    var epoch: UInt32
    var hasProgress: Bool
    var commitPoint: UInt64
    /// The last record of a sealed primary; 0: it is not sealed.
    var sealedEnd: UInt64
    var sentAt: BootTime
}

/// A beacon, returned.
package struct ReplicationEcho: Hashable, Sendable {
    var epoch: UInt32
    var process: ProcessNumber
    var sentAt: BootTime
}

/// One frame. The payload of `append` and `chunk` is in the decoder's memory.
package enum ReplicationFrame: Hashable, Sendable {
    case join(ReplicationJoin)
    case welcome(ReplicationWelcome)
    case points(ReplicationPoints)
    /// Keep the records up to this one.
    case begin(epoch: UInt32, keep: UInt64)
    case append(ReplicationAppend)
    case appended(PeerAcknowledgement)
    case refuse(promise: UInt32, process: ProcessNumber)
    case beacon(ReplicationBeacon)
    case echo(ReplicationEcho)
    case snapshot(epoch: UInt32, LogPoint, bytes: UInt64)
    case chunk
    case reject(String)

    var type: UInt8 {
        switch self {
        case .join: 1
        case .welcome: 2
        case .points: 3
        case .begin: 4
        case .append: 5
        case .appended: 6
        case .refuse: 7
        case .beacon: 8
        case .echo: 9
        case .snapshot: 10
        case .chunk: 11
        case .reject: 12
        }
    }

    // MARK: Encoding

    /// The frame's bytes, without the payload, whose `payload` bytes its length includes.
    package func bytes(payload: Int = 0) -> [UInt8] {
        let room = 8 + 128 + pointBytes + reason.count
        let made = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            var w = unsafe WireWriter(UnsafeMutableRawBufferPointer(buffer))
            w.integer(UInt32(0))
            w.integer(type)
            w.reserved(3)
            write(&w)
            count = w.offset
        }
        precondition(
            made.count + payload <= ReplicationProtocol.frameBytesMax, "a frame has its bound")
        var frame = made
        let length = UInt32(made.count + payload)
        for i in 0..<4 { frame[i] = UInt8(truncatingIfNeeded: length >> (8 * UInt32(i))) }
        return frame
    }

    private var pointBytes: Int {
        guard case .points(let points) = self else { return 0 }
        return points.points.count * 8
    }

    private var reason: [UInt8] {
        guard case .reject(let reason) = self else { return [] }
        return Array(reason.utf8.prefix(ReplicationProtocol.reasonBytesMax))
    }

    private func write(_ w: inout WireWriter) {
        switch self {
        case .join(let join):
            w.integer(ReplicationProtocol.version)
            w.integer(join.promise)
            w.identity(join.identity)
            w.replica(join.replica)
            w.integer(join.process.number)
            w.integer(join.cluster)
            w.integer(join.released)
            w.integer(join.first)
            w.point(join.last)
            w.level(join.level)
        case .welcome(let welcome):
            w.integer(ReplicationProtocol.version)
            w.integer(welcome.epoch)
            w.identity(welcome.identity)
            w.replica(welcome.replica)
            w.integer(welcome.process.number)
            w.integer(welcome.commitPoint)
            w.integer(welcome.forced?.from ?? 0)
            w.integer(welcome.forced?.epoch ?? 0)
            w.level(welcome.level)
        case .points(let points):
            w.integer(points.points.first?.sequence ?? 0)
            w.integer(UInt32(points.points.count))
            w.integer(UInt32(points.isLast ? 1 : 0))
            for point in points.points {
                w.integer(point.epoch)
                w.integer(point.crc)
            }
        case .begin(let epoch, let keep):
            w.integer(epoch)
            w.integer(keep)
        case .append(let append):
            w.integer(append.epoch)
            w.integer(UInt32(0))
            w.point(append.before)
            w.integer(append.commitPoint)
        case .appended(let acknowledgement):
            w.integer(acknowledgement.epoch)
            w.replica(acknowledgement.replica)
            w.integer(acknowledgement.process.number)
            w.integer(acknowledgement.matched)
        case .refuse(let promise, let process):
            w.integer(promise)
            w.integer(process.number)
        case .beacon(let beacon):
            w.integer(beacon.epoch)
            w.integer(UInt32(beacon.hasProgress ? 1 : 0))
            w.integer(beacon.commitPoint)
            w.integer(beacon.sealedEnd)
            w.integer(beacon.sentAt.nanos)
        case .echo(let echo):
            w.integer(echo.epoch)
            w.integer(echo.process.number)
            w.integer(echo.sentAt.nanos)
        case .snapshot(let epoch, let point, let bytes):
            w.integer(epoch)
            w.point(point)
            w.integer(bytes)
        case .chunk: break
        case .reject: for byte in reason { w.integer(byte) }
        }
    }

    // MARK: Decoding

    /// Reads a body; nil if it is malformed. The payload of `append` and `chunk` begins at `tail`.
    init?(type: UInt8, _ body: UnsafeRawBufferPointer, tail: inout Int) {
        var r = unsafe WireReader(body)
        tail = body.count
        switch type {
        case 1:
            guard r.version() else { return nil }
            let promise: UInt32 = r.integer()
            let (identity, replica, process) =
                (r.identity(), r.replica(), ProcessNumber(r.integer()))
            let (cluster, released, first): (UInt64, UInt64, UInt64) =
                (r.integer(), r.integer(), r.integer())
            let last = r.point()
            self = .join(
                ReplicationJoin(
                    identity: identity, replica: replica, process: process, cluster: cluster,
                    level: r.level(), promise: promise, released: released, first: first,
                    last: last))
        case 2:
            guard r.version() else { return nil }
            let epoch: UInt32 = r.integer()
            guard let identity = r.identity() else { return nil }
            let (replica, process) = (r.replica(), ProcessNumber(r.integer()))
            let (commitPoint, from, forced): (UInt64, UInt64, UInt32) =
                (r.integer(), r.integer(), r.integer())
            self = .welcome(
                ReplicationWelcome(
                    identity: identity, replica: replica, process: process, level: r.level(),
                    epoch: epoch, commitPoint: commitPoint,
                    forced: forced == 0 ? nil : ForcedStart(epoch: forced, from: from)))
        case 3:
            guard let points = r.points() else { return nil }
            self = .points(points)
        case 4: self = .begin(epoch: r.integer(), keep: r.integer())
        case 5:
            let epoch: UInt32 = r.integer()
            r.reserved(4)
            self = .append(
                ReplicationAppend(epoch: epoch, before: r.point(), commitPoint: r.integer()))
            tail = r.offset
        case 6:
            let (epoch, replica): (UInt32, ReplicaID) = (r.integer(), r.replica())
            self = .appended(
                PeerAcknowledgement(
                    epoch: epoch, process: ProcessNumber(r.integer()), replica: replica,
                    matched: r.integer()))
        case 7: self = .refuse(promise: r.integer(), process: ProcessNumber(r.integer()))
        case 8:
            let (epoch, hasProgress): (UInt32, Bool) = (r.integer(), r.flag())
            self = .beacon(
                ReplicationBeacon(
                    epoch: epoch, hasProgress: hasProgress, commitPoint: r.integer(),
                    sealedEnd: r.integer(), sentAt: BootTime(nanos: r.integer())))
        case 9:
            self = .echo(
                ReplicationEcho(
                    epoch: r.integer(), process: ProcessNumber(r.integer()),
                    sentAt: BootTime(nanos: r.integer())))
        case 10: self = .snapshot(epoch: r.integer(), r.point(), bytes: r.integer())
        case 11:
            self = .chunk
            tail = 0
        case 12:
            guard body.count <= ReplicationProtocol.reasonBytesMax else { return nil }
            self = unsafe .reject(String(decoding: body, as: UTF8.self))
            return
        default: return nil
        }
        guard r.isValid, type == 5 || type == 11 || r.remaining == 0 else { return nil }
    }
}

extension WireWriter {
    fileprivate mutating func identity(_ identity: JournalIdentity?) {
        integer(identity?.high ?? 0)
        integer(identity?.low ?? 0)
    }

    fileprivate mutating func replica(_ replica: ReplicaID) {
        integer(replica.high)
        integer(replica.low)
    }

    fileprivate mutating func level(_ level: LogLevel) {
        integer(level.format)
        integer(level.rules)
    }

    fileprivate mutating func point(_ point: LogPoint) {
        integer(point.sequence)
        integer(point.epoch)
        integer(point.crc)
    }
}

extension WireReader {
    /// Whether the layout is this version; nothing more can be read of another.
    fileprivate mutating func version() -> Bool {
        integer(UInt32.self) == ReplicationProtocol.version
    }

    fileprivate mutating func flag() -> Bool {
        let value: UInt32 = integer()
        if value > 1 { invalidate() }
        return value == 1
    }

    fileprivate mutating func identity() -> JournalIdentity? {
        let identity = JournalIdentity(high: integer(), low: integer())
        return identity.high | identity.low == 0 ? nil : identity
    }

    fileprivate mutating func replica() -> ReplicaID {
        ReplicaID(high: integer(), low: integer())
    }

    fileprivate mutating func level() -> LogLevel {
        LogLevel(format: integer(), rules: integer())
    }

    fileprivate mutating func point() -> LogPoint {
        LogPoint(sequence: integer(), epoch: integer(), crc: integer())
    }

    fileprivate mutating func points() -> ReplicationPoints? {
        let first: UInt64 = integer()
        let count = Int(integer(UInt32.self))
        let isLast = flag()
        guard isValid, count <= ReplicationProtocol.pointsMax, remaining == count * 8,
            count == 0 || (first > 0 && first <= .max - UInt64(count)), count > 0 || first == 0
        else { return nil }
        return ReplicationPoints(
            points: (0..<count).map {
                LogPoint(sequence: first + UInt64($0), epoch: integer(), crc: integer())
            }, isLast: isLast)
    }
}

/// Assembles frames from bytes as they come. Its memory is fixed: one incomplete frame and what was
/// read ahead.
package struct ReplicationDecoder: ~Copyable {
    /// Why there is no next frame.
    package enum FrameError: Error, Hashable {
        case malformed
    }

    /// A frame, and where its payload is in memory.
    package struct Item {
        package let frame: ReplicationFrame
        package let tail: Range<Int>
    }

    /// Allocated when the first bytes come.
    private var bytes: [UInt8] = []
    private var start = 0
    private var end = 0

    package init() {}

    /// Calls `body` with the free memory, which is never empty after `next` returned nil; `body`
    /// returns how many bytes it filled.
    package mutating func fill<E>(
        _ body: (UnsafeMutableRawBufferPointer) throws(E) -> Int
    ) throws(E) -> Int {
        if bytes.isEmpty {
            // Read only where it was written.
            let count = 2 * ReplicationProtocol.frameBytesMax
            bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { $1 = count }
        }
        if start == end {
            (start, end) = (0, 0)
        } else if bytes.count - end < ReplicationProtocol.frameBytesMax {
            unsafe bytes.withUnsafeMutableBytes { raw in
                unsafe raw.copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: raw[start..<end]))
            }
            (start, end) = (0, end - start)
        }
        let free = end..<bytes.count
        let result: Result<Int, E> = unsafe bytes.withUnsafeMutableBytes { raw in
            do throws(E) {
                return .success(
                    unsafe try body(UnsafeMutableRawBufferPointer(rebasing: raw[free])))
            } catch { return .failure(error) }
        }
        let count = try result.get()
        precondition(count >= 0 && count <= free.count, "no more was read than there was room")
        end += count
        return count
    }

    /// The next whole frame; nil until more bytes come. Its tail is valid until the next `fill`.
    package mutating func next() throws(FrameError) -> Item? {
        guard end - start >= ReplicationProtocol.headBytes else { return nil }
        let whole = start..<end
        let (length, type, isZero) = unsafe bytes.withUnsafeBytes { raw in
            var r = unsafe WireReader(UnsafeRawBufferPointer(rebasing: raw[whole]))
            let (length, type): (UInt32, UInt8) = (r.integer(), r.integer())
            r.reserved(3)
            return (Int(length), type, r.isValid)
        }
        guard isZero, length >= ReplicationProtocol.headBytes,
            length <= ReplicationProtocol.frameBytesMax
        else { throw .malformed }
        guard end - start >= length else { return nil }
        let body = (start + ReplicationProtocol.headBytes)..<(start + length)
        var tail = 0
        let frame = unsafe bytes.withUnsafeBytes { raw in
            unsafe ReplicationFrame(
                type: type, UnsafeRawBufferPointer(rebasing: raw[body]), tail: &tail)
        }
        guard let frame else { throw .malformed }
        start += length
        return Item(frame: frame, tail: (body.lowerBound + tail)..<body.upperBound)
    }

    /// Calls `body` with the tail of the frame that came last.
    func withTail<R>(_ item: Item, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        unsafe bytes.withUnsafeBytes {
            unsafe body(UnsafeRawBufferPointer(rebasing: $0[item.tail]))
        }
    }
}
