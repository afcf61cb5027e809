// Both hosts of a cluster as texts, for the ops page: with scripts and without them they are the
// same. What the peer's agent sent last is shown as of then, and never as of now.

package import AgentAPI
import JSON
import Terms

/// What the ops page shows of a cluster. Pure.
package struct ClusterOverview: Hashable, Sendable {
    /// A row for each property and a column for each host, the first row being the heading.
    package var hosts: [[String]] = []
    /// Name and text.
    package var facts: [[String]] = []
    /// The last changes of both hosts, newest first, the first row being the heading.
    package var changes: [[String]] = []

    private static let changesMax = 10

    /// The overview of what one agent knows at `now`, nanoseconds since 1970.
    package init(_ own: ClusterDocument, at now: Int64) {
        let isLive = own.isPeerReachable == true
        let live = [own] + (isLive ? [own.peerDocument].compactMap(\.self) : [])
        // The newest record that is known: a host without etcd may have an old one.
        let newest = live.max { $0.recordEpoch ?? 0 < $1.recordEpoch ?? 0 } ?? own
        let leader = live.filter(\.leads).max { $0.epoch < $1.epoch }
        hosts = Self.hosts(own, newest, leader, at: now)
        facts = [
            ["primary", Self.primary(newest, leader)],
            ["lost if it failed now", Self.loss(leader)],
        ]
        let last = live.compactMap(\.primaryChanges.last).max { $0.epoch < $1.epoch }
        facts.append([
            "last change", last.map { "\(Self.time($0.time)): \($0.text)" } ?? "none known",
        ])
        if let address = own.serviceAddress {
            facts.append(["service address", Self.service(address, live, peer: own.peer)])
        }
        facts.append(["arbiter", Self.arbiter(own.etcd, at: now)])
        changes = Self.changes(own)
    }

    // MARK: Hosts

    private static func hosts(
        _ own: ClusterDocument, _ record: ClusterDocument, _ leader: ClusterDocument?,
        at now: Int64
    ) -> [[String]] {
        var columns = [column(own, record, leader, name: "\(own.host) (this host)", "answers")]
        if let peer = own.peer {
            columns.append(
                column(own.peerDocument, record, leader, name: peer, peerAgent(own, at: now)))
        }
        let names = [
            "", "its agent", "role", "epoch", "it", "in sync", "lag", "journal", "claims",
            "other host", "matchd", "etcd",
        ]
        return names.enumerated().map { row, name in [name] + columns.map { $0[row] } }
    }

    private static func column(
        _ host: ClusterDocument?, _ record: ClusterDocument, _ leader: ClusterDocument?,
        name: String, _ agent: String
    ) -> [String] {
        guard let host else {
            return [name, agent] + Array(repeating: "unknown", count: 10)
        }
        let isInSync = record.recordEpoch.map { _ in record.inSync.contains(host.host) }
        let journal = host.end.map { end in
            "to record \(end), released to \(host.released.map { "\($0)" } ?? "unknown")"
        }
        return [
            name, agent, host.role, "\(host.epoch)", host.sentence,
            isInSync.map { $0 ? "yes" : "no" } ?? "unknown", lag(host, leader),
            journal ?? "unknown", host.isPaused ? "paused until resume" : "allowed",
            host.isPeerOut ? "out until standby add" : "-",
            host.matchdFault ?? "answers", host.etcdFault ?? "answers",
        ]
    }

    private static func peerAgent(_ own: ClusterDocument, at now: Int64) -> String {
        guard own.isPeerReachable != true else { return "answers" }
        let why = own.peerFault.map { ": \($0)" } ?? ""
        let since = own.peerSince.map { " since \(moment($0, at: now))" } ?? ""
        let shown = own.peerDocumentTime.map { "; what is below is of \(moment($0, at: now))" }
        return "does not answer\(since)\(why)\(shown ?? "; it has not answered yet")"
    }

    /// The standby's lag, as the primary knows it, or else as the standby does.
    private static func lag(_ host: ClusterDocument, _ leader: ClusterDocument?) -> String {
        if host.leads { return "-" }
        guard let records = (leader ?? host).lagRecords else { return "unknown" }
        let time = leader?.lagNanos.map { ", \($0 / 1_000_000) ms" } ?? ""
        return "\(records) records\(time)"
    }

    // MARK: Facts

    private static func primary(_ record: ClusterDocument, _ leader: ClusterDocument?) -> String {
        guard let leader else {
            let last = record.primary.map { "; by the record it was \($0)" } ?? ""
            return "no host that answers leads\(last)"
        }
        return leader.role == "primary"
            ? "\(leader.host), epoch \(leader.epoch)"
            : "\(leader.host), epoch \(leader.epoch), takes no commands: it \(leader.sentence)"
    }

    /// What is lost with the primary and its disk.
    private static func loss(_ leader: ClusterDocument?) -> String {
        guard let leader else { return "unknown" }
        if leader.isPairInSync { return "0 records: both hosts have all that was acknowledged" }
        let since = leader.setChangedAt.map { " since \(time($0))" } ?? ""
        guard let records = leader.atRiskRecords else {
            return "unknown: \(leader.host) was alone in sync before its agent began"
        }
        return "\(records) records at most: \(leader.host) is alone in sync\(since)"
    }

    private static func service(
        _ address: String, _ live: [ClusterDocument], peer: String?
    ) -> String {
        let holders = live.filter { $0.isServiceHere == true }.map(\.host)
        if !holders.isEmpty { return "\(address) is on \(holders.joined(separator: " and "))" }
        let unseen = live.count == 1 ? peer.map { "; of \($0) it is not known" } ?? "" : ""
        return "\(address) is on no host that answers\(unseen)"
    }

    private static func arbiter(_ members: [ClusterArbiter], at now: Int64) -> String {
        guard !members.isEmpty else { return "etcd: not asked yet" }
        let good = members.count { $0.fault == nil }
        let all = members.map { member in
            let words = member.fault.map { "no, since \(moment(member.since, at: now)): \($0)" }
            return "\(member.name): \(words ?? (member.leads ? "yes, leads" : "yes"))"
        }
        return "\(good) of \(members.count) members of etcd answer. "
            + all.joined(separator: "; ")
    }

    // MARK: Changes

    private static func changes(_ own: ClusterDocument) -> [[String]] {
        let all = [own, own.peerDocument].compactMap(\.self).flatMap { document in
            document.changes.map { (host: document.host, change: $0) }
        }
        let rows = all.sorted { $0.change.time > $1.change.time }.prefix(changesMax).map { row in
            [
                time(row.change.time), row.host, "\(row.change.epoch)",
                row.change.what, "it \(row.change.why)",
            ]
        }
        return [["time", "host", "epoch", "what", "why"]] + rows
    }

    // MARK: Times

    private static func time(_ nanos: Int64) -> String { timeText(nanos: nanos, digits: 0) }

    /// When, and how long ago.
    private static func moment(_ moment: Int64, at now: Int64) -> String {
        let seconds = max(0, now &- moment) / 1_000_000_000
        let ago =
            switch seconds {
            case ..<120: "\(seconds) s"
            case ..<7_200: "\(seconds / 60) min"
            case ..<172_800: "\(seconds / 3_600) h"
            default: "\(seconds / 86_400) days"
            }
        return "\(time(moment)) (\(ago) ago)"
    }
}

extension ClusterOverview {
    /// For the page's script.
    var json: JSONValue {
        func rows(_ rows: [[String]]) -> JSONValue { .array(rows.map { .strings($0) }) }
        return ["hosts": rows(hosts), "facts": rows(facts), "changes": rows(changes)]
    }

    /// The section of the page, with every text escaped.
    package var html: String {
        """
        <section id="cluster" aria-label="Cluster">
          <h2>Cluster</h2>
          \(Self.table("cluster-hosts", hosts, hasHeading: true))
          \(Self.table("cluster-facts", facts, hasHeading: false))
          \(Self.table("cluster-changes", changes, hasHeading: true))
        </section>
        """
    }

    private static func table(_ id: String, _ rows: [[String]], hasHeading: Bool) -> String {
        let all = rows.enumerated().map { index, cells in
            let tag = hasHeading && index == 0 ? "th" : "td"
            return "<tr>\(cells.map { "<\(tag)>\(escaped($0))</\(tag)>" }.joined())</tr>"
        }
        return "<div class=\"scroll\"><table id=\"\(id)\">\(all.joined())</table></div>"
    }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { escaped, letter in
            switch letter {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.append(letter)
            }
        }
    }
}
