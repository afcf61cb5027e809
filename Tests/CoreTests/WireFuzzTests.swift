// Goal: no bytes from outside stop the process or mean two things: whatever decodes is written back
// to the same bytes, and whatever was written decodes to the same command.

import Engine
import Slabs
import Terms
import Testing
import Wire

@Suite struct WireFuzzTests {
    /// How often each property is tried; `BOURSE_FUZZ_ITERATIONS` scales.
    private var rounds: Int { environment("BOURSE_FUZZ_ITERATIONS", 60_000) }

    /// The first seed; a failure names its own.
    private var firstSeed: UInt64 { UInt64(environment("BOURSE_SEED", 1)) }

    private func decode(_ kind: CommandKind, _ bytes: [UInt8]) -> Command? {
        unsafe bytes.withUnsafeBytes { unsafe Command(kind: kind, payload: $0) }
    }

    private func replay(_ seed: UInt64) -> Comment {
        "BOURSE_SEED=\(seed) BOURSE_FUZZ_ITERATIONS=1 swift test -c release --filter WireFuzz"
    }

    /// Byte by byte: printable ASCII, then nothing but zero bytes.
    private static func isWellFormed(_ bytes: [UInt8]) -> Bool {
        let text = bytes.prefix { $0 != 0 }
        return text.allSatisfy { 0x20...0x7E ~= $0 }
            && bytes.dropFirst(text.count).allSatisfy { $0 == 0 }
    }

    private func isWellFormed<Text: FixedText>(_ type: Text.Type, _ bytes: [UInt8]) -> Bool {
        var text = Text()
        unsafe withUnsafeMutableBytes(of: &text) { unsafe $0.copyBytes(from: bytes) }
        return text.isWellFormed
    }

    @Test func `a text is well formed exactly where each byte is`() {
        func check<Text: FixedText>(_ type: Text.Type, _ seed: UInt64) {
            var random = SplitMix64(seed: seed)
            let count = Int.random(in: 0...Text.capacity, using: &random)
            var bytes = [UInt8](repeating: 0, count: Text.capacity)
            for at in 0..<count { bytes[at] = UInt8.random(in: 0x20...0x7E, using: &random) }
            // Every byte at every place, beside good ones.
            for at in 0..<Text.capacity {
                let kept = bytes[at]
                for byte in UInt8.min...UInt8.max {
                    bytes[at] = byte
                    #expect(
                        isWellFormed(type, bytes) == Self.isWellFormed(bytes), "\(bytes) \(seed)")
                }
                bytes[at] = kept
            }
        }
        for seed in firstSeed..<firstSeed + 8 {
            check(Text16.self, seed)
            check(Text40.self, seed)
            check(Text64.self, seed)
        }
    }

    @Test func `every command decodes to what was encoded`() {
        for seed in firstSeed..<firstSeed + UInt64(max(1, rounds / 30)) {
            let samples = WireSamples.random(seed: seed)
            for kind in CommandKind.allCases {
                let command = samples.command(kind)
                let bytes = command.payload.payloadBytes()
                #expect(command.kind == kind)
                #expect(bytes.count % 8 == 0)
                #expect(bytes.count <= Limits.commandBytesMax - RecordHeader.size)
                #expect(decode(kind, bytes) == command, replay(seed))
            }
        }
    }

    @Test func `what decodes is written back to the same bytes`() {
        var decoded = 0
        for seed in firstSeed..<firstSeed + UInt64(rounds) {
            var random = SplitMix64(seed: seed)
            let kind = random.pick(CommandKind.allCases)
            let bytes = Self.spoiled(kind, &random, WireSamples.random(seed: seed))
            guard let command = decode(kind, bytes) else { continue }
            decoded += 1
            let again = command.payload.payloadBytes()
            // Records are multiples of 8; others only have to mean the same.
            if bytes.count % 8 == 0 ? again != bytes : decode(kind, again) != command {
                Issue.record("\(kind): \(bytes) became \(again); \(replay(seed))")
                return
            }
        }
        #expect(rounds < 1_000 || decoded > rounds / 50, "some of them decode")
    }

    @Test func `payloads cut short or lengthened do not decode`() {
        for seed in firstSeed..<firstSeed + UInt64(max(1, rounds / 3_000)) {
            let samples = WireSamples.random(seed: seed)
            for kind in CommandKind.allCases {
                let bytes = samples.command(kind).payload.payloadBytes()
                // A withdrawal's request without its key is a whole one of before rules 3.
                let whole = kind == .requestWithdrawal ? 232 : -1
                // The last 8 bytes hold at least one byte of a field.
                for count in stride(from: 0, through: bytes.count - 8, by: 1)
                where count != whole {
                    #expect(decode(kind, Array(bytes[..<count])) == nil, replay(seed))
                }
                #expect(decode(kind, bytes + [UInt8](repeating: 0, count: 8)) == nil, replay(seed))
                #expect(decode(kind, bytes + [1]) == nil, replay(seed))
            }
        }
    }

    @Test func `the engine refuses as malformed exactly what does not decode`() {
        var engine = Engine(limits: .small)
        var malformed = 0
        for seed in firstSeed..<firstSeed + UInt64(max(1, rounds / 2)) {
            var random = SplitMix64(seed: seed)
            let kind = random.pick(CommandKind.allCases)
            let payload = Self.spoiled(kind, &random, WireSamples.random(seed: seed))
            // A record's length is a multiple of 8, as its journal and the link check.
            let bytes = payload + [UInt8](repeating: 0, count: (8 - payload.count % 8) % 8)
            var header = RecordHeader(
                sequence: engine.sequence + 1, timestamp: Int64(seed), kind: kind)
            header.length = UInt32(RecordHeader.size + bytes.count)
            if random.once(in: 50) { header.kind = UInt16(truncatingIfNeeded: random.next()) }
            var record = [UInt8](repeating: 0, count: RecordHeader.size) + bytes
            unsafe record.withUnsafeMutableBytes { unsafe header.write(to: $0) }
            let outcome = unsafe record.withUnsafeBytes { unsafe engine.apply(record: $0) }
            let known = CommandKind(rawValue: header.kind)
            let isReadable = known.flatMap { decode($0, bytes) } != nil
            if !isReadable { malformed += 1 }
            // Some that decode are malformed in meaning, as a client's id that is too long.
            #expect(isReadable || outcome.refusal == .malformed, replay(seed))
        }
        #expect(engine.checkInvariants() == nil)
        #expect(rounds < 1_000 || malformed > rounds / 10)
    }

    @Test func `a header decodes to what was encoded, and not from fewer bytes`() {
        for seed in firstSeed..<firstSeed + UInt64(max(1, rounds / 60)) {
            var random = SplitMix64(seed: seed)
            let bytes = (0..<RecordHeader.size).map { _ in
                UInt8(truncatingIfNeeded: random.next())
            }
            let header = unsafe bytes.withUnsafeBytes { unsafe RecordHeader($0) }
            var again = [UInt8](repeating: 1, count: RecordHeader.size)
            unsafe again.withUnsafeMutableBytes { unsafe header?.write(to: $0) }
            #expect(again[..<44] == bytes[..<44])
            #expect(again[44...].allSatisfy { $0 == 0 })
        }
        for count in 0..<RecordHeader.size {
            let bytes = [UInt8](repeating: 0, count: count)
            #expect(unsafe bytes.withUnsafeBytes { unsafe RecordHeader($0) } == nil)
        }
    }

    /// Bytes that may be a payload of `kind`: one that was spoiled, or nothing but chance.
    private static func spoiled(
        _ kind: CommandKind, _ random: inout SplitMix64, _ samples: WireSamples
    ) -> [UInt8] {
        if random.once(in: 8) {
            return (0..<random.within(0...200)).map { _ in
                random.once(in: 2) ? 0 : UInt8(truncatingIfNeeded: random.next())
            }
        }
        var bytes = samples.command(kind).payload.payloadBytes()
        for _ in 0..<random.within(0...3) {
            let place = bytes.isEmpty ? 0 : Int(random.within(0...Int64(bytes.count - 1)))
            switch random.next() % 6 {
            case 0 where !bytes.isEmpty: bytes[place] ^= 1 << UInt8(random.next() % 8)
            case 1 where !bytes.isEmpty: bytes[place] = UInt8(truncatingIfNeeded: random.next())
            case 2: bytes.removeLast(Int(random.within(0...Int64(min(16, bytes.count)))))
            case 3: bytes += [UInt8](repeating: 0, count: Int(random.within(0...16)))
            case 4:
                let other = samples.command(kind).payload.payloadBytes()
                bytes.insert(contentsOf: other, at: place)
            default: bytes.replaceSubrange(place..<min(place + 8, bytes.count), with: [])
            }
        }
        return Array(bytes.prefix(Limits.commandBytesMax - RecordHeader.size))
    }
}
