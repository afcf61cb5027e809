// Making etcd anew from one host, where its majority is lost: an operator's decision.
//
// A backup of etcd, or a member that is forced to be alone, would bring back an old record. A new
// etcd with a fresh token has nothing of the old one: its record is of an epoch far above, names
// this host alone, and no swap for the old one compares with it.

import AgentAPI
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

    /// Whether etcd has no majority, as its members say.
    var isNeeded: Bool {
        let urls = place.plan.members.map(place.plan.clientURL)
        return !EtcdProgram(urls: urls, files: place.files).healths(urls).values
            .contains(where: \.isHealthy)
    }

    /// What an operator has to know before.
    var statement: [String] {
        let others = "\(peer.name) and \(place.plan.witness.name)"
        return [
            "etcd has no majority, so it is made anew, of \(own.name) alone. \(others) must not "
                + "come back with what their members of etcd have: with each other they would be "
                + "the old cluster, and \(peer.name) could lead by it."
        ]
    }

    /// The other members of etcd that answer at all: they have to be stopped first.
    func checkMembers() throws(CommandError) {
        for member in place.plan.members where member != own {
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

    /// Makes it, and writes the record; then this host's agent claims by it.
    func run() throws(CommandError) {
        guard let end = document.end, let released = document.released,
            let replica = document.replica
        else {
            throw CommandError(
                "matchd here gives no report: \(document.matchdFault ?? "not yet")",
                repair: "start it: systemctl start bourse-matchd")
        }
        var plan = place.plan
        plan.token = ClusterPlan.newToken()
        // Joins are taken where the exchange is.
        (plan.founder, plan.peer) = (own, peer)
        let kept = try place.files.setEtcdAside()
        if let kept { Terminal.warn("What etcd had here is kept in \(kept).") }
        let unit = EtcdUnit(plan: plan, host: own, files: place.files)
        try TextFile.write(plan.json.pretty + "\n", to: place.files.plan, mode: 0o644)
        try unit.setUp(members: "\(own.name)=\(plan.peerURL(own))")
        try unit.start()
        let etcd = EtcdProgram(urls: [plan.clientURL(own)], files: place.files)
        try awaitHealth(etcd)
        let last = max(document.recordEpoch ?? 0, document.epoch)
        let record = FirstRecord(
            epoch: last + Self.epochStep, host: own.name, replica: replica,
            forcedFrom: isForced ? released + 1 : nil,
            replaces: document.etcdCluster.flatMap { UInt64($0, radix: 16) } ?? 0)
        _ = try etcd.begin(record: record.json.compact, floor: FirstRecord.floor(end))
        try unit.noteBegun()
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
