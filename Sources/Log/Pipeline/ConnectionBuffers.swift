// A connection's memory on the server's side: bounded, and taken once.

import Glibc
import Link
import Platform
import Terms

/// Bytes that came and are not handled yet: room for two frames of the largest size.
@safe struct InputBuffer: ~Copyable {
    private let memory: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0

    static var capacity: Int { 2 * LinkProtocol.frameBytesMax }

    init() {
        unsafe memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.capacity, alignment: 16)
    }

    deinit { unsafe memory.deallocate() }

    /// What is there.
    var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(rebasing: memory[start..<end])
    }

    /// Whether another whole frame may not fit before something is consumed.
    var isFull: Bool { end - start > LinkProtocol.frameBytesMax }

    mutating func consume(_ count: Int) {
        start += count
        if start == end { (start, end) = (0, 0) }
    }

    /// Receives once; the result of recv(2).
    mutating func receive(_ descriptor: Int32) -> Int {
        if start > 0, end > LinkProtocol.frameBytesMax {
            unsafe memory.baseAddress!.copyMemory(
                from: memory.baseAddress! + start, byteCount: end - start)
            (start, end) = (0, end - start)
        }
        let room = min(Self.capacity - end, LinkProtocol.frameBytesMax)
        let got = retryingInterrupts {
            unsafe recv(descriptor, memory.baseAddress! + end, room, 0)
        }
        if got > 0 { end += got }
        return got
    }
}

/// Bytes to send. It grows to what the pipeline can hold of one connection's answers, no further.
@safe struct OutputBuffer: ~Copyable {
    private var memory: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0
    /// Where the last frame begins, while it is one of acknowledgements that can take more.
    private var openAcks: Int?
    private var openSession: UInt32 = 0

    /// Above this the connection's commands are not read until it has taken its answers.
    static var softLimit: Int { 1 << 18 }
    /// Above this the connection is closed: its peer does not read.
    static var hardLimit: Int { 1 << 25 }

    init() {
        unsafe memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.softLimit, alignment: 16)
    }

    deinit { unsafe memory.deallocate() }

    var count: Int { end - start }

    /// Room for `bytes` more at the end; nil above the hard limit.
    mutating func grow(_ bytes: Int) -> UnsafeMutableRawPointer? {
        if unsafe end + bytes > memory.count {
            guard count + bytes <= Self.hardLimit else { return nil }
            var capacity = unsafe memory.count
            while capacity < count + bytes { capacity *= 2 }
            let larger =
                unsafe capacity == memory.count
                ? memory
                : UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
            unsafe larger.baseAddress!.copyMemory(
                from: memory.baseAddress! + start, byteCount: count)
            if unsafe larger.baseAddress != memory.baseAddress { unsafe memory.deallocate() }
            unsafe memory = larger
            if let open = openAcks { openAcks = open - start }
            (start, end) = (0, count)
        }
        defer { end += bytes }
        return unsafe memory.baseAddress! + end
    }

    /// Adds whole frames; false above the hard limit.
    mutating func append(_ frames: LinkEncoder) -> Bool {
        guard let room = unsafe grow(frames.count) else { return false }
        unsafe frames.bytes.withUnsafeBytes {
            unsafe room.copyMemory(from: $0.baseAddress!, byteCount: $0.count)
        }
        openAcks = nil
        return true
    }

    /// Adds one frame; false above the hard limit.
    mutating func append(_ frame: LinkFrame) -> Bool {
        var encoder = LinkEncoder()
        encoder.append(frame)
        return append(encoder)
    }

    /// Adds a frame of records that stand in the log ring.
    mutating func append(records: UnsafeRawBufferPointer) -> Bool {
        let length = LinkProtocol.headerBytes + records.count
        guard let room = unsafe grow(length) else { return false }
        unsafe Self.head(room, length, .records)
        unsafe (room + LinkProtocol.headerBytes).copyMemory(
            from: records.baseAddress!, byteCount: records.count)
        openAcks = nil
        return true
    }

    /// Adds an acknowledgement, to the last frame where that is one of its session.
    @inline(__always) mutating func append(_ answer: Answer) -> Bool {
        let needsFrame = openAcks == nil || openSession != answer.session || isFull(openAcks!)
        if needsFrame {
            guard let room = unsafe grow(LinkProtocol.headerBytes + 8) else { return false }
            unsafe Self.head(room, LinkProtocol.headerBytes + 8, .acks)
            unsafe room.storeBytes(of: answer.session, toByteOffset: 8, as: UInt32.self)
            unsafe room.storeBytes(of: 0, toByteOffset: 12, as: UInt32.self)
            openAcks = end - LinkProtocol.headerBytes - 8
            openSession = answer.session
        }
        guard let entry = unsafe grow(LinkProtocol.ackBytes) else { return false }
        unsafe entry.storeBytes(of: answer.number, as: UInt64.self)
        unsafe entry.storeBytes(of: answer.sequence, toByteOffset: 8, as: UInt64.self)
        unsafe entry.storeBytes(of: answer.id, toByteOffset: 16, as: UInt64.self)
        let outcome = UInt64(answer.refusal) | UInt64(answer.status) << 16
        unsafe entry.storeBytes(of: outcome, toByteOffset: 24, as: UInt64.self)
        let frame = unsafe memory.baseAddress! + openAcks!
        let length = unsafe frame.load(as: UInt32.self) + UInt32(LinkProtocol.ackBytes)
        unsafe frame.storeBytes(of: length, as: UInt32.self)
        let entries = unsafe frame.load(fromByteOffset: 12, as: UInt32.self)
        unsafe frame.storeBytes(of: entries + 1, toByteOffset: 12, as: UInt32.self)
        return true
    }

    private func isFull(_ frame: Int) -> Bool {
        end - frame + LinkProtocol.ackBytes > LinkProtocol.submitBytesMax
    }

    private static func head(
        _ room: UnsafeMutableRawPointer, _ length: Int, _ type: LinkFrameType
    ) {
        unsafe room.storeBytes(of: UInt32(length), as: UInt32.self)
        unsafe room.storeBytes(of: UInt32(type.rawValue), toByteOffset: 4, as: UInt32.self)
    }

    /// Sends as much as the socket takes; false when the connection is gone.
    mutating func flush(_ descriptor: Int32) -> Bool {
        while start < end {
            let sent = retryingInterrupts {
                unsafe send(
                    descriptor, memory.baseAddress! + start, end - start, Int32(MSG_NOSIGNAL))
            }
            if sent < 0 { return errno == EAGAIN }
            start += sent
            // A frame that is partly sent takes no more entries.
            openAcks = nil
        }
        (start, end) = (0, 0)
        return true
    }
}
