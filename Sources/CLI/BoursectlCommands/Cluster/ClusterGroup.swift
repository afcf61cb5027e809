// cluster: two hosts with the exchange, and a witness

import ArgumentParser

struct ClusterGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster", abstract: "Sets up and shows two hosts and a witness.",
        subcommands: [
            ClusterInitCommand.self, ClusterInviteCommand.self, ClusterJoinCommand.self,
            ClusterStatusCommand.self, ClusterRenewCommand.self,
            ClusterRemoveGatewayCommand.self,
            ClusterPauseCommand.self, ClusterResumeCommand.self, ClusterSeedCommand.self,
            ClusterTestFencingCommand.self,
        ])
}
