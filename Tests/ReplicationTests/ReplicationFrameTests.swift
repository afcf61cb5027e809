// Goal: each frame's bytes are the layout's, and no bytes whatever stop a host: they are a frame or
// an error, in bounded memory.

import Replication
import Testing

/// A frame written by hand, field by field.
struct FrameBytes {
    private var body: [UInt8] = []
    let type: UInt8

    init(_ type: UInt8, _ fields: [any FixedWidthInteger] = []) {
        self.type = type
        for field in fields { add(field) }
    }

    private mutating func add(_ field: some FixedWidthInteger) {
        for i in 0..<(field.bitWidth / 8) {
            body.append(UInt8(truncatingIfNeeded: field >> (8 * i)))
        }
    }

    func bytes(_ tail: [UInt8] = []) -> [UInt8] {
        let length = UInt32(8 + body.count + tail.count)
        return (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + [type, 0, 0, 0]
            + body + tail
    }
}

/// One of each, with what it carries besides.
let frameSamples: [(frame: [UInt8], tail: Int)] = [
    (
        FrameBytes(
            1,
            [
                UInt32(3), UInt32(7), UInt64(1), UInt64(2), UInt64(3), UInt64(4), UInt64(5),
                UInt64(6), UInt64(90), UInt64(1), UInt64(100), UInt32(6), UInt32(0xABCD),
                UInt32(2), UInt32(9),
            ]
        ).bytes(), 0
    ),
    (
        FrameBytes(
            2,
            [
                UInt32(3), UInt32(7), UInt64(1), UInt64(2), UInt64(3), UInt64(4), UInt64(5),
                UInt64(90), UInt64(80), UInt32(6), UInt32(2), UInt32(9),
            ]
        ).bytes(), 0
    ),
    (
        FrameBytes(
            3,
            [
                UInt64(5), UInt32(2), UInt32(1), UInt32(1), UInt32(0xAA), UInt32(2), UInt32(0xBB),
            ]
        ).bytes(), 0
    ),
    (FrameBytes(3, [UInt64(0), UInt32(0), UInt32(1)]).bytes(), 0),
    (FrameBytes(4, [UInt32(7), UInt64(99)]).bytes(), 0),
    (
        FrameBytes(
            5, [UInt32(7), UInt32(0), UInt64(99), UInt32(6), UInt32(0xAA), UInt64(98)]
        ).bytes(Array(0..<64)), 64
    ),
    (FrameBytes(6, [UInt32(7), UInt64(3), UInt64(4), UInt64(5), UInt64(99)]).bytes(), 0),
    (FrameBytes(7, [UInt32(9), UInt64(5)]).bytes(), 0),
    (FrameBytes(8, [UInt32(7), UInt32(1), UInt64(98), UInt64(0), Int64(123_456)]).bytes(), 0),
    (FrameBytes(9, [UInt32(7), UInt64(5), Int64(123_456)]).bytes(), 0),
    (FrameBytes(10, [UInt32(7), UInt64(99), UInt32(6), UInt32(0xAA), UInt64(4096)]).bytes(), 0),
    (FrameBytes(11).bytes([1, 2, 3]), 3),
    (FrameBytes(12).bytes(Array("no".utf8)), 0),
]

/// What a decoder makes of bytes that come in pieces; nil where it failed.
private func decode(_ bytes: [UInt8], piece: Int = .max) -> [ReplicationDecoder.Item]? {
    var decoder = ReplicationDecoder()
    var items: [ReplicationDecoder.Item] = []
    var rest = bytes[...]
    while true {
        do throws(ReplicationDecoder.FrameError) {
            while let item = try decoder.next() { items.append(item) }
        } catch { return nil }
        guard !rest.isEmpty else { return items }
        let part = rest.prefix(piece)
        let taken = unsafe decoder.fill { room in
            let count = min(room.count, part.count)
            unsafe room.copyBytes(from: part.prefix(count))
            return count
        }
        if taken == 0 { return nil }
        rest = rest.dropFirst(taken)
    }
}

@Suite struct ReplicationFrameTests {
    @Test func `each frame has the bytes that the layout says`() throws {
        for (bytes, tail) in frameSamples {
            let items = try #require(decode(bytes), "\(bytes)")
            #expect(items.count == 1)
            #expect(items[0].tail.count == tail)
            let again = items[0].frame.bytes(payload: tail)
            #expect(again == Array(bytes.dropLast(tail)), "type \(bytes[4])")
        }
    }

    @Test(arguments: [1, 3, 8, 17, 4096])
    func `frames come whole out of bytes in pieces`(piece: Int) throws {
        let bytes = frameSamples.flatMap(\.frame)
        let items = try #require(decode(bytes, piece: piece))
        #expect(items.map(\.frame) == frameSamples.map { decode($0.frame)![0].frame })
    }

    @Test func `another version is no frame`() {
        for index in [0, 1] {
            var bytes = frameSamples[index].frame
            bytes[8] += 1
            #expect(decode(bytes) == nil)
        }
    }

    @Test func `a frame that is cut short, or too long, is none`() {
        for (bytes, tail) in frameSamples where tail == 0 && bytes[4] != 12 {
            for count in 8..<bytes.count {
                var short = Array(bytes[..<count])
                short[0] = UInt8(count)
                #expect(decode(short) == nil, "type \(bytes[4]), \(count) bytes")
            }
            var long = bytes + [0]
            long[0] += 1
            #expect(decode(long) == nil, "type \(bytes[4])")
        }
        for length in [0, 7, UInt32(ReplicationProtocol.frameBytesMax) + 1, .max] {
            let head = (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * UInt32($0))) }
            #expect(decode(head + [4, 0, 0, 0]) == nil)
        }
        #expect(decode(FrameBytes(12).bytes([UInt8](repeating: 65, count: 1025))) == nil)
        // Points that would pass the last number there is.
        #expect(
            decode(
                FrameBytes(3, [UInt64.max, UInt32(1), UInt32(0), UInt32(1), UInt32(1)]).bytes())
                == nil)
    }

    @Test func `no bytes stop the process`() {
        var random = SystemRandomNumberGenerator()
        var (frames, failures) = (0, 0)
        func attempt(_ bytes: [UInt8]) {
            if let items = decode(bytes, piece: Int.random(in: 1...64, using: &random)) {
                frames += items.count
                // What was decoded can be written again.
                for item in items { _ = item.frame.bytes() }
            } else {
                failures += 1
            }
        }
        for (bytes, _) in frameSamples {
            for bit in 0..<(bytes.count * 8) {
                var flipped = bytes
                flipped[bit / 8] ^= 1 << UInt8(bit % 8)
                attempt(flipped)
            }
            for count in 0..<bytes.count { attempt(Array(bytes[..<count])) }
        }
        for _ in 0..<2_000 {
            let count = Int.random(in: 0...96, using: &random)
            var bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            if count > 8, Bool.random(using: &random) {
                bytes.replaceSubrange(
                    0..<8, with: [UInt8(count), 0, 0, 0, UInt8.random(in: 0...13), 0, 0, 0])
            }
            attempt(bytes)
        }
        #expect(frames > 100 && failures > 100)
    }
}
