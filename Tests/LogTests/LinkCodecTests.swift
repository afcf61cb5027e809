// The Link's frames: layouts that never change by accident, and a decoder that nothing from outside
// can stop.

import Link
import Terms
import Testing
import Wire

private func hexText(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
}

private func encoded(_ frame: LinkFrame) -> [UInt8] {
    var encoder = LinkEncoder()
    encoder.append(frame)
    return encoder.take()
}

/// One frame of each type, with values that show where each field stands.
private func oneOfEach() throws -> [LinkFrame] {
    var status = LinkStatus()
    status.released = 7
    status.isBelowReserve = true
    status.role = try #require(Text40("primary"))
    let mark = HashMark(eventHash: 0x1122).recordBytes(
        RecordHeader(sequence: 9, timestamp: 10, kind: .hashMark))
    var submit = LinkEncoder()
    submit.submit(session: SessionID(3), number: 4, MassCancel(account: AccountID(5)))
    submit.submit(session: SessionID(3), number: 5, Tick())
    var decoder = LinkDecoder()
    decoder.receive(submit.take())
    return [
        .hello(LinkHello(wantsAcks: true, name: try #require(Text40("a")))),
        .proof([UInt8](repeating: 0xAB, count: 32)),
        try #require(try decoder.next()),
        .subscribe(LinkSubscription(from: 1, epoch: 2, crc: 3)),
        .query(try #require(Text40("gateway/1"))),
        .askStatus,
        .challenge([UInt8](repeating: 0xCD, count: 32)),
        .welcome(
            LinkWelcome(
                epoch: 2, journalHigh: 3, journalLow: 4, released: 5, time: 6)),
        .acks([
            LinkAck(
                session: SessionID(1), number: 2, sequence: 3, id: 4,
                refusal: .insufficientFunds, status: .filled)
        ]),
        .voids([8, 9]),
        .snapshot(LinkSnapshot(sequence: 1, time: 2, epoch: 3, stateHash: 4, count: 5)),
        .chunk([1, 2, 3]),
        .records(try #require(LinkRecords(mark))),
        .position(released: 1, time: 2, epoch: 3),
        .session(
            LinkSession(name: try #require(Text40("n")), id: SessionID(6), lastNumber: 7)),
        .status(status),
        .error(LinkRefusal(.access, "no")),
    ]
}

@Test func `every frame comes back as it went`() throws {
    for frame in try oneOfEach() {
        var decoder = LinkDecoder()
        decoder.receive(encoded(frame))
        #expect(try decoder.next() == frame)
        #expect(decoder.buffered == 0)
    }
}

@Test func `frames have their golden bytes`() throws {
    let frames = try oneOfEach()
    let golden = [
        // hello
        "4800000001000000" + "02000000" + "01000000" + "61" + String(repeating: "00", count: 39)
            + "00000000" + "03000000" + "0000000000000000",
        // proof
        "2800000002000000" + String(repeating: "ab", count: 32),
        // submit: session 3, two commands
        "4000000003000000" + "03000000" + "02000000"
            + "0400000000000000" + "10000000" + "2c00" + "0000" + "05000000" + "0000" + "ff00"
            + "0000000000000000"
            + "0500000000000000" + "00000000" + "0200" + "0000",
        // subscribe
        "2000000004000000" + "0100000000000000" + "0000000000000000" + "02000000" + "03000000",
    ]
    for (frame, bytes) in zip(frames, golden) { #expect(hexText(encoded(frame)) == bytes) }
    #expect(
        hexText(encoded(frames[8])) == "3000000042000000" + "01000000" + "01000000"
            + "0200000000000000" + "0300000000000000" + "0400000000000000" + "2a00"
            + hexByte(OrderStatus.filled.rawValue) + "0000000000")
    #expect(
        hexText(encoded(frames[11])) == "1800000045000000" + "0300000000000000" + "0102030000000000"
    )
    #expect(hexText(encoded(frames[16])) == "100000004a000000" + "0200" + "0200" + "6e6f" + "0000")
}

private func hexByte(_ value: UInt8) -> String { hexText([value]) }

@Test func `frames are put together from bytes as they come`() throws {
    let frames = try oneOfEach()
    let stream = frames.flatMap(encoded)
    var decoder = LinkDecoder()
    var seen: [LinkFrame] = []
    for byte in stream {
        decoder.receive([byte])
        while let frame = try decoder.next() { seen.append(frame) }
    }
    #expect(seen == frames)
}

@Test func `commands of a session share a frame up to its limit`() throws {
    var encoder = LinkEncoder()
    for number in 1...2000 {
        encoder.submit(
            session: SessionID(1), number: UInt64(number), MassCancel(account: AccountID(1)))
    }
    encoder.submit(session: SessionID(2), number: 1, MassCancel(account: AccountID(1)))
    var decoder = LinkDecoder()
    decoder.receive(encoder.take())
    var numbers: [UInt64] = []
    var frames = 0
    while let frame = try decoder.next() {
        guard case .submit(let submit) = frame else { break }
        frames += 1
        unsafe submit.forEach { entry, _ in numbers.append(entry.number) }
    }
    #expect(frames == 2 || frames == 3)
    #expect(numbers == Array(1...2000) + [1])
}

@Test func `invalid frames are refused with a reason`() throws {
    let bad: [[UInt8]] = [
        Array("GET / HTTP/1.1\r\n\r\n".utf8),
        [UInt8](repeating: 0, count: 64),
        [UInt8](repeating: 0xFF, count: 64),
        // Longer than a frame may be.
        [0x08, 0x00, 0x10, 0x00, 3, 0, 0, 0],
        // Not a multiple of 8; shorter than a header; an unknown type; reserved bits.
        [9, 0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 1, 0, 0, 0], [8, 0, 0, 0, 0xEE, 0, 0, 0],
        [8, 0, 0, 0, 6, 0, 1, 0],
        // A hello without a body; a submission that says it has more than there is.
        [8, 0, 0, 0, 1, 0, 0, 0], [16, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0],
    ]
    for bytes in bad {
        var decoder = LinkDecoder()
        decoder.receive(bytes)
        #expect(throws: LinkRefusal.self) { try decoder.next() }
        #expect(decoder.hasFailed)
        #expect(throws: LinkRefusal.self) { try decoder.next() }
    }
}

@Test func `no bytes stop the decoder under fuzz`() throws {
    var random = LinkFuzz()
    let frames = try oneOfEach().map(encoded)
    for round in 0..<LinkFuzz.iterations {
        var bytes = frames[random.below(frames.count)]
        for _ in 0..<random.below(4) { bytes += frames[random.below(frames.count)] }
        for _ in 0...random.below(6) {
            switch random.below(4) {
            case 0: bytes[random.below(bytes.count)] = UInt8(random.below(256))
            case 1: bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8))
            case 2: bytes.removeLast(random.below(bytes.count))
            default: bytes.insert(UInt8(random.below(256)), at: random.below(bytes.count))
            }
            if bytes.isEmpty { bytes = [0] }
        }
        var decoder = LinkDecoder()
        decoder.receive(bytes)
        var count = 0
        // What it does accept is a frame: it can be written again.
        while let frame = try? decoder.next() {
            #expect(encoded(frame).count <= LinkProtocol.frameBytesMax, "round \(round)")
            count += 1
        }
        #expect(count <= bytes.count / LinkProtocol.headerBytes, "\(random.replay)")
    }
}
