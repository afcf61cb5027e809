// What `init` asks on a terminal.

import Configuration
import Glibc
import Platform
import Presentation

/// What an owner is asked when a host is set up.
struct SetupAnswers {
    /// Where the gateway listens.
    var listen: String?
    /// The engine's CPU.
    var cpu: Int?

    /// With what flags left open, asked on the terminal; without one the defaults stand.
    func asked() throws(CommandError) -> SetupAnswers {
        guard Terminal.isTerminal(STDIN_FILENO) else { return self }
        var all = self
        if listen == nil {
            all.listen = try Self.ask("Where shall clients reach the gateway", "127.0.0.1:8080") {
                ListenAddress($0) == nil ? "give HOST:PORT, as 0.0.0.0:8080" : nil
            }
        }
        if cpu == nil {
            let last = Host.processorCount - 1
            let answer = try Self.ask(
                "Which CPU shall the engine have for itself (0-\(last), -1: none)", "-1"
            ) {
                Int($0).map { -1...last ~= $0 } == true ? nil : "give a number from -1 to \(last)"
            }
            all.cpu = Int(answer)
        }
        return all
    }

    private static func ask(
        _ question: String, _ initial: String, _ problem: (String) -> String?
    ) throws(CommandError) -> String {
        while true {
            Terminal.write("\(question) [\(initial)]? ", to: STDERR_FILENO)
            guard let line = readLine() else {
                throw CommandError("nothing was set up", code: .usage)
            }
            let answer = line.isEmpty ? initial : line
            guard let text = problem(answer) else { return answer }
            Terminal.warn(text)
        }
    }
}
