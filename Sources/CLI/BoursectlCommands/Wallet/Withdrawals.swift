// wallet withdrawals

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms

struct WithdrawalsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "withdrawals", abstract: "Lists open withdrawals.",
        discussion: """
            Requested: waits for approvals. Approved: waits to be paid. Signed: a transaction pays \
            it, which anybody may broadcast; of several, each replaces the one before and one \
            becomes final. Those that were settled, refused or cancelled are in the journal \
            (`boursectl journal dump`).

            JSON: [withdrawal]; a withdrawal is \(WithdrawalTable.members).
            """)

    enum Status: String, ExpressibleByArgument, CaseIterable {
        case requested, approved, signed
    }

    @OptionGroup var common: CommonOptions
    @Option(help: "Only this account's: its name, or id:NUMBER.") var account: String?
    @Option(help: "Only those of this status: requested, approved or signed.") var status: Status?

    func run() throws {
        let replica = try common.exchange().replica()
        let only = try account.map { try replica.account($0).id }
        let views = replica.withdrawals.filter { view in
            (only == nil || view.account == only)
                && (status == nil || "\(view.status)" == status?.rawValue)
        }
        let table = WithdrawalTable(replica)
        common.out.give(
            .array(views.map { table.json($0) }), table: table.table(views),
            empty: "No such withdrawals are open.")
    }
}
