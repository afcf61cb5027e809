// wallet network

import Addresses
import ArgumentParser
import Engine
import Presentation
import Terms
import Wire

struct WalletNetworkGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "network", abstract: "Assets on chains, and the terms of going in and out.",
        subcommands: [WalletNetworkSetCommand.self, WalletNetworkListCommand.self])
}

extension SetNetwork {
    /// The present terms of a network.
    init(_ view: NetworkView, audit: Audit) {
        self.init(
            asset: view.asset, network: view.network, takesDeposits: view.takesDeposits,
            takesWithdrawals: view.takesWithdrawals, approvals: view.approvals,
            confirmations: view.confirmations, minimum: view.minimum, fee: view.fee,
            approvalsAbove: view.approvalsAbove, name: view.name, audit: audit)
    }
}

/// Whether a chain takes payments as small as a smallest withdrawal.
enum MinimumOnChain {
    /// Throws where nodes do not relay one: it would hold its money for ever.
    static func check(
        _ minimum: Amount, _ asset: AssetView, _ chain: ChainView
    ) throws(CommandError) {
        guard let network = UTXONetwork.named("\(chain.chain)") else { return }
        let limit = Amount(units: Int128(PayoutAddress.highestDustLimit(network)))
        guard minimum < limit else { return }
        let least = DecimalNumber(units: limit.units, scale: Int(asset.scale))
        throw CommandError(
            "nodes of \(chain.chain) do not relay payments of less than \(least) (dust)",
            repair: "give --minimum \(least) or more", code: .usage)
    }
}

extension ExchangeReplica {
    /// A network's terms with its asset's code.
    func terms(_ view: NetworkView) -> NetworkTerms {
        NetworkTerms(
            SetNetwork(view, audit: Audit(operatorName: Text40(), reason: "")),
            code: code(view.asset), scale: engine.asset(view.asset)?.scale ?? 0)
    }

    /// What a network is called.
    func networkName(_ asset: AssetID, _ network: NetworkID) -> String {
        engine.network(asset, network).map { "\($0.name)" } ?? "\(network.number)"
    }
}
