// Which assets EVM chains carry: the coins and contracts that an operator lists.
//
// A contract can call itself what it likes, so nothing on a chain says which one is meant by an
// asset of the log. No field of the log has a contract, and the signer has to know it from the host
// that it runs on in any case: a thief who writes the log could name a contract of his own. So the
// list is in the settings of the host.

public import Addresses

/// What an account of a chain has.
public enum EVMCoin: Hashable, Sendable {
    /// The chain's own coin.
    case native
    /// A token, by its contract.
    case token(EVMAddress)
}

/// An asset on an EVM chain, as an operator lists it.
public struct EVMAsset: Hashable, Sendable {
    /// The asset's code in the log, as `USDT`.
    public let code: String
    /// The chain.
    public let network: EVMNetwork
    /// The chain's coin or a token.
    public let coin: EVMCoin
    /// Its decimals on the chain, up to `decimalsMax`: 18 of native coin.
    public let decimals: UInt8

    /// Maximum decimals: 10^36 has less than 128 bits.
    public static let decimalsMax: UInt8 = 36
    /// Decimals of the native coin of every EVM chain.
    public static let nativeDecimals: UInt8 = 18

    /// Reads `ETH=ethereum`, or `USDT=ethereum:0xdAC17F958D2ee523a2206206994597C13D831ec7:6` with a
    /// contract and its decimals; nil for anything else.
    public init?(_ text: String) {
        let sides = text.split(separator: "=", omittingEmptySubsequences: false)
        guard sides.count == 2, !sides[0].isEmpty else { return nil }
        let parts = sides[1].split(separator: ":", omittingEmptySubsequences: false)
        guard let network = EVMNetwork.named(String(parts[0])) else { return nil }
        (code, self.network) = (String(sides[0]), network)
        switch parts.count {
        case 1: (coin, decimals) = (.native, Self.nativeDecimals)
        case 3:
            guard let contract = EVMAddress(String(parts[1])), contract.isPayable,
                let decimals = UInt8(parts[2]), decimals <= Self.decimalsMax
            else { return nil }
            (coin, self.decimals) = (.token(contract), decimals)
        default: return nil
        }
    }
}

/// All assets that an operator lists. Each coin has one asset, and each asset one coin of a chain.
public struct EVMAssetList: Sendable {
    /// In their order.
    public let assets: [EVMAsset]

    /// Maximum assets of a list.
    public static let assetsMax = 256

    /// No assets.
    public init() { assets = [] }

    /// Reads texts as `EVMAsset` does. An error names the first that is wrong.
    public init(_ texts: [String]) throws(EVMAssetListError) {
        guard texts.count <= Self.assetsMax else { throw .tooMany }
        var assets: [EVMAsset] = []
        for text in texts {
            guard let asset = EVMAsset(text) else { throw .malformed(text) }
            for other in assets where other.network == asset.network {
                if other.code == asset.code || other.coin == asset.coin { throw .twice(text) }
            }
            assets.append(asset)
        }
        self.assets = assets
    }

    /// The asset of a code on a chain; nil: it is not listed.
    public func asset(_ code: String, on network: EVMNetwork) -> EVMAsset? {
        assets.first { $0.code == code && $0.network == network }
    }
}

/// Why a list of assets cannot be used.
public enum EVMAssetListError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A text that is no asset on a chain.
    case malformed(String)
    /// The chain has this asset, or this coin, under another entry.
    case twice(String)
    /// More than `EVMAssetList.assetsMax`.
    case tooMany

    /// The reason.
    public var description: String {
        switch self {
        case .malformed(let text):
            "\"\(text)\" is no asset of an EVM chain: expected ETH=ethereum or "
                + "USDT=ethereum:CONTRACT:DECIMALS; there are "
                + EVMNetwork.all.map(\.name).joined(separator: ", ")
        case .twice(let text): "\"\(text)\": its chain has this asset or this coin already"
        case .tooMany: "there are more than \(EVMAssetList.assetsMax) assets"
        }
    }
}
