// Which assets a chain can carry.

import Addresses
import Engine
import Presentation
import Terms

/// The one asset of a chain of Bitcoin's kin: its coin, which has eight decimals.
enum CoinOnChain {
    /// Decimals of the coins of Bitcoin and its kin.
    static let scale: UInt8 = 8

    /// Refuses an asset that cannot be such a coin. Other kinds of chains carry any.
    static func check(_ asset: AssetView, _ kind: String) throws(CommandError) {
        guard UTXONetwork.named(kind) != nil, asset.scale != scale else { return }
        throw CommandError(
            "\(asset.code) has \(asset.scale) decimals, and coins of \(kind) have \(scale)",
            repair: "a scale never changes: add an asset of another code with `boursectl asset add "
                + "CODE --scale \(scale)`, and give that one the network")
    }
}
