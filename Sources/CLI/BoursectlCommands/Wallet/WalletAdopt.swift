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
        abstract: "Takes a transaction of the wallet's into the log that it does not have.",
        discussion: """
            All that the wallet sends is in the log first. Where the chain has a transaction of \
            the wallet's that is not open there, it is one that was dropped, somebody else has the \
            key, or the log is an older copy: bourse-walletd stops the withdrawals of the assets \
            concerned. If nobody of the house sent it, the seed is known to others: do not adopt \
            it, but move what is left.

            bourse-walletd sees that it is signed by the wallet's keys and final. Where it pays \
            withdrawals that still wait, these are paid by it; it says so if \
            `boursectl wallet resume` has to come first. Any other is a transfer that pays nobody: \
            what it cost is booked, and what it moved is missing in the books until operators book \
            it; then `boursectl wallet resume` lets withdrawals go on.

            On an EVM chain its nonce is used in the log then. Of any other chain give the height \
            of its block where that was final when bourse-walletd started. On the host that leads. \
            It asks for confirmation; --yes confirms beforehand.

            JSON: {"chain", "transaction"}

            EXAMPLE
              sudo boursectl wallet adopt 2 0x5c504ed4…
              sudo boursectl wallet adopt bitcoin 4be1…9c --block 912345
            """)

    @OptionGroup var common: CommonOptions
    @Argument(help: "The chain's number, or its name, as ethereum.") var chain: String
    @Argument(help: "The transaction, 64 digits.") var transaction: String
    @Option(help: "The height of its block; not on an EVM chain.") var block: UInt64?
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
            })
        else {
            throw CommandError(
                "there is no chain \(chain)", repair: "see `boursectl wallet chain list`")
        }
        var isEVM = false
        if case .evm = ChainKind.named("\(view.chain)") { isEVM = true }
        guard block.map({ !isEVM && 1...Limits.blockMax ~= $0 }) ?? true else {
            throw CommandError(
                isEVM ? "on an EVM chain no block is named" : "blocks are 1 to \(Limits.blockMax)",
                code: .usage)
        }
        if replica.engine.payment(id) != nil {
            throw CommandError("\(id.hex) is the wallet's own, and in the log")
        }
        try Confirmation.agree(
            to: [
                "\(isEVM ? "0x" : "")\(id.hex) of \(view.chain) is taken as the wallet's own."
            ],
            "Adopt it? Type yes: ", isGiven: yes)
        let place = block.map { " \($0)" } ?? ""
        _ = try WalletRequest(
            "\(view.network.number) \(id.hex)\(place)", in: exchange.settings.walletd.adoptFile)
        common.out.give(
            ["chain": .number(view.network.number), "transaction": .string(id.hex)],
            text: [
                "\(isEVM ? "0x" : "")\(id.hex) is to be adopted once it is final.",
                "bourse-walletd says in its log what became of it: journalctl -u bourse-walletd",
            ])
    }
}
