// Asking this host's agent.

import AgentAPI
import Configuration
import Presentation

/// The agent of this host, for commands.
struct HostAgent {
    private let client: AgentClient
    /// Why there is none, where none is installed.
    private let absence: CommandError?

    /// How long a reply may take, in nanoseconds: the helper may have much to do.
    private static let replyNanosMax: Int64 = 60_000_000_000
    /// And one about the cluster: the agent gives an order up after ten seconds.
    static let clusterNanosMax: Int64 = 15_000_000_000

    /// The agent at this socket.
    init(socket: String, nanosMax: Int64 = replyNanosMax, absence: CommandError? = nil) {
        self.absence = absence
        var client = AgentClient(socket: socket, timeoutNanos: nanosMax)
        // The observation of a large host is the longest reply.
        client.replyBytesMax = 64 << 20
        client.valuesMax = 1 << 20
        self.client = client
    }

    /// Its state.
    func state() throws(CommandError) -> HostView {
        HostView(try ask { (agent) throws(AgentError) in try agent.state() })
    }

    /// Asks it, and explains its failures to an operator.
    func ask<Reply>(
        _ question: (AgentClient) throws(AgentError) -> Reply
    ) throws(CommandError) -> Reply {
        do throws(AgentError) {
            return try question(client)
        } catch {
            if error.isAbsent, let absence { throw absence }
            throw error.isAbsent
                ? CommandError(
                    error.description, repair: "start it: systemctl start bourse-agentd",
                    code: .notRunning)
                : CommandError(
                    error.description,
                    repair: error.isSilent
                        ? "it hangs: sudo systemctl restart bourse-agentd; the exchange goes on "
                            + "meanwhile" : "")
        }
    }
}

/// The agent's state as boursectl shows it.
struct HostView {
    /// All of it.
    let state: AgentState
    /// Its checks, the worst first.
    let checks: [ReportedCheck]

    init(_ state: AgentState) {
        self.state = state
        checks = state.checks.sorted {
            ($1.state.severity, $0.kind, $0.name) < ($0.state.severity, $1.kind, $1.name)
        }
    }

    /// The host's name.
    var host: String { state.host }
    /// When the state was made, in nanoseconds since 1970.
    var time: Int64 { state.time }

    /// Checks of a name: a check's, a kind's, or the first part of either, as `disk` or
    /// `disk.space`. All where there is none.
    func checks(named name: String?) throws(CommandError) -> [ReportedCheck] {
        guard let name else { return checks }
        let found = checks.filter { check in
            check.name == name || check.name.hasPrefix(name + "/")
                || check.name.hasPrefix(name + ".")
        }
        guard !found.isEmpty else {
            throw CommandError(
                "there is no check \(name) on \(host)",
                repair: "see `boursectl check` for all of them", code: .usage)
        }
        return found
    }

    /// The one check of a name.
    func check(_ name: String) throws(CommandError) -> ReportedCheck {
        if let check = checks.first(where: { $0.name == name }) { return check }
        let some = try checks(named: name)
        guard some.count == 1 else {
            throw CommandError(
                "\(name) is \(some.count) checks",
                repair: "name one: " + some.prefix(8).map(\.name).joined(separator: ", "),
                code: .usage)
        }
        return some[0]
    }
}

extension Ink {
    /// A state in its colour.
    func state(_ state: CheckState) -> String {
        switch state {
        case .ok: good(state.name)
        case .warning: warning(state.name)
        case .critical: bad(state.name)
        case .unknown: faint(state.name)
        }
    }
}

extension CommonOptions {
    /// This host's agent.
    func agent() throws(CommandError) -> HostAgent {
        let socket = try settings().agent.socket
        let role =
            HostRole.isInstalled("bourse-agentd.service") ? nil : HostRole.withoutExchange(self)
        return HostAgent(socket: socket, absence: role?.agentRefusal)
    }
}
