// Goal: whatever breaks (link, disk, memory), the standby's journal is the primary's in the end, or
// it stops and says why; and what is read from the disk, from memory and from a snapshot fits.

import Failover
import Glibc
import Journal
import Pipeline
import Platform
import Replication
import Slabs
import Synchronization
import Terms
import Testing
import Wire

@Suite(.serialized) struct ReplicationFaultTests {
    @Test(arguments: [1, 2, 3] as [UInt64])
    func `a link that breaks anywhere loses and doubles nothing`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        // Within the handshake, the join, the points, and further on.
        let early = (0..<40).map { _ in Int.random(in: 1...9_000, using: &random) }
        let late = (0..<20).map { _ in Int.random(in: 5_000...80_000, using: &random) }
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        for disk in [a, b] { try disk.write(upTo: 300, commit: 200) }
        try b.write(upTo: 350, salt: seed)
        let log = try TestPrimaryLog(a, epoch: 2, memory: 64 << 10, commit: 200)
        let primary = try PrimaryHost(log)
        let proxy = try CuttingProxy(
            primary.address, cutAfter: (early + late).shuffled(using: &random))
        let standby = try StandbyHost(try TestStandbyLog(b), to: proxy.address)
        try standby.follow()
        log.require(b.replica)
        let alone = log.commitPoint
        let deadline = Clock.monotonicNanos() + 180_000_000_000
        while proxy.cuts.load(ordering: .relaxed) < 60, Clock.monotonicNanos() < deadline {
            try log.add(Int.random(in: 1...60, using: &random))
            Clock.sleep(nanos: 2_000_000)
            // What the gate let out stands on both disks.
            let durable = standby.log.durable
            #expect(log.commitPoint <= max(durable, alone))
        }
        #expect(proxy.cuts.load(ordering: .relaxed) == 60, "seed \(seed)")
        let end = log.end
        eventually("seed \(seed): \(standby.notes.all.suffix(3))") { log.commitPoint == end }
        #expect(
            standby.log.state.withLock { $0.cuts.map(\.last) } == [300], "the old tail, once")
        standby.stop()
        proxy.stop()
        primary.server.stop()
        #expect(try a.records() == b.records())
    }

    @Test func `whatever two journals hold, one becomes the other`() throws {
        for seed in UInt64(1)...25 {
            var random = SplitMix64(seed: seed)
            let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
            // Common terms, then one of its own on either side.
            var (end, epoch) = (UInt64(0), UInt32(1))
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                end += UInt64.random(in: 1...120, using: &random)
                for disk in [a, b] { try disk.write(upTo: end, epoch: epoch) }
                epoch += 1
            }
            let commit = UInt64.random(in: 0...end, using: &random)
            if Bool.random(using: &random) {
                try a.write(
                    upTo: end + UInt64.random(in: 0...90, using: &random), epoch: epoch + 1,
                    salt: 1, commit: commit)
            }
            let own = end + UInt64.random(in: 0...90, using: &random)
            try b.write(upTo: own, epoch: epoch, salt: 2, commit: commit)
            let log = try TestPrimaryLog(a, epoch: epoch + 2, memory: 64 << 10, commit: commit)
            let pair = try ReplicationPair(log, b)
            try log.add(Int.random(in: 0...40, using: &random))
            pair.settle()
            let cuts = pair.standby.log.state.withLock { $0.cuts.map(\.last) }
            #expect(cuts == (own > end ? [end] : []), "seed \(seed)")
            try pair.finish()
        }
    }

    @Test func `a slow standby is served from the disk, and from memory again once it is near`()
        throws
    {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        for disk in [a, b] { try disk.write(upTo: 100, commit: 100) }
        let log = try TestPrimaryLog(a, epoch: 2, memory: 64 << 10, commit: 100)
        let pair = try ReplicationPair(log, b) { $0.windowBytes = 32 << 10 }
        pair.settle()
        eventually { log.memory.state.withLock { $0.place != nil } }
        let attached = log.memory.state.withLock { $0.attached }
        pair.standby.log.isHung.store(true, ordering: .releasing)
        // Nobody waits for it.
        try log.add(20_000)
        #expect(log.memory.state.withLock { $0.place == nil })
        #expect(log.commitPoint == log.end)
        // No more is on its way than the window and one piece of the disk.
        let sent = pair.standby.log.state.withLock { $0.queued }
        #expect(sent <= (32 << 10) + (384 << 10))
        pair.standby.log.isHung.store(false, ordering: .releasing)
        pair.settle()
        eventually { log.memory.state.withLock { $0.place != nil && $0.attached > attached } }
        try log.add(100)
        pair.settle()
        try pair.finish()
    }

    @Test func `a record that is damaged in memory is refused, and comes from the disk`() throws {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        for disk in [a, b] { try disk.write(upTo: 100, commit: 100) }
        let log = try TestPrimaryLog(a, epoch: 2, commit: 100)
        let pair = try ReplicationPair(log, b)
        pair.settle()
        log.memory.damagesNext.store(true, ordering: .releasing)
        try log.add(3)
        eventually {
            pair.primary.notes.all.contains { $0.contains("the checksum of record 102 is wrong") }
        }
        #expect(pair.standby.log.last.sequence == 101)
        #expect(pair.primary.server.peer?.matched == 101)
        log.memory.clear()
        pair.settle()
        try pair.finish()
    }

    @Test func `a full disk at the standby ends it, with the reason on both hosts`() throws {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        for disk in [a, b] { try disk.write(upTo: 100, commit: 100) }
        let log = try TestPrimaryLog(a, epoch: 2, commit: 100)
        let pair = try ReplicationPair(log, b)
        pair.settle()
        pair.standby.log.isFull.store(true, ordering: .releasing)
        try log.add(10)
        eventually { pair.standby.client.status.state == .stopped }
        #expect(pair.standby.client.status.reason?.contains("No space left on device") == true)
        eventually {
            pair.primary.notes.all.contains { $0.contains("No space left on device") }
        }
        #expect(pair.primary.server.peer?.matched == 101)
        eventually { !pair.primary.server.isJoined }
        pair.standby.stop()
        pair.primary.server.stop()
    }

    @Test func `a promise that finds no space is made once there is some, and says so meanwhile`()
        throws
    {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        for disk in [a, b] { try disk.write(upTo: 100, commit: 100) }
        let log = try TestPrimaryLog(a, epoch: 2, commit: 100)
        let primary = try PrimaryHost(log)
        let standby = try StandbyHost(try TestStandbyLog(b), to: primary.address)
        standby.log.hasNoSpace.store(true, ordering: .releasing)
        try standby.follow()
        eventually { standby.log.state.withLock { $0.promises.count >= 3 } }
        let status = standby.client.status
        #expect(status.reason?.contains("replica.new: No space left on device") == true)
        #expect(status.state == .following(isConfirmed: true) && status.promise < 2)
        #expect(primary.server.peer?.matched ?? 0 == 0)
        let said = standby.notes.all.filter { $0.contains("No space left on device") }
        #expect(said.count == 1, "a reason that stays is not repeated")
        standby.log.hasNoSpace.store(false, ordering: .releasing)
        eventually { primary.server.peer?.matched == log.end }
        #expect(standby.client.status.reason == nil)
        #expect(standby.client.status.promise == 2)
        standby.stop()
        primary.server.stop()
    }

    @Test func `a learner too far behind gets a snapshot, then the log, also after a restart`()
        throws
    {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        try a.write(upTo: 2_000, commit: 2_000)
        let records = try a.records()
        let log = try TestPrimaryLog(a, epoch: 2, commit: 2_000)
        log.firstKept.store(1_000, ordering: .releasing)
        let point = makePoint(records[1_499])
        let time = Int64(1_700_000_000_000_001_500)
        let file =
            [UInt8](repeating: 7, count: 3_000_000)
            + (0..<8).map { UInt8(truncatingIfNeeded: time >> (8 * Int64($0))) }
        let primary = try PrimaryHost(log)
        let first = try StandbyHost(try TestStandbyLog(b, isEmpty: true), to: primary.address)
        try first.follow()
        // Without one there is a reason.
        eventually { first.notes.all.contains { $0.contains("begins with record 1000") } }
        log.snapshot.withLock {
            $0 = SentSnapshot(point: point, bytes: file.count) { offset, count in
                Array(file[offset..<offset + count])
            }
        }
        eventually { primary.server.peer?.matched == log.end }
        #expect(first.log.state.withLock { $0.snapshots } == 1)
        try log.add(10)
        eventually { primary.server.peer?.matched == log.end }
        first.stop()
        let second = try StandbyHost(try TestStandbyLog(b), to: primary.address, process: 2)
        #expect(second.log.first == 1_501)
        try second.follow()
        try log.add(10)
        eventually { primary.server.peer?.matched == log.end }
        #expect(second.log.state.withLock { $0.snapshots } == 0)
        second.stop()
        primary.server.stop()
        #expect(try a.records(from: 1_501) == b.records(from: 1_501))
    }

    @Test func `a snapshot below what was released here is refused`() throws {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        try a.write(upTo: 2_000, commit: 2_000)
        try b.write(upTo: 900, commit: 900)
        let point = makePoint(try a.records()[799])
        let log = try TestPrimaryLog(a, epoch: 2, commit: 2_000)
        log.firstKept.store(1_000, ordering: .releasing)
        log.snapshot.withLock {
            $0 = SentSnapshot(point: point, bytes: 4096) { _, count in
                [UInt8](repeating: 7, count: count)
            }
        }
        let pair = try ReplicationPair(log, b)
        eventually { pair.standby.client.status.state == .stopped }
        #expect(
            pair.standby.client.status.reason?.contains("a snapshot of record 800 only") == true)
        pair.standby.stop()
        pair.primary.server.stop()
        #expect(try b.records().count == 900)
    }

    @Test func `a frozen link is given up, and the next one is used`() throws {
        let (a, b) = (try ReplicaDisk(), try ReplicaDisk())
        for disk in [a, b] { try disk.write(upTo: 100, commit: 100) }
        let log = try TestPrimaryLog(a, epoch: 2, commit: 100)
        let primary = try PrimaryHost(log)
        let proxy = try CuttingProxy(primary.address)
        let standby = try StandbyHost(try TestStandbyLog(b), to: proxy.address)
        try standby.follow()
        eventually { primary.server.peer?.matched == 101 }
        proxy.isHeld.store(true, ordering: .releasing)
        try log.add(10)
        eventually { standby.notes.all.contains { $0.contains("nothing came for too long") } }
        eventually { primary.server.peer?.waitingSince != nil }
        proxy.isHeld.store(false, ordering: .releasing)
        eventually { primary.server.peer?.matched == 111 }
        standby.stop()
        proxy.stop()
        primary.server.stop()
        #expect(try a.records() == b.records())
    }

    @Test func `64 MiB to a standby beside the bare disk`() throws {
        let options = JournalOptions(
            segmentBytes: 64 << 20, reserveBytes: 0, zeroesAhead: false)
        let (a, b) = (try ReplicaDisk(options), try ReplicaDisk(options))
        try a.write(upTo: 1)
        let writer = try a.open()
        var batch: [UInt8] = []
        for sequence in UInt64(2)...16_384 {
            batch += makeLongRecord(sequence)
            guard batch.count >= 1 << 20 || sequence == 16_384 else { continue }
            unsafe try withBytes(batch) { bytes throws(JournalError) in
                unsafe try writer.append(bytes)
            }
            batch = []
        }
        try writer.sync()
        let log = try TestPrimaryLog(a, epoch: 2, commit: 1)
        let bytes = 16_383 * 4096
        let start = Clock.monotonicNanos()
        let pair = try ReplicationPair(log, b, isEmpty: true)
        pair.settle()
        let nanos = Clock.monotonicNanos() - start
        let bare = try File(b.scratch.path + "/bare", .replace)
        let piece = [UInt8](repeating: 9, count: 1 << 20)
        let bareStart = Clock.monotonicNanos()
        for index in 0..<(bytes >> 20) {
            try bare.write(piece, at: index << 20)
            try bare.syncData()
        }
        let bareNanos = Clock.monotonicNanos() - bareStart
        print(
            "replication on loopback: \(bytes / Int(nanos / 1000)) MB/s to a synced journal; "
                + "bare write and fdatasync of each MiB \(bytes / Int(bareNanos / 1000)) MB/s")
        try pair.finish()
    }
}

/// A record of 4 KiB.
private func makeLongRecord(_ sequence: UInt64) -> [UInt8] {
    var record = [UInt8](repeating: 3, count: 4096)
    unsafe record.withUnsafeMutableBytes { raw in
        unsafe RecordHeader(
            length: 4096, sequence: sequence,
            timestamp: 1_700_000_000_000_000_000 + Int64(sequence), epoch: 1,
            session: SessionID(0), number: 0, kind: CommandKind.hashMark.rawValue, revision: 0
        ).write(to: raw)
        unsafe CRC32C.seal(record: raw)
    }
    return record
}
