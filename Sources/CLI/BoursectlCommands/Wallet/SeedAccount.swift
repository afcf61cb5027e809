// What may be known of a seed: for each kind of chain a public key and an address.

import Addresses
import ArgumentParser
import JSON
import Keys
import Presentation
import UTXO

/// The kinds of chains whose keys are shown.
struct SeedChains: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A kind of chain, as litecoin; may be repeated. Default: all.", valueName: "kind"),
        completion: .list(UTXONetwork.all.map(\.name)))
    var chain: [String] = []

    func networks() throws(InputError) -> [UTXONetwork] {
        guard !chain.isEmpty else { return UTXONetwork.all }
        var all: [UTXONetwork] = []
        for name in chain { all.append(try UTXONetwork.checked(name)) }
        return all
    }
}

/// The account of a seed on a kind of chain: account 0' of BIP84.
struct SeedAccount {
    private let network: UTXONetwork
    /// The text of its extended public key, as the log has it.
    private let key: String
    /// The address of index 1, the first that is given to a customer.
    private let firstAddress: String

    /// The accounts of a seed.
    static func all(
        _ words: Mnemonic, on networks: [UTXONetwork]
    ) throws(CommandError) -> [SeedAccount] {
        do {
            let purpose = try ExtendedPrivateKey(seed: words.seed()).descendant(.hardened(84))
            var all: [SeedAccount] = []
            for network in networks {
                all.append(try SeedAccount(purpose, network))
            }
            return all
        } catch { throw CommandError("the seed gives no key: \(error)") }
    }

    private init(_ purpose: ExtendedPrivateKey, _ network: UTXONetwork) throws(KeyError) {
        let account = try purpose.descendant(.hardened(network.coinType), .hardened(0)).publicKey
        self.network = network
        key = account.text(isTest: network.isTest)
        firstAddress = try DepositAddresses(account, on: network).address(1)
    }

    private var path: String { "m/84'/\(network.coinType)'/0'" }

    /// For programs.
    var json: JSONValue {
        [
            "chain": .string(network.name), "path": .string(path), "key": .string(key),
            "firstAddress": .string(firstAddress),
        ]
    }

    /// For people.
    var lines: [String] {
        ["\(network.name)  \(path)", "  key            \(key)", "  first address  \(firstAddress)"]
    }
}
