// Goal: what was signed is known for ever. Whatever a crash leaves behind is read as it was before
// or after the write that it cut off; anything else stops the signer.

import Glibc
import Payments
import Platform
import Signing
import Terms
import Testing

@Suite struct SignedListTests {
    /// A list with these entries, written anew with `old` of them.
    private func list(
        _ directory: SignerDirectory, _ entries: [SignedEntry], old: Int = 0
    ) throws -> SignedList {
        try directory.place.begin()
        let list = try SignedList(directory.place)
        #expect(list.rewrite(list.base, Array(entries.prefix(old))))
        for entry in entries.dropFirst(old) { #expect(list.append(entry)) }
        return list
    }

    private let three = (1...3).map { SignedEntry.numbered($0, paying: [$0, 9], from: [$0]) }

    @Test func `what was added is read again, in its order`() throws {
        let directory = try SignerDirectory()
        _ = try list(directory, three, old: 1)
        let again = try SignedList(directory.place)
        #expect(again.entries == three)
        #expect(again.tornBytes == 0)
        #expect(again.entries(paying: [WithdrawalID(2)]) == [three[1]])
        #expect(again.entries(paying: [WithdrawalID(9), WithdrawalID(1)]) == three)
        #expect(again.entries(paying: [WithdrawalID(4)]).isEmpty)
        #expect(again.seen == SeenRecord(sequence: 3, crc: 3))
    }

    @Test func `a list begins once`() throws {
        let directory = try SignerDirectory()
        try directory.place.begin()
        #expect(throws: SignedListError.exists(path: directory.place.identityFile)) {
            try directory.place.begin()
        }
        // Nor where its identity was lost, once it may have been used.
        let list = try SignedList(directory.place)
        #expect(list.rewrite(list.base, []))
        _ = unsafe unlink(directory.place.identityFile)
        #expect(throws: SignedListError.exists(path: directory.place.listFile)) {
            try directory.place.begin()
        }
        let lost = SignedListError.identityLost(
            identityFile: directory.place.identityFile, path: directory.place.listFile)
        #expect(throws: lost) { _ = try SignedList(directory.place) }
    }

    @Test func `a begin that was cut off is repeated`() throws {
        let directory = try SignerDirectory()
        try directory.place.begin()
        let files = try directory.contents()
        let floor = try #require(files["signed.floor"])
        for rest in [files, ["signed": files["signed"]!], [:]] {
            _ = unsafe unlink(directory.place.identityFile)
            try directory.put(rest)
            let notBegun = SignedListError.notBegun(identityFile: directory.place.identityFile)
            #expect(throws: notBegun) { _ = try SignedList(directory.place) }
            try directory.place.begin()
            #expect(try SignedList(directory.place).entries.isEmpty)
        }
        // What no begin leaves behind.
        let half = Array(files["signed"]!.dropLast())
        for rest in [["signed.floor": floor], ["signed": half], ["signed": []]] {
            _ = unsafe unlink(directory.place.identityFile)
            try directory.put(rest)
            let path = rest["signed"] == nil ? directory.place.floorFile : directory.place.listFile
            #expect(throws: SignedListError.exists(path: path)) { try directory.place.begin() }
        }
    }

    @Test func `a lost, unmounted or other volume is refused`() throws {
        let (directory, other) = (try SignerDirectory(), try SignerDirectory())
        _ = try list(directory, three)
        _ = try list(other, three)
        let files = try directory.contents()
        try directory.put([:])
        let missing = SignedListError.missing(
            path: directory.place.listFile, identityFile: directory.place.identityFile)
        #expect(throws: missing) { _ = try SignedList(directory.place) }
        #expect(throws: SignedListError.exists(path: directory.place.identityFile)) {
            try directory.place.begin()
        }
        try directory.put(try other.contents())
        #expect(throws: SignedListError.self) { _ = try SignedList(directory.place) }
        var mixed = files
        mixed["signed.floor"] = try other.contents()["signed.floor"]
        try directory.put(mixed)
        #expect(throws: SignedListError.self) { _ = try SignedList(directory.place) }
        try directory.put(files)
        #expect(try SignedList(directory.place).entries == three)
    }

    /// The files before and after an entry was added.
    private func addition(
        _ directory: SignerDirectory
    ) throws -> (before: [String: [UInt8]], after: [String: [UInt8]]) {
        let list = try list(directory, Array(three.prefix(2)), old: 1)
        let before = try directory.contents()
        #expect(list.append(three[2]))
        return (before, try directory.contents())
    }

    @Test func `a crash at any byte of a write leaves all that was given`() throws {
        let directory = try SignerDirectory()
        let (before, after) = try addition(directory)
        let old = try #require(before["signed"])
        let new = try #require(after["signed"])
        for count in old.count...new.count {
            // Cut off, and with the file's size ahead of its data.
            for isLong in [false, true] {
                var torn = Array(new[..<count])
                if isLong { torn += [UInt8](repeating: 0, count: new.count - count) }
                try directory.put(before.merging(["signed": torn]) { $1 })
                let list = try SignedList(directory.place)
                let isWhole = count == new.count
                #expect(list.entries == (isWhole ? three : Array(three.prefix(2))))
                #expect(list.tornBytes == (isWhole ? 0 : torn.count - old.count))
                if !isWhole, torn.count > old.count {
                    #expect(try directory.contents()["signed.torn"] == Array(torn[old.count...]))
                }
                guard count % 16 == 0 || isWhole else { continue }
                // And it goes on.
                #expect(list.rewrite(list.base, list.entries))
                #expect(list.append(.numbered(8, paying: [8], from: [8])))
                #expect(
                    try SignedList(directory.place).entries.last?.payment.withdrawals.count == 1)
            }
        }
    }

    @Test func `a crash at any byte of the floor leaves all that was given`() throws {
        let directory = try SignerDirectory()
        let (before, after) = try addition(directory)
        let (old, new) = (
            try #require(before["signed.floor"]), try #require(after["signed.floor"])
        )
        for count in 0...512 {
            // The slot that was written: it is either one.
            for slot in [0, 512] {
                var torn = old
                torn.replaceSubrange(slot..<slot + count, with: new[slot..<slot + count])
                try directory.put(after.merging(["signed.floor": torn]) { $1 })
                #expect(try SignedList(directory.place).entries == three)
            }
        }
    }

    @Test func `damage below the floor stops the signer, at each byte`() throws {
        let directory = try SignerDirectory()
        _ = try list(directory, three, old: 2)
        let files = try directory.contents()
        let good = try #require(files["signed"])
        for place in good.indices {
            var bad = good
            bad[place] ^= 0x10
            try directory.put(files.merging(["signed": bad]) { $1 })
            #expect(throws: SignedListError.self, "byte \(place)") {
                _ = try SignedList(directory.place)
            }
            try directory.put(files.merging(["signed": Array(good[..<place])]) { $1 })
            #expect(throws: SignedListError.self, "cut at \(place)") {
                _ = try SignedList(directory.place)
            }
        }
    }

    @Test func `a damaged floor loses nothing`() throws {
        let directory = try SignerDirectory()
        _ = try list(directory, three, old: 1)
        let files = try directory.contents()
        let good = try #require(files["signed.floor"])
        for place in good.indices {
            var bad = good
            bad[place] ^= 0x10
            try directory.put(files.merging(["signed.floor": bad]) { $1 })
            #expect(try SignedList(directory.place).entries == three)
        }
        try directory.put(
            files.merging(["signed.floor": [UInt8](repeating: 0, count: good.count)]) { $1 })
        #expect(throws: SignedListError.self) { _ = try SignedList(directory.place) }
    }

    @Test func `an older copy of the list is refused`() throws {
        let directory = try SignerDirectory()
        let (before, after) = try addition(directory)
        try directory.put(after.merging(["signed": try #require(before["signed"])]) { $1 })
        #expect(throws: SignedListError.self) { _ = try SignedList(directory.place) }
        // Also when it was written anew since.
        try directory.put(after)
        let list = try SignedList(directory.place)
        #expect(list.rewrite(list.base, []))
        let anew = try directory.contents()
        try directory.put(anew.merging(["signed": try #require(after["signed"])]) { $1 })
        #expect(throws: SignedListError.self) { _ = try SignedList(directory.place) }
    }

    @Test func `a crash while it is written anew leaves either list`() throws {
        let directory = try SignerDirectory()
        _ = try list(directory, three, old: 1)
        let before = try directory.contents()
        let list = try SignedList(directory.place)
        var base = list.base
        base.used = [Text40("bitcoin")!: 70]
        (base.time, base.seen) = (5, SeenRecord(sequence: 40, crc: 4))
        #expect(list.rewrite(base, [three[1]]))
        let after = try directory.contents()
        // The list was renamed, its floor not written.
        try directory.put(
            after.merging(["signed.floor": try #require(before["signed.floor"])]) { $1 })
        for _ in 0..<2 {
            let again = try SignedList(directory.place)
            #expect(again.entries == [three[1]])
            #expect(again.base.used == [Text40("bitcoin")!: 70])
            #expect(again.seen == SeenRecord(sequence: 40, crc: 4))
            try directory.put(after)
        }
    }

    @Test func `a second crash while it is written anew leaves either list`() throws {
        let directory = try SignerDirectory()
        _ = try list(directory, three, old: 1)
        let before = try directory.contents()
        #expect(try SignedList(directory.place).rewrite(SignedList(directory.place).base, three))
        let renamed = try directory.contents().merging(
            ["signed.floor": try #require(before["signed.floor"])]) { $1 }
        // A check changes nothing.
        try directory.put(renamed)
        #expect(try SignedList(directory.place, mends: false).entries == three)
        #expect(try directory.contents() == renamed)
        let again = try SignedList(directory.place)
        let floor = try #require(try directory.contents()["signed.floor"])
        #expect(again.rewrite(again.base, [three[2]]))
        try directory.put(try directory.contents().merging(["signed.floor": floor]) { $1 })
        #expect(try SignedList(directory.place).entries == [three[2]])
    }

    @Test func `after a write that failed nothing more is kept`() throws {
        let directory = try SignerDirectory()
        let list = try list(directory, Array(three.prefix(1)))
        let file = list.file
        list.file = try File("/dev/full", .write)
        #expect(!list.append(three[1]))
        #expect(list.fault != nil)
        list.file = file
        #expect(!list.append(three[2]))
        #expect(!list.rewrite(list.base, []))
        #expect(try SignedList(directory.place).entries == [three[0]])
    }

    @Test func `a list that is not written anew takes nothing`() throws {
        let directory = try SignerDirectory()
        try directory.place.begin()
        let list = try SignedList(directory.place)
        #expect(!list.append(three[0]))
        #expect(try SignedList(directory.place).entries.isEmpty)
    }

    @Test func `it is bounded`() throws {
        let directory = try SignerDirectory()
        let list = try list(directory, [])
        let large = (0..<400).map {
            SignedEntry.numbered($0, paying: [$0], from: [$0], bytes: Limits.transactionBytesMax)
        }
        #expect(!list.rewrite(list.base, large))
        #expect(try SignedList(directory.place).entries.isEmpty)
    }
}
