// What may be known of a seed: for each kind of chain a public key and an address.

import Addresses
import ArgumentParser
import JSON
import Keys
import Presentation

/// The kinds of chains whose keys are shown.
struct SeedChains: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A kind of chain, as litecoin; may be repeated. Default: all.", valueName: "kind"),
        completion: .list(ChainKind.all.map(\.name)))
    var chain: [String] = []

    func networks() throws(InputError) -> [ChainKind] {
        guard !chain.isEmpty else { return ChainKind.all }
        var all: [ChainKind] = []
        for name in chain { all.append(try ChainKind.checked(name)) }
        return all
    }
}

/// The account of a seed on a kind of chain: account 0' of BIP84, or of BIP44 on EVM chains.
struct SeedAccount {
    private let network: ChainKind
    /// The text of its extended public key, as the log has it.
    private let key: String
    /// The address of index 1, the first that is given to a customer.
    private let firstAddress: String
    /// The account that withdrawals of an EVM chain are paid from; nil: of other chains.
    private let hotAddress: String?

    /// The accounts of a seed.
    static func all(
        _ words: Mnemonic, on networks: [ChainKind]
    ) throws(CommandError) -> [SeedAccount] {
        do {
            let master = try ExtendedPrivateKey(seed: words.seed())
            var all: [SeedAccount] = []
            for network in networks {
                all.append(try SeedAccount(master, network))
            }
            return all
        } catch { throw CommandError("the seed gives no key: \(error)") }
    }

    private init(_ master: ExtendedPrivateKey, _ network: ChainKind) throws(KeyError) {
        let path = network.accountPath.map { $0 | 1 << 31 }
        let account = try master.descendant(along: path).publicKey
        self.network = network
        key = account.text(isTest: network.hasTestKeys)
        let book = try ChainAddressBook(key, on: network)
        (firstAddress, hotAddress) = (try book.address(1), book.hot)
    }

    private var path: String { network.pathText }

    /// For programs.
    var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("chain", .string(network.name)), .init("path", .string(path)),
            .init("key", .string(key)), .init("firstAddress", .string(firstAddress)),
        ]
        if let hotAddress { members.append(.init("hotAddress", .string(hotAddress))) }
        return .object(members)
    }

    /// For people.
    var lines: [String] {
        ["\(network.name)  \(path)", "  key            \(key)", "  first address  \(firstAddress)"]
            + (hotAddress.map { ["  pays from      \($0)"] } ?? [])
    }
}
