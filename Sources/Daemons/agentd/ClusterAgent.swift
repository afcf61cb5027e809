// From [cluster] to the failover shell of this host.

import Agent
import Configuration
import Coordination
import DaemonKit
import Dispatch
import Failover
import HelperAPI
import JSON
import Logging
import Platform
import Secrets

/// This host's failover: the shell, matchd's control socket, etcd and the peer's agent.
final class ClusterAgent: ClusterRole {
    private let shell: FailoverShell
    private let control: MatchdControlClient
    private let peer: PeerAgent

    /// Begins to decide for this host.
    init(_ cluster: Settings.Cluster, _ settings: Settings, _ log: Logger) throws {
        let endpoints = cluster.etcd.compactMap(EtcdEndpoint.init(_:))
        let client = try EtcdClient(
            EtcdSettings(
                endpoints: endpoints,
                certificates: EtcdCertificates(
                    authority: cluster.authorityFile, certificate: cluster.certificateFile,
                    key: cluster.keyFile)))
        let control = MatchdControlClient(path: settings.controlSocket)
        self.control = control
        let peer = try PeerAgent(
            file: Directory.join(settings.agent.state, "cluster.json"), note: log.reporting(.notice))
        self.peer = peer
        let host = ClusterHost(
            control, peer, log, address: cluster.serviceAddress.map { "\($0)" },
            nic: cluster.serviceInterface, helper: settings.agent.helper)
        shell = FailoverShell(
            FailoverSettings(host: HostName(cluster.host), peer: HostName(cluster.peer)),
            run: SystemRandom.number(), start: peer.start, store: client, host: host)
        control.start(feeding: shell)
        shell.start()
        try peer.start(
            PeerLinkOptions(
                host: cluster.host, peer: cluster.peer, address: "\(cluster.agent)",
                peerAddress: "\(cluster.peerAgent)",
                files: TLSFiles(
                    authority: cluster.authorityFile, certificate: cluster.certificateFile,
                    key: cluster.keyFile)),
            feeding: shell
        ) { [shell, peer] in shell.status.json(pauseOrderedAt: peer.pauseOrderedAt) }
    }

    /// Ends: whoever leads goes on, and nothing is decided any more.
    func stop() {
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
    var document: JSONValue {
        let own = shell.status.json(pauseOrderedAt: peer.pauseOrderedAt)
        guard case .object(let members) = own else { return own }
        return .object(members + [JSONValue.Member("peerAgent", peer.json)])
    }

    func obey(
        _ verb: String, isPeerOff: Bool, by user: String,
        _ done: @escaping @Sendable (String?) -> Void
    ) {
        guard let verb = FailoverVerb(verb, isPeerOff: isPeerOff) else {
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
    private let address: String?
    private let nic: String
    private let helper: HelperClient
    /// One change of the address after the other; the helper may take seconds.
    private let queue = DispatchQueue(label: "service-address")
    private let wishes = AddressWishes()

    init(
        _ control: MatchdControlClient, _ peer: PeerAgent, _ log: Logger, address: String?,
        nic: String, helper: String
    ) {
        (self.control, self.peer, self.log) = (control, peer, log)
        (self.address, self.nic) = (address, nic)
        self.helper = HelperClient(socket: helper)
    }

    func send(_ order: MatchdOrder) { control.send(order) }
    func log(_ change: FailoverChange) {
        log.notice("\(change.text)")
        peer.changed()
    }
    func dropAddress() { set(false) }
    func takeAddress() { set(true) }

    func reportReaped(epoch: UInt32) {
        log.notice("matchd, which led epoch \(epoch), has ended")
        peer.reportReaped(epoch: epoch)
    }

    /// There is no wallet.
    func reconcileWallet(epoch: UInt32) async {}

    private func set(_ adds: Bool) {
        guard let address else { return }
        let wish = wishes.next()
        queue.async { [self] in
            // Only the newest counts, so that nothing queues up behind a helper that hangs.
            guard wishes.isNewest(wish) else { return }
            do throws(HelperClientError) {
                _ = try helper.ask(.serviceAddress(adds: adds, address: address, nic: nic))
            } catch {
                let what = adds ? "taken" : "given up"
                log.error("the service address \(address) was not \(what): \(error)")
            }
        }
    }
}
