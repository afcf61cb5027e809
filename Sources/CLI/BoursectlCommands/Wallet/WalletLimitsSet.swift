// wallet limits set, wallet limits remove

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

/// A limit on the command line: an amount, or none.
struct LimitArgument: ExpressibleByArgument {
    /// The amount; nil: no limit.
    let amount: DecimalNumber?

    init?(argument: String) {
        if argument == "none" {
            amount = nil
        } else {
            guard let number = DecimalNumber(argument: argument), number.digits > 0 else {
                return nil
            }
            amount = number
        }
    }
}

/// A limit of how many, on the command line: a number, or none.
struct CountArgument: ExpressibleByArgument {
    /// The number; 0: no limit.
    let number: UInt32

    init?(argument: String) {
        guard let number = argument == "none" ? 0 : UInt32(argument) else { return nil }
        self.number = number
    }
}

/// What both verbs take.
struct LimitsTarget: ParsableArguments {
    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Argument(help: "The asset's code.") var asset: String
    @Option(help: "Only this account's: its name, or id:NUMBER. Default: of each account.")
    var account: String?
    @Option(
        help: ArgumentHelp(
            "Only this tier's accounts', as `boursectl fees tier` sets it.", valueName: "number")
    )
    var tier: UInt16?

    func validate() throws {
        guard account == nil || tier == nil else {
            throw ValidationError("Give --account or --tier, not both.")
        }
    }

    /// Submits the limits that `make` gives from those that count now.
    fileprivate func run(
        _ make: (WithdrawalLimitsView?, AssetView, inout SetWithdrawalLimits) throws -> Void
    ) throws {
        let audit = try signature.audit()
        let session = try common.exchange().walletSession(signature.who)
        let replica = session.replica
        try WithdrawalRulesNeeded.check(replica)
        let asset = try replica.asset(asset)
        let tiers = replica.engine.limits.feeTiers
        if let tier, UInt32(tier) >= tiers {
            throw CommandError(
                "there is no tier \(tier): tiers go from 0 to \(tiers - 1)", code: .usage)
        }
        let id = try account.map { try replica.account($0).id } ?? AccountID(0)
        var command = SetWithdrawalLimits(
            account: id, tier: tier, asset: asset.id, dayCountMax: 0, amountMax: .zero,
            dayAmountMax: .zero, monthAmountMax: .zero, audit: audit)
        func counting() -> WithdrawalLimitsView? {
            tier.map { replica.engine.withdrawalLimits(tier: $0, asset.id) }
                ?? replica.engine.withdrawalLimits(id, asset.id)
        }
        try make(counting(), asset, &command)
        let receipt = try session.submit(
            command,
            meanings: [
                .tableFull: "there are \(Limits.withdrawalLimitsMax) rows of limits, which is the "
                    + "most: remove one of an account"
            ])
        let row = counting().map { WithdrawalLimitsRow(view: $0, replica: replica) }
        var table = WithdrawalLimitsRow.table
        if let row { table.add(row.cells) }
        common.out.give(
            ["sequence": .number(receipt.sequence), "limits": row?.json ?? .null],
            text: row == nil
                ? ["Nothing limits withdrawals of \(asset.code). \(receipt.text)"]
                : table.lines(common.out.ink) + [receipt.text])
    }

    fileprivate static let json =
        "JSON: {\"sequence\", \"limits\"}; limits is what counts now, as in `boursectl wallet "
        + "limits show`, or null."
}

struct WalletLimitsSetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Limits the withdrawals of an asset.",
        discussion: """
            Limits that are not given stay unchanged; an account's or a tier's own begin with \
            those that counted for it, and then no longer follow them. Where operators have \
            keys, this takes two.

            \(LimitsTarget.json)

            EXAMPLE
              boursectl wallet limits set LTC --each 50 --day 100 --month 1000 --day-count 20
              boursectl wallet limits set LTC --account alice --day none --reason "contract 7"
            """)

    @OptionGroup var target: LimitsTarget
    @Option(help: "Maximum amount of one withdrawal, or none.") var each: LimitArgument?
    @Option(help: "Maximum amount within 24 hours, or none.") var day: LimitArgument?
    @Option(help: "Maximum amount within 30 days, or none.") var month: LimitArgument?
    @Option(help: "Maximum number of withdrawals within 24 hours, or none.")
    var dayCount: CountArgument?

    func validate() throws {
        guard each != nil || day != nil || month != nil || dayCount != nil else {
            throw ValidationError("Give a limit to set, as --day 100.")
        }
    }

    func run() throws {
        try target.run { before, asset, command in
            command.amountMax = try amount(each, before?.amountMax, asset)
            command.dayAmountMax = try amount(day, before?.dayAmountMax, asset)
            command.monthAmountMax = try amount(month, before?.monthAmountMax, asset)
            command.dayCountMax = dayCount?.number ?? before?.dayCountMax ?? 0
            // A row of nothing would be removed, and the general limits would count again.
            if command.account.number != 0 || command.tier != nil, command.isEmpty {
                command.amountMax = Amount(units: Limits.amountUnitsMax)
            }
        }
    }

    private func amount(
        _ given: LimitArgument?, _ before: Amount?, _ asset: AssetView
    ) throws -> Amount {
        guard let given else { return before ?? .zero }
        return try given.amount.map { try asset.amount($0) } ?? .zero
    }
}

struct WalletLimitsRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Removes an asset's limits, or a tier's or an account's own.",
        discussion: """
            Without its own limits an account has those of its tier again, and a tier those of \
            each account.

            \(LimitsTarget.json)

            EXAMPLE
              boursectl wallet limits remove LTC --account alice
            """)

    @OptionGroup var target: LimitsTarget

    func run() throws {
        try target.run { before, asset, command in
            guard before?.account == command.account, before?.tier == command.tier else {
                throw CommandError(
                    "\(asset.code) has no such limits", repair: "see `boursectl wallet limits show`"
                )
            }
        }
    }
}
