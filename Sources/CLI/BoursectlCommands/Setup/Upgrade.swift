// upgrade

import AgentAPI
import ArgumentParser
import Configuration
import Glibc
import JSON
import Platform
import Presentation

struct UpgradeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrade", abstract: "Puts the installed version into service, step by step.",
        discussion: """
            Installing packages leaves the old daemons running. This command rehearses the whole \
            journal with the installed version, beside the running exchange; restarts matchd, \
            which drains and leaves a snapshot; rehearses again, to verify that the new version \
            has reached the state the old one left; then restarts the auditor, the gateway, the \
            agent and bourse-snmp. Trading pauses only while matchd restarts. A difference ends \
            the upgrade with exit status 1 before anything is stopped. One that was interrupted \
            goes on when it is given again.

            Of two hosts the standby comes first, then `boursectl switchover`, then the other: \
            give it on each host after its packages are installed; it names the next step, and is \
            refused on a host whose turn it is not. Until both run the new version, its new rules \
            are not in force and the hosts can go back; from then on the older version reads the \
            log no more.

            JSON: {"upgraded", "last", "stateHash", "next"}; "upgraded" is false where there is \
            nothing to do; "next" is what is to be done then, null on a single host.

            EXAMPLE
              sudo apt-get install ./bourse*.deb && sudo boursectl upgrade
            """)

    private static let matchd = "bourse-matchd.service"
    /// How long a matchd that was restarted may take until both hosts are in sync.
    private static let syncNanosMax: Int64 = 600_000_000_000
    /// After how much of that an operator is told what else it may wait for.
    private static let hintNanos: Int64 = 30_000_000_000
    /// How long two agents, of which one may have just been restarted, may take until this one
    /// knows what the other host runs; after that it counts as not known.
    private static let peerNanosMax: Int64 = 15_000_000_000

    @OptionGroup var common: CommonOptions
    @Flag(
        help: """
            Upgrades even where the installed version is running already, or it is not this host's \
            turn.
            """)
    var force = false

    func run() throws {
        guard geteuid() == 0 else {
            throw CommandError("only root restarts daemons", repair: "sudo boursectl upgrade")
        }
        let settings = try common.settings()
        if settings.gatewayFiles != nil { return try upgradeGateway() }
        guard try Self.process(Self.matchd) != nil else {
            throw CommandError(
                "matchd is not running, so there is nothing to upgrade",
                repair: "systemctl start bourse.target starts the installed version")
        }
        if let problem = settings.gatewayProblems.first {
            throw CommandError(
                "\(settings.file): \(problem.key): \(problem.text)",
                repair: "the installed gateway would not start; then run this again",
                code: .configuration)
        }
        let isMatchdOld = try force || Self.isReplaced(Self.matchd)
        let old = try UpgradedUnits.all.filter { try isMatchdOld || Self.isReplaced($0) }
        let order = settings.cluster.map { _ in
            ClusterOrder(
                settings: settings, agent: HostAgent(socket: settings.agent.socket), user: "root",
                waitNanos: Self.syncNanosMax)
        }
        // Without an agent there is nothing to wait for.
        _ = try order?.document()
        let before = try order.map { try Self.document($0) }
        if let before {
            // What an interrupted upgrade left is restarted on either host.
            switch PairUpgrade(before, isOld: isMatchdOld).step {
            case .here: break
            case .nothing(let next):
                guard !old.isEmpty else { return give(nil, next: next ?? "", isUpgraded: false) }
            case .refused(let problem, let repair):
                guard force else { throw CommandError(problem, repair: repair) }
            }
        } else if old.isEmpty {
            return give(nil, next: nil, isUpgraded: false)
        }
        let report = isMatchdOld ? try restartMatchd(settings, order, before) : nil
        try restart(old)
        var next: String?
        if let order {
            let now = PairUpgrade(try Self.document(order), isOld: false)
            if case .nothing(let words) = now.step { next = words ?? "" }
        }
        give(report, next: next, isUpgraded: true)
    }

    /// Restarts what is old on a host that has a gateway alone.
    private func upgradeGateway() throws {
        let old = try UpgradedUnits.all.filter { try force || Self.isReplaced($0) }
        try restart(old)
        give(nil, next: nil, isUpgraded: !old.isEmpty)
    }

    /// Rehearses, restarts matchd, and compares the state that it reached.
    private func restartMatchd(
        _ settings: Settings, _ order: ClusterOrder?, _ before: ClusterDocument?
    ) throws -> Rehearsal.Report {
        announce("rehearsing the journal with the installed version")
        _ = try Rehearsal(settings: settings).run()
        announce("restarting matchd")
        _ = try Systemctl.run(["restart", Self.matchd])
        if let order, let before {
            var hintTime: Int64? = Clock.monotonicNanos() + Self.hintNanos
            try order.await("Waiting until both hosts are in sync") { now -> Void? in
                if let time = hintTime, Clock.monotonicNanos() >= time {
                    hintTime = nil
                    announce(
                        "this takes long. After three removals in ten minutes the host that leads "
                            + "keeps this one out until `sudo boursectl standby add` is given "
                            + "there: see `boursectl cluster status`")
                }
                guard let process = now.process, process != before.process,
                    ["standby", "primary"].contains(now.role) || !before.isPairInSync,
                    now.isPairInSync || !before.isPairInSync
                else { return nil }
                return ()
            }
        } else {
            _ = try Exchange(settings: settings).status()
        }
        announce("comparing the state it reached")
        return try Rehearsal(settings: settings).run()
    }

    /// The agent's document, once it says what the other host runs or that does not come.
    private static func document(_ order: ClusterOrder) throws -> ClusterDocument {
        // The agent may not answer at first: its own start is not of that time.
        var first: Int64?
        return try order.await("Asking both agents") { now in
            let time = Clock.monotonicNanos()
            let begin = first ?? time
            first = begin
            let isKnown = PairUpgrade(now, isOld: false).peerRuns != nil
            return isKnown || time - begin > peerNanosMax ? now : nil
        }
    }

    /// Restarts those of these units that are started.
    private func restart(_ units: [String]) throws {
        for unit in units {
            let state = try Systemctl.run(["show", "--property=ActiveState", "--value", unit])
            let isStarted = UpgradedUnits.isStarted(unit, state) {
                try? Systemctl.run(["is-enabled", unit])
            }
            guard isStarted else { continue }
            announce("restarting \(unit.prefix { $0 != "." })")
            _ = try Systemctl.run(["restart", unit])
        }
    }

    /// `next` is empty where both hosts run this version, nil on a single host.
    private func give(_ report: Rehearsal.Report?, next: String?, isUpgraded: Bool) {
        var text = [
            isUpgraded
                ? report == nil
                    ? "The installed version is running: what an upgrade had left was restarted."
                    : "The installed version is running, in the state the old one left."
                : "The installed version is running already; nothing was done."
        ]
        switch next {
        case nil: break
        case "": text.append("Both hosts run \(Release.version).")
        case .some(let next): text.append("Next: \(next)")
        }
        common.out.give(
            [
                "upgraded": .bool(isUpgraded), "last": .orNull(report.map { Int64($0.last) }),
                "stateHash": .orNull(report.map { Readable.hex($0.stateHash) }),
                "next": next == "" ? .null : .orNull(next),
            ], text: text)
    }

    private func announce(_ step: String) { Terminal.warn("boursectl: \(step)") }

    /// The main process of a unit; nil: it has none.
    private static func process(_ unit: String) throws -> Int32? {
        let text = try Systemctl.run(["show", "--property=MainPID", "--value", unit])
        return Int32(text).flatMap { $0 > 0 ? $0 : nil }
    }

    /// Whether a unit's running program is no longer the one on disk: proc_pid_exe(5).
    private static func isReplaced(_ unit: String) throws -> Bool {
        guard let process = try process(unit) else { return false }
        var text = [CChar](repeating: 0, count: 4_096)
        let count = unsafe readlink("/proc/\(process)/exe", &text, text.count)
        guard count > 0 else { return true }
        let path = String(decoding: text.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
        return path.hasSuffix(" (deleted)")
    }
}

/// The units that start anew after matchd.
package enum UpgradedUnits {
    /// In this order.
    package static let all = [
        "bourse-auditd.service", "bourse-gatewayd.service", "bourse-signerd.service",
        "bourse-walletd.service", "bourse-agentd.service", "bourse-poller.service",
        "bourse-snmp.service",
    ]

    /// Whether a unit in this state of systemd's starts: one that runs, or that an upgrade brought,
    /// to be started (`enablement`, as systemctl(1) is-enabled prints it), and that never was.
    package static func isStarted(
        _ unit: String, _ state: String, enablement: () -> String?
    ) -> Bool {
        state == "active"
            || unit == "bourse-poller.service" && state == "inactive" && enablement() == "enabled"
    }
}

/// systemctl(1).
enum Systemctl {
    /// Whether there are units to start and stop.
    static var isThere: Bool {
        Directory.exists("/run/systemd/system") || SystemProgram.isReplaced("systemctl")
    }

    /// Runs it and returns its output without the final newline. A restart may take minutes:
    /// matchd drains and writes a snapshot.
    static func run(_ arguments: [String]) throws(CommandError) -> String {
        let done = try CommandError.wrapping { () throws(SystemError) in
            try Program.run(SystemProgram.path("systemctl"), arguments, secondsMax: 600)
        }
        guard done.status == 0 else {
            throw CommandError(
                "systemctl \(arguments.joined(separator: " ")) failed: "
                    + (done.errors.split(separator: "\n").first.map(String.init) ?? ""),
                repair: arguments.count > 1
                    ? "see journalctl -u \(arguments[arguments.count - 1]) -n 50" : "")
        }
        return String(done.output.prefix { $0 != "\n" })
    }
}

/// Where the programs are that boursectl runs.
enum SystemProgram {
    /// The path of a program: in the directory that BOURSE_PROGRAMS names, if it is there, as on a
    /// host without the packages; else in /usr/bin.
    static func path(_ name: String) -> String { replacement(name) ?? "/usr/bin/\(name)" }

    /// Whether that directory has it.
    static func isReplaced(_ name: String) -> Bool { replacement(name) != nil }

    private static func replacement(_ name: String) -> String? {
        let path = Terminal.environment("BOURSE_PROGRAMS").map { Directory.join($0, name) }
        return path.flatMap { Directory.exists($0) ? $0 : nil }
    }
}
