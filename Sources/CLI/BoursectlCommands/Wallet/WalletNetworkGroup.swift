// wallet network

import ArgumentParser
import Engine
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
