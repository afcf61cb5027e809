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
    /// Its first block, as nodes write it.
    public let genesis: String
    /// No amount, and no sum of a transaction's outputs, is above this; in base units of 10⁻⁸
    /// (`MAX_MONEY`).
    public let maximumMoney: Int64
    /// What its nodes take as the price of 1,000 virtual bytes when they call an output dust
    /// (`DUST_RELAY_TX_FEE`), in base units.
    public let dustRelayFee: Int64
    /// Seconds between two blocks, on average.
    public let blockSeconds: Int64

    /// Whether its coins are worth nothing, and its keys are written as those of test networks:
    /// all of them share coin type 1, SLIP44.
    public var isTest: Bool { coinType == 1 }

    private init(
        _ name: String, _ segWitPrefix: String, publicKeyHash: UInt8, scriptHashes: [UInt8],
        coinType: UInt32, genesis: String
    ) {
        (self.name, self.segWitPrefix) = (name, segWitPrefix)
        (self.publicKeyHash, self.scriptHashes) = (publicKeyHash, scriptHashes)
        (self.coinType, self.genesis) = (coinType, genesis)
        let isLitecoin = name.hasPrefix("litecoin")
        maximumMoney = (isLitecoin ? 84_000_000 : 21_000_000) * 100_000_000
        dustRelayFee = isLitecoin ? 30_000 : 3_000
        blockSeconds = isLitecoin ? 150 : 600
    }

    /// All networks that the wallet knows. Litecoin's nodes also read Bitcoin's older version of
    /// script hashes, of which nobody can tell the chain: those are not taken.
    public static let all: [UTXONetwork] = [
        UTXONetwork(
            "bitcoin", "bc", publicKeyHash: 0, scriptHashes: [5], coinType: 0,
            genesis: "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"),
        UTXONetwork(
            "bitcoin-test", "tb", publicKeyHash: 111, scriptHashes: [196], coinType: 1,
            genesis: "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943"),
        UTXONetwork(
            "bitcoin-signet", "tb", publicKeyHash: 111, scriptHashes: [196], coinType: 1,
            genesis: "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6"),
        UTXONetwork(
            "bitcoin-regtest", "bcrt", publicKeyHash: 111, scriptHashes: [196], coinType: 1,
            genesis: "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"),
        UTXONetwork(
            "litecoin", "ltc", publicKeyHash: 48, scriptHashes: [50], coinType: 2,
            genesis: "12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2"),
        UTXONetwork(
            "litecoin-test", "tltc", publicKeyHash: 111, scriptHashes: [58], coinType: 1,
            genesis: "4966625a4b2851d9fdee139e56211a0d88575f59ed816ff5e6a63deb4e3e29a0"),
        UTXONetwork(
            "litecoin-regtest", "rltc", publicKeyHash: 111, scriptHashes: [58], coinType: 1,
            genesis: "530827f38f93b43ed12af0b3ad25a288dc02ed74d6d7857862df51fc56c416f9"),
    ]

    /// The network of a name.
    public static func named(_ name: String) -> UTXONetwork? { all.first { $0.name == name } }
}
