// wallet policy set

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct WalletPolicySetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Sets how long withdrawals wait after a change.",
        discussion: """
            --address-delay is the time after which a new destination of an address book is \
            usable. --key-freeze is the time for which a customer's own withdrawals are refused \
            once an API key of the account was added or revoked. Times are as 30m, 24h or 3d; 0 \
            is none, 90d the most. What is not given stays unchanged. A destination that waits \
            already keeps its time; a freeze counts from the last change of the account's keys, so \
            that a shorter one ends what was too long. Where operators have keys, this takes two \
            of them.

            JSON: {"sequence", "policy"}; policy is {"addressDelay", "keyFreeze"}, in seconds.

            EXAMPLE
              boursectl wallet policy set --address-delay 24h --key-freeze 48h
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Option(help: "How long a new address waits, as 24h; 0: not at all.")
    var addressDelay: WaitingTime?
    @Option(help: "How long withdrawals wait after a change of API keys, as 48h; 0: not at all.")
    var keyFreeze: WaitingTime?

    func validate() throws {
        guard addressDelay != nil || keyFreeze != nil else {
            throw ValidationError("Give --address-delay or --key-freeze, as --key-freeze 48h.")
        }
    }

    func run() throws {
        let audit = try signature.audit()
        let session = try common.exchange().walletSession(signature.who)
        let replica = session.replica
        try WithdrawalRulesNeeded.check(replica)
        let receipt = try session.submit(
            SetWithdrawalPolicy(
                addressDelay: addressDelay?.seconds ?? replica.engine.addressDelay,
                keyFreeze: keyFreeze?.seconds ?? replica.engine.keyFreeze, audit: audit))
        let policy = PolicyView(replica)
        common.out.give(
            ["sequence": .number(receipt.sequence), "policy": policy.json],
            text: policy.lines(common.out.ink) + [receipt.text])
    }
}
