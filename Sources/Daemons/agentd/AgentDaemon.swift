// From a configuration to a running agent, and back.

import Agent
import AgentAPI
import Checks
import Configuration
import DaemonKit
import HelperAPI
import JSON
import Logging
import Platform

/// The agent of one host.
struct AgentDaemon {
    let log: Logger
    let agent: Agent
    private let cluster: ClusterAgent?

    /// Begins to watch and to serve.
    init(_ settings: Settings, _ log: Logger) throws {
        self.log = log
        var server = AgentServerOptions(socket: settings.agent.socket, loopback: nil)
        server.loopback = settings.agent.listen.map { ($0.host, Int($0.port)) }
        server.health = settings.agent.health.map { ($0.host, Int($0.port)) }
        let cluster = try settings.cluster.map { try ClusterAgent($0, settings, log) }
        self.cluster = cluster
        agent = try Agent(
            Self.options(settings),
            places: AgentPlaces(state: settings.agent.state, helper: settings.agent.helper),
            policy: ChangePolicy(
                allowed: Set(settings.agent.allow), isAutomatic: settings.agent.isAutomatic),
            server: server, cluster: cluster
        ) { changed in
            [try Self.exchange(settings, changed: changed)]
                + (try cluster.map { [try $0.sampler()] } ?? [])
        }
        for (file, damaged) in [
            ("events", agent.core.alarmLog.damaged), ("changes", agent.core.executor.damaged),
        ] where damaged > 0 {
            log.warning(
                "\(settings.agent.state)/\(file): \(damaged) damaged lines were skipped")
        }
        let loopback = agent.port > 0 ? " and 127.0.0.1 port \(agent.port)" : ""
        log.notice("serving at \(settings.agent.socket)\(loopback)")
    }

    /// Serves until a signal; reports its state to the service manager.
    func serve(_ daemon: DaemonProcess) {
        ServiceManager.ready()
        var rounds: UInt64 = 0
        var summary = ""
        var faults: [String: String] = [:]
        daemon.watch {
            // Rounds that go on are the sign of life; a round is bounded, whatever hangs.
            let now = agent.core.rounds
            if now != rounds { ServiceManager.watchdog() }
            rounds = now
            if agent.core.summary != summary {
                summary = agent.core.summary
                ServiceManager.status(summary)
            }
            for (name, fault) in [
                ("events", agent.core.alarmLog.fault), ("changes", agent.core.executor.fault),
            ] {
                let text = fault.map { "\($0)" }
                if text != faults[name] {
                    log.report(
                        text == nil ? .notice : .error,
                        text.map { "\(name): \($0)" } ?? "\(name) are written again")
                }
                faults[name] = text
            }
            return true
        }
        ServiceManager.stopping()
        cluster?.stop()
        agent.stop()
        log.notice("stopped")
    }

    /// The counters of matchd.
    private static func exchange(
        _ settings: Settings, changed: @escaping @Sendable () -> Void = {}
    ) throws(SystemError) -> Sampler {
        let source = ExchangeSource(socket: settings.matchd.socket)
        return try Sampler(
            [ExchangeReading.path], thread: "exchange", periodNanos: 1_000_000_000,
            freshNanos: 5_000_000_000, changed: changed
        ) { source.texts() }
    }

    /// What the owner declared, for the checks.
    static func options(_ settings: Settings) -> AgentOptions {
        AgentOptions(version: Release.version, plan: HostPlan(settings))
    }

    /// What is wrong with settings that only the checks know of.
    static func problems(_ settings: Settings) -> [(key: String, text: String)] {
        let kinds = Set(CheckCatalog.kinds.map(\.name))
        var problems: [(key: String, text: String)] = []
        for threshold in settings.agent.thresholds where !kinds.contains(threshold.kind) {
            problems.append(("agent.thresholds", "there is no kind of check \(threshold.kind)"))
        }
        for kind in settings.agent.off where !kinds.contains(kind) {
            problems.append(("agent.off", "there is no kind of check \(kind)"))
        }
        for verb in settings.agent.allow where !HelperRequest.verbs.contains(verb) {
            problems.append(
                (
                    "agent.allow",
                    "the helper has no verb \(verb): it has "
                        + HelperRequest.verbs.joined(separator: ", ")
                ))
        }
        return problems
    }

    /// Makes the checks of this host, or of a recorded tree, and prints them.
    static func once(_ settings: Settings, root: String) throws {
        var options = options(settings)
        let state: AgentState
        // Who leads, the agent that runs decides: one that is asked once knows nothing of it.
        if root.isEmpty || !Directory.exists(Directory.join(root, ClusterReading.path)) {
            options.plan.off.formUnion(CheckCatalog.ofRunningAgent)
        }
        if root.isEmpty {
            let probes = try HostReader.probes(options.plan) + [exchange(settings)]
            state = options.runChecksOnce(rounds: 2, reader: HostReader(probes: probes))
        } else {
            // In a tree that stands still nothing grows: a second round would find no rates.
            state = options.runChecksOnce(rounds: 1, reader: HostReader(root: root))
        }
        print(state.json.pretty)
    }
}
