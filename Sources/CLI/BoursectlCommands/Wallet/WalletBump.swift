// wallet bump

import ArgumentParser
import Configuration
import Engine
import JSON
import Platform
import Presentation
import Terms

struct WalletBumpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bump", abstract: "Replaces a withdrawal's payment for a higher fee.",
        discussion: """
            bourse-walletd signs another transaction that spends the same coins and pays the same \
            payees, for the fee that miners ask for now and at least a quarter more than before. \
            By itself it does so after [walletd] bump_seconds. Either may still get into a block, \
            and settles the withdrawal. On the host that leads.

            JSON: {"withdrawal", "payments"}; payments are the transactions that pay it so far, \
            as in `boursectl wallet withdrawals`.

            EXAMPLE
              sudo boursectl wallet bump 12
            """)

    @OptionGroup var common: CommonOptions
    @Argument(help: "The withdrawal's id.") var id: UInt64

    func run() throws {
        let exchange = try common.exchange()
        let replica = try exchange.replica()
        let view = try replica.withdrawal(id)
        let payments = replica.payments.filter { $0.withdrawals.contains(view.id) }
        guard view.status == .signed, !payments.isEmpty else {
            throw CommandError(
                "withdrawal \(id) is \(view.status): no transaction pays it yet",
                repair: "see `boursectl wallet status` for what it waits for")
        }
        guard payments.count <= Limits.replacementsMax else {
            throw CommandError(
                "withdrawal \(id) was replaced \(Limits.replacementsMax) times",
                repair: "one of its transactions has to be final first")
        }
        _ = try WalletRequest("\(id)", in: exchange.settings.walletd.bumpFile)
        common.out.give(
            [
                "withdrawal": .number(id),
                "payments": .strings(payments.map(\.id.hex)),
            ],
            text: [
                "\(WithdrawalTable(replica).sentence(view)): its payment is to be replaced.",
                "bourse-walletd does so within a few seconds, or says in `boursectl wallet "
                    + "status` why it cannot.",
            ])
    }
}
