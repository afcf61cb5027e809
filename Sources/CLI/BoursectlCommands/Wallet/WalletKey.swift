// wallet key

import ArgumentParser
import JSON
import Platform
import Presentation

struct WalletKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Shows the public keys of the wallet's seed.",
        discussion: """
            Shows the extended public key of m/84'/coin'/0' (BIP84) of this host's seed for each \
            kind of chain, that of m/44'/60'/0' (BIP44) for EVM chains, as `boursectl wallet \
            chain set` takes it, and the first deposit address. Only who may read the seed can do \
            it: root, on an installed host. Who has this key can see all deposits, and spend \
            nothing.

            Withdrawals of an EVM chain are paid from one account, hotAddress, which has to be \
            given coins and tokens: m/44'/60'/0'/1/0.

            JSON: an array of {"chain", "path", "key", "firstAddress"}, of EVM chains also \
            "hotAddress".

            EXAMPLE
              sudo boursectl wallet key --chain litecoin
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var chains: SeedChains

    func run() throws {
        Host.disableCoreDumps()
        let networks = try chains.networks()
        let file = WalletSeedFile(try common.settings())
        let accounts = try SeedAccount.all(try file.load(), on: networks)
        common.out.give(.array(accounts.map(\.json)), text: accounts.flatMap(\.lines))
    }
}
