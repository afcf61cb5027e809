// Goal: what is written today is read by every later version: the bytes of each kind of command are
// in Fixtures/wire-golden.txt, and stay as they are.

import Terms
import Testing
import Wire

@Suite struct WireGoldenTests {
    /// A header that has something in every field.
    private var header: RecordHeader {
        var header = RecordHeader(
            sequence: 0x0807_0605_0403_0201, timestamp: 0x1817_1615_1413_1211,
            epoch: 0x2423_2221, session: SessionID(0x3433_3231), number: 0x4847_4645_4443_4241,
            kind: .place)
        header.crc = 0x5453_5251
        return header
    }

    private func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// `kind hex-of-the-whole-record`, one line a kind.
    private func golden() -> String {
        let samples = WireSamples.counting()
        return CommandKind.allCases.map { kind in
            let payload = samples.command(kind).payload
            return "\(kind) \(hex(payload.recordBytes(header)))\n"
        }.joined()
    }

    /// BOURSE_RECORD=1 writes the file anew: right only for a new kind, never for one that a
    /// journal may hold.
    @Test func `the records of all kinds are the golden bytes`() {
        let path = testFile("Fixtures/wire-golden.txt")
        if environment("BOURSE_RECORD", 0) != 0 { writeText(path, golden()) }
        let expected = readText(path).split(separator: "\n")
        #expect(expected.count == CommandKind.allCases.count)
        for (line, found) in zip(expected, golden().split(separator: "\n")) {
            #expect(line == found)
        }
    }

    @Test func `the golden bytes are read as the commands they were`() throws {
        let samples = WireSamples.counting()
        for line in readText(testFile("Fixtures/wire-golden.txt")).split(separator: "\n") {
            let words = line.split(separator: " ")
            let kind = try #require(CommandKind.allCases.first { "\($0)" == words[0] })
            var rest = words[1].utf8[...]
            var bytes: [UInt8] = []
            while !rest.isEmpty {
                bytes.append(try #require(UInt8(String(Substring(rest.prefix(2))), radix: 16)))
                rest = rest.dropFirst(2)
            }
            unsafe bytes.withUnsafeBytes { record in
                let head = unsafe RecordHeader(record)
                #expect(head?.kind == kind.rawValue)
                #expect(head.map { Int($0.length) } == record.count)
                #expect(head?.sequence == header.sequence)
                #expect(head?.timestamp == header.timestamp)
                #expect(head?.epoch == header.epoch)
                #expect(head?.session == header.session)
                #expect(head?.number == header.number)
                #expect(head?.crc == header.crc)
                let payload = unsafe UnsafeRawBufferPointer(rebasing: record[RecordHeader.size...])
                let command = unsafe Command(kind: kind, payload: payload)
                #expect(command == samples.command(kind), "\(kind)")
            }
        }
    }

    @Test func `an order's fields have the offsets of its layout`() {
        let place = Place(
            account: AccountID(0x0403_0201), instrument: InstrumentID(0x0605), side: .sell,
            type: .takeProfitLimit, timeInForce: .gtd, selfTradePrevention: .decrement,
            price: Price(ticks: 1), quantity: Quantity(lots: 2), stopPrice: Price(ticks: 3),
            displayQuantity: Quantity(lots: 4), expireTime: 5, quoteQuantity: Amount(units: -1),
            clOrdID: Text40("ab") ?? Text40(), deadline: 6, strategyID: 7, strategyType: 8)
        let bytes = place.payloadBytes()
        #expect(bytes.count == 128)
        #expect(bytes[0..<10] == [1, 2, 3, 4, 5, 6, 1, 6, 3, 4])
        #expect(bytes[10..<16] == [0, 0, 8, 0, 0, 0])
        for (field, offset) in [16, 24, 32, 40, 48].enumerated() {
            #expect(bytes[offset] == UInt8(field + 1))
            #expect(bytes[offset + 1..<offset + 8].allSatisfy { $0 == 0 })
        }
        #expect(bytes[56..<72].allSatisfy { $0 == 255 })
        #expect(bytes[72..<75] == [0x61, 0x62, 0])
        #expect(bytes[112] == 6 && bytes[120] == 7)
    }
}
