// Goal: no bytes on disk crash or hang the parsers of segments and snapshots, nor make them give a
// record that was never written. `BOURSE_FUZZ_ITERATIONS` makes it longer, `BOURSE_SEED`
// another.

import Engine
import Glibc
import Journal
import Platform
import Slabs
import Testing
import Wire

@Suite struct JournalFuzzTests {
    static func setting(_ name: String, _ fallback: Int) -> Int {
        unsafe getenv(name).flatMap { unsafe Int(String(cString: $0)) } ?? fallback
    }

    static let seed = UInt64(setting("BOURSE_SEED", 20_251_122))
    /// Each writes files and syncs them, so they are fewer than those of other fuzz tests.
    static let iterations = max(400, setting("BOURSE_FUZZ_ITERATIONS", 0) / 50)
    static let replay = "replay: BOURSE_SEED=\(seed) BOURSE_FUZZ_ITERATIONS=\(50 * iterations)"

    /// Spoils bytes between `start` and `end` in one of several ways.
    static func spoil(_ bytes: inout [UInt8], _ range: Range<Int>, _ random: inout SplitMix64) {
        for _ in 0...random.below(3) {
            let at = range.lowerBound + random.below(range.count)
            switch random.below(6) {
            case 0: bytes[at] ^= UInt8(1 << random.below(8))
            case 1: bytes[at] = UInt8(truncatingIfNeeded: random.next())
            case 2:
                for i in at..<min(range.upperBound, at + random.below(600)) { bytes[i] = 0 }
            case 3:
                for i in at..<min(range.upperBound, at + random.below(64)) {
                    bytes[i] = UInt8(truncatingIfNeeded: random.next())
                }
            case 4:
                let from = range.lowerBound + random.below(range.count)
                let count = min(random.below(300), range.upperBound - max(at, from))
                bytes.replaceSubrange(at..<at + count, with: Array(bytes[from..<from + count]))
            default:
                let aligned = at / 8 * 8
                if aligned >= range.lowerBound, aligned + 4 <= range.upperBound {
                    for i in 0..<4 { bytes[aligned + i] = UInt8(truncatingIfNeeded: random.next()) }
                }
            }
        }
    }

    @Test func `spoiled segments give whole records or a typed error`() throws {
        print(Self.replay)
        var random = SplitMix64(seed: Self.seed)
        let lab = try JournalLab()
        let sample = JournalSample(40)
        try lab.write(sample, batch: 4)
        let path = lab.scratch.segment(1)
        let good = try lab.scratch.bytes(path)
        let end = good.lastIndex { $0 != 0 }! + 1
        let written = Set(sample.records)
        var outcomes = (kept: 0, refused: 0)
        for _ in 0..<Self.iterations {
            var bytes = good
            let wide = random.below(4) == 0
            Self.spoil(&bytes, wide ? 0..<min(bytes.count, end + 900) : 4096..<end, &random)
            try lab.scratch.put(bytes, path)
            do {
                let recovered = try Journal.recover(directory: lab.directory)
                outcomes.kept += 1
                guard !recovered.isEmpty else { continue }
                let records = try lab.read()
                #expect(records.count == Int(recovered.lastSequence))
                #expect(records.allSatisfy(written.contains))
            } catch is JournalError {
                outcomes.refused += 1
            }
        }
        #expect(outcomes.refused > 0)
        #expect(outcomes.kept > 0)
    }

    @Test func `spoiled snapshots are refused, also with right checksums over them`() throws {
        print(Self.replay)
        var random = SplitMix64(seed: Self.seed ^ 0x5A)
        let (lab, snapshots) = try JournalReplayTests.place()
        let engine = JournalSample(60).engine()
        try snapshots.write(JournalSample(60))
        let good = try lab.scratch.bytes(snapshots.path(60))
        for iteration in 0..<Self.iterations {
            var bytes = good
            Self.spoil(&bytes, 0..<bytes.count, &random)
            guard bytes != good else { continue }
            // Every other time the checksums fit, so that the engine's own parser is reached.
            if iteration % 2 == 1 { Self.seal(&bytes) }
            do {
                let loaded = try SnapshotStore.decode(bytes, path: "fuzz", identity: nil)
                // Only fields that say nothing of the state may differ and be taken.
                #expect(loaded.engine.stateHash() == engine.stateHash())
            } catch { #expect(!error.description.isEmpty) }
        }
    }

    static func seal(_ bytes: inout [UInt8]) {
        func put(_ crc: UInt32, _ at: Int, _ bytes: inout [UInt8]) {
            for i in 0..<4 { bytes[at + i] = UInt8(truncatingIfNeeded: crc >> (8 * UInt32(i))) }
        }
        func crc(_ range: Range<Int>, _ bytes: [UInt8]) -> UInt32 {
            unsafe bytes.withUnsafeBytes {
                unsafe CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[range]))
            }
        }
        put(crc(128..<bytes.count, bytes), 52, &bytes)
        put(crc(0..<124, bytes), 124, &bytes)
    }
}
