// Which assets a chain can carry.

import Addresses
import EVM
import Engine
import Presentation
import Terms

/// The one asset of a chain of Bitcoin's kin: its coin, which has eight decimals.
enum CoinOnChain {
    /// Decimals of the coins of Bitcoin and its kin.
    static let scale: UInt8 = 8

    /// Refuses an asset of an EVM chain that the host's list does not tie to a coin or a contract,
    /// or that has more decimals than that.
    static func check(
        _ asset: AssetView, on network: EVMNetwork, _ texts: [String]
    ) throws(CommandError) {
        let list: EVMAssetList
        do throws(EVMAssetListError) { list = try EVMAssetList(texts) } catch {
            throw CommandError("[walletd] assets cannot be used: \(error)")
        }
        guard let listed = list.asset("\(asset.code)", on: network) else {
            throw CommandError(
                "[walletd] assets in bourse.toml does not say what \(asset.code) is on "
                    + network.name,
                repair: "add \(asset.code)=\(network.name) if it is the chain's own coin, else "
                    + "\(asset.code)=\(network.name):CONTRACT:DECIMALS; on every host with a wallet"
            )
        }
        guard asset.scale <= listed.decimals else {
            throw CommandError(
                "\(asset.code) has \(asset.scale) decimals, and \(listed.decimals) on "
                    + "\(network.name)",
                repair: "a scale never changes: add an asset of another code with `boursectl asset "
                    + "add CODE --scale \(listed.decimals)` or less, and give that one the network")
        }
    }

    /// Refuses an asset that cannot be such a coin. Other kinds of chains carry any.
    static func check(_ asset: AssetView, _ kind: String) throws(CommandError) {
        guard UTXONetwork.named(kind) != nil, asset.scale != scale else { return }
        throw CommandError(
            "\(asset.code) has \(asset.scale) decimals, and coins of \(kind) have \(scale)",
            repair: "a scale never changes: add an asset of another code with `boursectl asset add "
                + "CODE --scale \(scale)`, and give that one the network")
    }
}
