// asset, and what its verbs share.

import ArgumentParser
import Engine
import Terms

struct AssetGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "asset", abstract: "What is held and traded: coins and tokens.",
        subcommands: [AssetAddCommand.self, AssetListCommand.self])
}

extension HouseBalance {
    /// What all customers own together.
    var customers: Amount { Amount.zero - external - chain - fees - rounding - inTransit }
}
