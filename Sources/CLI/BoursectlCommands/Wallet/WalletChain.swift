// A chain whose addresses boursectl derives and checks by itself.

package import Addresses
import Engine
package import Presentation
import Terms
import UTXO

/// A chain of the log with its network and its key.
struct WalletChain {
    let view: ChainView
    let network: UTXONetwork
    private let addresses: DepositAddresses

    /// The chain as the log has it. Throws where this program does not know it.
    init(_ view: ChainView) throws(CommandError) {
        let unknown = CommandError(
            "this boursectl does not know the chain \(view.chain)",
            repair: "use the one of the installed packages")
        guard let network = UTXONetwork.named("\(view.chain)"),
            let addresses = try? DepositAddresses(key: view.key, on: network)
        else { throw unknown }
        (self.view, self.network, self.addresses) = (view, network, addresses)
    }

    /// The deposit address of an index; nil once in 2^127, where no key has it.
    func address(_ index: UInt32) -> String? { try? addresses.address(index) }

    /// Where the index's address pays.
    func destination(_ index: UInt32) -> UTXODestination? { try? addresses.destination(index) }
}

/// What a withdrawal pays to.
package struct PayoutAddress: Hashable {
    /// The address as the log holds it: SegWit ones in lower case.
    package let text: String
    /// Below this amount the chain's nodes do not relay it; in base units.
    package let dustLimit: Int64

    /// Reads an address of a network.
    package init(_ text: String, on network: UTXONetwork) throws(InputError) {
        let destination: UTXODestination
        do throws(AddressError) {
            destination = try UTXODestination(text, on: network)
        } catch {
            throw InputError(
                "\(text) cannot be paid to on \(network.name): \(error)",
                repair: "copy the address again, all letters of it, from where it was given")
        }
        self.text = destination.address(on: network)
        dustLimit = network.dustLimit(destination.script)
    }

    /// Below this amount an output to some kind of address is not relayed; in base units.
    package static func highestDustLimit(_ network: UTXONetwork) -> Int64 {
        let hash = [UInt8](repeating: 0, count: 20)
        return [UTXODestination.publicKeyHash(hash), .scriptHash(hash)]
            .map { network.dustLimit($0.script) }.max() ?? 0
    }
}
