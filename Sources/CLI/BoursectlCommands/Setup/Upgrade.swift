// upgrade

import ArgumentParser
import Glibc
import JSON
import Platform
import Presentation

struct UpgradeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrade", abstract: "Takes the installed version into use, in order.",
        discussion: """
            Installing packages leaves the daemons running as they were. This rehearses the whole \
            journal with the installed version, beside the running exchange; restarts matchd, \
            which drains and leaves a snapshot; rehearses again, so that the new version has come \
            to the state the old one left; then restarts the auditor, the gateway and the agent. \
            Trading pauses for the restart of matchd alone. A difference ends it before anything \
            was stopped, with exit status 1.

            JSON: {"upgraded", "last", "stateHash"}; where nothing is to be done "upgraded" is \
            false.

            EXAMPLE
              sudo apt-get install ./bourse*.deb && sudo boursectl upgrade
            """)

    private static let matchd = "bourse-matchd.service"
    /// What follows matchd, where it is installed and runs.
    private static let followers = [
        "bourse-auditd.service", "bourse-gatewayd.service", "bourse-agentd.service",
        "bourse-snmp.service",
    ]

    @OptionGroup var common: CommonOptions
    @Flag(help: "Goes through the steps although the installed version runs already.")
    var force = false

    func run() throws {
        guard geteuid() == 0 else {
            throw CommandError("only root restarts daemons", repair: "sudo boursectl upgrade")
        }
        let settings = try common.settings()
        let process = try Systemctl.run(["show", "--property=MainPID", "--value", Self.matchd])
        guard let process = Int32(process), process > 0 else {
            throw CommandError(
                "matchd does not run, so there is nothing to take over",
                repair: "systemctl start bourse.target starts the installed version")
        }
        let exchange = Exchange(settings: settings)
        guard force || Self.isReplaced(process) else {
            common.out.give(
                ["upgraded": .bool(false), "last": .null, "stateHash": .null],
                text: ["What is installed runs already; nothing was done."])
            return
        }
        say("rehearsing the journal with the installed version")
        _ = try Rehearsal(settings: settings).run()
        say("restarting matchd")
        _ = try Systemctl.run(["restart", Self.matchd])
        _ = try exchange.status()
        say("comparing the state it came to")
        let report = try Rehearsal(settings: settings).run()
        for unit in Self.followers {
            let state = try Systemctl.run(["show", "--property=ActiveState", "--value", unit])
            guard state == "active" else { continue }
            say("restarting \(unit.prefix { $0 != "." })")
            _ = try Systemctl.run(["restart", unit])
        }
        common.out.give(
            [
                "upgraded": .bool(true), "last": .number(report.last),
                "stateHash": .string(Readable.hex(report.stateHash)),
            ],
            text: ["The installed version runs, in the state the old one left."])
    }

    private func say(_ step: String) { Terminal.warn("boursectl: \(step)") }

    /// Whether the program that runs is not the one on disk any more: proc_pid_exe(5).
    private static func isReplaced(_ process: Int32) -> Bool {
        var text = [CChar](repeating: 0, count: 4_096)
        let count = unsafe readlink("/proc/\(process)/exe", &text, text.count)
        guard count > 0 else { return true }
        let path = String(
            decoding: text.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
        return path.hasSuffix(" (deleted)")
    }
}

/// systemctl(1).
enum Systemctl {
    /// Runs it and gives its output without the newline at the end. A restart may take minutes:
    /// matchd drains and writes a snapshot.
    static func run(_ arguments: [String]) throws(CommandError) -> String {
        let done: Program.Result
        do throws(SystemError) {
            done = try Program.run("/usr/bin/systemctl", arguments, secondsMax: 600)
        } catch {
            throw CommandError(error)
        }
        guard done.status == 0 else {
            throw CommandError(
                "systemctl \(arguments.joined(separator: " ")) failed: "
                    + (done.errors.split(separator: "\n").first.map(String.init) ?? ""),
                repair: "journalctl -u bourse-matchd -n 50 says why")
        }
        return String(done.output.prefix { $0 != "\n" })
    }
}
