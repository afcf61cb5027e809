// watch

import AgentAPI
import ArgumentParser
import Platform
import Presentation

struct WatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Shows this host and its exchange, live, until Ctrl-C.",
        discussion: """
            On a terminal it redraws the screen every second; elsewhere it appends one state after \
            another. With --output json each state is one line.
            """)

    @OptionGroup var common: CommonOptions

    @Option(name: .shortAndLong, help: "Seconds between updates.")
    var seconds = 1

    func validate() throws {
        guard 1...3_600 ~= seconds else { throw ValidationError("Give 1 … 3600 seconds.") }
    }

    func run() throws {
        let agent = try common.agent()
        let screen = Screen()
        let out = common.out(on: screen)
        var before: HostView?
        while true {
            do throws(CommandError) {
                let view = try agent.state()
                out.give(view.state.json, text: lines(view, before))
                before = view
            } catch {
                guard error.code == .notRunning, common.output == .text else { throw error }
                screen.draw(["\(common.out.ink.bad("the agent does not answer"))  \(error.problem)"]
                )
                before = nil
            }
            Clock.sleep(nanos: Int64(seconds) * 1_000_000_000)
        }
    }

    private func lines(_ view: HostView, _ before: HostView?) -> [String] {
        let ink = common.out.ink
        let worst = view.checks.first?.state ?? .unknown
        let time = Readable.time(view.time, digits: 0)
        var lines = [
            "\(ink.heading(view.host))  \(ink.state(worst))  \(time)", exchange(view, before), "",
        ]
        var units = Table([
            .words("UNIT"), .words("STATE"), .numbers("PID"), .numbers("RESTARTS"),
            .numbers("MEMORY"), .words("STATUS"),
        ])
        for unit in view.state.tables.units {
            units.add([
                unit.name, "\(unit.active) (\(unit.sub))", "\(unit.pid)", "\(unit.restarts)",
                unit.memoryBytes.map { Readable.bytes($0) } ?? "-", unit.status,
            ])
        }
        lines += units.lines(ink) + [""]
        var checks = Table([
            .words("STATE"), .words("CHECK"), .numbers("VALUE"), .words("SINCE"), .words("FINDING"),
        ])
        for check in view.checks where check.state != .ok {
            checks.add(check.cells(now: view.time))
        }
        let good = view.checks.count { $0.state == .ok }
        return lines + (checks.rows.isEmpty ? [] : checks.lines(ink))
            + [ink.faint("\(good) checks are ok")]
    }

    private func exchange(_ view: HostView, _ before: HostView?) -> String {
        guard let now = view.state.tables.exchange else {
            return common.out.ink.bad("matchd does not answer")
        }
        var rate = "-"
        if let before, let then = before.state.tables.exchange, view.time > before.time {
            let grown = (now["commands"] ?? 0) - (then["commands"] ?? 0)
            rate = Readable.rate(max(0, grown), nanos: view.time - before.time)
        }
        return "\(now.role.name)  epoch \(now.epoch)  "
            + "\(Readable.count(now["released"] ?? 0)) records  \(rate)  "
            + "fsync p99 \(Readable.duration(nanos: now["syncP99Nanos"] ?? 0))  "
            + "\(now["connections"] ?? 0) connections"
    }
}
