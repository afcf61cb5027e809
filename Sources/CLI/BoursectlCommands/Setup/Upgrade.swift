// upgrade

import ArgumentParser
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
            the upgrade with exit status 1 before anything is stopped.

            JSON: {"upgraded", "last", "stateHash"}; "upgraded" is false where there is nothing to \
            do.

            EXAMPLE
              sudo apt-get install ./bourse*.deb && sudo boursectl upgrade
            """)

    private static let matchd = "bourse-matchd.service"

    @OptionGroup var common: CommonOptions
    @Flag(help: "Upgrades even where the installed version is running already.")
    var force = false

    func run() throws {
        guard geteuid() == 0 else {
            throw CommandError("only root restarts daemons", repair: "sudo boursectl upgrade")
        }
        let settings = try common.settings()
        let process = try Systemctl.run(["show", "--property=MainPID", "--value", Self.matchd])
        guard let process = Int32(process), process > 0 else {
            throw CommandError(
                "matchd is not running, so there is nothing to upgrade",
                repair: "systemctl start bourse.target starts the installed version")
        }
        let exchange = Exchange(settings: settings)
        guard force || Self.isReplaced(process) else {
            common.out.give(
                ["upgraded": .bool(false), "last": .null, "stateHash": .null],
                text: ["The installed version is running already; nothing was done."])
            return
        }
        announce("rehearsing the journal with the installed version")
        _ = try Rehearsal(settings: settings).run()
        announce("restarting matchd")
        _ = try Systemctl.run(["restart", Self.matchd])
        _ = try exchange.status()
        announce("comparing the state it reached")
        let report = try Rehearsal(settings: settings).run()
        for unit in UpgradedUnits.all {
            let state = try Systemctl.run(["show", "--property=ActiveState", "--value", unit])
            let isStarted = UpgradedUnits.isStarted(unit, state) {
                try? Systemctl.run(["is-enabled", unit])
            }
            guard isStarted else { continue }
            announce("restarting \(unit.prefix { $0 != "." })")
            _ = try Systemctl.run(["restart", unit])
        }
        common.out.give(
            [
                "upgraded": .bool(true), "last": .number(report.last),
                "stateHash": .string(Readable.hex(report.stateHash)),
            ], text: ["The installed version is running, in the state the old one left."])
    }

    private func announce(_ step: String) { Terminal.warn("boursectl: \(step)") }

    /// Whether the running program is no longer the one on disk: proc_pid_exe(5).
    private static func isReplaced(_ process: Int32) -> Bool {
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
        "bourse-auditd.service", "bourse-gatewayd.service", "bourse-agentd.service",
        "bourse-poller.service", "bourse-snmp.service",
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
                repair: "see journalctl -u bourse-matchd -n 50")
        }
        return String(done.output.prefix { $0 != "\n" })
    }
}

/// Where the programs are that boursectl runs.
enum SystemProgram {
    /// The path of a program: in the directory that BOURSE_PROGRAMS names, if it is there, as on a
    /// host without the packages; else in /usr/bin.
    static func path(_ name: String) -> String {
        let own = Terminal.environment("BOURSE_PROGRAMS").map { Directory.join($0, name) }
        return own.flatMap { Directory.exists($0) ? $0 : nil } ?? "/usr/bin/\(name)"
    }
}
