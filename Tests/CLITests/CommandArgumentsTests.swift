// Goal: the options that all commands share may precede the command's name, the requested form of
// the result is known before the parser runs, and a negative amount is recognized as one.

import BoursectlCommands
import Testing

@Suite struct CommandArgumentsTests {
    @Test(
        arguments: [
            (["status"], ["status"]),
            (["--state", "s", "status"], ["status", "--state", "s"]),
            (
                ["--state=s", "--output", "json", "check", "disk"],
                ["check", "disk", "--state=s", "--output", "json"]
            ),
            (
                ["--state", "s", "debit", "a", "--", "-1"],
                ["debit", "a", "--state", "s", "--", "-1"]
            ),
            (["--state", "s", "help", "check"], ["help", "check"]),
            (["--state", "s"], ["--state", "s"]),
            (["--state"], ["--state"]),
            (["--reason", "r", "halt"], ["--reason", "r", "halt"]),
            ([], []),
        ] as [([String], [String])])
    func `moves shared options behind the command`(typed: [String], parsed: [String]) {
        #expect(CommandArguments(typed).parsed == parsed)
    }

    @Test func `finds the form of the result at any place`() {
        #expect(CommandArguments(["--output", "yaml", "status"]).output == "yaml")
        #expect(CommandArguments(["status", "--output=nagios"]).output == "nagios")
        #expect(CommandArguments(["--output", "json", "x", "--output", "text"]).output == "text")
        #expect(CommandArguments(["x", "--", "--output=yaml"]).output == nil)
        #expect(CommandArguments(["status", "--output"]).output == nil)
    }

    @Test func `finds a negative amount and no negative value of an option`() {
        func amount(_ text: String) -> String? {
            CommandArguments(text.split(separator: " ").map(String.init)).negativeAmount
        }
        #expect(amount("credit alice USD -1_000.5") == "-1_000.5")
        #expect(amount("--state s debit alice USD -.5 --reason r") == "-.5")
        #expect(amount("credit alice USD 1 --reason -5") == nil)
        #expect(amount("credit alice USD 1 --reason=x -y") == nil)
        #expect(amount("key add -1") == nil)
    }
}
