// What a host has that has no exchange, and which hosts to ask in its place.

import Configuration
import Platform

/// A host without matchd.
enum HostRole {
    /// A gateway alone, which follows these hosts.
    case gateway(hosts: [String])
    /// The witness, and the hosts with the exchange; none: this user may not read which.
    case witness(hosts: [String])

    /// The part of the host of these options; nil: the exchange, as far as is known.
    static func withoutExchange(_ common: CommonOptions) -> HostRole? {
        guard common.state == nil else { return nil }
        let file = (try? common.configurationFile()) ?? ClusterSetup.installed
        guard let settings = try? CommonOptions.settings(in: file) else { return witness(file) }
        let hosts = settings.gatewayd.hosts.map(\.name)
        return hosts.isEmpty ? nil : .gateway(hosts: hosts)
    }

    /// The witness, which has no bourse.toml, by its files or else by its units.
    private static func witness(_ file: String) -> HostRole? {
        guard !Directory.exists(file) else { return nil }
        let files = ClusterFiles(
            directory: Directory.join(Directory.parent(of: file) ?? "/", "cluster"))
        if let plan = try? files.readPlan() {
            let own = try? files.readHostName()
            return own == plan.witness.name
                ? .witness(hosts: [plan.founder.name, plan.peer.name]) : nil
        }
        guard file == ClusterSetup.installed, isInstalled(EtcdUnit.name),
            !isInstalled("bourse-matchd.service")
        else { return nil }
        return .witness(hosts: [])
    }

    /// Whether a package has brought this unit.
    static func isInstalled(_ unit: String) -> Bool {
        Directory.exists("/lib/systemd/system/\(unit)")
    }

    /// What a command for the exchange says here.
    var refusal: CommandError { refusal("has no exchange") }

    /// What a command for the agent says here.
    var agentRefusal: CommandError { refusal("has no agent", orElse: "install bourse-agent; or ") }

    private func refusal(_ lack: String, orElse way: String = "") -> CommandError {
        switch self {
        case .gateway(let hosts):
            let hosts = hosts.joined(separator: " and ")
            return CommandError(
                "this host \(lack): it has a gateway alone, which follows \(hosts)",
                repair: "\(way)give the command on \(hosts); the gateway here: systemctl status "
                    + "bourse-gatewayd", code: .usage)
        case .witness(let hosts):
            let hosts =
                hosts.isEmpty ? "a host with the exchange" : hosts.joined(separator: " and ")
            return CommandError(
                "this host \(lack): it is the witness, which has a member of etcd alone",
                repair: "give the command on \(hosts); the cluster from here: sudo boursectl "
                    + "cluster status", code: .usage)
        }
    }
}
