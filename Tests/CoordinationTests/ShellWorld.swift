// A pair of hosts around a real etcd, for the tests of the shell.

import Coordination
import Failover
import Platform
import Synchronization
import Terms

/// A real etcd with the record of a pair, and both hosts.
final class ShellWorld: @unchecked Sendable {  // Only one test uses it, one step after the other.
    let etcd: EtcdBench
    let pair = FakePair()
    let client: EtcdClient

    init(starts: Bool = true) async throws {
        etcd = try await EtcdBench()
        client = try EtcdClient(etcd.settings())
        let first = ClusterRecord(
            epoch: 1, primary: pair.hosts[0].name, inSync: pair.hosts.map(\.inSync),
            attempt: SwapAttempt(run: SystemRandom.number(), number: 0))
        guard try await answered({ await client.create(first, floor: 0) }) == .done else {
            throw EtcdBenchError(description: "the first record is not there")
        }
        for host in pair.hosts { host.startMatchd(1, end: 90) }
        pair.run()
        if starts { for host in pair.hosts { start(host) } }
    }

    func read() async throws -> EtcdReading {
        try await answered(client) { try await $0.read(by: HostName("test"), number: 1) }
    }

    func status(of host: FakeHost) -> FailoverStatus {
        host.state.withLock { $0.shell }!.status
    }

    /// Waits until one leads with both in sync; gives it and the other. A matchd that ended by
    /// order, as where both claimed on a slow machine, starts again.
    func started() async throws -> (primary: FakeHost, standby: FakeHost) {
        let hosts = pair.hosts
        try await wait("one leads with the other in sync") {
            for host in hosts where host.report?.state == .stopped { self.restart(host) }
            return hosts.contains {
                $0.isOpen && self.status(of: $0).sentence.hasSuffix("in sync")
            }
                && hosts.contains { self.status(of: $0).role == .standby }
        }
        return hosts[0].isOpen ? (hosts[0], hosts[1]) : (hosts[1], hosts[0])
    }

    /// Waits until something holds; else fails with what the hosts say of themselves.
    func wait(_ what: String, _ holds: () async throws -> Bool) async throws {
        do {
            try await eventually(what, holds)
        } catch {
            let hosts = pair.hosts.map { host in
                let status = host.state.withLock { $0.shell }?.status
                let changes = status?.changes.map(\.text) ?? []
                let sentence = status?.sentence ?? "off"
                return "\(host.name): \(sentence), \(status?.etcdFault ?? "etcd answers"), "
                    + "\(changes), \(host.calls.suffix(40))"
            }
            throw EtcdBenchError(description: "\(error); \(hosts.joined(separator: "; "))")
        }
    }

    func start(_ host: FakeHost) {
        let peer = pair.hosts.first { $0 !== host }!
        var settings = etcd.settings(host === pair.hosts[0] ? [0, 1, 2] : [1, 2, 0])
        settings.endpointMillis = 300
        guard let store = try? EtcdClient(settings) else { return }
        let shell = FailoverShell(
            FailoverSettings(host: host.name, peer: peer.name), run: SystemRandom.number(),
            store: store, host: host)
        host.state.withLock { $0.shell = shell }
        peer.state.withLock { $0.peerShell = shell }
        shell.start()
    }

    /// The host's power goes.
    func kill(_ host: FakeHost) async {
        let peer = pair.hosts.first { $0 !== host }!
        peer.state.withLock { $0.peerShell = nil }
        let shell = host.state.withLock { state in
            state.report = nil
            defer { state.shell = nil }
            return state.shell
        }
        await shell?.stop()
    }

    func revive(_ host: FakeHost, process: UInt64) {
        host.startMatchd(process, end: 91)
        start(host)
    }

    /// Its matchd ended by order, and starts again.
    func restart(_ host: FakeHost) {
        let process = host.report.map { $0.process.number } ?? 1
        let (end, epoch) = host.report.map { ($0.end, $0.endEpoch) } ?? (91, 1)
        host.crashMatchd()
        host.startMatchd(process + 1, end: end, epoch: epoch)
    }

    func restartAgent(_ host: FakeHost) async {
        let shell = host.state.withLock { state in
            defer { state.shell = nil }
            return state.shell
        }
        await shell?.stop()
        start(host)
    }

    func stop() async { await pair.stop() }
}
