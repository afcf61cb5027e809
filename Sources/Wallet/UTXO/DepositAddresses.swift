// The deposit addresses of a UTXO chain: children of one public key, by an index in the log.

public import Addresses
public import Keys
public import Terms

/// Derives addresses, and says whose a script is. Each is paid to the hash of a public key, P2WPKH
/// (BIP84), at `m/84'/coin'/0'/0/index`; the key given is that of `m/84'/coin'/0'`.
public struct DepositAddresses: Sendable {
    /// The chain's network.
    public let network: UTXONetwork
    /// The key of which the deposit addresses are children.
    private let receiving: ExtendedPublicKey
    private var accounts: [[UInt8]: AccountID] = [:]
    /// How many of the log's addresses are known here.
    public private(set) var count = 0

    /// The addresses of an account's key.
    public init(_ key: ExtendedPublicKey, on network: UTXONetwork) throws(KeyError) {
        self.network = network
        receiving = try key.child(0)
    }

    /// The addresses of an account's key in its text form, as the log has it: `xpub`, or `tpub` of
    /// test networks.
    public init(key text: String, on network: UTXONetwork) throws(KeyError) {
        guard let key = ExtendedPublicKey(text, isTest: network.isTest) else {
            throw .invalidText
        }
        try self.init(key, on: network)
    }

    /// Where the index pays, from 1 on.
    public func destination(_ index: UInt32) throws(KeyError) -> UTXODestination {
        .witness(version: 0, program: Hash160.digest(try receiving.child(index).key))
    }

    /// The address of an index.
    public func address(_ index: UInt32) throws(KeyError) -> String {
        try destination(index).address(on: network)
    }

    /// Takes the accounts in the order of their indices, of which the first `count` are known.
    public mutating func update(_ owners: [AccountID]) throws(KeyError) {
        while count < owners.count {
            let script = try destination(UInt32(count + 1)).script
            accounts[script] = owners[count]
            count += 1
        }
    }

    /// Whose an output's script is.
    public func account(_ script: [UInt8]) -> AccountID? { accounts[script] }
}
