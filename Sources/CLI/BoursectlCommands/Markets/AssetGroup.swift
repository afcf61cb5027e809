// asset, and what its verbs share.

import ArgumentParser
import Engine
import Terms

struct AssetGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "asset", abstract: "Assets: coins and tokens that are held and traded.",
        subcommands: [AssetAddCommand.self, AssetListCommand.self])
}

extension HouseBalance {
    /// What all customers own together.
    var customers: Amount { Amount.zero - external - chain - fees - rounding - inTransit }
}
