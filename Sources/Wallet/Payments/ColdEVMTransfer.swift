// A transfer of an EVM chain from cold storage to the account that pays, which was signed where the
// keys of cold storage are. It comes from outside: what it is says nothing but its own bytes.

public import Addresses
public import EVM
public import Terms

/// Why signed bytes are no transfer from cold storage to the account that pays.
public enum ColdEVMTransferError: Error, Hashable, Sendable, CustomStringConvertible {
    /// They are no signed transaction, or one of a kind that the wallet does not know.
    case unreadable(EVMTransactionError)
    /// It is of another chain, by this id.
    case otherChain(UInt64)
    /// It is not of EIP-1559.
    case legacy
    /// Whoever signed it is no cold address of the chain, or what was signed is not what is there.
    case sender(EVMAddress)
    /// It moves nothing, or does something else as well.
    case nothing
    /// It calls a contract that is none of the host's assets.
    case contract(EVMAddress)
    /// It goes to somebody else than the account that pays.
    case receiver(EVMAddress)
    /// Gas or fee are above what the wallet pays.
    case fee

    /// The reason.
    public var description: String {
        switch self {
        case .unreadable(.encoding), .unreadable(.shape), .unreadable(.number):
            "the bytes are no signed transaction: are they cut off, or is it another file?"
        case .unreadable(let error): "it is no transaction that the wallet can take: \(error)"
        case .otherChain(let id): "it is of another chain, of id \(id)"
        case .legacy: "it is no transaction of EIP-1559, as the exported one is"
        case .sender(let address):
            "it is signed by \(address), which is no cold storage of this chain: another key, or "
                + "it was changed after it was signed"
        case .nothing: "it moves neither the chain's coin nor a token, or does more than that"
        case .contract(let address):
            "it calls \(address), which is none of the tokens in [walletd] assets"
        case .receiver(let address):
            "it goes to \(address), and not to the account that pays withdrawals"
        case .fee: "its gas or its fee is above what the wallet pays"
        }
    }
}

/// A signed transfer from cold storage to the account that pays.
public struct ColdEVMTransfer: Hashable, Sendable {
    /// The transaction.
    public let signed: SignedEVMTransaction
    /// What it moves.
    public let movement: EVMMovement

    /// Gas of a token's transfer that is made without asking its contract what it needs: twice what
    /// most need, and what is not used is not paid.
    public static let tokenGas: UInt64 = 150_000

    /// Reads signed bytes. `cold` are the addresses of cold storage of the chain, `assets` what is
    /// listed of it.
    public init(
        _ bytes: [UInt8], on network: EVMNetwork, hot: EVMAddress, cold: [EVMAddress],
        assets: [EVMAsset]
    ) throws(ColdEVMTransferError) {
        do throws(EVMTransactionError) {
            signed = try SignedEVMTransaction(decoding: bytes)
        } catch { throw .unreadable(error) }
        let transaction = signed.transaction
        guard transaction.chainID == network.chainID else {
            throw .otherChain(transaction.chainID)
        }
        guard case .dynamic(let most, let priority) = transaction.fee else { throw .legacy }
        guard cold.contains(signed.sender), signed.sender != hot else {
            throw .sender(signed.sender)
        }
        guard let movement = transaction.movement else { throw .nothing }
        guard assets.contains(where: { $0.network == network && $0.coin == movement.coin }) else {
            if case .token(let contract) = movement.coin { throw .contract(contract) }
            throw .nothing
        }
        guard movement.receiver == hot else { throw .receiver(movement.receiver) }
        guard most > 0, most <= EVMCeiling.feePerGas, priority <= EVMCeiling.priorityPerGas,
            EVMCeiling.gas(movement.coin) ~= transaction.gasLimit
        else { throw .fee }
        self.movement = movement
    }
}

/// Cold storage of an EVM chain that the host's own configuration names: what goes there does not
/// leave the wallet.
public struct EVMColdPin: Hashable, Sendable {
    /// The asset's code.
    public let asset: Text16
    /// The chain's name.
    public let chain: Text40
    /// Where its coins go.
    public let address: EVMAddress

    /// Whether a chain is one of Ethereum's kin.
    public static func isEVM(_ chain: Text40) -> Bool { EVMNetwork.named("\(chain)") != nil }

    /// Cold storage of an asset on a chain; nil: it is no EVM chain, or no address.
    public init?(asset: Text16, chain: Text40, _ descriptor: String) {
        guard Self.isEVM(chain), let address = EVMAddress(descriptor),
            address.isPayable
        else { return nil }
        (self.asset, self.chain, self.address) = (asset, chain, address)
    }
}
