// wallet withdraw

import Addresses
import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct WithdrawCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "withdraw", abstract: "Requests a withdrawal for a customer.",
        discussion: """
            The amount arrives; the fee of the network, or of the customer's own terms, is taken \
            beside it. Both are held at once. The \
            address is checked for the chain; it need not be in the customer's address book, and \
            no freeze holds it, but limits do. Who asks is recorded, and cannot approve it.

            With --client-id a repeated command is refused, so that nothing is paid twice.

            JSON: {"sequence", "withdrawal"}; withdrawal is as in `boursectl wallet withdrawals`, \
            null where it has ended already.

            EXAMPLE
              boursectl wallet withdraw alice LTC 1 ltc1q… 1.5 --client-id "ticket 88"
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var who: OperatorOption
    @Argument(help: "The account's name, or id:NUMBER.") var account: String
    @Argument(help: "The asset's code.") var asset: String
    @Argument(help: "The chain's number.") var number: ChainNumber
    @Argument(help: "Where it goes.") var address: String
    @Argument(help: "What arrives, as 1.5.") var amount: DecimalNumber
    @Option(help: "The destination's tag or memo, on chains that have them.") var tag: String?
    @Option(
        help: ArgumentHelp(
            "Identifies the request; unique among those of the account.", valueName: "text"))
    var clientID: String?

    func run() throws {
        guard amount.digits > 0 else {
            throw CommandError(
                "the amount is not above zero", repair: "give a positive amount", code: .usage)
        }
        let requester = try who.text()
        let tag = try Self.text(tag, "--tag")
        let clientID = try Self.text(clientID, "--client-id")
        let session = try common.exchange().walletSession(who)
        let replica = session.replica
        let account = try replica.account(account)
        let asset = try replica.asset(asset)
        let chain = try replica.chain(number)
        _ = try replica.network(asset, number)
        let network =
            try replica.engine.network(asset.id, number.id, for: account.id)
            ?? replica.network(asset, number)
        let units = try checkedAmount(asset, network, replica)
        let address = try checkedAddress(chain, units, asset)
        if !tag.isEmpty, ChainKind.named("\(chain.chain)") != nil {
            throw CommandError(
                "\(chain.chain) has no tags: an address says all", repair: "leave out --tag",
                code: .usage)
        }
        let receipt = try session.submit(
            RequestWithdrawal(
                account: account.id, asset: asset.id, network: number.id, amount: units,
                feeMost: network.fee, address: address, tag: tag, clientID: clientID,
                requester: requester),
            meanings: [
                .termsInvalid: "the fee has risen above "
                    + "\(replica.number(network.fee, asset.id)) \(asset.code) meanwhile; nothing "
                    + "was requested: look at `boursectl wallet terms show --account "
                    + "\(account.name)`, and request it again",
                .referenceDuplicate: "\(account.name) has a withdrawal with the client id "
                    + "\(clientID) already; nothing was requested",
                .withdrawalsStopped: replica.engine.isWithdrawalStopped(asset.id)
                    ? "withdrawals of \(asset.code) are stopped: see `boursectl wallet resume`"
                    : "\(asset.code) takes no withdrawals on chain \(number.id.number): see "
                        + "`boursectl wallet network set`",
                .withdrawalLimit: "it is above a limit of \(account.name): see `boursectl wallet "
                    + "limits show \(asset.code) --account \(account.name)`",
                .tableFull: "too many withdrawals are open (\(Limits.withdrawalsMax), "
                    + "\(Limits.withdrawalsOfAccountMax) of one account), or too many client ids "
                    + "are remembered",
            ])
        give(receipt, session.replica)
    }

    private func give(_ receipt: CommandReceipt, _ replica: ExchangeReplica) {
        let table = WithdrawalTable(replica)
        let view = replica.engine.withdrawal(WithdrawalID(receipt.outcome.id))
        common.out.give(
            [
                "sequence": .number(receipt.sequence),
                "withdrawal": view.map { table.json($0) } ?? .null,
            ],
            text: view.map { ["\(table.sentence($0)). \(receipt.text)", $0.next] } ?? [
                "Withdrawal \(receipt.outcome.id) was requested, and has ended already. "
                    + receipt.text
            ])
    }

    private func checkedAmount(
        _ asset: AssetView, _ network: NetworkView, _ replica: ExchangeReplica
    ) throws -> Amount {
        let units = try asset.amount(amount)
        guard units >= network.minimum else {
            let least = replica.number(network.minimum, asset.id)
            throw CommandError(
                "\(amount) \(asset.code) is below the smallest withdrawal on \(network.name)",
                repair: "give \(least) or more")
        }
        return units
    }

    /// The address as the chain reads it. One of a chain that is not known here goes unchecked.
    private func checkedAddress(
        _ chain: ChainView, _ amount: Amount, _ asset: AssetView
    ) throws -> Text64 {
        var text = address
        if let kind = ChainKind.named("\(chain.chain)") {
            let payout = try PayoutAddress(address, on: kind)
            guard amount.units >= Int128(payout.dustLimit) else {
                let least = DecimalNumber(units: Int128(payout.dustLimit), scale: Int(asset.scale))
                throw CommandError(
                    "nodes of \(chain.chain) do not relay a payment of \(self.amount) to that "
                        + "address (dust)",
                    repair: "give \(least) or more", code: .usage)
            }
            text = payout.text
        }
        guard let text = Text64(text), !text.isEmpty else {
            throw CommandError(
                "\(address) is not a valid address", repair: "use up to 64 ASCII characters",
                code: .usage)
        }
        return text
    }

    private static func text(_ value: String?, _ option: String) throws -> Text40 {
        guard let text = Text40(value ?? "") else {
            throw CommandError(
                "\(option) is not valid", repair: "use up to 40 ASCII characters", code: .usage)
        }
        return text
    }
}
