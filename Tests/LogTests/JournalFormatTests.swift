// Goal: the bytes on disk are what the drawings say, and what older versions wrote stays readable.

import Glibc
import Journal
import Platform
import Slabs
import Testing
import Wire

@Suite struct JournalFormatTests {
    /// RFC 3720 appendix B.4, and the check value of the CRC catalogues.
    static let vectors: [([UInt8], UInt32)] = [
        ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
        ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
        ((0..<32).map { UInt8($0) }, 0x46DD_794E),
        ((0..<32).map { UInt8(31 - $0) }, 0x113F_DB5C),
        (
            [
                0x01, 0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0,
                0, 0, 0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0,
            ], 0xD996_3A56
        ),
        (Array("123456789".utf8), 0xE306_9283),
        ([], 0),
    ]

    @Test(arguments: vectors)
    func `a checksum is that of the RFC by instruction and by table`(bytes: [UInt8], crc: UInt32) {
        unsafe bytes.withUnsafeBytes {
            unsafe #expect(CRC32C.checksum($0) == crc)
            unsafe #expect(CRC32C.checksumByTable($0) == crc)
        }
    }

    @Test func `instruction and table agree at every length and alignment`() {
        var random = SplitMix64(seed: 7)
        let bytes = (0..<300).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        unsafe bytes.withUnsafeBytes { raw in
            for start in 0..<9 {
                for end in start..<raw.count {
                    let part = unsafe UnsafeRawBufferPointer(rebasing: raw[start..<end])
                    let whole = unsafe CRC32C.checksum(part)
                    unsafe #expect(whole == CRC32C.checksumByTable(part))
                    let half = part.count / 2
                    let first = unsafe CRC32C.checksum(
                        UnsafeRawBufferPointer(rebasing: part[..<half]))
                    let second = unsafe UnsafeRawBufferPointer(rebasing: part[half...])
                    unsafe #expect(CRC32C.checksum(second, from: first) == whole)
                }
            }
        }
    }

    /// Where the fixtures lie in the sources.
    static func fixture(_ name: String) -> String {
        let parent = Directory.parent(of: #filePath)!
        return Directory.join(Directory.join(parent, "Fixtures"), name)
    }

    @Test func `a segment of this format is read and written in the same bytes`() throws {
        let sample = JournalSample(24, rules: 1)
        let new = try JournalLab()
        try new.write(sample, batch: 3)
        let path = Self.fixture("segment-v2.seg")
        let written = try new.scratch.bytes(new.scratch.segment(1))
        if unsafe getenv("BOURSE_RECORD") != nil { try new.scratch.put(written, path) }
        let golden = try File(path, .read)
        let bytes = try golden.read(count: try golden.size())

        let old = try JournalLab()
        try old.scratch.put(bytes, old.scratch.segment(1))
        let recovered = try Journal.recover(directory: old.directory)
        #expect(recovered.lastSequence == 24)
        #expect(recovered.last == sample.point())
        #expect(recovered.identity == JournalSample.identity)
        #expect(recovered.cut == nil)
        #expect(try old.read() == sample.records)
        #expect(written == bytes)
    }

    @Test func `the header block has the documented layout`() throws {
        let lab = try JournalLab()
        try lab.write(JournalSample(3))
        let bytes = try lab.scratch.bytes(lab.scratch.segment(1))
        #expect(bytes.count == 64 << 10)
        #expect(Array(bytes[0..<8]) == Array("BOURSEJ1".utf8))
        #expect(Array(bytes[8..<16]) == [2, 0, 0, 0, 0, 16, 0, 0])
        #expect(Array(bytes[16..<24]) == [0xEF, 0xCD, 0xAB, 0x89, 0x67, 0x45, 0x23, 0x01])
        #expect(Array(bytes[32..<40]) == [1, 0, 0, 0, 0, 0, 0, 0])
        // The record before the first has no time, epoch or CRC; the file has 64 KiB, no replica's.
        #expect(bytes[40..<56].allSatisfy { $0 == 0 })
        #expect(Array(bytes[56..<64]) == [0, 0, 1, 0, 0, 0, 0, 0])
        #expect(bytes[64..<80].allSatisfy { $0 == 0 })
        #expect(Array(bytes[80..<84]) == [1, 0, 0, 0])
        #expect(bytes[84..<4092].allSatisfy { $0 == 0 })
        let record = JournalSample(3).records[0]
        #expect(Array(bytes[4096..<4096 + record.count]) == record)
        let mark = Array(bytes[(4096 + record.count)...].prefix(24))
        #expect(Array(mark[0..<4]) == Array("SYN2".utf8))
        #expect(Array(mark[8..<16]) == [2, 0, 0, 0, 0, 0, 0, 0])
        #expect(mark[16..<24].allSatisfy { $0 == 0 })
    }
}
