// undo

import ArgumentParser
import Checks
import JSON
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
        let result = try common.agent().post(
            "/v1/undo", ["id": .number(id), "operator": .string("\(try who.text())")])
        let text = "\(result["line"]?.text ?? ""): \(result["answer"]?.text ?? "")"
        common.out.give(result, text: [Table.printable(text)])
        if !result.isDone { throw ExitCode(CommandError.Code.failed.rawValue) }
    }
}
