// watch

import ArgumentParser
import Checks
import JSON
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
                out.give(view.json, text: lines(view, before))
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
            "\(ink.heading(view.host))  \(ink.state(worst))  \(time)",
            exchange(view, before), "",
        ]
        var units = Table([
            .words("UNIT"), .words("STATE"), .numbers("PID"), .numbers("RESTARTS"),
            .numbers("MEMORY"), .words("STATUS"),
        ])
        for unit in view.rows("units") {
            units.add([
                unit["name"]?.text ?? "",
                "\(unit["active"]?.text ?? "") (\(unit["sub"]?.text ?? ""))",
                "\(unit["pid"]?.whole ?? 0)", "\(unit["restarts"]?.whole ?? 0)",
                unit["memoryBytes"]?.whole.map { Readable.bytes($0) } ?? "-",
                unit["status"]?.text ?? "",
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
        let now = view.json["exchange"]
        func number(_ name: String, _ of: JSONValue?) -> Int64 { of?[name]?.whole ?? 0 }
        guard now?["running"] == .bool(true) else {
            return common.out.ink.bad("matchd does not answer")
        }
        var rate = "-"
        if let before, before.json["exchange"]?["running"] == .bool(true), view.time > before.time {
            let grown = number("commands", now) - number("commands", before.json["exchange"])
            rate = Readable.rate(max(0, grown), nanos: view.time - before.time)
        }
        return "\(now?["role"]?.text ?? "")  epoch \(number("epoch", now))  "
            + "\(Readable.count(number("released", now))) records  \(rate)  "
            + "fsync p99 \(Readable.duration(nanos: number("syncP99Nanos", now)))  "
            + "\(number("connections", now)) connections"
    }
}

extension HostView {
    /// The rows of a table of the state.
    fileprivate func rows(_ name: String) -> [JSONValue] {
        if case .array(let rows) = json[name] { rows } else { [] }
    }
}
