// changes

import ArgumentParser
import Checks
import JSON
import Presentation

struct ChangesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "changes", abstract: "Lists the changes that the agent made on this host.",
        discussion: "JSON: [{\"id\", \"time\", \"line\", \"undo\", \"by\", \"undone\"}].")

    @OptionGroup var common: CommonOptions

    func run() throws {
        let json = try common.agent().get("/v1/changes")
        guard case .array(let changes) = json else {
            throw CommandError("the agent's answer is not understood")
        }
        var table = Table([
            .numbers("ID"), .words("WHEN"), .words("BY"), .words("CHANGE"), .words("UNDO"),
        ])
        for change in changes {
            let undo = change["undo"]?.text ?? "none"
            table.add([
                "\(change["id"]?.whole ?? 0)", Readable.time(change["time"]?.whole ?? 0, digits: 0),
                change["by"]?.text ?? "", change["line"]?.text ?? "",
                change["undone"] == .bool(true) ? "undone" : undo,
            ])
        }
        common.out.give(json, table: table, empty: "The agent has changed nothing.")
    }
}
