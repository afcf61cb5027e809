// wallet network list

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms

struct WalletNetworkListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the networks of all assets, with their terms.",
        discussion: """
            JSON: [{"asset", "chain", "name", "confirmations", "minimum", "fee", "approvals", \
            "approvalsAbove", "deposits", "withdrawals"}]; the last two say whether they are open. \
            A stop of a whole asset is in `boursectl wallet status`.
            """)

    @OptionGroup var common: CommonOptions

    func run() throws {
        let replica = try common.exchange().replica()
        var table = Table([
            .words("ASSET"), .numbers("CHAIN"), .words("NAME"), .numbers("CONFIRMATIONS"),
            .numbers("MINIMUM"), .numbers("FEE"), .words("APPROVALS"), .words("DEPOSITS"),
            .words("WITHDRAWALS"),
        ])
        let all = replica.networks
        for view in all {
            let terms = replica.terms(view)
            table.add([
                replica.code(view.asset), "\(view.network.number)", "\(view.name)",
                "\(view.confirmations)", replica.number(view.minimum, view.asset).grouped(),
                replica.number(view.fee, view.asset).grouped(), terms.approvals,
                view.takesDeposits ? "open" : "closed",
                replica.engine.isWithdrawalStopped(view.asset)
                    ? "STOPPED" : view.takesWithdrawals ? "open" : "closed",
            ])
        }
        common.out.give(
            .array(all.map { replica.terms($0).json }), table: table,
            empty: "There are no networks yet. Add one: see `boursectl wallet network set --help`")
    }
}
