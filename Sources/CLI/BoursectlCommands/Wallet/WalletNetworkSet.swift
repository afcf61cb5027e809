// wallet network set

import Addresses
import ArgumentParser
import Configuration
import Engine
import JSON
import Presentation
import Terms
import Wire

struct WalletNetworkSetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Adds an asset's network, or changes its terms.",
        discussion: """
            A new network needs --name, --confirmations, --minimum and --fee. Where it exists, \
            terms that are not given stay unchanged; open withdrawals keep the terms of their \
            request. Accounts and tiers with a fee and a minimum of their own (`boursectl wallet \
            terms`) keep those. A chain of Bitcoin's kin carries one asset, its coin, with 8 \
            decimals.

            With --no-deposits customers are shown no addresses, and what arrives is credited only \
            once deposits are open again. --no-withdrawals refuses new withdrawals and leaves \
            approved ones unpaid; to stop an asset on all its networks at once, see `boursectl \
            wallet stop`.

            JSON: {"sequence", "before", "network"}; both are as in `boursectl wallet network \
            list`, before is null for a new one.

            EXAMPLE
              boursectl wallet network set LTC 1 --name LTC --confirmations 6 \\
                --minimum 0.01 --fee 0.001 --approvals 2 --approvals-above 10
              boursectl wallet network set LTC 1 --no-withdrawals --reason maintenance
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Argument(help: "The asset's code.") var asset: String
    @Argument(help: "The chain's number.") var number: ChainNumber
    @OptionGroup var options: NetworkTermsOptions

    func run() throws {
        let audit = try signature.audit()
        let session = try common.exchange().walletSession(signature.who)
        let replica = session.replica
        let asset = try replica.asset(asset)
        let chain = try replica.chain(number)
        let view = replica.engine.network(asset.id, number.id)
        let command: SetNetwork
        if let view {
            let before = SetNetwork(view, audit: audit)
            var after = before
            try options.apply(to: &after, asset)
            guard after != before else {
                throw CommandError(
                    "nothing would change", repair: "give a new term, as --fee 0.002",
                    code: .usage)
            }
            command = after
        } else {
            try checkCoin(asset, chain, replica)
            command = try options.new(asset, number.id, audit: audit)
        }
        try MinimumOnChain.check(command.minimum, asset, chain)
        let before = view.map { replica.terms($0) }
        let receipt = try session.submit(
            command,
            meanings: [
                .tableFull: "there are \(Limits.networksMax) networks, which is the limit",
                .stateInvalid: "fewer operators approve than its withdrawals would need beside who "
                    + "asks for one",
            ])
        let after = NetworkTerms(command, code: "\(asset.code)", scale: asset.scale)
        let effect = before == nil ? "is on" : "was changed on"
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "before": before?.json ?? .null,
                "network": after.json,
            ],
            text: [
                "\(asset.code) \(effect) chain \(number.id.number) (\(chain.chain)). "
                    + receipt.text
            ] + after.lines(before: before, common.out.ink))
    }

    private func checkCoin(
        _ asset: AssetView, _ chain: ChainView, _ replica: ExchangeReplica
    ) throws {
        let kind = "\(chain.chain)"
        try CoinOnChain.check(asset, kind)
        if let network = EVMNetwork.named(kind) {
            try CoinOnChain.check(asset, on: network, try common.settings().walletd.assets)
        }
        guard UTXONetwork.named(kind) != nil,
            let other = replica.networks.first(where: { $0.network == number.id })
        else { return }
        throw CommandError(
            "chain \(number.id.number) carries \(replica.code(other.asset)): \(kind) has one coin, "
                + "and each deposit would be credited twice",
            repair: "see `boursectl wallet network list`")
    }
}
