// wallet policy, and how waiting times are given.

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms

struct WalletPolicyGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "How long withdrawals wait after a change.",
        subcommands: [WalletPolicyShowCommand.self, WalletPolicySetCommand.self],
        defaultSubcommand: WalletPolicyShowCommand.self)
}

/// A waiting time on the command line: seconds, or a number with s, m, h or d.
package struct WaitingTime: ExpressibleByArgument, Hashable {
    /// Seconds.
    package let seconds: UInt32

    /// Reads `0`, `30s`, `90m`, `24h` or `3d`; nil for another, or one longer than policies.
    package init?(argument: String) {
        let units: [Character: UInt32] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        let unit = argument.last.flatMap { units[$0] }
        let digits = unit == nil ? argument : String(argument.dropLast())
        guard digits.utf8.allSatisfy({ 48...57 ~= $0 }), let number = UInt32(digits) else {
            return nil
        }
        let (seconds, isOver) = number.multipliedReportingOverflow(by: unit ?? 1)
        guard !isOver, seconds <= Limits.withdrawalWaitMax else { return nil }
        self.seconds = seconds
    }

    /// A number of seconds in its largest whole unit.
    package static func text(_ seconds: UInt32) -> String {
        if seconds == 0 { return "none" }
        for (unit, size) in [("d", 86_400), ("h", 3_600), ("m", 60)] as [(String, UInt32)]
        where seconds % size == 0 {
            return "\(seconds / size)\(unit)"
        }
        return "\(seconds)s"
    }
}

/// The policy, as commands show it.
struct PolicyView {
    let addressDelay: UInt32
    let keyFreeze: UInt32

    init(_ replica: ExchangeReplica) {
        (addressDelay, keyFreeze) = (replica.engine.addressDelay, replica.engine.keyFreeze)
    }

    /// As JSON.
    var json: JSONValue {
        ["addressDelay": .number(addressDelay), "keyFreeze": .number(keyFreeze)]
    }

    func lines(_ ink: Ink) -> [String] {
        var facts = Facts()
        facts.add("delay of new addresses", WaitingTime.text(addressDelay))
        facts.add("freeze after a change of keys", WaitingTime.text(keyFreeze))
        return facts.lines(ink)
    }
}

struct WalletPolicyShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows how long withdrawals wait.",
        discussion: """
            With an account, also until when its withdrawals are frozen.

            JSON: {"addressDelay", "keyFreeze", "frozenUntil"}, in seconds; frozenUntil is a time \
            or null.
            """)

    @OptionGroup var common: CommonOptions
    @Option(help: "An account's name, or id:NUMBER.") var account: String?

    func run() throws {
        let replica = try common.exchange().replica()
        let policy = PolicyView(replica)
        let view = try account.map { try replica.account($0) }
        let thaw = view.flatMap { replica.engine.withdrawalThaw($0.id) }
        let until = thaw.flatMap { $0 > replica.presentTime ? Readable.time($0) : nil }
        var lines = policy.lines(common.out.ink)
        if let view {
            lines.append(
                until.map { "Withdrawals of \(view.name) are frozen until \($0)." }
                    ?? "Withdrawals of \(view.name) are not frozen.")
        }
        common.out.give(
            [
                "addressDelay": .number(policy.addressDelay),
                "keyFreeze": .number(policy.keyFreeze),
                "frozenUntil": until.map { .string($0) } ?? .null,
            ], text: lines)
    }
}
