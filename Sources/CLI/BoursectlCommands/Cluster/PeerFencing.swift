// Switching the other host's power off by the owner's command, called as fence-agents are: lines
// name=value on standard input, the exit status is the answer (FenceAgentAPI.md of ClusterLabs).

import Configuration
import Platform
import Presentation

/// The power of the other host is not known to be off.
struct FencingError: Error, CustomStringConvertible {
    /// What the command came to.
    let description: String
    /// It says that the power is on.
    var isOn = false
}

/// The owner's command for the other host.
struct PeerFencing {
    /// An action of the FenceAgentAPI.
    enum Action: String {
        case off, status, monitor
    }

    /// What one run came to.
    struct Answer {
        /// Its exit status.
        let status: Int32
        /// The end of what it printed.
        let said: String

        /// The answer as a clause of a message.
        var text: String { "status \(status)\(said.isEmpty ? "" : ": \(said)")" }
    }

    /// The state of a plug.
    enum Power: String {
        case on, off
    }

    /// The command.
    let command: FenceCommand
    /// The other host.
    let peer: String
    private let secondsMax: Int

    /// Between two questions for a state that has not changed yet.
    private static let pauseNanos: Int64 = 1_000_000_000
    /// Bytes of a run's output that are shown.
    private static let saidBytesMax = 400

    /// The command of these settings; nil: there is none.
    init?(_ settings: Settings, peer: String) {
        guard let cluster = settings.cluster, let command = cluster.fencing else { return nil }
        (self.command, self.peer, secondsMax) = (command, peer, cluster.fenceSeconds)
    }

    /// Throws where root must not run the program.
    func check() throws(CommandError) {
        let fault = try CommandError.wrapping { () throws(SystemError) in
            try TrustedProgram.fault(command.path)
        }
        guard let fault else { return }
        throw CommandError(
            "fence_command is not run: \(fault)",
            repair: "root alone may write it and the directories above it, as a package installs "
                + "it", code: .configuration)
    }

    /// Switches the power off and returns the proof: action=off succeeded, and action=status says
    /// off. Neither alone is one: fence-agents end with 2 for bad parameters too, which is `off` as
    /// a status.
    func switchOff() throws(FencingError) -> String {
        Terminal.warn("\(command.path): action=off, plug=\(peer), at most \(secondsMax) s …")
        let deadline = deadline
        let off = try run(.off, by: deadline)
        guard off.status == 0 else {
            throw FencingError("\(command.path) did not switch it off: action=off, \(off.text)")
        }
        while try power(by: deadline) == .on {
            guard deadline - Clock.monotonicNanos() > Self.pauseNanos else {
                throw FencingError(
                    description:
                        "\(command.path) says that it is still on: action=status, status 0",
                    isOn: true)
            }
            Clock.sleep(nanos: Self.pauseNanos)
        }
        Terminal.warn("\(command.path): the power of \(peer) is off.")
        return "the power of \(peer) is off: \(command.path), status off"
    }

    /// Whether the device answers, and how the plug is; it switches nothing.
    func test() throws(FencingError) -> Power {
        let deadline = deadline
        let monitor = try run(.monitor, by: deadline)
        // 2: devices of one plug that is off.
        guard monitor.status == 0 || monitor.status == 2 else {
            throw FencingError("\(command.path) does not work: action=monitor, \(monitor.text)")
        }
        return try power(by: deadline)
    }

    private var deadline: Int64 { Clock.monotonicNanos() + Int64(secondsMax) * 1_000_000_000 }

    private func power(by deadline: Int64) throws(FencingError) -> Power {
        let answer = try run(.status, by: deadline)
        switch answer.status {
        case 0: return .on
        case 2: return .off
        default:
            throw FencingError(
                "\(command.path) does not say how it is: action=status, \(answer.text)")
        }
    }

    private func run(_ action: Action, by deadline: Int64) throws(FencingError) -> Answer {
        // Of several with one name the last counts: the owner's, if the plug has another name.
        let lines =
            ["action=\(action.rawValue)", "plug=\(peer)", "nodename=\(peer)"] + command.parameters
        let seconds = max(1, Int((deadline - Clock.monotonicNanos()) / 1_000_000_000))
        let begin = Clock.monotonicNanos()
        let done: Program.Result
        do throws(SystemError) {
            done = try Program.run(
                command.path, [],
                input: Array(lines.map { "\($0)\n" }.joined().utf8), secondsMax: seconds,
                isGroup: true)
        } catch { throw FencingError("\(command.path) cannot be run: \(error.reason)") }
        let said = Self.shown(done.output + "\n" + done.errors)
        guard Clock.monotonicNanos() - begin < Int64(seconds) * 1_000_000_000 else {
            throw FencingError(
                "\(command.path) was not done within \(secondsMax) s: action=\(action.rawValue)"
                    + (said.isEmpty ? "" : ": \(said)"))
        }
        return Answer(status: done.status, said: said)
    }

    /// The end of an output in one line of printable characters.
    static func shown(_ output: String) -> String {
        let lines = output.split(whereSeparator: \.isNewline)
            .map { line in
                String(
                    decoding: line.utf8.map { 0x20...0x7E ~= $0 ? $0 : UInt8(ascii: "?") },
                    as: UTF8.self)
            }.filter { line in line.contains { $0 != " " } }
        let text = lines.joined(separator: " | ")
        return text.utf8.count > saidBytesMax ? "… \(text.suffix(saidBytesMax))" : text
    }
}

extension FencingError {
    fileprivate init(_ description: String) { self.init(description: description) }
}
