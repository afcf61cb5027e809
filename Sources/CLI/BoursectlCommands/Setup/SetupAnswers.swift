// What `init` asks on a terminal.

import Configuration
import Glibc
import Platform
import Presentation

/// What `init` has to know of a host.
struct SetupAnswers {
    /// Where the gateway listens.
    var listen: String?
    /// The engine's CPU.
    var cpu: Int?

    /// Asks for what flags left open; without a terminal the defaults apply.
    func asked() throws(CommandError) -> SetupAnswers {
        guard Terminal.isTerminal(STDIN_FILENO) else { return self }
        var all = self
        if listen == nil {
            all.listen = try Self.ask("Address for clients to reach the gateway", "127.0.0.1:8080")
            {
                ListenAddress($0) == nil ? "give HOST:PORT, as 0.0.0.0:8080" : nil
            }
        }
        if cpu == nil {
            let last = Host.processorCount - 1
            let answer = try Self.ask(
                "CPU to reserve for the engine (0-\(last), -1: none)", "-1"
            ) { Int($0).map { -1...last ~= $0 } == true ? nil : "give a number from -1 to \(last)" }
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
