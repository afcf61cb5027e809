// A chain whose addresses boursectl derives and checks by itself.

package import Addresses
import Engine
package import Presentation
import Terms
import UTXO

/// A chain of the log with its network and its key.
struct WalletChain {
    let view: ChainView
    let network: ChainKind
    private let addresses: ChainAddressBook

    /// The chain as the log has it. Throws where this program does not know it.
    init(_ view: ChainView) throws(CommandError) {
        let unknown = CommandError(
            "this boursectl does not know the chain \(view.chain)",
            repair: "use the one of the installed packages")
        guard let network = ChainKind.named("\(view.chain)"),
            let addresses = try? ChainAddressBook(view.key, on: network)
        else { throw unknown }
        (self.view, self.network, self.addresses) = (view, network, addresses)
    }

    /// An address of the chain in the one form in which it is written here.
    func canonical(_ text: String) throws(AddressError) -> String {
        switch network {
        case .utxo(let network): try UTXODestination(text, on: network).address(on: network)
        case .evm: "\(try EVMAddress(destination: text))"
        }
    }

    /// The deposit address of an index; nil once in 2^127, where no key has it.
    func address(_ index: UInt32) -> String? { try? addresses.address(index) }
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

    /// Reads an address of a chain.
    package init(_ text: String, on kind: ChainKind) throws(InputError) {
        switch kind {
        case .utxo(let network): try self.init(text, on: network)
        case .evm(let network): try self.init(text, on: network)
        }
    }

    private init(_ text: String, on network: EVMNetwork) throws(InputError) {
        do throws(AddressError) {
            self.text = "\(try EVMAddress(destination: text))"
        } catch {
            throw InputError(
                "\(text) cannot be paid to on \(network.name): \(error)",
                repair: "copy the address again, in capitals and small letters as it was given")
        }
        dustLimit = 0
    }

    /// Below this amount an output to some kind of address is not relayed; in base units.
    package static func highestDustLimit(_ network: UTXONetwork) -> Int64 {
        let hash = [UInt8](repeating: 0, count: 20)
        return [UTXODestination.publicKeyHash(hash), .scriptHash(hash)]
            .map { network.dustLimit($0.script) }.max() ?? 0
    }
}
