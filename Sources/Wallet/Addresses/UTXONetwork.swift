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
    /// No amount, and no sum of a transaction's outputs, is above this; in base units of 10⁻⁸
    /// (`MAX_MONEY`).
    public let maximumMoney: Int64
    /// What its nodes take as the price of 1,000 virtual bytes when they call an output dust
    /// (`DUST_RELAY_TX_FEE`), in base units.
    public let dustRelayFee: Int64

    private init(
        _ name: String, _ segWitPrefix: String, publicKeyHash: UInt8, scriptHashes: [UInt8],
        coinType: UInt32
    ) {
        (self.name, self.segWitPrefix) = (name, segWitPrefix)
        (self.publicKeyHash, self.scriptHashes) = (publicKeyHash, scriptHashes)
        self.coinType = coinType
        let isLitecoin = name.hasPrefix("litecoin")
        maximumMoney = (isLitecoin ? 84_000_000 : 21_000_000) * 100_000_000
        dustRelayFee = isLitecoin ? 30_000 : 3_000
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
