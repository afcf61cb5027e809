// Goal: a start that is refused names the record up to which all can be read, and the way out that
// it offers leads there: nothing before it goes, nothing at all when the way is not one.

import Glibc
import Journal
import Platform
import Testing
import Wire

@Suite struct JournalLastGoodTests {
    /// The first sequences of a journal's segments.
    static func firsts(_ state: JournalState) throws -> [UInt64] {
        try state.segments().map { try #require(UInt64($0.dropLast(4))) }
    }

    static func path(_ state: JournalState, _ first: UInt64) -> String {
        let digits = String(first)
        return state.journal + "/" + String(repeating: "0", count: 20 - digits.count) + digits
            + ".seg"
    }

    /// What a refused start says is good, and what the same look without a start finds.
    static func named(_ state: JournalState) -> UInt64? {
        guard case .damaged(_, _, let named, _) = journalError({ _ = try state.open() }) else {
            return nil
        }
        #expect(Journal.lastGood(directory: state.journal, identity: nil) == named)
        return named
    }

    /// Follows the way out, and goes on.
    static func accept(_ state: JournalState, _ last: UInt64) throws {
        let left = try Journal.acceptLoss(
            state.place, after: last, snapshots: state.snapshots, reason: "a test")
        #expect(left.lastSequence == last)
        #expect(try JournalLossTests.outcome(state).last == last)
        try state.add(10)
        #expect(try JournalLossTests.outcome(state).last == last + 10)
    }

    @Test func `a segment of another length is good as far as it can be read`() throws {
        let (state, _, last) = try JournalLossTests.several()
        let good = try state.image()
        let firsts = try Self.firsts(state)
        #expect(firsts.count > 3)
        for index in [0, 1, firsts.count - 1] {
            let path = Self.path(state, firsts[index])
            let bytes = try #require(good[path])
            let used = bytes.lastIndex { $0 != 0 }! + 1
            let end = index + 1 < firsts.count ? firsts[index + 1] - 1 : last
            // Longer: all is there. What hangs behind is kept.
            for more: [UInt8] in [[0], .init(repeating: 7, count: 5_000)] {
                try state.restore(good)
                try state.scratch.put(bytes + more, path)
                #expect(Self.named(state) == last)
                try Self.accept(state, last)
                #expect(try state.scratch.bytes(path).count == bytes.count)
                let kept = try state.cuts().map {
                    try state.scratch.bytes(state.journal + "/cut/" + $0)
                }
                #expect(kept.contains { $0.suffix(more.count) == more[...] })
            }
            // Shorter: up to the last whole record, or all where only zero bytes are gone.
            try state.restore(good)
            try state.scratch.put(Array(bytes[..<(4096 + 48 * 9 + 24)]), path)
            let named = try #require(Self.named(state))
            #expect(named >= firsts[index] && named < end)
            try Self.accept(state, named)
            if used < bytes.count {
                try state.restore(good)
                try state.scratch.put(Array(bytes[..<used]), path)
                #expect(Self.named(state) == last)
                try Self.accept(state, last)
            }
        }
    }

    @Test func `a segment under another name does not count`() throws {
        let (state, _, last) = try JournalLossTests.several()
        let good = try state.image()
        let firsts = try Self.firsts(state)
        let newest = Self.path(state, firsts.last!)
        for name in [firsts.last! + 1_000, firsts.last! + 1, last + 100_000] {
            // Copied: all is there. Renamed: all before it.
            for isCopy in [true, false] {
                try state.restore(good)
                try state.scratch.put(try #require(good[newest]), Self.path(state, name))
                if !isCopy { try Directory.remove(newest) }
                let expected = isCopy ? last : firsts.last! - 1
                #expect(Self.named(state) == expected, "as \(name)")
                try Self.accept(state, expected)
                #expect(!Directory.exists(Self.path(state, name)))
            }
        }
        // No record is 0: a file of that name is no segment.
        try state.restore(good)
        try state.scratch.put(try #require(good[newest]), Self.path(state, 0))
        #expect(try JournalLossTests.outcome(state).last == last)
        try state.restore(good)
        try state.scratch.put(try #require(good[newest]), state.snapshots.path(0))
        #expect(try JournalLossTests.outcome(state).last == last)
    }

    @Test func `a segment of another branch is passed over`() throws {
        let (state, writer) = try JournalCutTests.place()
        let before = try state.image()
        try writer.cut(after: 1_200, reason: "lawful")
        try writer.append(JournalState.ticks(after: writer.last, 10, epoch: 2))
        try writer.sync()
        try state.add(790, to: writer)
        let newest = Self.path(state, try Self.firsts(state).last!)
        let old = try #require(before[newest])
        try state.scratch.put(old, newest)
        let end = try Self.firsts(state).last! - 1
        #expect(Self.named(state) == end)
    }

    @Test func `a loss up to a record that is not there changes nothing`() throws {
        let (state, _, last) = try JournalLossTests.several()
        let firsts = try Self.firsts(state)
        try state.scratch.put([], Self.path(state, firsts.last!))
        let before = try state.image()
        for after in [firsts.last!, last, last + 1] {
            let error = journalError {
                _ = try Journal.acceptLoss(
                    state.place, after: after, snapshots: state.snapshots, reason: "a test")
            }
            #expect(error != nil)
            #expect(try state.image() == before)
        }
        // Nor does a segment of another journal that lies among them.
        let (other, _, _) = try JournalLossTests.several()
        let strange = try other.scratch.bytes(Self.path(other, firsts.last!))
        try state.scratch.put(strange, Self.path(state, firsts.last!))
        let strangers = try state.image()
        let error = journalError {
            _ = try Journal.acceptLoss(
                state.place, after: firsts.last!, snapshots: state.snapshots, reason: "a test")
        }
        guard case .foreign = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(try state.image() == strangers)
    }

    @Test func `another exchange's journal is another's, not one that lacks records`() throws {
        let (state, _, _) = try JournalLossTests.several()
        for first in try Self.firsts(state) { unsafe unlink(Self.path(state, first)) }
        let other = try JournalState()
        try other.begin()
        for first in try Self.firsts(other) {
            try state.scratch.put(
                try other.scratch.bytes(Self.path(other, first)), Self.path(state, first))
        }
        let error = journalError { _ = try state.open() }
        guard case .foreign = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `the last record alone is given up, whatever it ends with`() throws {
        let state = try JournalState()
        try state.begin()
        let writer = try state.writer()
        try state.add(20, to: writer)
        // Not synced: no mark stands behind it, and a tick's last bytes are zero.
        try writer.append(JournalState.ticks(after: writer.last, 1))
        let path = Self.path(state, 1)
        #expect(try state.scratch.bytes(path).lastIndex { $0 != 0 }! % 8 != 7)
        try Self.accept(state, 21)
    }

    @Test func `every refusal names a last good record`() throws {
        let (state, _, last) = try JournalLossTests.several()
        let firsts = try Self.firsts(state)
        func words(_ error: JournalError) -> String { error.message(for: state.place) }
        for error: JournalError in [
            .foreign(
                file: "x", found: JournalSample.identity, expected: JournalSample.identity),
            .newer(file: "x", version: 9, known: 2), .replica(file: "x", detail: "is damaged"),
            .noSnapshot(directory: "x", first: 7), .forked(file: "x", sequence: 7),
            .beginningMissing(directory: "x", first: 1, last: 7),
            .system(SystemError(code: EISDIR, operation: "read", path: "x")),
        ] {
            #expect(words(error).hasPrefix("\(error). "))
            #expect(words(error).hasSuffix("The last good record is \(last)"))
        }
        for error: JournalError in [
            .damaged(file: "x", offset: 1, lastGood: 5, detail: "y"),
            .missing(directory: "x", first: 6, last: 7),
            .behind(directory: "x", floor: 7, lastGood: 5),
        ] { #expect(words(error) == error.description) }
        let latched = JournalError.latched(file: "x", detail: "y")
        #expect(words(latched).hasSuffix("The last known durable record is at least \(last)"))
        // A directory in the place of a segment: what stands before it.
        let newest = Self.path(state, firsts.last!)
        try Directory.remove(newest)
        try Directory.create(newest)
        let error = try #require(journalError { _ = try state.open() })
        #expect(words(error).hasSuffix("The last good record is \(firsts.last! - 1)"))
        JournalScratch.remove(state.journal)
        #expect(words(.genesis(file: "x", detail: "y")).hasSuffix("The last good record is 0"))
    }
}
