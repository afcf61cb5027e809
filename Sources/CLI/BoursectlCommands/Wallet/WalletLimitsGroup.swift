// wallet limits, and how they are shown.

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms

struct WalletLimitsGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limits", abstract: "How much of an asset customers withdraw.",
        discussion: """
            An asset has limits for each account; a tier's accounts may have others in their \
            place, and an account its own. The tier is that of `boursectl fees tier`. The amount \
            is what arrives. A day is the last 24 hours, a month the last 30 days, each up to an \
            hour or a day longer. What is requested while a limit of a day or a month is that of \
            the account counts, but for what is refused or canceled.

            EXAMPLE
              boursectl wallet limits set LTC --each 50 --day 100 --month 1000 --day-count 20
              boursectl wallet limits set LTC --tier 1 --month 5000
              boursectl wallet limits set LTC --account alice --each 500 --day none
              boursectl wallet limits show LTC --account alice
            """,
        subcommands: [
            WalletLimitsShowCommand.self, WalletLimitsSetCommand.self,
            WalletLimitsRemoveCommand.self,
        ], defaultSubcommand: WalletLimitsShowCommand.self)
}

/// The limits of an account, of a tier or of all, as commands show them.
struct WithdrawalLimitsRow {
    let view: WithdrawalLimitsView
    let replica: ExchangeReplica

    /// An amount; nil where nothing is limited.
    private func number(_ amount: Amount) -> DecimalNumber? {
        // The highest amount that there can be is how an account is exempt from a general limit.
        amount == .zero || amount.units >= Limits.amountUnitsMax
            ? nil : replica.number(amount, view.asset)
    }

    private var count: UInt32? {
        view.dayCountMax == 0 || view.dayCountMax == .max ? nil : view.dayCountMax
    }

    /// Whose it is.
    var owner: String {
        if let tier = view.tier { return "tier \(tier)" }
        return view.account.number == 0 ? "each account" : replica.name(view.account)
    }

    /// The columns of a table.
    var cells: [String] {
        [
            replica.code(view.asset), owner,
            number(view.amountMax)?.grouped() ?? "none",
            number(view.dayAmountMax)?.grouped() ?? "none",
            number(view.monthAmountMax)?.grouped() ?? "none", count.map { "\($0)" } ?? "none",
        ]
    }

    /// As JSON.
    var json: JSONValue {
        func text(_ amount: Amount) -> JSONValue {
            number(amount).map { .string("\($0)") } ?? .null
        }
        return [
            "asset": .string(replica.code(view.asset)),
            "account": view.account.number == 0 ? .null : .string(replica.name(view.account)),
            "tier": .orNull(view.tier.map { Int64($0) }), "each": text(view.amountMax),
            "day": text(view.dayAmountMax),
            "month": text(view.monthAmountMax), "dayCount": count.map { .number($0) } ?? .null,
        ]
    }

    static let fields = #"{"asset", "account", "tier", "each", "day", "month", "dayCount"}"#

    /// A table without rows.
    static var table: Table {
        Table([
            .words("ASSET"), .words("ACCOUNT"), .numbers("EACH"), .numbers("DAY"),
            .numbers("MONTH"), .numbers("DAY COUNT"),
        ])
    }
}

struct WalletLimitsShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows the limits, and what an account has used of them.",
        discussion: """
            JSON: {"limits", "used"}; limits is an array of \(WithdrawalLimitsRow.fields), where \
            null is no limit; without an account they are those of each account of the tier, \
            without a tier as well those of all, but for those with limits of their own; used \
            is {"day", "month", "dayCount"}, or null without --account.
            """)

    @OptionGroup var common: CommonOptions
    @Argument(help: "Only this asset's: its code.") var asset: String?
    @Option(help: "The limits that count for this account: its name, or id:NUMBER.")
    var account: String?

    func validate() throws {
        guard account == nil || asset != nil else {
            throw ValidationError("Name the asset: wallet limits show ASSET --account ACCOUNT.")
        }
    }

    func run() throws {
        let replica = try common.exchange().replica()
        let asset = try asset.map { try replica.asset($0) }
        var rows: [WithdrawalLimitsRow] = []
        var used: WithdrawalCountView?
        if let asset, let account {
            let id = try replica.account(account).id
            if let view = replica.engine.withdrawalLimits(id, asset.id) {
                rows.append(WithdrawalLimitsRow(view: view, replica: replica))
            }
            used = replica.engine.withdrawalCount(id, asset.id)
        } else {
            replica.engine.forEachWithdrawalLimits { view in
                guard asset == nil || view.asset == asset?.id else { return }
                rows.append(WithdrawalLimitsRow(view: view, replica: replica))
            }
        }
        give(rows, used, asset, replica)
    }

    private func give(
        _ rows: [WithdrawalLimitsRow], _ used: WithdrawalCountView?, _ asset: AssetView?,
        _ replica: ExchangeReplica
    ) {
        var table = WithdrawalLimitsRow.table
        for row in rows { table.add(row.cells) }
        var lines =
            rows.isEmpty
            ? ["Nothing is limited. See `boursectl wallet limits set --help`."]
            : table.lines(common.out.ink)
        var json = JSONValue.null
        if let used, let asset {
            let day = replica.number(used.dayAmount, asset.id)
            let month = replica.number(used.monthAmount, asset.id)
            lines.append(
                "Used: \(day.grouped()) \(asset.code) in \(used.dayCount) withdrawals of a day, "
                    + "\(month.grouped()) \(asset.code) of a month.")
            json = [
                "day": .string("\(day)"), "month": .string("\(month)"),
                "dayCount": .number(used.dayCount),
            ]
        }
        common.out.give(["limits": .array(rows.map(\.json)), "used": json], text: lines)
    }
}
