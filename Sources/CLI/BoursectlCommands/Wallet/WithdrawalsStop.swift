// wallet stop, wallet resume

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

/// The arguments of a stop and of its end.
struct WithdrawalsStopOptions: ParsableArguments {
    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: ReasonedSignatureOptions
    @Argument(help: "The asset's code.") var asset: String

    /// Submits the command that `command` makes, and says what holds from then on.
    fileprivate func run(
        isStopped: Bool, _ effect: String,
        _ submit: (OperatorSession, AssetView, Audit) throws -> CommandReceipt
    ) throws {
        let audit = try signature.audit()
        let session = try common.exchange().walletSession(signature.who)
        let asset = try session.replica.asset(asset)
        let receipt = try submit(session, asset, audit)
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "asset": .string("\(asset.code)"),
                "stopped": .bool(isStopped),
            ], text: ["Withdrawals of \(asset.code) \(effect) \(receipt.text)"])
    }

    fileprivate static let json = #"JSON: {"sequence", "asset", "stopped"}"#
}

struct WithdrawalsStopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Stops an asset's withdrawals on all its networks.",
        discussion: """
            None is accepted and none is signed until an operator resumes them; what is signed \
            already may still be paid. Deposits go on.

            \(WithdrawalsStopOptions.json)

            EXAMPLE
              boursectl wallet stop LTC --reason "the node is on a fork"
            """)

    @OptionGroup var options: WithdrawalsStopOptions

    func run() throws {
        try options.run(isStopped: true, "are stopped: none is accepted, none is signed.") {
            session, asset, audit in
            // The command has room for a reason only, as the wallet gives it too.
            let reason = "\(audit.operatorName): \(audit.reason)"
            guard reason.utf8.count <= Limits.reasonBytesMax else {
                throw CommandError(
                    "the reason is too long",
                    repair: "the journal holds at most \(Limits.reasonBytesMax) bytes, your name "
                        + "included", code: .usage)
            }
            return try session.submit(StopWithdrawals(asset: asset.id, reason: reason))
        }
    }
}

struct WithdrawalsResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Ends a stop of an asset's withdrawals.",
        discussion: """
            \(WithdrawalsStopOptions.json)

            EXAMPLE
              boursectl wallet resume LTC --reason "the node is back on the chain"
            """)

    @OptionGroup var options: WithdrawalsStopOptions

    func run() throws {
        try options.run(isStopped: false, "go on.") { session, asset, audit in
            try session.submit(
                ResumeWithdrawals(asset: asset.id, audit: audit),
                meanings: [.stateInvalid: "withdrawals of \(asset.code) are not stopped"])
        }
    }
}
