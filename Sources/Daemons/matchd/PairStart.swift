// From [cluster] to a matchd that is one of two.

import Configuration
import DaemonKit
import Failover
import Journal
import Link
import Logging
import Pipeline
import Platform
import Replica
import Replication
import Secrets

/// What a matchd needs to be one of two, before its pipeline runs and then beside it.
struct PairStart {
    private let cluster: Settings.Cluster
    private let place: JournalPlace
    private let file: ReplicaFile
    private let process: ProcessNumber
    private let socket: String
    private let tail: [UInt8]
    private let set: InSyncSet
    private let last: LogPoint
    private let lastTimestamp: Int64
    private let format: UInt32
    private let released: UInt64

    /// Of a journal that was opened to follow; `released` is where its engine stands.
    init(
        _ cluster: Settings.Cluster, _ settings: Settings, _ start: JournalStart,
        _ place: JournalPlace, released: UInt64
    ) throws {
        guard let file = try ReplicaFile(place.replicaFile) else {
            throw JournalError.replica(file: place.replicaFile, detail: "is missing")
        }
        self.cluster = cluster
        self.place = place
        self.file = file
        process = try .next(Directory.join(settings.state, "process"))
        socket = settings.controlSocket
        tail = start.tail ?? []
        set = InSyncSet(following: cluster.peer, released: released, timing: FailoverTiming())
        (last, lastTimestamp) = (start.writer.last, start.writer.lastTimestamp)
        (self.released, format) = (released, start.format)
    }

    /// The pipeline's options of a host that follows at first.
    func change(_ options: inout PipelineOptions) {
        options.inSync = set
        options.role = .standby
        options.tail = tail
        options.process = process.number
        // Gateways on other hosts have no other sign that this one is gone.
        options.heartbeatNanos = 250_000_000
        // Twice the tail: where the ring's end is passed over, some of it is lost.
        while options.ringBytes < 2 * tail.count { options.ringBytes *= 2 }
    }

    /// Starts to take orders for a running pipeline.
    func run(
        _ pipeline: Pipeline, _ writer: JournalWriter, _ history: JournalHistory,
        _ remote: RemoteGateways?, _ log: Logger
    ) throws -> ReplicaController {
        let files = TLSFiles(cluster)
        let parts = ReplicaParts(
            pipeline: pipeline, set: set, writer: writer, place: place, history: history,
            last: last, lastTimestamp: lastTimestamp, released: released,
            format: format)
        let options = ReplicaOptions(
            socket: socket, agentUsers: [Host.userID(named: Settings.agentUser)].compactMap { $0 },
            primary: ReplicationOptions(
                address: "\(cluster.replication)", files: files, peer: cluster.peer),
            standby: ReplicationOptions(
                address: "\(cluster.peerReplication)", files: files, peer: cluster.peer)
        ) {
            (remote?.connected ?? []).map {
                GatewayReport(name: $0.name, address: $0.address, since: $0.since)
            }
        }
        let controller = try ReplicaController(
            parts, file, process: process, options, note: log.reporting(.notice)
        ) { reason in
            let isFault = if case .fault = reason { true } else { false }
            log.fatal(
                "\(reason)", status: isFault ? DaemonExit.fault : DaemonExit.follow,
                level: isFault ? .critical : .notice)
        }
        log.notice("process \(process.number) waits for orders at \(socket)")
        return controller
    }
}

extension PairStart {
    /// Takes gateways on other hosts, and passes them to the Link.
    static func takeGateways(
        _ settings: Settings, _ link: LinkListener, _ log: Logger
    ) throws -> RemoteGateways? {
        try settings.cluster.map { cluster in
            try RemoteGateways(
                address: link.address, files: TLSFiles(cluster),
                removed: cluster.removedGatewaysFile, link: link, note: log.reporting(.notice))
        }
    }
}

extension Settings {
    /// Where gateways on other hosts are taken; nil: nowhere.
    var linkAddress: ListenAddress? {
        cluster.flatMap { $0.link.host.isEmpty ? nil : $0.link }
    }
}

extension TLSFiles {
    fileprivate init(_ cluster: Settings.Cluster) {
        self.init(
            authority: cluster.authorityFile, certificate: cluster.certificateFile,
            key: cluster.keyFile)
    }
}
