// Making etcd anew from one host, where its majority is lost: an operator's decision.
//
// A backup of etcd, or a member that is forced to be alone, would bring back an old record. A new
// etcd with a fresh token has nothing of the old one: its record is of an epoch far above, names
// this host alone, and no swap for the old one compares with it.
//
// It may be interrupted anywhere: the token of what was begun is kept until the record is there,
// and the verb given again goes on with it.

import AgentAPI
import Control
import Failover
import Glibc
import JSON
import Platform
import Presentation

/// A new etcd of one member, with this host as the primary of its record.
struct EtcdRemake {
    /// How far the new record's epoch is above the last known one.
    static let epochStep: UInt32 = 1_000

    let place: ClusterPlace
    let own: ClusterPlan.Member
    let peer: ClusterPlan.Member
    /// What this host's agent knows.
    let document: ClusterDocument
    /// Whether this host may lack what the other one released.
    let isForced: Bool

    init(_ common: CommonOptions, _ document: ClusterDocument, isForced: Bool) throws(CommandError)
    {
        place = try ClusterPlace(common)
        (own, peer) = try place.member()
        (self.document, self.isForced) = (document, isForced)
    }

    /// Whether an earlier run was interrupted.
    var isUnfinished: Bool { place.isRemakeUnfinished }

    /// Whether etcd has no majority, as the agent and its members say, or one without a record that
    /// a host can lead by.
    var isNeeded: Bool {
        if isUnfinished { return true }
        let urls = place.plan.members.map(place.plan.clientURL)
        let etcd = EtcdProgram(urls: urls, files: place.files)
        guard etcd.healths(urls).values.contains(where: \.isHealthy) else {
            return document.etcdFault != nil
        }
        do {
            guard let text = try etcd.value(EtcdProgram.Key.record) else { return true }
            _ = try ClusterRecord(parsing: Array(text.utf8))
            return false
        } catch let error as RecordError {
            // One of a newer release is lost to this one alone.
            if case .newerVersion = error { return false }
            return true
        } catch { return false }
    }

    /// What an operator has to know before.
    var statement: [String] {
        let others = "\(peer.name) and \(place.plan.witness.name)"
        return [
            "etcd has no majority, or no record to lead by, so it is made anew, of \(own.name) "
                + "alone. \(others) must not come back with what their members of etcd have: with "
                + "each other they would be the old cluster, and \(peer.name) could lead by it."
        ]
    }

    /// The other members of etcd that answer at all: they have to be stopped first. `sparesPeer`:
    /// the peer's is not looked at, as its power will be switched off.
    func checkMembers(sparesPeer: Bool = false) throws(CommandError) {
        for member in place.plan.members where member != own && !(sparesPeer && member == peer) {
            let address = ClusterPlan.place(member, place.plan.ports.etcdPeers)
            guard let socket = try? TCPSocket.connect(address, timeoutNanos: 1_000_000_000) else {
                continue
            }
            _ = close(socket)
            throw CommandError(
                "etcd on \(member.name) runs: with another member it would be the old cluster "
                    + "again",
                repair: "there: systemctl disable --now \(EtcdUnit.name); it joins again "
                    + "afterwards, by a token of this host")
        }
    }

    /// Makes it, and writes the record, by which this host's agent then claims; its epoch.
    func run() throws(CommandError) -> UInt32 {
        if !isUnfinished { _ = try firstRecord() }
        let plan = try begin()
        let unit = EtcdUnit(plan: plan, host: own, files: place.files)
        try unit.start()
        let etcd = EtcdProgram(urls: [plan.clientURL(own)], files: place.files)
        try awaitHealth(etcd)
        // Who joins from now on is added.
        try unit.noteBegun()
        let found: String
        if let kept = try etcd.value(EtcdProgram.Key.record) {
            found = kept
        } else {
            let (record, floor) = try firstRecord()
            found = try etcd.begin(record: record.text, floor: FloorText.text(floor))
        }
        let record = try ClusterRecord(etcd: found)
        try CommandError.wrapping { () throws(SystemError) in
            try Directory.remove(place.files.etcdRemake)
        }
        return record.epoch
    }

    /// The cluster that an earlier run began; or another one, for which what etcd has here is set
    /// aside.
    private func begin() throws(CommandError) -> ClusterPlan {
        let files = place.files
        if isUnfinished, try files.etcdToken() == place.plan.token { return place.plan }
        var plan = place.plan
        plan.token = ClusterPlan.newToken()
        // Joins are taken where the exchange is.
        (plan.founder, plan.peer) = (own, peer)
        try TextFile.write("\(plan.token)\n", to: files.etcdRemake, mode: 0o644)
        let kept = try files.setEtcdAside()
        if let kept { Terminal.warn("What etcd had here is kept in \(kept).") }
        try TextFile.write(plan.json.pretty + "\n", to: files.plan, mode: 0o644)
        try EtcdUnit(plan: plan, host: own, files: files)
            .setUp(members: "\(own.name)=\(plan.peerURL(own))")
        return plan
    }

    /// The record that the new etcd begins with, and its floor.
    private func firstRecord() throws(CommandError) -> (ClusterRecord, floor: UInt64) {
        guard let end = document.end, let endEpoch = document.endEpoch,
            let released = document.released, let replica = document.replica
        else {
            throw CommandError(
                "matchd here gives no report: \(document.matchdFault ?? "not yet")",
                repair: "start it: systemctl start bourse-matchd")
        }
        let last = document.record.flatMap { try? ClusterRecord(etcd: $0) }
        let epoch = max(document.recordEpoch ?? 0, document.epoch) + Self.epochStep
        // What an earlier forced failover gave up stays so: its host cuts it by this record too.
        let forced =
            isForced
            ? ForcedStart(
                epoch: epoch, released: released, endEpoch: endEpoch, earlier: last?.forced)
            : last?.forced
        let record = try ClusterRecord(
            founder: own.name, epoch: epoch, replica: replica, forced: forced,
            replaces: document.etcdCluster.flatMap { UInt64($0, radix: 16) } ?? 0)
        return (record, end)
    }

    private func awaitHealth(_ etcd: EtcdProgram) throws(CommandError) {
        let deadline = Clock.monotonicNanos() + 30_000_000_000
        while !etcd.health(etcd.urls[0]).isHealthy {
            guard Clock.monotonicNanos() < deadline else {
                throw CommandError(
                    "the new etcd does not answer",
                    repair: "see journalctl -u \(EtcdUnit.name); then give the command again")
            }
            Clock.sleep(nanos: 200_000_000)
        }
    }

    /// Waits until this host leads by a record of this epoch, or has claimed a higher one by it.
    func awaitLead(
        _ order: ClusterOrder, _ what: String, by epoch: UInt32
    ) throws(CommandError) -> ClusterDocument {
        try order.await(what) { now in now.role == "primary" && now.epoch >= epoch ? now : nil }
    }

    /// What is to be done with the hosts that were lost.
    var advice: [String] {
        [
            "Before \(peer.name) or \(place.plan.witness.name) is started again: on "
                + "\(own.name), sudo boursectl cluster invite HOST; there, with the host off the "
                + "clients' network, systemctl disable --now \(EtcdUnit.name) and the join that "
                + "is printed."
        ]
    }
}

extension ClusterPlace {
    /// Whether making etcd anew was begun here, and has no record yet as far as this host knows.
    var isRemakeUnfinished: Bool {
        let token = (try? TextFile.read(files.etcdRemake)) ?? nil
        return token == "\(plan.token)\n"
    }
}
