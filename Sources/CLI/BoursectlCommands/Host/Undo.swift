// undo

import AgentAPI
import ArgumentParser
import Presentation

struct UndoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undo", abstract: "Undoes a change that the agent made.",
        discussion: "JSON: {\"line\", \"ok\", \"answer\", \"undo\"}.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var who: OperatorOption

    @Argument(help: "The change's number, as `boursectl changes` shows it.")
    var id: Int64

    func run() throws {
        let request = UndoRequest(id: id, by: "\(try who.text())")
        let result = try common.agent().ask { (agent) throws(AgentError) in try agent.undo(request)
        }
        common.out.give(result.json, text: [Table.printable("\(result.line): \(result.answer)")])
        if !result.isDone { throw ExitCode(CommandError.Code.failed.rawValue) }
    }
}
