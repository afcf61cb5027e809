// wallet cold export

import Addresses
import ArgumentParser
import Configuration
import Engine
import JSON
import Keys
import Payments
import Platform
import Presentation
import Terms
import UTXO

/// An amount on the command line, or all that there is.
struct AmountOrAll: ExpressibleByArgument {
    /// The amount; nil: all.
    let amount: DecimalNumber?

    init?(argument: String) {
        if argument == "all" {
            amount = nil
        } else {
            guard let number = DecimalNumber(argument: argument), number.digits > 0 else {
                return nil
            }
            amount = number
        }
    }
}

struct WalletColdExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Makes the PSBT that brings coins back from cold storage.",
        discussion: """
            AMOUNT is what arrives in the wallet, or `all` that one transaction can bring; the fee \
            comes beside it out of cold storage, and what is left goes to its next address. The \
            file is binary (BIP174), with what devices want to sign: the outputs that are spent, \
            the keys with their origins, and the script of several keys. Nothing is spent before \
            it comes back: `boursectl wallet cold import`. On a host where bourse-walletd runs.

            JSON: {"file", "psbt", "transaction", "amount", "fee", "feeRate", "rest", "hot", \
            "restAddress", "inputs", "storage"}; psbt is Base64, amounts are decimals, feeRate is \
            base units for a virtual byte, rest and restAddress null where nothing is left, inputs \
            how many coins it spends.

            EXAMPLE
              boursectl wallet cold export LTC 1 100 --out bring.psbt
            """)

    /// Coins that one transaction spends, so that it fits the log whoever signs it.
    private static let inputsMax = 150
    /// What an output costs to spend some day, in base units for 1,000 virtual bytes.
    private static let longTermFeePerKilobyte: Int64 = 10_000

    @OptionGroup var common: CommonOptions
    @Argument(help: "The asset's code.") var asset: String
    @Argument(help: "The chain's number.") var number: ChainNumber
    @Argument(help: "How much is to arrive in the wallet, in coins, or all.")
    var amount: AmountOrAll
    @Option(help: ArgumentHelp("The PSBT, a new file.", valueName: "file"))
    var out: String
    @Flag(help: "Replaces the file where there is one.") var force = false
    @Option(
        help: ArgumentHelp(
            "The fee in base units for a virtual byte. Default: what the node asks for.",
            valueName: "units"))
    var feerate: Int64?
    @Option(
        help: ArgumentHelp(
            "From an earlier storage: its number in `wallet cold list`.", valueName: "number"))
    var storage: UInt32?
    @Option(
        help: ArgumentHelp(
            "Spends the coins of this transfer, which waits for a block, for a higher fee.",
            valueName: "transaction"))
    var replaces: String?

    func run() throws {
        guard force || !Directory.exists(out) else {
            throw CommandError(
                "\(out) is there already", repair: "name a new file, or add --force",
                code: .usage)
        }
        let exchange = try common.exchange()
        let replica = try exchange.replica()
        let place = try ColdPlace(asset, number, replica)
        if let evm = try WalletColdEVM(place.chain, exchange, replica) {
            guard let amount = amount.amount else {
                throw CommandError("give the amount, as 100", code: .usage)
            }
            let (json, text) = try evm.export(place.asset, amount, to: out)
            return common.out.give(json, text: text)
        }
        let network = try place.utxo()
        let seenChains = SeenChains(exchange.settings.walletd.status)
        if let warning = seenChains.warning { throw CommandError(warning) }
        guard let seen = SeenCold(seenChains.chains?[number.id]?.json, on: network) else {
            throw CommandError(
                "bourse-walletd says nothing of cold storage on \(place.chain.chain)",
                repair: "see `boursectl wallet status`")
        }
        let now = replica.engine.coldStorage(place.asset.id, place.network.network)
        let (source, rest) = try storages(seen, now?.descriptor)
        guard let descriptor = source.descriptor, let restDescriptor = rest.descriptor,
            let hot = place.chain.hotDestination(network)
        else { throw CommandError("the descriptor of the log, or the chain's key, is damaged") }
        guard let inputWeight = descriptor.inputWeight else {
            throw CommandError(
                "nobody can say what it takes to spend from \(source.text)",
                repair: "only from addresses of one key that begin with bc1q, bc1p, ltc1q or ltc1p")
        }
        let plan = try plan(seen, source, inputWeight, rest, restDescriptor, hot, place, network)
        let psbt = try psbt(plan, seen, descriptor, rest, restDescriptor)
        do throws(SystemError) { try File.replace(out, with: psbt.bytes, mode: 0o600) } catch {
            throw CommandError(error)
        }
        give(plan, psbt, source, place, network)
        let after = seen.hot + Int128(plan.payees[0].amount)
        if let warning = ColdPlace.warning(hot: after, now) { Terminal.warn(warning) }
    }

    /// Where coins come from, and where what is left goes.
    private func storages(
        _ seen: SeenCold, _ named: String?
    ) throws(CommandError) -> (SeenCold.Storage, SeenCold.Storage) {
        let now = seen.storage(named: named)
        let source =
            storage.map { number in seen.storages.first { $0.number == number } }
            ?? now ?? (seen.storages.count == 1 ? seen.storages[0] : nil)
        guard let source else {
            throw CommandError(
                storage.map { "there is no cold storage \($0)" }
                    ?? "the chain has no cold storage now",
                repair: "name one of `boursectl --output json wallet cold list` with --storage")
        }
        return (source, now ?? source)
    }

    private func plan(
        _ seen: SeenCold, _ source: SeenCold.Storage, _ inputWeight: Int, _ rest: SeenCold.Storage,
        _ restDescriptor: ColdDescriptor, _ hot: UTXODestination, _ place: ColdPlace,
        _ network: UTXONetwork
    ) throws(CommandError) -> PaymentPlan {
        let taken = try takenCoins(seen)
        let all = (taken ?? seen.coins).filter { $0.storage.number == source.number }.map(\.coin)
        guard !all.isEmpty else {
            throw CommandError(
                "cold storage has nothing that can be spent now",
                repair: "what goes there can be spent once its transfer is final")
        }
        let change = try CommandError.wrapping { () throws(KeyError) in
            try restDescriptor.destination(rest.next)
        }
        let ceiling = PaymentProposal.feePerKilobyteMax
        var asked = seen.feePerKilobyte
        if let taker = taken?.first?.taker {
            // A transfer of the same size pays for both (BIP125).
            let weight = all.count * inputWeight + 4 * 100
            let old = Int128(taker.fee) * 4_000 / Int128(max(1, weight))
            asked = max(asked ?? 0, Int64(clamping: old * 5 / 4) + 2_000)
        }
        if let feerate { asked = try Self.checked(feerate) }
        guard let asked, let rate = UTXOFeeRate(perKilobyte: min(asked, ceiling)),
            let most = UTXOFeeRate(perKilobyte: ceiling),
            let later = UTXOFeeRate(perKilobyte: Self.longTermFeePerKilobyte)
        else {
            throw CommandError(
                "the node does not say what fee miners ask for", repair: "give --feerate",
                code: .usage)
        }
        var policy = PaymentPolicy(
            network: network, feeRate: rate,
            feeMax: most.fee(virtualSize: PaymentPolicy.weightMax / 4), change: change,
            longTermFeeRate: later)
        policy.inputsMax = Self.inputsMax
        policy.scriptInputWeight = inputWeight
        var whole: Int64?
        if let amount = amount.amount {
            whole = amount.units(scale: Int(place.asset.scale)).flatMap { Int64(exactly: $0) }
            guard let whole, 0...network.maximumMoney ~= whole else {
                throw CommandError(
                    "\(amount) is not a valid amount of \(place.asset.code)", code: .usage)
            }
        }
        do throws(PaymentError) {
            guard let whole else {
                let coins = Array(all.prefix(Self.inputsMax))
                let units = try CoinSelection.all(of: coins, to: hot, policy: policy)
                let payees = [Payee(hot, units)]
                return try PaymentPlan(
                    paying: payees,
                    from: CoinSelection(spending: coins, paying: payees, policy: policy),
                    policy: policy, seed: 0)
            }
            let payees = [Payee(hot, whole)]
            if taken != nil {
                return try PaymentPlan(
                    paying: [Payee(hot, whole)],
                    from: CoinSelection(
                        spending: all, paying: [Payee(hot, whole)], policy: policy),
                    policy: policy, seed: UInt64.random(in: 0 ... .max))
            }
            // Which coins, and at which place the rest stands, is of no secret: the draw is free.
            let seed = UInt64.random(in: 0 ... .max)
            let selection = try CoinSelection(
                from: all, paying: payees, policy: policy, seed: seed)
            return try PaymentPlan(paying: payees, from: selection, policy: policy, seed: seed)
        } catch {
            let listed = all.count < seen.coinCount ? " (of its largest coins)" : ""
            throw CommandError("cold storage cannot pay that\(listed): \(error)")
        }
    }

    /// The coins of the transfer that is to be replaced; nil: none is.
    private func takenCoins(_ seen: SeenCold) throws(CommandError) -> [SeenCold.Coin]? {
        guard let replaces else { return nil }
        guard let id = TransactionID(hex: replaces[...]) else {
            throw CommandError("\(replaces) is no transaction", code: .usage)
        }
        let coins = seen.taken.filter { $0.taker?.id == id }
        guard coins.first?.taker?.isReplaceable == true else {
            throw CommandError(
                "\(replaces) is no open transfer from cold storage that can be replaced",
                repair: "see `boursectl wallet cold list`")
        }
        return coins
    }

    private static func checked(_ feerate: Int64) throws(CommandError) -> Int64 {
        let range =
            PaymentProposal.feePerKilobyteMin / 1_000...PaymentProposal.feePerKilobyteMax / 1_000
        guard range ~= feerate else {
            throw CommandError(
                "--feerate has to be \(range.lowerBound) to \(range.upperBound)", code: .usage)
        }
        return feerate * 1_000
    }

    private func psbt(
        _ plan: PaymentPlan, _ seen: SeenCold, _ descriptor: ColdDescriptor,
        _ rest: SeenCold.Storage, _ restDescriptor: ColdDescriptor
    ) throws(CommandError) -> PSBT {
        let indices = Dictionary(
            seen.allCoins.map { ($0.key, $0.value.index) }, uniquingKeysWith: { first, _ in first })
        return try CommandError.wrapping { () throws(PSBTError) in
            var psbt = try PSBT(unsigned: plan.transaction)
            psbt.updateKeys(of: descriptor)
            for (place, coin) in plan.coins.enumerated() {
                try psbt.updateInput(
                    place, spent: coin.output, of: descriptor, at: indices[coin.outPoint] ?? 0)
            }
            if let place = plan.changeIndex {
                try psbt.updateOutput(place, of: restDescriptor, at: rest.next)
            }
            return psbt
        }
    }

    private func give(
        _ plan: PaymentPlan, _ psbt: PSBT, _ source: SeenCold.Storage, _ place: ColdPlace,
        _ network: UTXONetwork
    ) {
        func decimal(_ units: Int64) -> JSONValue {
            .string("\(DecimalNumber(units: Int128(units), scale: Int(place.asset.scale)))")
        }
        let payee = plan.payees[0]
        let hot = payee.destination.address(on: network)
        let rest = plan.changeIndex.map { plan.transaction.outputs[$0] }
        let restAddress = rest.flatMap { UTXODestination(script: $0.script)?.address(on: network) }
        let rate = plan.fee / Int64(max(1, plan.virtualSize))
        var facts = Facts()
        facts.add("arrives", place.text(Int128(payee.amount)))
        facts.add("at the wallet's", hot)
        facts.add("fee", "\(place.text(Int128(plan.fee))), \(rate) base units for a virtual byte")
        if let rest, let restAddress {
            facts.add("goes back", place.text(Int128(rest.amount)))
            facts.add("to cold storage's", restAddress)
        }
        facts.add("spends", "\(plan.coins.count) coins of cold storage")
        facts.add("signed by", source.descriptor?.words ?? "")
        common.out.give(
            [
                "file": .string(out), "psbt": .string(psbt.base64),
                "transaction": .string(plan.transaction.id.hex), "amount": decimal(payee.amount),
                "fee": decimal(plan.fee), "feeRate": .number(rate),
                "rest": rest.map { decimal($0.amount) } ?? .null, "hot": .string(hot),
                "restAddress": .orNull(restAddress), "inputs": .number(plan.coins.count),
                "storage": .number(source.number),
            ],
            text: facts.lines(common.out.ink) + [
                "\(out) is to be signed: compare these addresses and amounts on the device. Then "
                    + "`boursectl wallet cold import`."
            ])
    }
}
