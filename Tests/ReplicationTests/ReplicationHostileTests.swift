// Goal: a peer with the right certificate that sends nonsense, in whatever order, stops nothing:
// its connection ends, and the next one is served.

import Failover
import Glibc
import Journal
import Platform
import Replication
import Secrets
import Synchronization
import Testing

@Suite(.serialized) struct ReplicationHostileTests {
    /// Sends bytes over a connection of the peer's own, and takes what comes until it ends.
    private func send(_ address: String, _ frames: [[UInt8]]) throws {
        let deadline = Clock.monotonicNanos() + 60_000_000_000
        let stream = try TLSStream.connect(
            to: address, files: CertificateAuthority.shared.issue("beta"), expecting: ["alpha"],
            deadline: deadline)
        for frame in frames {
            unsafe try withBytes(frame) { bytes throws(TLSError) in
                unsafe try stream.writeAll(bytes, deadline: deadline)
            }
        }
        try stream.end(deadline: deadline)
        var room = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let isOver = unsafe room.withUnsafeMutableBytes { room in
                (unsafe try? stream.read(into: room, deadline: deadline)).map { $0 == 0 } ?? true
            }
            if isOver { return }
        }
    }

    @Test func `frames in any order, with any values, end their connection and nothing else`()
        throws
    {
        let disk = try ReplicaDisk()
        try disk.write(upTo: 100, commit: 90)
        let log = try TestPrimaryLog(disk, epoch: 7, commit: 90)
        let primary = try PrimaryHost(log)
        let join = FrameBytes(
            1,
            [
                UInt32(3), UInt32(7), ReplicaDisk.identity.high, ReplicaDisk.identity.low,
                UInt64(3), UInt64(4), UInt64(5), UInt64(0), UInt64(90), UInt64(1), UInt64(100),
                UInt32(1),
                UInt32(2), UInt32(2), UInt32(1),
            ]
        ).bytes()
        let extremes: [[UInt8]] = [
            // Acknowledges what was never sent.
            FrameBytes(6, [UInt32(7), UInt64(3), UInt64(4), UInt64(5), UInt64.max]).bytes(),
            // Echoes that no beacon had.
            FrameBytes(9, [UInt32(7), UInt64(5), Int64.min]).bytes(),
            FrameBytes(9, [UInt32(7), UInt64(5), Int64.max]).bytes(),
            FrameBytes(3, [UInt64.max - 2, UInt32(1), UInt32(1), UInt32(1), UInt32(1)]).bytes(),
            FrameBytes(3, [UInt64(0), UInt32(0), UInt32(0)]).bytes(),
        ]
        for frame in extremes { try? send(primary.address, [join, frame]) }
        for _ in 0..<60 {
            let frames = (0..<Int.random(in: 1...6)).map { _ in frameSamples.randomElement()!.frame
            }
            try? send(primary.address, Bool.random() ? [join] + frames : frames)
        }
        #expect(log.heard.withLock { $0.acknowledgements.isEmpty && $0.echoes.isEmpty })
        // The highest process number that was said counts, in this term.
        let b = try ReplicaDisk()
        let standby = try StandbyHost(
            try TestStandbyLog(b, isEmpty: true), to: primary.address, process: .max)
        try standby.follow()
        eventually { primary.server.peer?.matched == log.end }
        standby.stop()
        primary.server.stop()
        #expect(try disk.records() == b.records())
    }
}
