// The networks of Bitcoin and its kin: what their addresses and keys look like.

/// A network's constants, from its node's chain parameters.
public struct UTXONetwork: Hashable, Sendable {
    /// Its name, as `bitcoin-regtest`.
    public let name: String
    /// The prefix of SegWit addresses, BIP173.
    let segWitPrefix: String
    /// Base 58 versions of pay-to-public-key-hash addresses.
    let publicKeyHash: UInt8
    /// Base 58 versions of pay-to-script-hash addresses: the one that is written is first.
    let scriptHashes: [UInt8]
    /// The coin type of its keys' paths, SLIP44.
    public let coinType: UInt32

    private init(
        _ name: String, _ segWitPrefix: String, publicKeyHash: UInt8, scriptHashes: [UInt8],
        coinType: UInt32
    ) {
        (self.name, self.segWitPrefix) = (name, segWitPrefix)
        (self.publicKeyHash, self.scriptHashes) = (publicKeyHash, scriptHashes)
        self.coinType = coinType
    }

    /// All networks that the wallet knows. Litecoin's nodes also read Bitcoin's older version of
    /// script hashes, of which nobody can tell the chain: those are not taken.
    public static let all: [UTXONetwork] = [
        UTXONetwork("bitcoin", "bc", publicKeyHash: 0, scriptHashes: [5], coinType: 0),
        UTXONetwork(
            "bitcoin-test", "tb", publicKeyHash: 111, scriptHashes: [196], coinType: 1),
        UTXONetwork(
            "bitcoin-signet", "tb", publicKeyHash: 111, scriptHashes: [196], coinType: 1),
        UTXONetwork(
            "bitcoin-regtest", "bcrt", publicKeyHash: 111, scriptHashes: [196], coinType: 1),
        UTXONetwork("litecoin", "ltc", publicKeyHash: 48, scriptHashes: [50], coinType: 2),
        UTXONetwork(
            "litecoin-test", "tltc", publicKeyHash: 111, scriptHashes: [58], coinType: 1),
        UTXONetwork(
            "litecoin-regtest", "rltc", publicKeyHash: 111, scriptHashes: [58], coinType: 1),
    ]

    /// The network of a name.
    public static func named(_ name: String) -> UTXONetwork? { all.first { $0.name == name } }
}
