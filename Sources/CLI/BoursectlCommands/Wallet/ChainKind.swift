// The kinds of chains that boursectl knows: what their keys and addresses look like.

package import Addresses
import EVM
import Keys
package import Presentation
import UTXO

/// A chain of Bitcoin's kin, or an EVM chain.
package enum ChainKind: Hashable, Sendable {
    /// Of Bitcoin's kin.
    case utxo(UTXONetwork)
    /// Ethereum and its kin.
    case evm(EVMNetwork)

    /// All kinds.
    package static let all: [ChainKind] =
        UTXONetwork.all.map { .utxo($0) } + EVMNetwork.all.map { .evm($0) }

    /// The kind of a name; nil: there is none.
    package static func named(_ name: String) -> ChainKind? { all.first { $0.name == name } }

    /// The kind of a name that an operator gives.
    package static func checked(_ name: String) throws(InputError) -> ChainKind {
        guard let kind = named(name) else {
            throw InputError(
                "there is no kind of chain \(name)",
                repair: "there are \(all.map(\.name).joined(separator: ", "))")
        }
        return kind
    }

    /// Its name, as `litecoin-regtest`.
    package var name: String {
        switch self {
        case .utxo(let network): network.name
        case .evm(let network): network.name
        }
    }

    /// Whether its coins are worth nothing.
    var isTest: Bool {
        switch self {
        case .utxo(let network): network.isTest
        case .evm(let network): network.isTest
        }
    }

    /// Whether keys are written as those of test networks: EVM chains have one form for all.
    var hasTestKeys: Bool {
        switch self {
        case .utxo(let network): network.isTest
        case .evm: false
        }
    }

    /// The steps from the master key to the wallet's account, each hardened: BIP84 on chains of
    /// Bitcoin's kin, BIP44 on EVM chains.
    var accountPath: [UInt32] {
        switch self {
        case .utxo(let network): [84, network.coinType, 0]
        case .evm: [44, EVMNetwork.coinType, 0]
        }
    }

    /// That path in words, as `m/84'/2'/0'`.
    var pathText: String { "m" + accountPath.map { "/\($0)'" }.joined() }
}

/// The deposit addresses of a chain, as its kind derives them.
struct ChainAddressBook {
    private enum Book {
        case utxo(DepositAddresses)
        case evm(EVMDepositAddresses)
    }

    private let book: Book

    /// Of the extended public key of the wallet's account.
    init(_ key: String, on kind: ChainKind) throws(KeyError) {
        switch kind {
        case .utxo(let network): book = .utxo(try DepositAddresses(key: key, on: network))
        case .evm: book = .evm(try EVMDepositAddresses(key: key))
        }
    }

    /// The account that withdrawals of an EVM chain are paid from; nil: of other chains.
    var hot: String? {
        switch book {
        case .utxo: nil
        case .evm(let addresses): "\(addresses.hot)"
        }
    }

    /// The address of an index.
    func address(_ index: UInt32) throws(KeyError) -> String {
        switch book {
        case .utxo(let addresses): try addresses.address(index)
        case .evm(let addresses): "\(try addresses.address(index))"
        }
    }
}
