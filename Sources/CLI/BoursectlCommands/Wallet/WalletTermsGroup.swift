// wallet terms: what withdrawals cost an account or a tier, and the least that they are.

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct WalletTermsGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "terms", abstract: "An account's or a tier's own fee and minimum.",
        discussion: """
            Withdrawals cost the fee and have the minimum of the asset's network (`wallet \
            network`); a tier's accounts may have others in their place, and an account its own. \
            The tier is that of `boursectl fees tier`. A withdrawal that was requested keeps its \
            fee.

            EXAMPLE
              boursectl wallet terms set LTC 1 --tier 1 --fee 0.0005
              boursectl wallet terms set LTC 1 --account alice --fee 0 --minimum 0.001
              boursectl wallet terms show --account alice
              boursectl wallet terms remove LTC 1 --account alice
            """,
        subcommands: [
            WalletTermsShowCommand.self, WalletTermsSetCommand.self, WalletTermsRemoveCommand.self,
        ], defaultSubcommand: WalletTermsShowCommand.self)
}

/// The terms that count for an account or a tier, as commands show them.
struct WithdrawalTermsRow {
    let view: NetworkView
    /// The row that they are from; nil: they are the network's.
    let row: WithdrawalTermsView?
    let replica: ExchangeReplica

    /// Whose they are.
    private var owner: String {
        guard let row else { return "each account" }
        return row.tier.map { "tier \($0)" } ?? replica.name(row.account)
    }

    /// The columns of a table.
    var cells: [String] {
        [
            replica.code(view.asset), "\(view.network.number)", owner,
            replica.number(view.minimum, view.asset).grouped(),
            replica.number(view.fee, view.asset).grouped(),
        ]
    }

    /// As JSON.
    var json: JSONValue {
        [
            "asset": .string(replica.code(view.asset)), "chain": .number(view.network.number),
            "account": .orNull(
                row.flatMap { $0.tier == nil ? replica.name($0.account) : nil }),
            "tier": .orNull(row?.tier.map { Int64($0) }),
            "minimum": .string("\(replica.number(view.minimum, view.asset))"),
            "fee": .string("\(replica.number(view.fee, view.asset))"),
        ]
    }

    static let fields = #"{"asset", "chain", "account", "tier", "minimum", "fee"}"#

    /// A table without rows.
    static var table: Table {
        Table([
            .words("ASSET"), .numbers("CHAIN"), .words("ACCOUNT"), .numbers("MINIMUM"),
            .numbers("FEE"),
        ])
    }
}

/// Whose terms the verbs that change some take.
struct TermsTarget: ParsableArguments {
    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Argument(help: "The asset's code.") var asset: String
    @Argument(help: "The chain's number.") var number: ChainNumber
    @Option(help: "This account's: its name, or id:NUMBER.") var account: String?
    @Option(
        help: ArgumentHelp(
            "This tier's accounts', as `boursectl fees tier` sets it.", valueName: "number"))
    var tier: UInt16?

    func validate() throws {
        guard (account == nil) != (tier == nil) else {
            throw ValidationError(
                "Give --account or --tier; those of all are in `boursectl wallet network set`.")
        }
    }

    /// Submits the terms that `make` gives from those that count now.
    fileprivate func run(
        _ make: (NetworkView, AssetView, inout SetWithdrawalTerms, ExchangeReplica) throws -> Void
    ) throws {
        let audit = try signature.audit()
        let session = try common.exchange().walletSession(signature.who)
        let replica = session.replica
        try WithdrawalRulesNeeded.check(
            replica, .setWithdrawalTerms, "an account's and a tier's own terms")
        let asset = try replica.asset(asset)
        _ = try replica.chain(number)
        _ = try replica.network(asset, number)
        let tiers = replica.engine.limits.feeTiers
        if let tier, UInt32(tier) >= tiers {
            throw CommandError(
                "there is no tier \(tier): tiers go from 0 to \(tiers - 1)", code: .usage)
        }
        let account = try account.map { try replica.account($0) }
        let id = account?.id ?? AccountID(0)
        func counting() throws -> WithdrawalTermsRow {
            let view =
                tier.map { replica.engine.network(asset.id, number.id, tier: $0) }
                ?? replica.engine.network(asset.id, number.id, for: id)
            let row =
                tier.map { replica.engine.withdrawalTerms(tier: $0, asset.id, number.id) }
                ?? replica.engine.withdrawalTerms(id, asset.id, number.id)
            return WithdrawalTermsRow(
                view: try view ?? replica.network(asset, number), row: row, replica: replica)
        }
        var command = SetWithdrawalTerms(
            account: id, tier: tier, asset: asset.id, network: number.id,
            minimum: .zero, fee: .zero, audit: audit)
        try make(try counting().view, asset, &command, replica)
        let receipt = try session.submit(
            command,
            meanings: [
                .tableFull: "there are \(Limits.withdrawalTermsMax) rows of terms, which is the "
                    + "most: remove one"
            ])
        let row = try counting()
        var table = WithdrawalTermsRow.table
        table.add(row.cells)
        common.out.give(
            ["sequence": .number(receipt.sequence), "terms": row.json],
            text: table.lines(common.out.ink) + [receipt.text])
    }

    fileprivate static let json =
        "JSON: {\"sequence\", \"terms\"}; terms is what counts now, as in `boursectl wallet "
        + "terms show`."
}

struct WalletTermsSetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Sets an account's or a tier's own fee and minimum.",
        discussion: """
            What is not given is what counted before, and then no longer follows the network's. \
            Where operators have keys, this takes two.

            \(TermsTarget.json)

            EXAMPLE
              boursectl wallet terms set LTC 1 --account alice --fee 0 --reason "contract 7"
            """)

    @OptionGroup var target: TermsTarget
    @Option(help: "The smallest withdrawal, above zero.") var minimum: DecimalNumber?
    @Option(help: "The charge for a withdrawal, beside its amount.") var fee: DecimalNumber?

    func validate() throws {
        guard minimum != nil || fee != nil else {
            throw ValidationError("Give a term to set, as --fee 0.0005.")
        }
    }

    func run() throws {
        try target.run { before, asset, command, replica in
            command.minimum = try minimum.map { try asset.amount($0) } ?? before.minimum
            command.fee = try fee.map { try asset.amount($0) } ?? before.fee
            guard command.minimum > .zero, command.fee >= .zero else {
                throw CommandError(
                    "--minimum has to be above zero, and --fee not below it", code: .usage)
            }
            try MinimumOnChain.check(command.minimum, asset, replica.chain(target.number))
        }
    }
}

struct WalletTermsRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Removes an account's or a tier's own terms.",
        discussion: """
            An account has those of its tier again then, and a tier those of the network. Where \
            operators have keys, this takes two.

            \(TermsTarget.json)

            EXAMPLE
              boursectl wallet terms remove LTC 1 --account alice
            """)

    @OptionGroup var target: TermsTarget

    func run() throws {
        try target.run { _, asset, command, replica in
            var isThere = false
            replica.engine.forEachWithdrawalTerms { row in
                isThere =
                    isThere
                    || row.account == command.account && row.tier == command.tier
                        && row.asset == command.asset && row.network == command.network
            }
            guard isThere else {
                throw CommandError(
                    "\(asset.code) has no such terms", repair: "see `boursectl wallet terms show`")
            }
        }
    }
}

struct WalletTermsShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows accounts' and tiers' own terms.",
        discussion: """
            With --account it shows what counts for that account on each network: its own terms, \
            its tier's, or those of each account. Without, the terms that were set for accounts \
            and tiers; what counts elsewhere is in `boursectl wallet network list`.

            JSON: an array of \(WithdrawalTermsRow.fields).
            """)

    @OptionGroup var common: CommonOptions
    @Argument(help: "Only this asset's: its code.") var asset: String?
    @Option(help: "What counts for this account: its name, or id:NUMBER.") var account: String?

    func run() throws {
        let replica = try common.exchange().replica()
        let asset = try asset.map { try replica.asset($0) }
        var rows: [WithdrawalTermsRow] = []
        if let account {
            let found = try replica.account(account)
            for network in replica.networks where asset == nil || network.asset == asset?.id {
                guard
                    let view = replica.engine.network(
                        network.asset, network.network, for: found.id)
                else { continue }
                let row = replica.engine.withdrawalTerms(found.id, network.asset, network.network)
                rows.append(WithdrawalTermsRow(view: view, row: row, replica: replica))
            }
        } else {
            replica.engine.forEachWithdrawalTerms { row in
                guard asset == nil || row.asset == asset?.id,
                    var view = replica.engine.network(row.asset, row.network)
                else { return }
                (view.minimum, view.fee) = (row.minimum, row.fee)
                rows.append(WithdrawalTermsRow(view: view, row: row, replica: replica))
            }
        }
        var table = WithdrawalTermsRow.table
        for row in rows { table.add(row.cells) }
        common.out.give(
            .array(rows.map(\.json)), table: table,
            empty: account == nil
                ? "No account and no tier has terms of its own: see `boursectl wallet network list`"
                : "There are no networks yet. Add one: see `boursectl wallet network set --help`")
    }
}
