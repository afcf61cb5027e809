// The chains' addresses: derived here from what the log says of a chain, so that no other process
// is asked for one.

import Addresses
import Engine
import Keys
import SpotAPI
import Terms
import UTXO

/// The addresses of a chain: what a destination looks like, and where deposits go.
struct ChainAddresses: Sendable {
    /// The form of its addresses.
    let network: UTXONetwork
    private let deposits: DepositAddresses

    /// Of a chain in the log. Throws -1020 where this version does not know it.
    init(_ chain: ChainView) throws(APIError) {
        guard let network = UTXONetwork.named(chain.chain.description) else {
            throw .chainUnsupported(chain.chain.description)
        }
        do throws(KeyError) {
            deposits = try DepositAddresses(key: chain.key, on: network)
        } catch { throw .chainKeyInvalid }
        self.network = network
    }

    /// Where the deposits of an index go.
    func deposit(_ index: UInt32) throws(APIError) -> String {
        do throws(KeyError) {
            return try deposits.address(index)
        } catch { throw .internalFault }
    }

    /// A destination as the log has it. Throws -4033 where nobody could be paid there.
    func destination(_ text: String) throws(APIError) -> Text64 {
        let destination: UTXODestination
        do throws(AddressError) {
            destination = try UTXODestination(text, on: network)
        } catch { throw .addressIllegal("\(error)") }
        // One text for each destination: SegWit ones may be written in capitals.
        guard let address = Text64(destination.address(on: network)) else {
            throw .addressIllegal("it is too long")
        }
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
