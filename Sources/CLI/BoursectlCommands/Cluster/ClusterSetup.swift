// What a host of a cluster needs in its files, whichever verb it comes by.

import Configuration
import Glibc
import JSON
import Journal
import Platform
import Presentation
import Secrets
import Terms

/// A host that takes its part in a cluster.
struct ClusterSetup {
    /// The configuration file.
    let configuration: String
    /// The files of the cluster.
    let files: ClusterFiles

    static let installed = "/etc/bourse/bourse.toml"

    /// The host of these options: an installed one.
    init(_ common: CommonOptions, verb: String) throws(CommandError) {
        guard geteuid() == 0 else {
            throw CommandError(
                "only root may do this: it needs the keys of this host",
                repair: "sudo boursectl cluster \(verb) …",
                code: .usage)
        }
        configuration = common.config ?? Self.installed
        guard common.state == nil else {
            throw CommandError(
                "a cluster is of installed hosts, not of an exchange that is run by hand",
                repair: "leave --state out", code: .usage)
        }
        files = ClusterFiles(
            directory: Directory.join(Directory.parent(of: configuration) ?? "/", "cluster"))
    }

    // MARK: The plan

    /// The plan that is kept here; nil: none.
    func plan() throws(CommandError) -> ClusterPlan? { try files.readPlan() }

    /// Keeps the plan.
    func keep(_ plan: ClusterPlan) throws(CommandError) {
        try TextFile.write(plan.json.pretty + "\n", to: files.plan, mode: 0o644)
    }

    /// Keeps the journal's first record, apart from the journal's volume.
    func keep(firstRecord record: [UInt8]) throws(CommandError) {
        _ = try CommandError.wrapping { () throws(SystemError) in
            try File.replace(files.firstRecord, with: record)
        }
    }

    // MARK: bourse.toml

    /// Throws where bourse.toml has a `[cluster]` that is not this one.
    func checkConfiguration(_ plan: ClusterPlan, host: String) throws(CommandError) {
        guard let text = try TextFile.read(configuration) else { return }
        let settings = try CommonOptions.settings(in: configuration)
        guard let found = settings.cluster else { return }
        let wanted = try Self.parsed(
            ClusterSection.set(in: text, plan, host: host, directory: files.directory),
            configuration)
        var expected = wanted.cluster
        // A cluster of an earlier version has none yet.
        if found.link.host.isEmpty { expected?.link = found.link }
        guard found == expected else {
            throw CommandError(
                "\(configuration) has a [cluster] with other values: \(found.host) with "
                    + "\(found.peer) at \(found.peerReplication)",
                repair: "give the values it has; or remove its [cluster] where that cluster is "
                    + "given up", code: .configuration)
        }
    }

    /// Writes `[cluster]` into bourse.toml.
    func writeConfiguration(_ plan: ClusterPlan, host: String) throws(CommandError) {
        guard let before = try TextFile.read(configuration) else { return }
        let text = ClusterSection.set(in: before, plan, host: host, directory: files.directory)
        guard text != before else { return }
        _ = try Self.parsed(text, configuration)
        try allowHosts(plan)
        try TextFile.write(text, to: configuration, mode: 0o644)
    }

    /// Lets the agent's unit, which otherwise speaks with this host alone, reach the cluster's.
    private func allowHosts(_ plan: ClusterPlan) throws(CommandError) {
        let directory = "/etc/systemd/system/bourse-agentd.service.d"
        let isInstalled = configuration == Self.installed
        guard isInstalled, Directory.exists("/run/systemd/system") else { return }
        try CommandError.wrapping { () throws(JournalError) in
            do throws(SystemError) {
                if !Directory.exists(directory) { try Directory.create(directory) }
            } catch { throw .system(error) }
        }
        try TextFile.write(
            "# By boursectl cluster: the hosts that etcd runs on.\n[Service]\nIPAddressAllow="
                + plan.members.map(\.address).joined(separator: " ") + "\n",
            to: "\(directory)/cluster.conf", mode: 0o644)
        _ = try Systemctl.run(["daemon-reload"])
    }

    static func parsed(_ text: String, _ file: String) throws(CommandError) -> Settings {
        do throws(SettingsError) { return try Settings.parse(Array(text.utf8), file: file) } catch {
            throw CommandError("\(error)", code: .configuration)
        }
    }

    // MARK: The journal

    /// The identity of the journal here; nil: there is none.
    func journalIdentity() throws(CommandError) -> JournalIdentity? {
        let kept = try TextFile.read(identityFile)
        if let kept, let identity = JournalIdentity(String(kept.prefix { $0 != "\n" })) {
            return identity
        }
        guard Directory.exists(configuration) else { return nil }
        return try replica()?.identity
    }

    /// The journal's replica file here; nil: there is none.
    func replica() throws(CommandError) -> ReplicaFile? {
        let place = JournalPlace(try CommonOptions.settings(in: configuration))
        return try CommandError.wrapping { () throws(JournalError) in
            try ReplicaFile(place.replicaFile)
        }
    }

    var identityFile: String {
        Directory.join(Directory.parent(of: configuration) ?? "/", "journal.id")
    }

    /// Begins this host's journal as a copy of the first host's; the rest comes by replication.
    func beginStandby(_ record: [UInt8]) throws(CommandError) {
        let settings = try CommonOptions.settings(in: configuration)
        try Self.beginCopy(settings, record)
    }

    /// Begins a journal with another's first record, as matchd's user on an installed host.
    static func beginCopy(_ settings: Settings, _ record: [UInt8]) throws(CommandError) {
        var setup = ExchangeSetup(replacesSealKey: false, replacesJournal: false)
        guard settings.file == installed else {
            return try setup.beginJournal(settings, copying: record)
        }
        guard try setup.beginInstalledJournal(settings, copying: record) else {
            throw CommandError(
                "the user \(ExchangeSetup.journalUser) does not exist",
                repair: "install bourse-matchd, then repeat the same command")
        }
    }
}

/// `[cluster]` of bourse.toml.
package enum ClusterSection {
    /// `text` with `[cluster]` as this host has it. What its owner wrote stays.
    package static func set(
        in text: String, _ plan: ClusterPlan, host: String, directory: String
    ) -> String {
        guard let own = plan.member(host), let peer = plan.peer(of: host) else { return text }
        let others = plan.members.filter { $0 != own }
        var values = [
            ("host", host), ("peer", peer.name), ("directory", directory),
            ("etcd", ([own] + others).map(plan.clientURL).joined(separator: " ")),
            ("replication", ClusterPlan.place(own, plan.ports.replication)),
            ("peer_replication", ClusterPlan.place(peer, plan.ports.replication)),
            ("agent", ClusterPlan.place(own, plan.ports.agent)),
            ("peer_agent", ClusterPlan.place(peer, plan.ports.agent)),
            ("link", ClusterPlan.place(own, plan.ports.link)),
        ]
        if !plan.serviceAddress.isEmpty {
            values.append(("service_address", plan.serviceAddress))
            values.append(("service_interface", plan.serviceInterface))
        }
        // A new key stands first in its section.
        return values.reversed().reduce(text) {
            TOMLEdit.set("cluster.\($1.0)", to: "\"\($1.1)\"", in: $0)
        }
    }
}
