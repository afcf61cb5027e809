// The networks of Ethereum and its kin: what tells their chains apart.

/// A network's constants.
public struct EVMNetwork: Hashable, Sendable {
    /// Its name, as `ethereum-sepolia`.
    public let name: String
    /// What signatures on it are bound to (EIP-155), and what its nodes say that they are of.
    public let chainID: UInt64
    /// The hash of its first block: 64 digits.
    public let genesis: String
    /// Seconds between two blocks, on average.
    public let blockSeconds: Int64
    /// Whether its coins are worth nothing.
    public let isTest: Bool

    private init(
        _ name: String, chainID: UInt64, genesis: String, blockSeconds: Int64 = 12,
        isTest: Bool = true
    ) {
        (self.name, self.chainID, self.genesis) = (name, chainID, genesis)
        (self.blockSeconds, self.isTest) = (blockSeconds, isTest)
    }

    /// The coin type of the keys' paths, SLIP44: all networks share that of Ethereum, as addresses
    /// are the same on all of them.
    public static let coinType: UInt32 = 60

    /// All networks that the wallet knows. `ethereum-regtest` is the chain that the tests' own node
    /// makes anew at each start.
    public static let all: [EVMNetwork] = [
        EVMNetwork(
            "ethereum", chainID: 1,
            genesis: "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
            isTest: false),
        EVMNetwork(
            "ethereum-sepolia", chainID: 11_155_111,
            genesis: "25a5cc106eea7138acab33231d7160d69cb777ee0c2c553fcddf5138993e6dd9"),
        EVMNetwork(
            "ethereum-regtest", chainID: 31_337,
            genesis: "8f66a5ebc4f1312c1f6edd7e115019e1483e7dee4406378e9dfd8beb6e004d0a",
            blockSeconds: 1),
    ]

    /// The network of a name.
    public static func named(_ name: String) -> EVMNetwork? { all.first { $0.name == name } }
}
