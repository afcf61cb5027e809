// Goal: whatever stands at the end of a journal, start-up cuts only what was never acknowledged,
// and stops at anything else with the last good sequence; it never guesses and never loses
// silently.

import Glibc
import Journal
import Platform
import Terms
import Testing
import Wire

@Suite struct JournalRecoveryTests {
    /// A journal's segment as bytes, with where each record begins and ends.
    struct Image {
        let lab: JournalLab
        let sample: JournalSample
        let bytes: [UInt8]
        var records: [Range<Int>] = []
        var end = 4096

        init(_ count: Int, batch: Int) throws {
            lab = try JournalLab()
            sample = JournalSample(count)
            try lab.write(sample, batch: batch)
            bytes = try lab.scratch.bytes(lab.scratch.segment(1))
            for record in sample.records {
                while Array(bytes[end..<end + 4]) == Array("SYN2".utf8) { end += 24 }
                records.append(end..<end + record.count)
                end += record.count
            }
            if Array(bytes[end..<end + 4]) == Array("SYN2".utf8) { end += 24 }
        }

        /// How many records from the first on are still whole in `changed`: what was lost of one
        /// may have been its zero padding only.
        func whole(_ changed: [UInt8]) -> Int {
            records.prefix { $0.upperBound <= changed.count && changed[$0] == bytes[$0] }.count
        }

        /// The bytes as a write leaves them that ended at a sector within a record; with the index
        /// of that record, the last there is.
        func torn() throws -> (bytes: [UInt8], index: Int) {
            func sector(_ range: Range<Int>) -> Int { (range.upperBound - 1) / 512 * 512 }
            let index = try #require(
                records.lastIndex { range in
                    let start = sector(range)
                    return start > range.lowerBound
                        && self.bytes[start..<range.upperBound].contains { $0 != 0 }
                })
            var bytes = self.bytes
            for i in sector(records[index])..<end { bytes[i] = 0 }
            return (bytes, index)
        }

        func recover(_ changed: [UInt8]) throws -> RecoveredJournal {
            try lab.scratch.put(changed, lab.scratch.segment(1))
            return try Journal.recover(directory: lab.directory)
        }
    }

    @Test func `an empty directory is an empty journal`() throws {
        let lab = try JournalLab()
        let recovered = try Journal.recover(directory: lab.directory)
        #expect(recovered.isEmpty)
        #expect(recovered.identity == nil)
        #expect(recovered.cut == nil)
    }

    @Test func `a missing directory is reported with advice`() throws {
        let lab = try JournalLab()
        let error = journalError {
            _ = try Journal.recover(directory: lab.scratch.file("nowhere"))
        }
        #expect(error?.description.contains("nowhere") == true)
        #expect(error?.description.contains("correct the path") == true)
    }

    @Test func `a write that ends at any sector leaves every whole record and is gone on with`()
        throws
    {
        let image = try Image(60, batch: 2)
        for end in stride(from: 4096, to: image.end, by: 512) {
            var torn = Array(image.bytes[..<end])
            torn += [UInt8](repeating: 0, count: image.bytes.count - end)
            let recovered = try image.recover(torn)
            let whole = image.whole(torn)
            #expect(recovered.lastSequence == UInt64(whole), "cut at \(end)")
            // The tail can't come back: a second look finds a clean end.
            #expect(try Journal.recover(directory: image.lab.directory).cut == nil)
            if whole > 0 {
                try image.lab.write(image.sample, from: whole + 1)
                #expect(try image.lab.read() == image.sample.records, "went on from \(end)")
            }
        }
    }

    @Test func `a file that was cut short is damage, wherever it was cut`() throws {
        let image = try Image(12, batch: 3)
        let ends =
            Array(stride(from: 0, to: image.bytes.count, by: 509))
            + image.records.map(\.upperBound) + [image.end, image.bytes.count - 1]
        for end in ends {
            let error = journalError { _ = try image.recover(Array(image.bytes[..<end])) }
            guard case .damaged(let file, _, let lastGood, _) = error else {
                Issue.record("cut at \(end): \(String(describing: error))")
                continue
            }
            #expect(lastGood == UInt64(image.records.count { $0.upperBound <= end }))
            #expect(try image.lab.scratch.bytes(file).count == end)
        }
        // Nor is one that grew what was written.
        #expect(journalError { _ = try image.recover(image.bytes + [0]) } != nil)
    }

    /// A disk writes sectors, a kernel pages: a record that ends in the middle of one was not left
    /// by a write that was cut off.
    @Test func `a write that ends at any byte keeps every whole record or is refused`() throws {
        let image = try Image(12, batch: 2)
        for end in 4096..<image.end {
            var torn = Array(image.bytes[..<end])
            torn += [UInt8](repeating: 0, count: image.bytes.count - end)
            let whole = UInt64(image.whole(torn))
            do {
                #expect(try image.recover(torn).lastSequence == whole, "cut at \(end)")
            } catch JournalError.damaged(_, _, let lastGood, _) {
                #expect(lastGood == whole, "cut at \(end)")
            }
        }
    }

    @Test func `a cut is reported with its sequence, place and length`() throws {
        let image = try Image(60, batch: 60)
        let (torn, index) = try image.torn()
        let cut = try #require(try image.recover(torn).cut)
        #expect(cut.sequence == UInt64(index + 1))
        #expect(cut.offset == image.records[index].lowerBound)
        #expect(cut.offset + cut.bytes == torn.lastIndex { $0 != 0 }! + 1)
        #expect(cut.description.contains("never acknowledged"))
    }

    @Test func `a flipped bit before the last mark is damage, wherever it is`() throws {
        let image = try Image(12, batch: 2)
        for (index, range) in image.records.enumerated() {
            for at in range {
                var bytes = image.bytes
                bytes[at] ^= UInt8(1 << (at % 8))
                let error = journalError { _ = try image.recover(bytes) }
                guard case .damaged(let file, let offset, let lastGood, _) = error else {
                    Issue.record("byte \(at) of record \(index + 1): \(String(describing: error))")
                    continue
                }
                #expect(file == image.lab.scratch.segment(1))
                #expect(offset == range.lowerBound)
                #expect(lastGood == UInt64(index))
                // Nothing was changed by looking.
                #expect(try image.lab.scratch.bytes(file) == bytes)
            }
        }
    }

    @Test func `a flipped bit in the last mark costs nothing`() throws {
        let image = try Image(12, batch: 2)
        for at in image.end - 24..<image.end {
            var bytes = image.bytes
            bytes[at] ^= 4
            #expect(try image.recover(bytes).lastSequence == 12)
        }
    }

    @Test func `without the last mark no record that came whole can be taken for torn`() throws {
        let image = try Image(20, batch: 20)
        var unmarked = image.bytes
        for i in image.end - 24..<image.end { unmarked[i] = 0 }
        for (index, range) in image.records.enumerated() {
            // In its length, its checksum, its head and its payload.
            for at in [0, 1, 5, 9, 44, 50] {
                var bytes = unmarked
                bytes[range.lowerBound + at] ^= 4
                let error = journalError { _ = try image.recover(bytes) }
                guard case .damaged(_, _, let lastGood, _) = error else {
                    Issue.record("record \(index + 1), \(at): \(String(describing: error))")
                    continue
                }
                #expect(lastGood == UInt64(index))
            }
        }
    }

    @Test func `a record that had been durable is not cut, however torn it looks`() throws {
        let image = try Image(60, batch: 60)
        let (torn, index) = try image.torn()
        func recover(floor: Int) throws -> RecoveredJournal {
            try image.lab.scratch.put(torn, image.lab.scratch.segment(1))
            return try Journal.recover(directory: image.lab.directory, floor: UInt64(floor))
        }
        #expect(try recover(floor: index).lastSequence == UInt64(index))
        let error = journalError { _ = try recover(floor: index + 1) }
        guard case .damaged(_, _, UInt64(index), let detail) = error else {
            Issue.record("it was taken: \(String(describing: error))")
            return
        }
        #expect(detail.hasSuffix("record \(index + 1) had been durable"))
        // Zeros from a record's beginning on look like an end.
        var short = image.bytes
        for i in image.records[40].lowerBound..<image.end { short[i] = 0 }
        try image.lab.scratch.put(short, image.lab.scratch.segment(1))
        #expect(try Journal.inspect(directory: image.lab.directory).lastSequence == 40)
        #expect(
            journalError {
                _ = try Journal.recover(directory: image.lab.directory, floor: 60)
            } == .behind(directory: image.lab.directory, floor: 60, lastGood: 40))
    }

    @Test func `what is cut is kept, with its place and its reason`() throws {
        let image = try Image(60, batch: 60)
        let (torn, index) = try image.torn()
        let cut = try #require(try image.recover(torn).cut)
        let directory = image.lab.scratch.file("cut")
        let names = try Directory.names(in: directory)
        #expect(names.count == 1)
        #expect(names.first?.hasPrefix("000000000000000000\(index + 1)-") == true)
        let kept = try image.lab.scratch.bytes(directory + "/" + names[0])
        #expect(Array(kept[0..<8]) == Array("BOURSEC1".utf8))
        #expect(Array(kept[512...]) == Array(torn[cut.offset..<cut.offset + cut.bytes]))
        #expect(String(decoding: kept[80..<508], as: UTF8.self).contains("was not finished"))
    }

    @Test func `a sector that a power cut kept back tears its write, and damages a finished one`()
        throws
    {
        let image = try Image(60, batch: 60)
        var unmarked = image.bytes
        for i in image.end - 24..<image.end { unmarked[i] = 0 }
        for sector in stride(from: 4096, to: image.end - 512, by: 512) {
            func without(_ bytes: [UInt8]) -> [UInt8] {
                var bytes = bytes
                for i in sector..<sector + 512 { bytes[i] = 0 }
                return bytes
            }
            let whole = image.whole(without(image.bytes))
            #expect(try image.recover(without(unmarked)).lastSequence == UInt64(whole))
            let error = journalError { _ = try image.recover(without(image.bytes)) }
            guard case .damaged(_, _, let lastGood, _) = error else {
                Issue.record("sector at \(sector): \(String(describing: error))")
                continue
            }
            #expect(lastGood == UInt64(whole))
        }
    }

    /// A journal with a mark at each place of a sector, and the offset of that mark.
    private static func forEachMark(
        _ body: (JournalState, JournalWriter, String, Int) throws -> Void
    ) throws {
        for payload in stride(from: 0, to: 512, by: 8) {
            let state = try JournalState()
            try state.begin()
            let writer = try state.writer()
            try writer.append(JournalState.ticks(after: writer.last, 1, bytes: payload))
            writer.noteCommit(1)
            try writer.sync()
            let path = state.journal + "/" + (try state.segments())[0]
            let bytes = try state.scratch.bytes(path)
            let mark = try #require(
                Array(stride(from: 4096, to: bytes.count, by: 8)).last {
                    Array(bytes[$0..<$0 + 4]) == Array("SYN2".utf8)
                })
            try body(state, writer, path, mark)
        }
    }

    @Test func `a mark of which a power cut kept a sector back is torn with its write`() throws {
        var straddling = 0
        try Self.forEachMark { state, writer, path, mark in
            let sector = mark / 512 * 512 + 512
            guard mark + 24 > sector else { return }
            straddling += 1
            // The next write is under way: it was not acknowledged.
            try writer.append(JournalState.ticks(after: writer.last, 40))
            var bytes = try state.scratch.bytes(path)
            for i in sector..<sector + 512 { bytes[i] = 0 }
            try state.scratch.put(bytes, path)
            let recovered = try state.open().recovered
            #expect(recovered.lastSequence == 2, "a mark at \(mark % 512)")
            #expect(recovered.cut != nil)
            try state.add(5)
            #expect(try state.open().recovered.lastSequence == 7)
        }
        #expect(straddling == 2)
    }

    /// The record behind it is whole then, and where it belongs.
    @Test func `a mark that a power cut kept back, and not the write behind it, is torn as well`()
        throws
    {
        var last = 0
        try Self.forEachMark { state, writer, path, mark in
            let sector = mark / 512 * 512 + 512
            guard mark + 24 >= sector else { return }
            last += 1
            try writer.append(JournalState.ticks(after: writer.last, 40))
            var bytes = try state.scratch.bytes(path)
            for i in mark..<sector { bytes[i] = 0 }
            try state.scratch.put(bytes, path)
            let recovered = try state.open().recovered
            #expect(recovered.lastSequence == 2, "a mark at \(mark % 512)")
            #expect(recovered.cut != nil)
            try state.add(5)
            #expect(try state.open().recovered.lastSequence == 7)
        }
        #expect(last == 3)
    }

    @Test func `two marks behind one record say no more than one`() throws {
        var apart = 0
        try Self.forEachMark { state, writer, path, mark in
            let sector = mark / 512 * 512 + 512
            guard mark + 24 >= sector else { return }
            apart += 1
            writer.noteCommit(2)
            #expect(try writer.settle())
            // The first was not synced before, and its sector is the one that did not come.
            var bytes = try state.scratch.bytes(path)
            for i in mark..<sector { bytes[i] = 0 }
            try state.scratch.put(bytes, path)
            let recovered = try state.open().recovered
            #expect(recovered.lastSequence == 2, "a mark at \(mark % 512)")
            try state.add(5)
            #expect(try state.open().recovered.lastSequence == 7)
        }
        #expect(apart == 3)
    }

    /// Most of a write landed elsewhere; what was written later into its first page is in place.
    @Test func `a record that stands whole behind its own place is damage, not a torn tail`()
        throws
    {
        let image = try Image(40, batch: 8)
        let (torn, index) = try image.torn()
        for first in [index - 3, index] {
            for shift in [512, 4096, 8192] {
                var bytes = torn
                let moved = image.records[first].lowerBound..<image.records[index].upperBound
                let place = image.end + shift / 8 * 8 + 8
                bytes.replaceSubrange(place..<place + moved.count, with: image.bytes[moved])
                let error = journalError { _ = try image.recover(bytes) }
                guard case .damaged(_, _, UInt64(index), let detail) = error else {
                    Issue.record("\(index - first + 1) records \(shift) away: \(error as Any)")
                    continue
                }
                #expect(detail.contains("record \(first + 1) stands whole at byte \(place)"))
            }
        }
    }

    @Test func `a record in the wrong place is damage, not a torn tail`() throws {
        let image = try Image(12, batch: 1)
        var bytes = image.bytes
        // The eleventh record once more where the twelfth should be.
        let (from, to) = (image.records[10], image.records[11])
        for i in to.lowerBound..<image.end { bytes[i] = 0 }
        bytes.replaceSubrange(
            to.lowerBound..<to.lowerBound + from.count, with: image.bytes[from])
        let error = journalError { _ = try image.recover(bytes) }
        #expect(error?.description.contains("says it is 11") == true)
    }
}

@Suite struct JournalSegmentsTests {
    /// Enough records for several of the smallest segments.
    static func several() throws -> (JournalLab, JournalSample, [UInt64]) {
        let lab = try JournalLab()
        let sample = JournalSample(1800)
        try lab.write(sample, batch: 7)
        let firsts = try Directory.names(in: lab.directory).compactMap { name -> UInt64? in
            name.hasSuffix(".seg") ? UInt64(name.dropLast(4)) : nil
        }
        #expect(firsts.count >= 4)
        return (lab, sample, firsts)
    }

    @Test func `records go on over segments without a gap`() throws {
        let (lab, sample, firsts) = try Self.several()
        let recovered = try Journal.recover(directory: lab.directory)
        #expect(recovered.lastSequence == 1800)
        #expect(recovered.segmentCount == firsts.count)
        #expect(try lab.read() == sample.records)
        for sequence in [2, firsts[1] - 1, firsts[1], firsts[2] + 1, 1800] {
            #expect(try lab.read(from: sequence) == Array(sample.records[Int(sequence - 1)...]))
        }
    }

    @Test func `a scan from a later sequence passes over the earlier segments`() throws {
        let (lab, _, firsts) = try Self.several()
        let all = try Journal.recover(directory: lab.directory)
        let part = try Journal.recover(directory: lab.directory, scanFrom: firsts[2] + 3)
        #expect(part.scannedFrom == firsts[2])
        #expect(part.lastSequence == 1800)
        #expect(part.bytesScanned < all.bytesScanned)
        #expect(part.genesis == all.genesis)
    }

    @Test func `few segments are open at a time, however many there are`() throws {
        let (lab, _, firsts) = try Self.several()
        #expect(firsts.count > 2)
        let all = lab.directory + "/"
        for from: UInt64 in [1, .max] {
            var most = 0
            _ = try Journal.recover(directory: lab.directory, scanFrom: from) { _, _ in
                let open = (try? Directory.names(in: "/proc/self/fd")) ?? []
                let mine = open.count { name in
                    var target = [UInt8](repeating: 0, count: 4096)
                    let count = unsafe target.withUnsafeMutableBytes {
                        unsafe readlink("/proc/self/fd/" + name, $0.baseAddress!, $0.count)
                    }
                    return String(decoding: target.prefix(max(0, count)), as: UTF8.self)
                        .hasPrefix(all)
                }
                most = max(most, mine)
            }
            #expect(most > 0 && most <= 2, "\(most) are open")
        }
    }

    @Test func `a missing segment is named by its records`() throws {
        let (lab, _, firsts) = try Self.several()
        try Directory.remove(lab.scratch.segment(firsts[1]))
        #expect(
            journalError { _ = try Journal.recover(directory: lab.directory) }
                == .missing(directory: lab.directory, first: firsts[1], last: firsts[2] - 1))
        #expect(journalError { _ = try lab.read() } != nil)
    }

    @Test func `damage in an earlier segment stops start-up there`() throws {
        let (lab, _, firsts) = try Self.several()
        let path = lab.scratch.segment(firsts[1])
        var bytes = try lab.scratch.bytes(path)
        bytes[20_000] ^= 1
        try lab.scratch.put(bytes, path)
        guard
            case .damaged(let file, _, let lastGood, _) = journalError({
                _ = try Journal.recover(directory: lab.directory)
            })
        else {
            Issue.record("the damage was not found")
            return
        }
        #expect(file == path)
        #expect(lastGood >= firsts[1] && lastGood < firsts[2])
        #expect(journalError { _ = try lab.read() } != nil)
    }

    @Test func `a segment of another journal is refused`() throws {
        let (lab, _, firsts) = try Self.several()
        let path = lab.scratch.segment(firsts[2])
        var bytes = try lab.scratch.bytes(path)
        bytes[16] ^= 0xFF
        Self.seal(&bytes)
        try lab.scratch.put(bytes, path)
        let error = journalError { _ = try Journal.recover(directory: lab.directory) }
        #expect(error?.description.contains("another exchange") == true)
    }

    @Test func `a later format is refused by name`() throws {
        let (lab, _, firsts) = try Self.several()
        let path = lab.scratch.segment(firsts[0])
        var bytes = try lab.scratch.bytes(path)
        bytes[8] = 3
        Self.seal(&bytes)
        try lab.scratch.put(bytes, path)
        #expect(
            journalError { _ = try Journal.recover(directory: lab.directory) }
                == .newer(file: path, version: 3, known: 2))
    }

    @Test func `a version with a flipped bit is damage, not a later format`() throws {
        let (state, _, last) = try JournalLossTests.several()
        let good = try state.image()
        let names = try state.segments()
        for at in [8, 10] {
            try state.restore(good)
            let path = state.journal + "/" + names.last!
            var bytes = try #require(good[path])
            bytes[at] ^= 1
            try state.scratch.put(bytes, path)
            let first = try #require(UInt64(names.last!.dropLast(4)))
            guard case .damaged(path, 0, first - 1, _) = journalError({ _ = try state.open() })
            else {
                Issue.record("\(at): it was not found")
                continue
            }
            try JournalLastGoodTests.accept(state, first - 1)
            // A snapshot of which it is so is passed over.
            try state.restore(good)
            let newest = state.snapshots.path(try #require(try state.snapshots.sequences().first))
            var snapshot = try #require(good[newest])
            snapshot[at] ^= 1
            try state.scratch.put(snapshot, newest)
            let (found, words) = try JournalLossTests.outcome(state)
            #expect(found == last, "\(words)")
        }
    }

    @Test func `a segment that has a name and no header is damage, and stays`() throws {
        for size in [0, 1, 40, 4095, 4096, 64 << 10] {
            let (lab, _, _) = try Self.several()
            let path = lab.scratch.segment(1801)
            try lab.scratch.put([UInt8](repeating: 0, count: size), path)
            let error = journalError { _ = try Journal.recover(directory: lab.directory) }
            guard case .damaged(path, 0, 1800, _) = error else {
                Issue.record("\(size) bytes: \(String(describing: error))")
                continue
            }
            #expect(try lab.scratch.bytes(path).count == size)
        }
    }

    @Test func `a newest segment that was zeroed or emptied is damage`() throws {
        for size in [0, 64 << 10] {
            let (lab, _, firsts) = try Self.several()
            let path = lab.scratch.segment(firsts.last!)
            try lab.scratch.put([UInt8](repeating: 0, count: size), path)
            let error = journalError { _ = try Journal.recover(directory: lab.directory) }
            guard case .damaged(path, 0, firsts.last! - 1, _) = error else {
                Issue.record("\(size) bytes: \(String(describing: error))")
                continue
            }
            #expect(try lab.scratch.bytes(path).count == size)
        }
    }

    @Test func `a whole header without a record is gone on with`() throws {
        let lab = try JournalLab()
        try lab.write(JournalSample(2))
        var bytes = try lab.scratch.bytes(lab.scratch.segment(1))
        for i in 4096..<bytes.count { bytes[i] = 0 }
        try lab.scratch.put(bytes, lab.scratch.segment(1))
        let recovered = try Journal.recover(directory: lab.directory)
        #expect(recovered.isEmpty)
        #expect(recovered.identity == JournalSample.identity)
        try lab.write(JournalSample(5))
        #expect(try lab.read() == JournalSample(5).records)
    }

    @Test func `a segment of another branch in the middle is damage`() throws {
        let (lab, _, firsts) = try Self.several()
        // The same sequences in the same place, but other orders before the next segment.
        let other = try JournalLab()
        try other.write(JournalSample(1800, seed: 2), batch: 7)
        let path = lab.scratch.segment(firsts[1])
        try lab.scratch.put(try other.scratch.bytes(other.scratch.segment(firsts[1])), path)
        let error = journalError { _ = try Journal.recover(directory: lab.directory) }
        #expect(error?.description.contains("names another record before it") == true)
        #expect(journalError { _ = try lab.read() } != nil)
    }

    @Test func `a header that is broken over good records is damage`() throws {
        let (lab, _, firsts) = try Self.several()
        let path = lab.scratch.segment(firsts.last!)
        var bytes = try lab.scratch.bytes(path)
        bytes[33] ^= 1
        try lab.scratch.put(bytes, path)
        guard
            case .damaged(let file, _, let lastGood, _) = journalError({
                _ = try Journal.recover(directory: lab.directory)
            })
        else {
            Issue.record("the damage was not found")
            return
        }
        #expect(file == path)
        #expect(lastGood == firsts.last! - 1)
    }

    /// Renews a header block's checksum.
    static func seal(_ bytes: inout [UInt8]) {
        let crc = unsafe bytes.withUnsafeBytes {
            unsafe CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[0..<4092]))
        }
        for i in 0..<4 { bytes[4092 + i] = UInt8(truncatingIfNeeded: crc >> (8 * UInt32(i))) }
    }
}
