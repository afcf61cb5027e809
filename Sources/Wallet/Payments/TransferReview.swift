// What the signer checks of a transfer: the wallet's coins to the wallet's own address, or to the
// cold storage that the log names.

internal import Addresses
public import Engine
public import Terms
public import UTXO

/// Why cold storage that a host names is none.
public struct ColdPinError: Error, Hashable, Sendable, CustomStringConvertible {
    /// In words.
    public let description: String
}

/// Cold storage that the host's own configuration names: what goes there does not leave the wallet.
public struct ColdPin: Hashable, Sendable {
    /// The asset's code.
    public let asset: Text16
    /// The chain's name.
    public let chain: Text40
    /// Where its coins go.
    public let descriptor: ColdDescriptor

    /// Cold storage of an asset on a chain, as an output descriptor or an address.
    public init(
        asset: Text16, chain: Text40, _ descriptor: String
    ) throws(ColdPinError) {
        guard let network = UTXONetwork.named("\(chain)") else {
            throw ColdPinError(
                description: "\"\(chain)\" is no chain: expected one as \"litecoin\"")
        }
        (self.asset, self.chain) = (asset, chain)
        do throws(ColdDescriptorError) {
            self.descriptor = try ColdDescriptor(descriptor, on: network)
        } catch {
            throw ColdPinError(description: "the descriptor of \(asset)@\(chain): \(error)")
        }
    }
}

extension ReviewedPayment {
    /// Checks what a transfer of the chain's asset has to be beside its outputs.
    static func check(
        transfer request: SigningRequest, _ engine: borrowing Engine, _ terms: NetworkView
    ) throws(PaymentReviewError) {
        guard engine.rules >= 3 else {
            throw PaymentReviewError(.notPayable, "the log's rules know no transfers")
        }
        guard request.replaces == .none, request.index == 0 else {
            throw PaymentReviewError(.malformed, "a transfer of this chain replaces none")
        }
    }

    /// What of a transfer leaves the wallet beside its fee: what goes to cold storage, unless this
    /// host names the very same; in base units. `spent` are the amounts of its inputs.
    static func leaving(
        transfer transaction: UTXOTransaction, _ request: SigningRequest, spent: [Int64],
        _ engine: borrowing Engine, _ chain: ChainCoins, _ pins: [ColdPin]
    ) throws(PaymentReviewError) -> Int64 {
        let outputs = chain.outputs(ofTransfer: transaction, id: transaction.id)
        if outputs.hasOthers {
            throw PaymentReviewError(
                .outputs,
                "a transfer pays the wallet's own address, and the next one of the cold storage "
                    + "that the log names, each once and nobody else")
        }
        guard let coin = outputs.cold?.coin else {
            guard spent.count > 1, outputs.change != nil else {
                throw PaymentReviewError(.outputs, "it merges no coins")
            }
            return 0
        }
        guard let terms = engine.coldStorage(request.asset, request.network),
            let storage = chain.storage(named: terms.descriptor), storage.number == coin.storage
        else {
            throw PaymentReviewError(
                .outputs, "it goes to cold storage that the log does not name now")
        }
        // By the log alone: whoever asks moves no more than the owner wants to have moved.
        // What comes with open payments is not proved to be there, whatever the log says.
        let hot = chain.settledFree
        guard hot > terms.ceiling.units, Int128(coin.amount) <= hot - terms.target.units else {
            throw PaymentReviewError(
                .notPayable,
                "the wallet has \(hot) base units to spend, of which it keeps what the log says: "
                    + "\(terms.target.units), and moves nothing up to \(terms.ceiling.units)")
        }
        let isNamed = chain.isNamed(storage, by: pins, engine.asset(request.asset)?.code)
        return isNamed ? 0 : coin.amount
    }
}

extension ChainCoins {
    /// Whether a host whose configuration has these names a cold storage of the asset itself.
    func isNamed(_ storage: ColdStorage, by pins: [ColdPin], _ code: Text16?) -> Bool {
        pins.contains {
            $0.asset == code && $0.chain == chain && storage.isSame($0.descriptor)
        }
    }

    /// Whether an open transfer brings something to cold storage that such a host does not name:
    /// that leaves as payments do.
    public func leaves(
        _ transfer: TransactionID, of asset: AssetID, _ engine: borrowing Engine, _ pins: [ColdPin]
    ) -> Bool {
        guard let payment = payments[transfer], payment.withdrawals.isEmpty,
            let coin = payment.cold?.coin
        else { return false }
        guard let storage = storage(coin.storage) else { return true }
        return !isNamed(storage, by: pins, engine.asset(asset)?.code)
    }
}
