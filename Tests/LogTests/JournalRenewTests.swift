// Goal: what stands beside a journal is made anew by an operator's word alone, and never for a
// journal that lacks something or is another's.

import Glibc
import Journal
import Platform
import Testing

@Suite struct JournalRenewTests {
    @Test func `a missing identity outside is reported, and renewed by init`() throws
    {
        let (state, _, _) = try JournalLossTests.several()
        #expect(try state.open().notes.isEmpty)
        try Directory.remove(state.place.identityFile!)
        let notes = try state.open().notes
        #expect(notes.count == 1 && notes.contains { $0.contains("boursectl init") })
        guard case .completed(_, [state.place.identityFile!]) = try state.begin() else {
            Issue.record("it was not made anew")
            return
        }
        #expect(try state.open().notes.isEmpty)
    }

    @Test func `a missing or damaged guard is renewed only by an operator`()
        throws
    {
        let (state, _, last) = try JournalLossTests.several()
        let good = try state.image()
        let place = state.place
        for path in [place.floorFile, place.replicaFile] {
            let whole = try #require(good[path])
            let spoiled: [[UInt8]?] = [
                nil, [], Array(whole[..<31]), .init(repeating: 0, count: whole.count),
                [1] + whole[1...], whole[..<24] + [UInt8](repeating: 0, count: whole.count - 24),
            ]
            for bytes in spoiled {
                try state.restore(good)
                if let bytes {
                    try state.scratch.put(bytes, path)
                } else {
                    try Directory.remove(path)
                }
                let before = try state.image()
                let refusal = JournalError.replica(
                    file: path, detail: bytes == nil ? "is missing" : "is damaged")
                #expect(journalError { _ = try state.open() } == refusal)
                #expect(journalError { _ = try state.begin() } == refusal)
                #expect("\(refusal)".contains("renew-guards"))
                struct Declined: Error {}
                #expect(throws: Declined.self) {
                    _ = try Journal.renewGuards(place) { _ in throw Declined() }
                }
                #expect(try state.image() == before)
                let done = try Journal.renewGuards(place) { #expect($0 == last) }
                #expect(done.last == last && done.made == [path])
                #expect(done.kept.count == (bytes == nil ? 0 : 1))
                for kept in done.kept { #expect(try state.scratch.bytes(kept) == bytes) }
                #expect(try JournalLossTests.outcome(state).last == last)
                #expect(try Journal.floor(place) == last)
                #expect(try Journal.renewGuards(place) { _ in throw Declined() }.made.isEmpty)
            }
        }
        // All of them at once, and more often than copies are kept.
        try state.restore(good)
        for _ in 0..<6 {
            for path in [place.floorFile, place.replicaFile, place.identityFile!] {
                try state.scratch.put([1], path)
            }
            #expect(try Journal.renewGuards(place) { _ in }.made.count == 3)
            #expect(try JournalLossTests.outcome(state).last == last)
        }
        let copies = try Directory.names(in: state.path).filter { $0.contains(".damaged-") }
        #expect(copies.count == 8)
        // One that can't be read is not one that is missing.
        try Directory.remove(place.floorFile)
        try Directory.create(place.floorFile)
        guard case .system = journalError({ _ = try state.open() }) else {
            Issue.record("it was passed over")
            return
        }
        #expect(journalError { try state.begin() } != nil)
        #expect(throws: JournalError.self) { try Journal.renewGuards(place) { _ in } }
    }

    @Test func `an operator's word on the clock holds for as long as was asked for`() throws {
        let state = try JournalState()
        let place = state.place
        #expect(!place.hasAcceptedClock(100, within: 50))
        try place.acceptClock(100)
        for (host, holds) in [(99, false), (100, true), (150, true), (151, false)] {
            #expect(place.hasAcceptedClock(Int64(host), within: 50) == holds, "\(host)")
        }
        try place.acceptClock(.min)
        #expect(!place.hasAcceptedClock(.max, within: .max))
        try place.acceptClock(200)
        #expect(place.hasAcceptedClock(201, within: 50))
    }

    @Test func `guards are not made for a journal that lacks records, or for another's`() throws {
        let (state, old, _) = try JournalLossTests.several()
        let place = state.place
        try Directory.remove(place.replicaFile)
        let good = try state.image()
        // An old copy of the journal beside the floor of today.
        try state.restore(good.filter { !$0.key.hasPrefix(state.journal) })
        for (path, bytes) in old where path.hasPrefix(state.journal) {
            try state.scratch.put(bytes, path)
        }
        #expect(throws: JournalError.self) {
            try Journal.renewGuards(place) { _ in Issue.record("it was asked for") }
        }
        try state.restore(good)
        let other = try JournalState()
        try other.begin()
        try state.scratch.put(state.scratch.bytes(other.place.replicaFile), place.replicaFile)
        let before = try state.image()
        #expect(throws: JournalError.self) {
            try Journal.renewGuards(place) { _ in Issue.record("it was asked for") }
        }
        #expect(try state.image() == before)
        place.latch("cannot sync x: Input/output error")
        #expect(throws: JournalError.self) { try Journal.renewGuards(place) { _ in } }
    }
}
