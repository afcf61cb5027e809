// The terms of a network on the command line.

import ArgumentParser
import Engine
import Presentation
import Terms
import Wire

/// The terms that may change while a network exists.
struct NetworkTermsOptions: ParsableArguments {
    @Option(help: "What customers call it, as LTC: up to 16 characters.") var name: String?
    @Option(help: "Confirmations after which deposits are credited and withdrawals are settled.")
    var confirmations: UInt32?
    @Option(help: "The smallest withdrawal.") var minimum: DecimalNumber?
    @Option(help: "The charge for a withdrawal, beside its amount; may be 0.")
    var fee: DecimalNumber?
    @Option(
        help: "Operators who must approve a withdrawal, 0 to \(Limits.approvalsMax). New: 0.")
    var approvals: UInt8?
    @Option(
        help: """
            Only withdrawals of more than this need approvals, and what a customer's key requests \
            to an address that is not a usable one of its book. New: 0, so all do.
            """)
    var approvalsAbove: DecimalNumber?
    @Flag(
        inversion: .prefixedNo,
        help: "Whether final deposits are credited; else they wait until they are. New: yes.")
    var deposits: Bool?
    @Flag(inversion: .prefixedNo, help: "Whether withdrawals are accepted and paid. New: yes.")
    var withdrawals: Bool?

    /// The terms of a new network. Throws where one that has no default is missing.
    func new(_ asset: AssetView, _ network: NetworkID, audit: Audit) throws -> SetNetwork {
        let isGiven = [
            ("--name", name != nil), ("--confirmations", confirmations != nil),
            ("--minimum", minimum != nil), ("--fee", fee != nil),
        ]
        let missing = isGiven.filter { !$0.1 }.map(\.0)
        guard missing.isEmpty else {
            throw CommandError(
                "\(asset.code) has no network on chain \(network.number) yet: a new one needs "
                    + missing.joined(separator: ", "),
                repair: "see `boursectl wallet network set --help`", code: .usage)
        }
        var terms = SetNetwork(
            asset: asset.id, network: network, confirmations: 1, minimum: Amount(units: 1),
            fee: .zero, name: Text16(), audit: audit)
        try apply(to: &terms, asset)
        return terms
    }

    /// Applies the given options to `terms`.
    func apply(to terms: inout SetNetwork, _ asset: AssetView) throws {
        if let name {
            guard let text = Text16(name), !text.isEmpty else {
                throw CommandError(
                    "\(name.isEmpty ? "an empty text" : name) is not a valid name",
                    repair: "use up to 16 ASCII characters", code: .usage)
            }
            terms.name = text
        }
        if let confirmations {
            guard confirmations > 0 else {
                throw CommandError(
                    "with --confirmations 0 a deposit would be credited before it is in a block",
                    repair: "give at least 1", code: .usage)
            }
            terms.confirmations = confirmations
        }
        if let minimum { terms.minimum = try Self.amount(minimum, "--minimum", asset) }
        if let fee { terms.fee = try Self.amount(fee, "--fee", asset) }
        guard terms.minimum.units > 0 else {
            throw CommandError(
                "--minimum is zero", repair: "give the smallest withdrawal, above zero",
                code: .usage)
        }
        if let approvals {
            guard approvals <= Limits.approvalsMax else {
                throw CommandError(
                    "--approvals \(approvals) is above \(Limits.approvalsMax)", code: .usage)
            }
            terms.approvals = approvals
        }
        if let approvalsAbove {
            guard terms.approvals > 0 || approvalsAbove.digits == 0 else {
                throw CommandError(
                    "--approvals-above has no effect: withdrawals need no approvals",
                    repair: "say how many with --approvals", code: .usage)
            }
            terms.approvalsAbove = try Self.amount(approvalsAbove, "--approvals-above", asset)
        }
        terms.takesDeposits = deposits ?? terms.takesDeposits
        terms.takesWithdrawals = withdrawals ?? terms.takesWithdrawals
    }

    private static func amount(
        _ value: DecimalNumber, _ option: String, _ asset: AssetView
    ) throws -> Amount {
        guard value.digits >= 0 else {
            throw CommandError("\(option) \(value) is negative", code: .usage)
        }
        return try asset.amount(value)
    }
}
