// wallet adopt

import ArgumentParser
import Configuration
import Engine
import JSON
import Platform
import Presentation
import Terms

struct WalletAdoptCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adopt",
        abstract: "Takes a transaction of an EVM chain into the log that it does not have.",
        discussion: """
            All that the wallet sends is in the log first. Where the chain has a transaction of \
            one of its accounts that is not, somebody else has the key, or the log is an older \
            copy: bourse-walletd stops the withdrawals of all assets of the chain. If nobody of \
            the house sent it, the seed is known to others: do not adopt it, but move what is left.

            Adopted, it is a transfer that pays nobody: bourse-walletd sees that it is signed by \
            an account of the wallet and final, and then its nonce is used in the log, and what it \
            cost is booked. What it moved is missing in the books until an operator books it; then \
            `boursectl wallet resume` lets withdrawals go on. On the host that leads. It asks for \
            confirmation; --yes confirms beforehand.

            JSON: {"chain", "transaction"}

            EXAMPLE
              sudo boursectl wallet adopt 2 0x5c504ed4…
            """)

    @OptionGroup var common: CommonOptions
    @Argument(help: "The chain's number, or its name, as ethereum.") var chain: String
    @Argument(help: "The transaction, 64 digits.") var transaction: String
    @Flag(help: "Adopts it without confirmation.") var yes = false

    func run() throws {
        guard
            let id = TransactionID(hex: transaction.dropFirst(transaction.hasPrefix("0x") ? 2 : 0))
        else {
            throw CommandError(
                "\(transaction) is no transaction", repair: "give all 64 digits of it",
                code: .usage)
        }
        let exchange = try common.exchange()
        let replica = try exchange.replica()
        guard
            let view = replica.chains.first(where: {
                "\($0.chain)" == chain || "\($0.network.number)" == chain
            }), case .evm = ChainKind.named("\(view.chain)")
        else {
            throw CommandError(
                "there is no EVM chain \(chain)", repair: "see `boursectl wallet chain list`")
        }
        if replica.engine.payment(id) != nil {
            throw CommandError("\(id.hex) is the wallet's own, and in the log")
        }
        try Confirmation.agree(
            to: ["0x\(id.hex) of \(view.chain) is taken as the wallet's own, which pays nobody."],
            "Adopt it? Type yes: ", isGiven: yes)
        do throws(SystemError) {
            try File.replace(
                exchange.settings.walletd.adoptFile,
                with: Array("\(view.network.number) \(id.hex)\n".utf8), mode: 0o644)
        } catch {
            throw CommandError(
                "the wallet cannot be asked: \(error)",
                repair: "run it as root, on the host where bourse-walletd runs")
        }
        common.out.give(
            ["chain": .number(view.network.number), "transaction": .string(id.hex)],
            text: [
                "0x\(id.hex) is to be adopted once it is final.",
                "bourse-walletd says in its log what became of it: journalctl -u bourse-walletd",
            ])
    }
}
