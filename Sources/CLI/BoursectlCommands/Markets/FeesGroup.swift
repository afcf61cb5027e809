// fees, and what its verbs share.

import ArgumentParser
import Presentation
import Terms

struct FeesGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fees", abstract: "Trading fees by tier and market.",
        discussion: """
            Every account begins in tier 0. A tier has its own rates and may have others for \
            single markets. Fees are taken from what a side receives; an order's accumulated fee \
            is rounded up to a smallest unit. Rebates are paid out of the fees of their asset, and \
            only as far as those suffice: see `boursectl fees fund`.
            """,
        subcommands: [
            FeesSetCommand.self, FeesTierCommand.self, FeesListCommand.self, FeesReportCommand.self,
            FeesCollectCommand.self, FeesRefundCommand.self, FeesFundCommand.self,
        ])
}

extension FeeRate {
    /// As a percentage.
    var percent: String { DecimalNumber.percent(Int128(e8), scale: 8) }
}
