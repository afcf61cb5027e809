// This host's member of etcd: its settings, its data directory, its unit.

import Glibc
import Platform

/// The member of etcd on this host.
struct EtcdUnit {
    /// The plan.
    let plan: ClusterPlan
    /// This host.
    let host: ClusterPlan.Member
    /// The files of the cluster here.
    let files: ClusterFiles

    /// The unit.
    static let name = "bourse-etcd.service"
    private static let user = "bourse-etcd"

    /// The member of this host.
    init(plan: ClusterPlan, host: ClusterPlan.Member, files: ClusterFiles) {
        (self.plan, self.host, self.files) = (plan, host, files)
    }

    /// The settings as environment variables of etcd(1), 3.4: what the unit reads. `isAdded`: the
    /// others go on already. `members`: those of the cluster that the member begins in, as etcd
    /// lists them; nil: all three.
    func settings(isAdded: Bool, members: String? = nil) -> String {
        let all = plan.members.map { "\($0.name)=\(plan.peerURL($0))" }.joined(separator: ",")
        let values: [(String, String)] = [
            ("NAME", host.name), ("DATA_DIR", files.etcdData),
            ("LISTEN_CLIENT_URLS", plan.clientURL(host)),
            ("ADVERTISE_CLIENT_URLS", plan.clientURL(host)),
            ("LISTEN_PEER_URLS", plan.peerURL(host)),
            ("INITIAL_ADVERTISE_PEER_URLS", plan.peerURL(host)),
            ("INITIAL_CLUSTER", members ?? all),
            ("INITIAL_CLUSTER_TOKEN", plan.token),
            ("INITIAL_CLUSTER_STATE", isAdded ? "existing" : "new"),
            ("CLIENT_CERT_AUTH", "true"), ("TRUSTED_CA_FILE", files.authority),
            ("CERT_FILE", files.certificate), ("KEY_FILE", files.key),
            ("PEER_CLIENT_CERT_AUTH", "true"), ("PEER_TRUSTED_CA_FILE", files.authority),
            ("PEER_CERT_FILE", files.certificate), ("PEER_KEY_FILE", files.key),
            // A lost leader is replaced within a second on one network.
            ("HEARTBEAT_INTERVAL", "50"), ("ELECTION_TIMEOUT", "500"), ("PRE_VOTE", "true"),
            // The record and the floor are a few hundred bytes; each put leaves an old version.
            ("AUTO_COMPACTION_MODE", "periodic"), ("AUTO_COMPACTION_RETENTION", "1h"),
            ("QUOTA_BACKEND_BYTES", "268435456"), ("SNAPSHOT_COUNT", "10000"),
            ("LOGGER", "zap"), ("LOG_LEVEL", "warn"),
        ]
        return "# Written by `boursectl cluster`: etcd(1) on this host.\n"
            + values.map { "ETCD_\($0)=\($1)\n" }.joined()
    }

    /// Writes the settings, and makes the data directory of a member that has not begun yet, or was
    /// added in place of one that lost its data.
    func setUp(isAdded: Bool = false, members: String? = nil) throws(CommandError) {
        if isAdded || members != nil || !Directory.exists(files.etcdBegun) {
            try CommandError.wrapping { () throws(SystemError) in
                try Directory.create(files.etcdState, mode: 0o700)
                for path in [files.etcdState, files.etcdData] {
                    try Directory.create(path, mode: 0o700)
                    let group = Host.groupID(named: Self.user) ?? 0
                    try File(path, .read).setOwner(Host.userID(named: Self.user) ?? 0, group: group)
                }
                try Directory.sync(files.etcdState)
            }
        }
        // What these say of the beginning counts for an empty directory alone.
        if isAdded || members != nil || !Directory.exists(files.etcd) || !files.hasEtcdData {
            try TextFile.write(
                settings(isAdded: isAdded, members: members), to: files.etcd, mode: 0o640)
        }
        try files.share(files.etcd)
    }

    /// Starts the unit. It is not waited for: a member is ready when most of them are there.
    func start() throws(CommandError) {
        guard Systemctl.isThere else { return }
        _ = try Systemctl.run(["enable", "--quiet", Self.name])
        _ = try Systemctl.run(["start", "--no-block", Self.name])
    }

    /// Notes that the member has begun, once it answered.
    func noteBegun() throws(CommandError) {
        guard try TextFile.read(files.etcdBegun) != "\(plan.token)\n" else { return }
        try TextFile.write("\(plan.token)\n", to: files.etcdBegun, mode: 0o644)
    }

    /// Ends Debian's own etcd, which its starts with nothing in it, unless its owner has
    /// given it settings. It has other ports and another directory, so nothing breaks where it
    /// runs; it only takes memory. Returns what was done, or nil.
    static func stopUnused() -> String? {
        let unit = "etcd.service"
        guard (try? Systemctl.run(["is-enabled", unit])) == "enabled",
            let text = try? TextFile.read("/etc/default/etcd"),
            !text.split(separator: "\n").contains(where: { !$0.hasPrefix("#") }),
            (try? Systemctl.run(["disable", "--now", "--quiet", unit])) != nil
        else { return nil }
        return "Disabled \(unit): Debian's etcd without settings; Bourse has a member of its own, "
            + "\(unit.replacing("etcd", with: "bourse-etcd"))"
    }
}

extension ClusterFiles {
    private static let installed = "/etc/bourse/cluster"

    /// The state directory of etcd's member here, which may be a volume of its own.
    var etcdState: String {
        directory == Self.installed ? "/var/lib/bourse-etcd" : Directory.join(directory, "etcd")
    }
    /// The member's data. The unit refuses to start without it, and only a join makes it: a member
    /// whose data was lost must not come back empty under its old name.
    var etcdData: String { Directory.join(etcdState, "data") }

    /// Whether the member's data is here.
    var hasEtcdData: Bool { Directory.exists(etcdData + "/member") }

    /// The token of the cluster that the data here belongs to; empty: there is no data.
    func etcdToken() throws(CommandError) -> String {
        guard hasEtcdData else { return "" }
        let mark = "ETCD_INITIAL_CLUSTER_TOKEN="
        let text = try TextFile.read(etcd) ?? ""
        return text.split(separator: "\n").first { $0.hasPrefix(mark) }
            .map { String($0.dropFirst(mark.count)) } ?? ""
    }

    /// Stops the member and keeps its data aside; returns where, or nil where there was none.
    func setEtcdAside() throws(CommandError) -> String? {
        if Systemctl.isThere { _ = try Systemctl.run(["stop", EtcdUnit.name]) }
        guard Directory.exists(etcdData) else { return nil }
        let kept = "\(etcdData).\(Clock.realtimeNanos())"
        try CommandError.wrapping { () throws(SystemError) in
            try Directory.rename(etcdData, to: kept)
            try Directory.sync(etcdState)
        }
        return kept
    }
}
