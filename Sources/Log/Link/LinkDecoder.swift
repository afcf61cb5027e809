// From bytes to frames. Input from outside never stops the process: it gives an error.

import Terms
import Wire

/// Assembles frames from bytes in arbitrary pieces. Sans-IO: any transport may feed it. It holds at
/// most one incomplete frame, and the bytes fed ahead.
public struct LinkDecoder: Sendable {
    var bytes: [UInt8] = []
    var start = 0
    /// Whether a frame was malformed: no more frames are returned.
    public private(set) var hasFailed = false

    /// An empty one.
    public init() {}

    /// Bytes received and not yet returned in frames.
    public var buffered: Int { bytes.count - start }

    /// Takes what came from the transport.
    public mutating func receive(_ input: UnsafeRawBufferPointer) {
        if start == bytes.count {
            bytes.removeAll(keepingCapacity: true)
            start = 0
        } else if start > LinkProtocol.frameBytesMax {
            bytes.removeFirst(start)
            start = 0
        }
        unsafe bytes.append(contentsOf: input)
    }

    /// Takes what came from the transport.
    public mutating func receive(_ input: [UInt8]) {
        unsafe input.withUnsafeBytes { unsafe receive($0) }
    }

    /// The next whole frame, or nil until more bytes come. Throws `LinkRefusal` (`malformed`) for
    /// anything else; the connection is unusable after that.
    public mutating func next() throws(LinkRefusal) -> LinkFrame? {
        guard !hasFailed else { throw Self.malformed("the connection had failed before") }
        do throws(LinkRefusal) {
            return try decode()
        } catch {
            hasFailed = true
            throw error
        }
    }

    mutating func decode() throws(LinkRefusal) -> LinkFrame? {
        guard buffered >= LinkProtocol.headerBytes else { return nil }
        let from = start
        let head = unsafe bytes.withUnsafeBytes {
            unsafe LinkHead(UnsafeRawBufferPointer(rebasing: $0[from...]))
        }
        guard let head else {
            throw Self.malformed("a frame's length or type is none of the Link's")
        }
        guard buffered >= head.length else { return nil }
        let body = [UInt8](bytes[start + LinkProtocol.headerBytes..<start + head.length])
        start += head.length
        guard let frame = Self.frame(head.type, body) else {
            throw Self.malformed("a \(head.type) frame is not well formed")
        }
        return frame
    }

    static func malformed(_ text: String) -> LinkRefusal {
        LinkRefusal(.malformed, "\(text): is this a Bourse Link, of this version?")
    }

    /// The frame of a body; nil if it is malformed.
    package static func frame(_ type: LinkFrameType, _ body: [UInt8]) -> LinkFrame? {
        switch type {
        case .submit: return LinkSubmit(body: body).map { .submit($0) }
        case .records: return LinkRecords(body).map { .records($0) }
        case .proof: return body.count == LinkProtocol.proofBytes ? .proof(body) : nil
        case .challenge: return body.count == LinkProtocol.proofBytes ? .challenge(body) : nil
        default: break
        }
        return unsafe body.withUnsafeBytes { raw in
            var r = unsafe WireReader(raw)
            let frame = unsafe small(type, raw, &r)
            r.finish()
            return r.isValid ? frame : nil
        }
    }

    static func small(
        _ type: LinkFrameType, _ raw: UnsafeRawBufferPointer, _ r: inout WireReader
    ) -> LinkFrame? {
        switch type {
        case .hello:
            let version: UInt32 = r.integer()
            let flags: UInt32 = r.integer()
            // Unknown flags are a later version's, which the version check reports.
            return .hello(
                LinkHello(
                    version: version, wantsAcks: flags & 1 == 1, name: r.text(),
                    epochMax: r.integer(), purpose: LinkPurpose(rawValue: r.integer()),
                    process: r.integer()))
        case .subscribe:
            var wanted = LinkSubscription(from: r.integer(), epoch: 0, crc: 0)
            wanted.atMost = r.integer()
            wanted.epoch = r.integer()
            wanted.crc = r.integer()
            return .subscribe(wanted)
        case .query: return .query(r.text())
        case .askStatus: return .askStatus
        case .welcome: return r.welcome().map { .welcome($0) }
        case .acks: return r.acks().map { .acks($0) }
        case .voids:
            let count = Int(r.integer(UInt32.self))
            r.reserved(4)
            guard r.remaining == count * 8, count <= LinkProtocol.voidsMax else { return nil }
            return .voids((0..<count).map { _ in r.integer() })
        case .snapshot:
            let sequence: UInt64 = r.integer()
            let time: Int64 = r.integer()
            let epoch: UInt32 = r.integer()
            let crc: UInt32 = r.integer()
            var head = LinkSnapshot(
                sequence: sequence, time: time, epoch: epoch, stateHash: r.integer(),
                count: r.integer())
            head.crc = crc
            return .snapshot(head)
        case .chunk:
            let count = Int(r.integer(UInt32.self))
            r.reserved(4)
            return r.take(count).map { .chunk($0) }
        case .position:
            let frame = LinkFrame.position(
                released: r.integer(), time: r.integer(), epoch: r.integer())
            r.reserved(4)
            return frame
        case .session:
            let name: Text40 = r.text()
            let id = SessionID(r.integer())
            r.reserved(4)
            return .session(LinkSession(name: name, id: id, lastNumber: r.integer()))
        case .status: return .status(r.status())
        case .error:
            guard let code = LinkRefusal.Code(rawValue: r.integer()) else { return nil }
            let text = r.string(most: LinkProtocol.errorBytesMax)
            return .error(LinkRefusal(code, text))
        case .submit, .records, .proof, .challenge: return nil
        }
    }
}

/// A frame's header.
@frozen public struct LinkHead: Sendable {
    /// Bytes of the frame, header included.
    public let length: Int
    /// Its type.
    public let type: LinkFrameType

    /// The header at the start of `bytes`, which are long enough; nil if it is invalid.
    @inlinable public init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= LinkProtocol.headerBytes else { return nil }
        let length = unsafe UInt32(
            littleEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt32.self))
        let raw = unsafe UInt16(
            littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt16.self))
        let reserved = unsafe bytes.loadUnaligned(fromByteOffset: 6, as: UInt16.self)
        guard let type = LinkFrameType(rawValue: raw), reserved == 0, length & 7 == 0,
            length >= LinkProtocol.headerBytes, length <= LinkProtocol.frameBytesMax
        else { return nil }
        self.length = Int(length)
        self.type = type
    }
}

extension WireReader {
    mutating func welcome() -> LinkWelcome? {
        let version: UInt32 = integer()
        let epoch: UInt32 = integer()
        let high: UInt64 = integer()
        let low: UInt64 = integer()
        guard let role = LinkServerRole(rawValue: integer()) else { return nil }
        let forcedEpoch: UInt32 = integer()
        var welcome = LinkWelcome(
            version: version, epoch: epoch, journalHigh: high, journalLow: low,
            released: integer(), time: integer())
        welcome.role = role
        welcome.forcedEpoch = forcedEpoch
        welcome.process = integer()
        welcome.forcedFrom = integer()
        welcome.primary = text()
        return welcome
    }

    mutating func acks() -> [LinkAck]? {
        let session = SessionID(integer())
        let count = Int(integer(UInt32.self))
        guard remaining == count * LinkProtocol.ackBytes else { return nil }
        var acks: [LinkAck] = []
        acks.reserveCapacity(count)
        for _ in 0..<count {
            let number: UInt64 = integer()
            let sequence: UInt64 = integer()
            let id: UInt64 = integer()
            guard let refusal = Refusal(rawValue: integer()),
                let status = OrderStatus(rawValue: integer())
            else { return nil }
            reserved(5)
            acks.append(
                LinkAck(
                    session: session, number: number, sequence: sequence, id: id,
                    refusal: refusal, status: status))
        }
        return acks
    }

    /// `count` bytes and their padding; nil if the length differs.
    mutating func take(_ count: Int) -> [UInt8]? {
        guard count <= LinkProtocol.chunkBytesMax, remaining == (count + 7) / 8 * 8 else {
            return nil
        }
        return (0..<count).map { _ in integer(UInt8.self) }
    }

    mutating func status() -> LinkStatus {
        var s = LinkStatus()
        s.words = (0..<LinkStatus.wordCount).map { _ in integer() }
        s.role = text()
        s.peer = text()
        return s
    }
}
