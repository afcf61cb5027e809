// The deposit addresses of an EVM chain: children of one public key, by an index in the log.

public import Addresses
public import Keys
public import Terms

/// Derives addresses, and says whose one is: those at `m/44'/60'/0'/0/index` (BIP44); the key given
/// is that of `m/44'/60'/0'`. The addresses are the same on every EVM chain.
public struct EVMDepositAddresses: Sendable {
    /// The key of which the deposit addresses are children.
    private let receiving: ExtendedPublicKey
    /// The wallet's own account, from which withdrawals are paid: `m/44'/60'/0'/1/0`, the first of
    /// BIP44's change level, which no customer is given.
    public let hot: EVMAddress
    private var accounts: [EVMAddress: (owner: AccountID, index: UInt32)] = [:]
    /// The log's addresses that are known here, in the order of their indices, from 1.
    public private(set) var list: [EVMAddress] = []
    /// How many of the log's addresses are known here.
    public var count: Int { list.count }

    /// The addresses of an account's key.
    public init(_ key: ExtendedPublicKey) throws(KeyError) {
        receiving = try key.child(0)
        guard let hot = EVMAddress(publicKey: try key.descendant(1, 0).key) else {
            throw .noSuchChild(0)
        }
        self.hot = hot
    }

    /// The addresses of an account's key in its text form, as the log has it: `xpub`, on test
    /// networks too.
    public init(key text: String) throws(KeyError) {
        guard let key = ExtendedPublicKey(text, isTest: false) else { throw .invalidText }
        try self.init(key)
    }

    /// The address of an index, from 1 on.
    public func address(_ index: UInt32) throws(KeyError) -> EVMAddress {
        guard let address = EVMAddress(publicKey: try receiving.child(index).key) else {
            throw .noSuchChild(index)
        }
        return address
    }

    /// Takes the accounts in the order of their indices, of which the first `count` are known.
    public mutating func update(_ owners: [AccountID]) throws(KeyError) {
        while count < owners.count {
            let address = try address(UInt32(count + 1))
            accounts[address] = (owners[count], UInt32(count + 1))
            list.append(address)
        }
    }

    /// Whose an address is.
    public func account(_ address: EVMAddress) -> AccountID? { accounts[address]?.owner }

    /// The index of an address; nil: it is not known here.
    public func index(of address: EVMAddress) -> UInt32? { accounts[address]?.index }
}
