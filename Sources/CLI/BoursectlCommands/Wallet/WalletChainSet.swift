// wallet chain set

import Addresses
import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct WalletChainSetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Adds a chain, or has its deposits read again.",
        discussion: """
            --key is the extended public key of m/84'/coin'/0' in the wallet: xpub, or tpub of a \
            test network; of an EVM chain it is that of m/44'/60'/0', always as xpub. Deposit \
            addresses are its children. It, and which chain this is, stay as they are once a \
            customer has an address there.

            --first-block is the height of the first block whose deposits are credited: nothing in \
            an earlier one ever is. For a wallet that was never used it is the chain's present \
            height (`litecoin-cli getblockcount`), for another one that of its first payment or \
            any before it.

            Given for a chain that exists, all deposits are read again from that block on: those \
            that were credited are not credited a second time, those that were missed are credited \
            now. It asks for confirmation; --yes confirms beforehand.

            JSON: {"sequence", "chain"}; chain is as in `boursectl wallet chain list`.

            EXAMPLE
              boursectl wallet chain set 1 litecoin --key xpub6C… --first-block 2800000
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Argument(help: "The chain's number, 1 to 65535.") var number: ChainNumber
    @Argument(
        help: "Which chain it is: \(ChainKind.all.map(\.name).joined(separator: ", ")).",
        completion: .list(ChainKind.all.map(\.name)))
    var kind: String
    @Option(help: ArgumentHelp("The extended public key.", valueName: "xpub")) var key: String
    @Option(
        help: ArgumentHelp(
            "The first block whose deposits are credited. Required.", valueName: "height"))
    var firstBlock: UInt64?
    @Flag(help: "Read deposits again without confirmation.") var yes = false

    func run() throws {
        let network = try ChainKind.checked(kind)
        let key = try ChainKey(key, on: network)
        let first = try checkedFirstBlock()
        guard let name = Text40(kind) else { throw CommandError("the kind is too long") }
        let audit = try signature.audit()
        let session = try common.exchange().walletSession(signature.who)
        let replica = session.replica
        try check(key, replica)
        let before = replica.engine.chain(number.id)
        if let before { try ask(before, first, replica) }
        let receipt = try session.submit(
            SetChain(
                network: number.id, firstBlock: first, chain: name, key: key.text, audit: audit),
            meanings: [.stateInvalid: "customers have addresses of this chain by another key"])
        guard let chain = session.replica.engine.chain(number.id) else {
            throw CommandError("chain \(number.id.number) is not there: the replica is damaged")
        }
        let effect =
            before == nil
            ? "Chain \(number.id.number) is \(kind). Deposits from block \(Readable.count(first)) "
                + "on are credited."
            : "Deposits of chain \(number.id.number) are read again from block "
                + "\(Readable.count(first)) on."
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "chain": session.replica.json(chain),
            ], text: ["\(effect) \(receipt.text)"])
    }

    private func checkedFirstBlock() throws -> UInt64 {
        guard let firstBlock else {
            throw CommandError(
                "--first-block is missing: nothing in an earlier block is credited",
                repair: "for a wallet that was never used give the chain's present height "
                    + "(`litecoin-cli getblockcount`), for another one any height before its "
                    + "first payment", code: .usage)
        }
        guard 1...Limits.blockMax ~= firstBlock else {
            throw CommandError(
                "block \(firstBlock) is not within 1 to \(Limits.blockMax)", code: .usage)
        }
        return firstBlock
    }

    /// Refuses what would credit wrongly.
    private func check(_ key: ChainKey, _ replica: ExchangeReplica) throws {
        let others = replica.chains.filter { $0.network != number.id }
        if let same = others.first(where: { "\($0.chain)" == kind && $0.key == key.text }) {
            throw CommandError(
                "chain \(same.network.number) is \(kind) with this key: each deposit would be "
                    + "credited twice, to two customers",
                repair: "use chain \(same.network.number), or another key")
        }
        if let view = replica.engine.chain(number.id),
            "\(view.chain)" != kind || view.key != key.text,
            !replica.engine.addressees(number.id).isEmpty
        {
            throw CommandError(
                "chain \(number.id.number) is \(view.chain), and customers have addresses there: "
                    + "neither that nor its key can change",
                repair: "give the new one another number; `boursectl --output json wallet chain "
                    + "list` shows keys")
        }
        for network in replica.networks where network.network == number.id {
            guard let asset = replica.engine.asset(network.asset) else { continue }
            try CoinOnChain.check(asset, kind)
        }
    }

    private func ask(
        _ before: ChainView, _ first: UInt64, _ replica: ExchangeReplica
    ) throws {
        func block(_ height: UInt64) -> String { "block \(Readable.count(height))" }
        var lines = [
            "Chain \(number.id.number) is \(before.chain), read from \(block(before.firstBlock)), "
                + (before.checkedHeight == 0
                    ? "with no block credited yet."
                    : "and credited up to \(block(before.checkedHeight))."),
            "All its deposits are read again from \(block(first)) on. None is credited a second "
                + "time.",
        ]
        if first > before.nextBlock {
            lines.append(
                "Deposits in \(block(before.nextBlock)) to \(block(first - 1)) are not credited.")
        }
        try Confirmation.agree(to: lines, "Read them again? Type yes: ", isGiven: yes)
    }
}
