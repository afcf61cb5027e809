// changes

import AgentAPI
import ArgumentParser
import JSON
import Presentation

struct ChangesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "changes", abstract: "Lists the changes that the agent made on this host.",
        discussion: "JSON: [{\"id\", \"time\", \"line\", \"undo\", \"by\", \"undone\"}].")

    @OptionGroup var common: CommonOptions

    func run() throws {
        let changes = try common.agent().ask { (agent) throws(AgentError) in
            try agent.changes()
        }
        var table = Table([
            .numbers("ID"), .words("WHEN"), .words("BY"), .words("CHANGE"), .words("UNDO"),
        ])
        for change in changes {
            table.add([
                "\(change.id)", Readable.time(change.time, digits: 0), change.by, change.line,
                change.isUndone ? "undone" : change.undo ?? "none",
            ])
        }
        common.out.give(
            .array(changes.map(\.json)), table: table, empty: "The agent has changed nothing.")
    }
}
