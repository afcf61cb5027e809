// wallet cold set, wallet cold remove

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import UTXO
import Wire

struct WalletColdSetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Says where an asset's coins are kept offline, and how many.",
        discussion: """
            The descriptor is of public keys only: wpkh(KEY) of one signer, \
            wsh(sortedmulti(k,KEY,…)) of k of up to \(ColdDescriptor.keysMax), or an address; a \
            KEY is [fingerprint/path]xpub…/0/*, as the devices or their software export it, with \
            its checksum where it has one. Give it in quotes. On an EVM chain it is an address \
            with the checksum of EIP-55.

            Above --ceiling the wallet sends what is more than --target there; each transfer has \
            its own address. The first three are shown: compare them with what the device shows \
            for the same descriptor, else nobody may have their keys. --yes confirms beforehand. \
            What is in an earlier storage stays there, and stays known. Where operators have \
            keys, this takes two.

            JSON: {"sequence", "cold", "addresses"}; cold is as in `boursectl wallet cold list`, \
            addresses are those that were shown.

            EXAMPLE
              boursectl wallet cold set LTC 1 --descriptor 'wpkh([d34db33f/84h/2h/0h]xpub6…/0/*)' \\
                --ceiling 500 --target 200 --reason "board, 3 March"
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Argument(help: "The asset's code.") var asset: String
    @Argument(help: "The chain's number.") var number: ChainNumber
    @Option(help: "The descriptor, or an address.") var descriptor: String
    @Option(help: "Above this the wallet has too much, in coins.") var ceiling: DecimalNumber
    @Option(help: "What it keeps then, in coins.") var target: DecimalNumber
    @Flag(help: "The addresses were compared.") var yes = false

    func run() throws {
        // Whatever else is wrong: a secret is said first, and never repeated.
        if let problem = ChainKey.secret(descriptor) { throw problem }
        let audit = try signature.audit()
        let session = try common.exchange().walletSession(signature.who)
        let replica = session.replica
        let place = try ColdPlace(asset, number, replica)
        let (most, least) = (try place.asset.amount(ceiling), try place.asset.amount(target))
        guard most > .zero, Amount.zero...most ~= least else {
            throw CommandError(
                "--ceiling has to be above zero, and --target from 0 to it", code: .usage)
        }
        let checked = try ColdStorageCheck(descriptor, place.kind, place.chain, replica.engine)
        let addresses = checked.addresses
        try Confirmation.agree(
            to: [
                "Above \(place.text(most.units)) all but \(place.text(least.units)) goes to cold "
                    + "storage on \(place.chain.chain), of \(checked.words):"
            ] + addresses + [
                addresses.count > 1
                    ? "These are its first addresses. Compare them with what the cold device shows."
                    : "All goes to this one address. Compare it with what the cold device shows."
            ], "Are they the same? Type yes: ", isGiven: yes)
        let receipt = try session.submit(
            SetColdStorage(
                asset: place.asset.id, network: place.network.network, ceiling: most,
                target: least, descriptor: checked.text, audit: audit))
        let row = ColdStorageRow(place.asset.id, place.network.network, nil, replica)
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "cold": row.json,
                "addresses": .strings(addresses),
            ],
            text: [
                "\(place.asset.code) on \(place.chain.chain): above \(place.text(most.units)), all "
                    + "but \(place.text(least.units)) goes to cold storage. \(receipt.text)"
            ])
    }
}

struct WalletColdRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Ends it that coins go to cold storage.",
        discussion: """
            What is there stays there, and counts in the books: `boursectl wallet cold export` \
            brings it back. Where operators have keys, this takes two.

            JSON: {"sequence", "cold"}; cold is null.

            EXAMPLE
              boursectl wallet cold remove LTC 1
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Argument(help: "The asset's code.") var asset: String
    @Argument(help: "The chain's number.") var number: ChainNumber

    func run() throws {
        let audit = try signature.audit()
        let session = try common.exchange().walletSession(signature.who)
        let replica = session.replica
        let place = try ColdPlace(asset, number, replica)
        guard replica.engine.coldStorage(place.asset.id, place.network.network) != nil else {
            throw CommandError(
                "\(place.asset.code) has no cold storage on chain \(number.id.number)",
                repair: "see `boursectl wallet cold list`")
        }
        let receipt = try session.submit(
            SetColdStorage(
                asset: place.asset.id, network: place.network.network, ceiling: .zero,
                target: .zero, descriptor: "", audit: audit))
        common.out.give(
            ["sequence": .number(receipt.sequence), "cold": .null],
            text: [
                "Nothing of \(place.asset.code) goes to cold storage any more; what is there stays "
                    + "known. \(receipt.text)"
            ])
    }
}
