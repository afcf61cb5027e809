// The chains' addresses: derived here from what the log says of a chain, so that no other process
// is asked for one.

import Addresses
import EVM
import Engine
import Keys
import SpotAPI
import Terms
import UTXO

/// The addresses of a chain: what a destination looks like, and where deposits go.
struct ChainAddresses: Sendable {
    /// The kind of chain, with the key of its deposit addresses.
    private enum Kind: Sendable {
        case utxo(UTXONetwork, DepositAddresses)
        case evm(EVMDepositAddresses)
    }

    private let kind: Kind

    /// Of a chain in the log. Throws -1020 where this version does not know it.
    init(_ chain: ChainView) throws(APIError) {
        let name = chain.chain.description
        do throws(KeyError) {
            if let network = UTXONetwork.named(name) {
                kind = .utxo(network, try DepositAddresses(key: chain.key, on: network))
                return
            }
            if EVMNetwork.named(name) != nil {
                kind = .evm(try EVMDepositAddresses(key: chain.key))
                return
            }
        } catch { throw .chainKeyInvalid }
        throw .chainUnsupported(name)
    }

    /// What stands before a transaction's digits in what the chain's explorers show.
    var transactionPrefix: String {
        switch kind {
        case .utxo: ""
        case .evm: "0x"
        }
    }

    /// Where the deposits of an index go.
    func deposit(_ index: UInt32) throws(APIError) -> String {
        do throws(KeyError) {
            return switch kind {
            case .utxo(_, let addresses): try addresses.address(index)
            case .evm(let addresses): "\(try addresses.address(index))"
            }
        } catch { throw .internalFault }
    }

    /// A destination as the log has it. Throws -4033 where nobody could be paid there.
    func destination(_ text: String) throws(APIError) -> Text64 {
        let address: String
        do throws(AddressError) {
            // One text for each destination: SegWit ones may be written in capitals, and those of
            // EVM chains without the checksum of EIP-55.
            address =
                switch kind {
                case .utxo(let network, _):
                    try UTXODestination(text, on: network).address(on: network)
                case .evm: "\(try EVMAddress(destination: text))"
                }
        } catch { throw .addressIllegal("\(error)") }
        guard let address = Text64(address) else { throw .addressIllegal("it is too long") }
        return address
    }
}

/// What was made of each chain: made once, for deriving a key takes longer than a reply.
final class ChainTable {
    private struct Known {
        let chain: Text40
        let key: String
        let addresses: Result<ChainAddresses, APIError>
    }

    private var known: [NetworkID: Known] = [:]

    /// The addresses of a chain, as it is in the log now.
    func addresses(of chain: ChainView) -> Result<ChainAddresses, APIError> {
        if let found = known[chain.network], found.chain == chain.chain, found.key == chain.key {
            return found.addresses
        }
        let addresses: Result<ChainAddresses, APIError>
        do throws(APIError) {
            addresses = .success(try ChainAddresses(chain))
        } catch { addresses = .failure(error) }
        known[chain.network] = Known(chain: chain.chain, key: chain.key, addresses: addresses)
        return addresses
    }
}
