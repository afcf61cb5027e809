// What an operator's key is to sign, with names and decimals in place of numbers.

package import Engine
import JSON
import Presentation
import Terms
package import Wire

/// A command as its operator reads it before it is signed: from the very bytes, with the names of a
/// replica that this program keeps itself. What has no name in the log is marked as such, and no
/// field is left out.
package struct SignedText {
    /// Names and values, in the order of the layout.
    package private(set) var facts: [(name: String, value: String)] = []

    /// What the payload of a signed command says; nil: it is none.
    package init?(kind: CommandKind, payload: [UInt8], _ engine: borrowing Engine) {
        let command = unsafe payload.withUnsafeBytes {
            unsafe Command(kind: kind, payload: $0)
        }
        switch command {
        case .propose(let c):
            add("proposes", c.command.map { "\($0.kind)" } ?? "what is not to be proposed")
            if let inner = c.command { add(inner, engine) }
            add("until", Readable.time(c.deadline))
        case .endorse(let c):
            add("endorses", "proposal \(c.proposal.hex)")
            let open = engine.proposals.first { $0.id == c.proposal }
            addProposal(open?.proposal.digest == c.digest ? open : nil, engine)
            add("valid until", Readable.time(c.deadline))
        case .withdrawProposal(let c):
            add("takes back", "proposal \(c.proposal.hex)")
            addProposal(engine.proposals.first { $0.id == c.proposal }, engine)
        case .signDecision(let c):
            add(c.approves ? "approves" : "refuses", "withdrawal \(c.withdrawal.number)")
            add("account", Self.account(c.account, engine))
            let asset = engine.asset(c.asset)
            add("amount", Self.amount(c.amount.units, asset))
            add("fee", Self.amount(c.fee.units, asset))
            add("network", Self.network(c.network, c.asset, engine))
            add("to address", "\(c.address)")
            if !c.tag.isEmpty { add("tag", "\(c.tag)") }
            if !c.reason.isEmpty { add("reason", c.reason) }
            add("valid until", Readable.time(c.deadline))
        default: return nil
        }
        if let seal = command?.signed?.seal { add("signed by", "\(seal.name)") }
    }

    /// What a command says that is proposed.
    package init(_ command: Command, _ engine: borrowing Engine) { add(command, engine) }

    private mutating func add(_ name: String, _ value: String) { facts.append((name, value)) }

    private mutating func addProposal(_ open: ProposalView?, _ engine: borrowing Engine) {
        guard let open, let command = open.proposal.command else {
            return add("command", "UNKNOWN: no open proposal of the log is this one")
        }
        add("command", "\(command.kind)")
        add(command, engine)
        add("proposed by", "\(open.proposer)")
    }

    /// The fields of a command, each by its name in `Command.fields`.
    private mutating func add(_ command: Command, _ engine: borrowing Engine) {
        let fields = command.fields
        func number(_ name: String) -> Int128? {
            fields.first { $0.name == name }.flatMap { Self.number($0.value) }
        }
        let named = number("asset").flatMap { UInt16(exactly: $0) }.map { AssetID($0) }
        let asset = named.flatMap { engine.asset($0) }
        let market = Self.market(command, engine)
        for field in fields {
            let value = Self.number(field.value)
            var text = field.value.text ?? field.value.compact
            var name = field.name
            switch (name, value) {
            case ("account", 0?) where fields.contains { $0.name == "tier" }:
                text = "each of the tier"
            case ("account", let value?):
                text =
                    value == 0 ? "all" : Self.account(AccountID(UInt32(clamping: value)), engine)
            case ("asset", let value?), ("base", let value?), ("quote", let value?):
                text = Self.asset(AssetID(UInt16(clamping: value)), engine)
            case ("instrument", let value?):
                text =
                    value == 0 ? "all" : Self.symbol(InstrumentID(UInt16(clamping: value)), engine)
            case ("network", let value?):
                text = Self.network(
                    NetworkID(UInt16(clamping: value)), named ?? AssetID(0), engine)
            case ("feeMost", let value?): text = Self.amount(value, asset)
            case ("withdrawal", let value?):
                text = Self.withdrawal(WithdrawalID(UInt64(clamping: value)), engine)
            case (_, let value?) where name.hasSuffix("E8"):
                name.removeLast(2)
                text = DecimalNumber.percent(value, scale: 8)
            case (_, let value?) where name.hasSuffix("E6"):
                name.removeLast(2)
                text = DecimalNumber.percent(value, scale: 6)
            case (_, let value?) where name.hasSuffix("Ticks") && market != nil:
                name.removeLast(5)
                text = market?.grid.grouped(Price(ticks: Int64(clamping: value))) ?? text
            case (_, let value?) where name.hasSuffix("Lots") && market != nil:
                name.removeLast(4)
                text = market?.grid.grouped(Quantity(lots: Int64(clamping: value))) ?? text
            case (_, let value?) where name.hasPrefix("notional") && name.hasSuffix("Units"):
                name.removeLast(5)
                text = Self.amount(value, market?.quote)
            case (_, let value?) where name.hasSuffix("Units") && name != "lotUnits":
                name.removeLast(5)
                text = Self.amount(value, asset)
            case ("transaction", nil):
                text += Self.paid(text, engine)
            default: break
            }
            facts.append((name, text))
        }
        if case .setColdStorage(let c) = command { add(c, engine) }
        if case .setWithdrawalTerms(let c) = command { add(c, engine) }
    }

    /// What other terms of withdrawals come to.
    private mutating func add(_ c: SetWithdrawalTerms, _ engine: borrowing Engine) {
        if c.minimum == .zero {
            return add("terms", "removed: those of the tier or the network count again")
        }
        guard let chain = engine.chain(c.network), let asset = engine.asset(c.asset) else { return }
        do throws(CommandError) { try MinimumOnChain.check(c.minimum, asset, chain) } catch {
            add("WARNING", error.problem)
        }
    }

    /// What cold storage is in words: who endorses it compares the addresses with the device's.
    private mutating func add(_ c: SetColdStorage, _ engine: borrowing Engine) {
        if c.descriptor.isEmpty { return add("cold storage", "none any more") }
        guard let chain = engine.chain(c.network), let kind = ChainKind.named("\(chain.chain)")
        else { return add("cold storage", "UNKNOWN: the log has no such chain") }
        do throws(CommandError) {
            let checked = try ColdStorageCheck(c.descriptor, kind, chain, engine)
            add("cold storage", checked.words)
            add("first addresses", checked.addresses.joined(separator: " "))
        } catch {
            add("cold storage", "UNREADABLE or not to be used: \(error.problem)")
        }
    }

    // MARK: Names

    private static func number(_ value: JSONValue) -> Int128? {
        Int128(value.text ?? value.compact)
    }

    private static func account(_ id: AccountID, _ engine: borrowing Engine) -> String {
        "\(engine.account(id).map { "\($0.name)" } ?? "UNKNOWN") (account \(id.number))"
    }

    private static func asset(_ id: AssetID, _ engine: borrowing Engine) -> String {
        "\(engine.asset(id).map { "\($0.code)" } ?? "UNKNOWN") (asset \(id.number))"
    }

    private static func symbol(_ id: InstrumentID, _ engine: borrowing Engine) -> String {
        "\(engine.instrument(id).map { "\($0.symbol)" } ?? "UNKNOWN") (instrument \(id.number))"
    }

    /// The asset's network, or what the log says of the chain.
    private static func network(
        _ id: NetworkID, _ asset: AssetID, _ engine: borrowing Engine
    ) -> String {
        let name = engine.network(asset, id).map { "\($0.name)" }
        let chain = engine.chain(id).map { "\($0.chain)" }
        return "\(name ?? chain ?? "new") (chain \(id.number))"
    }

    private static func amount(_ units: Int128, _ asset: AssetView?) -> String {
        guard let asset else { return "\(units) units of an UNKNOWN asset" }
        guard -Limits.amountUnitsMax...Limits.amountUnitsMax ~= units else {
            return "\(units) units of \(asset.code), OUT OF RANGE"
        }
        return DecimalNumber(units: units, scale: Int(asset.scale)).grouped() + " \(asset.code)"
    }

    private static func withdrawal(_ id: WithdrawalID, _ engine: borrowing Engine) -> String {
        guard let view = engine.withdrawal(id) else { return "\(id.number), not open" }
        return "\(id.number): \(amount(view.amount.units, engine.asset(view.asset))) of "
            + "\(account(view.account, engine)) to \(view.address), \(view.status)"
            + (view.wasSigned ? "; it was signed once: look at its chain" : "")
    }

    private static func paid(_ transaction: String, _ engine: borrowing Engine) -> String {
        guard let id = TransactionID(hex: transaction), let payment = engine.payment(id) else {
            return ", no open payment"
        }
        if payment.isTransfer { return ", a transfer of the wallet's own" }
        return ", which pays withdrawal "
            + payment.withdrawals.map { withdrawal($0, engine) }.joined(separator: "; ")
    }

    /// The market of a command: by its own terms, or as the log has it.
    private static func market(
        _ command: Command, _ engine: borrowing Engine
    ) -> (grid: Grid, quote: AssetView?)? {
        switch command {
        case .setInstrument(let c):
            let (base, quote) = (engine.asset(c.base), engine.asset(c.quote))
            guard let base, let quote, c.tickScale <= Limits.scaleMax,
                1...1_000_000_000_000_000_000 ~= c.tickMantissa, c.lotUnits > 0
            else { return nil }
            return (
                Grid(
                    tickMantissa: c.tickMantissa, tickScale: c.tickScale, lotUnits: c.lotUnits,
                    baseScale: base.scale, quoteScale: quote.scale), quote
            )
        case .setReferencePrice(let c):
            guard let known = engine.instrument(c.instrument), let base = engine.asset(known.base),
                let quote = engine.asset(known.quote)
            else { return nil }
            return (
                Grid(
                    tickMantissa: known.tickMantissa, tickScale: known.tickScale,
                    lotUnits: known.lotUnits, baseScale: base.scale, quoteScale: quote.scale),
                quote
            )
        default: return nil
        }
    }
}
