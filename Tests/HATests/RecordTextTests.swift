// Goal: the record's and the floor's texts are read exactly as they are written; what is garbled,
// too long or of a newer version is refused with its reason.

import Control
import Failover
import Terms
import Testing

@Suite struct RecordTextTests {
    static let record = ClusterRecord(
        epoch: 6, primary: HostName("host-a"),
        inSync: [
            InSyncReplica(host: HostName("host-a"), replica: ReplicaID(high: 1, low: 2)),
            InSyncReplica(host: HostName("b.example"), replica: ReplicaID(high: .max, low: 0)),
        ],
        attempt: SwapAttempt(run: .max, number: .max), forced: ForcedStart(epoch: 6, from: .max))

    @Test func `is one line of JSON with its members in order`() {
        let text = """
            {"version":1,"epoch":6,"primary":"host-a","insync":[\
            {"host":"host-a","replica":"00000000000000010000000000000002"},\
            {"host":"b.example","replica":"ffffffffffffffff0000000000000000"}],\
            "attempt":{"run":"ffffffffffffffff","number":18446744073709551615},\
            "forced":{"epoch":6,"from":18446744073709551615}}
            """
        #expect(Self.record.text == text)
    }

    @Test func `reads what it writes`() throws {
        let plain = ClusterRecord(
            epoch: ClusterRecord.epochMax + 1, primary: HostName("a"),
            inSync: [InSyncReplica(host: HostName("a"), replica: ReplicaID(high: 0, low: 1))],
            attempt: SwapAttempt(run: 0, number: 0))
        for record in [Self.record, plain] {
            #expect(try ClusterRecord(parsing: Array(record.text.utf8)) == record)
        }
    }

    @Test(arguments: [
        ("", "", "it is garbled: it is no JSON"),
        ("\"version\":1,", "", "it is garbled: it has no version"),
        ("\"version\":1", "\"version\":\"1\"", "it is garbled: it has no version"),
        ("\"version\":1", "\"version\":2", "it is of version 2, this release knows 1"),
        (
            "\"version\":1", "\"version\":7,\"new\":true",
            "it is of version 7, this release knows 1"
        ),
        ("\"epoch\":6", "\"epoch\":0", garbled), ("\"epoch\":6", "\"epoch\":-6", garbled),
        ("\"epoch\":6", "\"epoch\":4294967296", garbled), ("\"epoch\":6", "\"epoch\":5", garbled),
        ("\"epoch\":6", "\"epoch\":2147483649", garbled),
        ("host-a\",\"insync", "host-c\",\"insync", garbled), ("b.example", "host-a", garbled),
        ("b.example", "b example", garbled), ("b.example", "", garbled),
        ("ffffffffffffffff0000000000000000", "ffff", garbled),
        ("ffffffffffffffff0000000000000000", "00000000000000000000000000000000", garbled),
        ("\"number\":18446744073709551615", "\"number\":18446744073709551616", garbled),
        ("\"version\":1", "\"version\": 1", written),
        ("ffffffffffffffff\"", "FFFFFFFFFFFFFFFF\"", written),
        ("\"epoch\":6,\"from\"", "\"epoch\":6,\"extra\":1,\"from\"", written),
        ("\"version\":1", "\"version\":0", written),
    ])
    func `refuses what it would not write`(part: String, other: String, reason: String) {
        let text = Self.record.text
        let changed = part.isEmpty ? String(text.dropLast()) : replaced(part, other, in: text)
        #expect(changed != text)
        #expect(refusal(of: Array(changed.utf8)) == reason)
    }

    private static let garbled =
        "it is garbled: a member is missing, or has a value that it cannot have"
    private static let written = "it is garbled: it is not written as this release writes it"

    @Test func `refuses an empty set, a third replica, and too long a text`() {
        let text = Self.record.text
        let begin = text.range(of: "[")!
        let end = text.range(of: "]")!
        let members = text[begin.upperBound..<end.lowerBound]
        let third = "\(members),{\"host\":\"c\",\"replica\":\"00000000000000010000000000000009\"}"
        for other in ["", third] {
            let changed = "\(text[..<begin.upperBound])\(other)\(text[end.lowerBound...])"
            #expect(refusal(of: Array(changed.utf8)) == Self.garbled)
        }
        let long = Array(text.utf8) + [UInt8](repeating: 0x20, count: 2_048)
        #expect(
            refusal(of: long) == "it has \(long.count) bytes, at most 2048 are a record")
    }

    @Test func `takes no text with a byte changed, unless it is that record's own`() {
        let text = Array(Self.record.text.utf8)
        var taken = 0
        for index in text.indices {
            for byte in [UInt8(0), 0x20, 0x22, 0x2C, 0x30, 0x39, 0x5C, 0x61, 0x7B, 0x7D, 0xFF] {
                var changed = text
                changed[index] = byte
                guard let record = try? ClusterRecord(parsing: changed) else { continue }
                #expect(Array(record.text.utf8) == changed)
                taken += 1
            }
        }
        // Digits of numbers and letters of names may change: the loop has met both outcomes.
        #expect(taken > 20 && taken < text.count * 11)
    }

    @Test func `writes floors so that their texts compare as numbers`() throws {
        let floors: [UInt64] = [0, 1, 9, 10, 99, 1_000, 1 << 40, .max - 1, .max]
        for (lower, higher) in zip(floors, floors.dropFirst()) {
            #expect(FloorText.text(lower) < FloorText.text(higher))
        }
        for floor in floors {
            #expect(FloorText.text(floor) < FloorText.above(floor))
            #expect(FloorText.text(floor).utf8.count == 20)
            #expect(try FloorText.parse(Array(FloorText.text(floor).utf8)) == floor)
        }
        for text in [
            "", "1", "-0000000000000000001", "18446744073709551616", "0000000000000000001 ",
        ] {
            #expect(throws: RecordError.self) { try FloorText.parse(Array(text.utf8)) }
        }
    }

    @Test func `writes and reads Base64 as RFC 4648 shows it`() {
        let vectors = [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
        ]
        for (bytes, text) in vectors {
            #expect(Base64.text(bytes.utf8) == text)
            #expect(Base64.bytes(text).map { String(decoding: $0, as: UTF8.self) } == bytes)
        }
        let all = (0...255).map { UInt8($0) }
        #expect(Base64.bytes(Base64.text(all)) == all)
        for text in ["Z", "Zg", "Zg=", "Zh==", "Zm9v\n", "Zm-v", "=", "Zg==Zg=="] {
            #expect(Base64.bytes(text) == nil)
        }
    }

    private func refusal(of text: [UInt8]) -> String? {
        do throws(RecordError) {
            _ = try ClusterRecord(parsing: text)
            return nil
        } catch {
            return error.description
        }
    }

    private func replaced(_ part: String, _ other: String, in text: String) -> String {
        guard let range = text.range(of: part) else { return text }
        return "\(text[..<range.lowerBound])\(other)\(text[range.upperBound...])"
    }
}

extension String {
    /// Where `part` first stands.
    fileprivate func range(of part: String) -> Range<String.Index>? {
        indices.first { self[$0...].hasPrefix(part) }
            .map { $0..<index($0, offsetBy: part.count) }
    }
}
