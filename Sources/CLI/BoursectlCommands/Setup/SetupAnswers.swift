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
    /// Other keys, as `TABLE.KEY=VALUE`.
    var assignments: [String] = []

    /// Asks for what flags left open; without a terminal the defaults apply.
    func asked() throws(CommandError) -> SetupAnswers {
        guard Terminal.isTerminal(STDIN_FILENO) else { return self }
        var all = self
        if listen == nil {
            all.listen = try Self.ask("Address for clients to reach the gateway", "127.0.0.1:8080")
            {
                ListenAddress($0) == nil ? "give HOST:PORT, as 0.0.0.0:8080" : nil
            }
            if let place = all.listen.flatMap(ListenAddress.init), !place.isLoopback {
                try all.askTLS()
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

    /// What the gateway needs beyond this host: a certificate, or the word that a proxy has one.
    private mutating func askTLS() throws(CommandError) {
        let isSaid = assignments.contains {
            $0.hasPrefix("gatewayd.tls_") || $0.hasPrefix("gatewayd.plain_http")
        }
        guard !isSaid else { return }
        let problem: (String) -> String? = {
            Directory.exists($0) && $0.hasPrefix("/")
                && !$0.contains(where: { $0 == "\"" || $0 == "\\" })
                ? nil : "there is no such file: give its whole path"
        }
        let certificate = try Self.ask(
            "Certificate that clients see, a PEM file; or the word plain, where a proxy in front "
                + "of it has one", ""
        ) { $0 == "plain" ? nil : problem($0) }
        if certificate == "plain" {
            assignments.append("gatewayd.plain_http=true")
        } else {
            let key = try Self.ask(
                "Its private key, a PEM file that bourse-gateway may read", "", problem)
            assignments += [
                "gatewayd.tls_certificate=\"\(certificate)\"", "gatewayd.tls_key=\"\(key)\"",
            ]
        }
    }

    private static func ask(
        _ question: String, _ initial: String, _ problem: (String) -> String?
    ) throws(CommandError) -> String {
        while true {
            let hint = initial.isEmpty ? "" : " [\(initial)]"
            Terminal.write("\(question)\(hint)? ", to: STDERR_FILENO)
            guard let line = readLine() else {
                throw CommandError("nothing was set up", code: .usage)
            }
            let answer = line.isEmpty ? initial : line
            guard let text = problem(answer) else { return answer }
            Terminal.warn(text)
        }
    }
}
