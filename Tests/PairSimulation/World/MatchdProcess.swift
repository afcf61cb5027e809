// One process of matchd, of the parts that ship, composed as the daemon composes them.

import CMachine
import Engine
import Failover
import Journal
import Link
import Pipeline
import Platform
import Replica
import Replication
import Secrets
import Terms

/// Where a host keeps what matchd needs.
struct HostPlaces {
    let directory: String
    var journal: String { directory + "/journal" }
    var snapshots: String { directory + "/snapshots" }
    /// Is empty after a reboot.
    var runtime: String { directory + "/run" }
    var control: String { runtime + "/control" }
    var link: String { runtime + "/link" }
    var place: JournalPlace {
        JournalPlace(
            directory: journal, state: directory, runtime: runtime,
            configuration: directory + "/bourse.toml")
    }
    static let options = JournalOptions(segmentBytes: 64 << 10, reserveBytes: 1 << 20)
}

/// What a running process keeps alive.
final class MatchdProcess {
    let host: Int
    let number: ProcessNumber
    private let lock: StateLock
    private let sink: JournalSink
    private let pipeline: Pipeline
    private let controller: ReplicaController

    /// Starts; `end` ends this process.
    init(_ places: HostPlaces, host: Int, end: @escaping @Sendable (String) -> Never) throws {
        self.host = host
        lock = try StateLock(directory: places.directory)
        let snapshots = SnapshotStore(directory: places.snapshots)
        let place = places.place
        let start = try JournalStart(
            place, snapshots: snapshots, options: HostPlaces.options, follows: true,
            rulesKnown: world.hosts[host].rules, work: WorkProgress()
        ) { world.trace("\(world.hosts[host].name): \($0)") }
        let writer = start.writer
        let identity = writer.identity
        sink = try JournalSink(writer)
        var options = PipelineOptions()
        options.ringBytes = 1 << 20
        options.requestBytes = 2 << 20
        options.hashEvery = 16
        options.connectionsMax = 8
        options.journal = (identity.high, identity.low)
        options.voids = start.voided
        options.mark = try CommandMark(
            places.runtime + "/matchd.mark", journal: (identity.high, identity.low))
        let history = JournalHistory(
            directory: places.journal, snapshots: snapshots, identity: identity)
        let engine = start.takeEngine()
        let released = engine.sequence
        guard let file = try ReplicaFile(place.replicaFile) else {
            throw JournalError.replica(file: place.replicaFile, detail: "is missing")
        }
        number = try .next(places.directory + "/process")
        let names = world.hosts.map(\.name.text)
        let set = InSyncSet(
            following: names[1 - host], released: released, timing: world.timing)
        options.inSync = set
        options.role = .standby
        options.tail = start.tail ?? []
        options.process = number.number
        pipeline = try Pipeline.start(
            engine: engine, sink: sink, history: history,
            listeners: [try LinkListener.unix(places.link)], options: options
        ) { fault in end("fault: \(fault)") }
        let files = TLSFiles(authority: "/dev/null", certificate: "/dev/null", key: "")
        var primary = ReplicationOptions(
            address: "10.0.0.\(host + 1):7001", files: files, peer: names[1 - host])
        var standby = ReplicationOptions(
            address: "10.0.0.\(2 - host):7001", files: files, peer: names[1 - host])
        (primary.timing, standby.timing) = (world.timing, world.timing)
        (primary.level.rules, standby.level.rules) =
            (world.hosts[host].rules, world.hosts[host].rules)
        controller = try ReplicaController(
            ReplicaParts(
                pipeline: pipeline, set: set, writer: writer, place: place, history: history,
                last: writer.last, lastTimestamp: writer.lastTimestamp, released: released,
                format: start.format),
            file, process: number,
            ReplicaOptions(
                socket: places.control, agentUsers: [], primary: primary, standby: standby),
            note: { line in world.trace("\(world.hosts[host].name): \(line)") }
        ) { reason in end("\(reason)") }
    }
}
