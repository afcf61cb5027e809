// Two hosts over real TLS on loopback: one serves its log, the other follows.

import Failover
import Glibc
import Journal
import Pipeline
import Platform
import Replication
import Secrets
import Synchronization
import Terms
import Testing

/// Waits until `body` holds, at most three minutes: the disk may be slow.
func eventually(
    _ what: String = "", sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () -> Bool
) {
    let deadline = Clock.monotonicNanos() + 180_000_000_000
    while Clock.monotonicNanos() < deadline {
        if body() { return }
        Clock.sleep(nanos: 2_000_000)
    }
    Issue.record("it did not happen: \(what)", sourceLocation: sourceLocation)
}

/// Lines that came.
final class Notes: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
}

/// A primary that serves.
final class PrimaryHost: Sendable {
    let log: TestPrimaryLog
    let server: ReplicationServer
    let address: String
    let notes = Notes()

    init(
        _ log: TestPrimaryLog, name: String = "alpha", peer: String = "beta",
        _ change: (inout ReplicationOptions) -> Void = { _ in }
    ) throws {
        self.log = log
        let (descriptor, address) = try listenAnywhere()
        close(descriptor)
        self.address = address
        var options = ReplicationOptions(
            address: address, files: try CertificateAuthority.shared.issue(name), peer: peer)
        change(&options)
        let notes = notes
        server = try ReplicationServer(log, options) { notes.add($0) }
    }
}

/// A standby that follows.
final class StandbyHost: Sendable {
    let log: TestStandbyLog
    let client: ReplicationClient
    let notes = Notes()

    init(
        _ log: TestStandbyLog, to address: String, process: UInt64 = 1, promise: UInt32 = 0,
        released: UInt64? = nil, replica: ReplicaID? = nil, name: String = "beta",
        peer: String = "alpha", _ change: (inout ReplicationOptions) -> Void = { _ in }
    ) throws {
        self.log = log
        var options = ReplicationOptions(
            address: address, files: try CertificateAuthority.shared.issue(name), peer: peer)
        options.pauseNanos = 5_000_000...50_000_000
        change(&options)
        let notes = notes
        let known = log.state.withLock { $0.writer.commitPoint }
        client = try ReplicationClient(
            log,
            StandbyStart(
                replica: replica ?? log.disk.replica, process: ProcessNumber(process),
                promise: promise, released: released ?? known), options
        ) { notes.add($0) }
    }

    func follow(_ epoch: UInt32 = 0, isConfirmed: Bool = true, forced: ForcedStart? = nil) throws {
        try client.follow(
            epoch: epoch, isConfirmed: isConfirmed, forced: forced, replica: log.disk.replica)
    }

    func stop() {
        client.stop()
        log.close()
    }
}

/// Both, for the tests that need no more than that.
struct ReplicationPair {
    let primary: PrimaryHost
    let standby: StandbyHost

    init(
        _ log: TestPrimaryLog, _ disk: ReplicaDisk, isEmpty: Bool = false, lies: Bool = false,
        forced: ForcedStart? = nil,
        _ change: (inout ReplicationOptions) -> Void = { _ in }
    ) throws {
        primary = try PrimaryHost(log, change)
        standby = try StandbyHost(
            TestStandbyLog(disk, isEmpty: isEmpty, lies: lies), to: primary.address, change)
        try standby.follow(forced: forced)
    }

    var log: TestPrimaryLog { primary.log }

    /// Waits until the standby has acknowledged all.
    func settle(sourceLocation: SourceLocation = #_sourceLocation) {
        let end = log.end
        eventually(
            "all is acknowledged: \(primary.notes.all) \(standby.notes.all)",
            sourceLocation: sourceLocation
        ) { (primary.server.peer?.matched ?? 0) >= end }
    }

    /// Ends both, and compares their journals byte for byte from `first` on.
    func finish(
        from first: UInt64 = 1, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        standby.stop()
        primary.server.stop()
        let (a, b) = try (log.disk.records(from: first), standby.log.disk.records(from: first))
        #expect(a.count == b.count, sourceLocation: sourceLocation)
        #expect(a == b, "the journals are equal", sourceLocation: sourceLocation)
    }
}
