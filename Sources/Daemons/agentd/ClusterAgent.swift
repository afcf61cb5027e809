// From [cluster] to the failover shell of this host.

import Agent
import AgentAPI
import Checks
import Configuration
import Coordination
import DaemonKit
import Dispatch
import Failover
import Link
import Logging
import Platform
import Requests
import Secrets

/// This host's failover: the shell, matchd's control socket, etcd and the peer's agent.
final class ClusterAgent: ClusterRole {
    private let shell: FailoverShell
    private let control: MatchdControlClient
    private let peer: PeerAgent
    private let etcd: EtcdWatch
    private let address: InterfaceAddress?
    private let removedFile: String
    private let log: Logger

    /// Begins to decide for this host.
    init(_ cluster: Settings.Cluster, _ settings: Settings, _ log: Logger) throws {
        let endpoints = cluster.etcd.compactMap(HTTPEndpoint.init(_:))
        let client = try EtcdClient(
            EtcdSettings(
                endpoints: endpoints,
                certificates: EtcdCertificates(
                    authority: cluster.authorityFile, certificate: cluster.certificateFile,
                    key: cluster.keyFile)))
        let etcd = EtcdWatch(client)
        self.etcd = etcd
        let address = cluster.serviceAddress
        (self.address, self.log) = (address, log)
        let removedFile = cluster.removedGatewaysFile
        self.removedFile = removedFile
        let control = MatchdControlClient(path: settings.controlSocket)
        self.control = control
        let peer = try PeerAgent(
            file: Directory.join(settings.agent.state, "cluster.json"), note: log.reporting(.notice)
        )
        self.peer = peer
        let helper = HelperClient(socket: settings.agent.helper)
        let host = ClusterHost(
            control, peer, log,
            address: address.map {
                HelperServiceAddress(
                    own: $0, nic: cluster.serviceInterface, helper: helper, peer: peer,
                    logger: log)
            })
        var failover = FailoverSettings(
            host: HostName(cluster.host), peer: HostName(cluster.peer))
        failover.requiresWatchdog = cluster.watchdog == .required
        shell = FailoverShell(
            failover, run: SystemRandom.number(), start: peer.start, changes: peer.primaryChanges,
            store: client, host: host)
        control.start(feeding: shell)
        shell.start()
        try WatchdogKeeper.start(
            cluster.watchdog, feeding: shell, by: helper, log)
        try peer.start(
            PeerLinkOptions(
                host: cluster.host, peer: cluster.peer, address: "\(cluster.agent)",
                peerAddress: "\(cluster.peerAgent)",
                files: TLSFiles(
                    authority: cluster.authorityFile, certificate: cluster.certificateFile,
                    key: cluster.keyFile)),
            feeding: shell
        ) { [shell, peer] in
            Self.own(shell, peer, etcd, address, removedFile).json
        }
        etcd.start()
    }

    /// Ends: whoever leads goes on, and nothing is decided any more.
    func stop() {
        etcd.stop()
        peer.stop()
        control.stop()
        let ended = DispatchSemaphore(value: 0)
        Task { [shell] in
            await shell.stop()
            ended.signal()
        }
        ended.wait()
    }

    /// Of this host, and as its peer's agent sent it, of the other.
    var document: ClusterDocument {
        var document = Self.own(shell, peer, etcd, address, removedFile)
        document.readPeer(peer.json)
        return document
    }

    /// This host's part, as both agents show it.
    private static func own(
        _ shell: FailoverShell, _ peer: PeerAgent, _ etcd: EtcdWatch,
        _ address: InterfaceAddress?, _ removedFile: String
    ) -> ClusterDocument {
        var document = shell.status.document
        document.pauseOrderedAt = peer.pauseOrderedAt
        document.etcd = etcd.members.map(ClusterArbiter.init)
        document.serviceAddress = address.map { "\($0)" }
        document.isServiceHere = address.flatMap { try? Host.hasAddress($0.address) }
        // matchd, which takes no gateway where the list cannot be read, says why.
        document.removedGateways = (try? RemovedGateways(file: removedFile))?.times
            .sorted { $0.key < $1.key }.map { RemovedGateway(name: $0.key, time: $0.value) }
        return document
    }

    func lacks(_ health: HealthQuestion) -> String? {
        shell.status.lacks(health, at: BootTime(nanos: Clock.monotonicNanos()))
    }

    /// What the checks read of it.
    func sampler() throws -> Sampler {
        try Sampler(
            [ClusterReading.path], thread: "cluster", periodNanos: 1_000_000_000,
            freshNanos: 5_000_000_000, changed: {}
        ) { [shell, peer] in
            let now = BootTime(nanos: Clock.monotonicNanos())
            var document = shell.status.document
            document.readPeer(peer.json)
            return [ClusterReading.path: shell.status.reading(document, at: now).text]
        }
    }

    func obey(
        _ verb: String, peerOffInEpoch: UInt32?, proof: String?, by user: String,
        _ done: @escaping @Sendable (String?) -> Void
    ) {
        if verb == "peer-off" {
            guard let proof else { return done("the proof is missing") }
            log.notice("\(user): \(proof)")
            shell.note(proof: proof)
            return done(nil)
        }
        guard let verb = FailoverVerb(verb, peerOffInEpoch: peerOffInEpoch) else {
            return done("there is no verb \(verb)")
        }
        Task { [shell, peer] in
            done(await peer.obey(verb, by: shell) { $0.words })
        }
    }
}

/// What the shell drives.
private final class ClusterHost: FailoverHost {
    private let control: MatchdControlClient
    private let peer: PeerAgent
    private let log: Logger
    /// Nil: the cluster has no service address.
    private let address: ServiceAddressChanger?
    /// What has to go through a restart waits for the disk.
    private let keeping = DispatchQueue(label: "keeping")

    init(
        _ control: MatchdControlClient, _ peer: PeerAgent, _ log: Logger,
        address: HelperServiceAddress?
    ) {
        (self.control, self.peer, self.log) = (control, peer, log)
        self.address = address.map { ServiceAddressChanger($0) }
    }

    func log(_ change: FailoverChange) {
        log.notice("\(change.text)")
        keeping.async { [peer] in peer.save() }
        peer.changed()
    }
    func dropAddress() { address?.drop() }
    func leaveAddress() { address?.leave() }
    func takeAddress() { address?.take() }

    func send(_ order: MatchdOrder) {
        if case .promise = order.action { address?.prepare() }
        control.send(order)
    }

    func reportReaped(epoch: UInt32) {
        log.notice("matchd, which led epoch \(epoch), has ended")
        peer.reportReaped(epoch: epoch)
    }

    /// There is no wallet.
    func reconcileWallet(epoch: UInt32) async {}
}
