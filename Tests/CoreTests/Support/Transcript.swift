// Scenarios as text: each command on a line that starts with >, what came of it indented below.
//
//      > ann sell 5 @ 101 show=2
//        #1 accepted: ann sell 5 @ 101, shows 2
//      > ben buy 3 @ 101
//        #2 accepted: ben buy 3 @ 101
//        trade 2 @ 101: #1 3 left, #2 1 left
//        ...
//
// A run writes the whole text anew, and it must be the file's text.

import Engine
import Terms
import Testing
import Wire

/// Runs a scenario on a venue: one of few steps in a turn where it starts with `> turns N`, one of
/// assets without decimals where it starts with `> whole`.
struct Transcript {
    private let venue: Venue
    private let names = ["ann": Venue.ann, "ben": Venue.ben, "cat": Venue.cat]

    /// The scenario with what came of its commands.
    static func run(_ script: String) -> String {
        var limits = EngineLimits.small
        if let first = script.split(separator: "\n").first(where: { $0.hasPrefix("> turns ") }) {
            limits.turnSteps = UInt32(first.dropFirst(8))!
        }
        let isWhole = script.contains("\n> whole\n")
        return Transcript(venue: Venue(limits: limits, isWhole: isWhole)).run(script)
    }

    private init(venue: Venue) { self.venue = venue }

    private func run(_ script: String) -> String {
        var lines: [String] = []
        for line in script.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("> ") {
                lines.append(String(line))
                lines += answer(line.dropFirst(2).split(separator: " ").map(String.init))
                    .map { "  " + $0 }
            } else if !line.hasPrefix("  ") {
                lines.append(String(line))
            }
        }
        return lines.joined(separator: "\n")
    }

    private func answer(_ words: [String]) -> [String] {
        switch words[0] {
        case "book": return book()
        case "balance": return balance(words[1])
        case "house": return house()
        case "turns", "whole": return []
        case "clock":
            venue.now += Int64(words[1])! * 1_000_000_000
            return []
        default:
            let outcome = venue.apply(command(words))
            var lines = venue.events.compactMap(text)
            if outcome.refusal != .none, lines.last?.hasPrefix("refused") != true {
                lines.append("refused: \(outcome.refusal)")
            }
            return lines
        }
    }

    // MARK: Commands

    private func command(_ words: [String]) -> Command {
        let audit = Venue.audit
        func number(_ place: Int) -> Int64 { Int64(words[place])! }
        switch words[0] {
        case "tick": return .tick(Tick())
        case "kill":
            return .setKillSwitch(
                SetKillSwitch(
                    account: names[words[1]] ?? AccountID(0), isOn: words[2] == "on",
                    audit: audit))
        case "state":
            let state = InstrumentState.allCases.first { "\($0)" == words[1] }!
            return .setInstrumentState(
                SetInstrumentState(instrument: Venue.goldDollar, state: state, audit: audit))
        case "band":
            venue.terms.bandUp = Int32(number(1))
            venue.terms.bandDown = Int32(number(2))
            venue.terms.referencePrice.ticks = number(3)
            return .setInstrument(venue.terms)
        case "fees":
            return .setFees(
                SetFees(
                    tier: UInt16(option(words, "tier=") ?? 0), maker: FeeRate(e8: Int32(number(1))),
                    taker: FeeRate(e8: Int32(number(2))), audit: audit))
        case "tier":
            return .setAccountTier(
                SetAccountTier(
                    account: names[words[1]]!, tier: UInt16(number(2)), audit: audit))
        case "limit":
            var limits = SetAccountLimits(account: names[words[1]]!, audit: audit)
            limits.messagesPerSecondMax = UInt32(option(words, "rate=") ?? 0)
            limits.openOrdersMax = UInt32(option(words, "open=") ?? 0)
            return .setAccountLimits(limits)
        case "size":
            return .setOrderLimits(
                SetOrderLimits(
                    account: names[words[1]] ?? AccountID(0), instrument: Venue.goldDollar,
                    orderQuantityMax: Quantity(lots: option(words, "lots=") ?? 0),
                    orderNotionalMax: Amount(units: Int128(option(words, "units=") ?? 0)),
                    audit: audit))
        case "reference":
            return .setReferencePrice(
                SetReferencePrice(
                    instrument: Venue.goldDollar, price: Price(ticks: number(1)), audit: audit))
        case "prevention":
            venue.terms.selfTradePrevention = SelfTradePrevention.allCases.first {
                "\($0)" == words[1]
            }!
            return .setInstrument(venue.terms)
        case "credit", "debit", "fund", "collect", "deposit": return booking(words)
        default: return trader(names[words[0]]!, Array(words[1...]))
        }
    }

    /// Money comes in or goes out, moves to the fees or out of them, or came in on a chain.
    private func booking(_ words: [String]) -> Command {
        let (account, audit) = (names[words[1]]!, Venue.audit)
        let asset = words[3] == "gold" ? Venue.gold : Venue.dollar
        var amount = Amount(units: Int128(words[2])!)
        if words[0] == "debit" || words[0] == "fund" { amount.units = -amount.units }
        let named = words.first { $0.hasPrefix("for=") }.map { Text64($0.dropFirst(4))! }
        let reference = named ?? venue.reference()
        switch words[0] {
        case "deposit":
            if venue.engine.network(asset, NetworkID(1)) == nil { venue.openNetwork(asset) }
            return .creditDeposit(
                CreditDeposit(
                    account: account, asset: asset, network: NetworkID(1),
                    transactionHigh: UInt128(option(words, "in=") ?? 0), transactionLow: 0,
                    output: UInt32(option(words, "output=") ?? 0), amount: amount))
        case "fund", "collect":
            return .transferFees(
                TransferFees(
                    account: account, asset: asset, amount: amount, reference: reference,
                    audit: audit))
        default:
            return .adjustBalance(
                AdjustBalance(
                    account: account, asset: asset, amount: amount, reference: reference,
                    audit: audit))
        }
    }

    private func trader(_ account: AccountID, _ words: [String]) -> Command {
        let instrument = Venue.goldDollar
        switch words[0] {
        case "cancel": return .cancel(cancel(account, words))
        case "cancels":
            let side: Side? = words.count < 2 ? nil : words[1] == "buy" ? .buy : .sell
            return .massCancel(MassCancel(account: account, instrument: instrument, side: side))
        case "amend":
            var amend = Amend(account: account, instrument: instrument, order: order(words[1]))
            amend.price.ticks = value(words, "@") ?? 0
            amend.quantity.lots = value(words, "to") ?? 0
            amend.newClOrdID = name(words)
            amend.keepsPriority = words.contains("keep")
            return .amend(amend)
        case "replace":
            let isStrict = words[2] == "strict"
            return .cancelReplace(
                CancelReplace(
                    stopOnFailure: isStrict, cancel: cancel(account, words),
                    place: place(account, Array(words[(isStrict ? 3 : 2)...]))))
        default: return .place(place(account, words))
        }
    }

    /// `cancel #1`, `cancel #0 named=mine`, `cancel #1 onlyNew`.
    private func cancel(_ account: AccountID, _ words: [String]) -> Cancel {
        var cancel = Cancel(
            account: account, instrument: Venue.goldDollar, order: order(words[1]))
        if let named = words.first(where: { $0.hasPrefix("named=") }) {
            cancel.clOrdID = Text40(named.dropFirst(6))!
        }
        for restriction in CancelRestriction.allCases where words.contains("\(restriction)") {
            cancel.restriction = restriction
        }
        return cancel
    }

    private func name(_ words: [String]) -> Text40 {
        words.first { $0.hasPrefix("id=") }.map { Text40($0.dropFirst(3))! } ?? Text40()
    }

    private func order(_ word: String) -> OrderID { OrderID(UInt64(word.dropFirst())!) }

    private func place(_ account: AccountID, _ words: [String]) -> Place {
        var p = Place(
            account: account, instrument: Venue.goldDollar,
            side: words[0] == "buy" ? .buy : .sell, type: .limit)
        if words[1].hasPrefix("$") {
            p.quoteQuantity.units = Int128(words[1].dropFirst())! * 100
        } else {
            p.quantity.lots = Int64(words[1])!
        }
        p.price.ticks = value(words, "@") ?? 0
        p.displayQuantity.lots = option(words, "show=") ?? 0
        p.clOrdID = name(words)
        p.deadline = (option(words, "by=") ?? 0) * 1_000_000_000
        if words.contains("maker") { p.type = .limitMaker }
        if words.contains("market") { p.type = .market }
        if words.contains("ioc") { p.timeInForce = .ioc }
        if words.contains("fok") { p.timeInForce = .fok }
        if let seconds = option(words, "gtd=") {
            p.timeInForce = .gtd
            p.expireTime = seconds * 1_000_000_000
        }
        if let stop = option(words, "stop=") {
            p.type = p.price == .none ? .stopLoss : .stopLossLimit
            p.stopPrice.ticks = stop
        }
        if let profit = option(words, "profit=") {
            p.type = p.price == .none ? .takeProfit : .takeProfitLimit
            p.stopPrice.ticks = profit
        }
        for mode in SelfTradePrevention.allCases where words.contains("\(mode)") {
            p.selfTradePrevention = mode
        }
        return p
    }

    private func value(_ words: [String], _ key: String) -> Int64? {
        words.firstIndex(of: key).flatMap { Int64(words[$0 + 1]) }
    }

    private func option(_ words: [String], _ key: String) -> Int64? {
        words.first { $0.hasPrefix(key) }.flatMap { Int64($0.dropFirst(key.count)) }
    }
}

// MARK: Events and books in words

extension Transcript {
    private func name(_ account: AccountID) -> String {
        names.first { $0.value == account }!.key
    }

    private func text(_ event: Event) -> String? {
        switch event {
        case .orderAccepted(let v): "#\(v.order.number) accepted: \(terms(v))"
        case .orderRefused(let e): "refused: \(e.refusal)"
        case .trade(let t):
            "trade \(t.quantity.lots) @ \(t.price.ticks): \(text(t.maker)), \(text(t.taker))"
        case .orderReplenished(let e): "#\(e.order.number) shows \(e.displayed.lots)"
        case .orderEnded(let v, let reason):
            "#\(v.order.number) \(v.status): \(reason), \(v.cumQty.lots) of \(v.quantity.lots) "
                + "traded" + prevented(v)
        case .orderAmended(let v, let old):
            "#\(v.order.number) amended: \(v.leavesQty.lots) left of \(v.quantity.lots) "
                + "@ \(v.price.ticks)" + (old == v.price ? "" : ", was @ \(old.ticks)")
                + prevented(v)
        case .orderTriggered(let v): "#\(v.order.number) triggered"
        default: nil
        }
    }

    private func prevented(_ v: OrderView) -> String {
        v.preventedQuantity == .zero ? "" : ", \(v.preventedQuantity.lots) prevented"
    }

    private func terms(_ v: OrderView) -> String {
        let quantity =
            v.quoteQuantity.units != 0 ? "$\(v.quoteQuantity.units / 100)" : "\(v.quantity.lots)"
        var text = "\(name(v.account)) \(v.side) \(quantity)"
        if v.price != .none { text += " @ \(v.price.ticks)" }
        if v.displayQuantity != .zero { text += ", shows \(v.displayQuantity.lots)" }
        if v.stopPrice != .none { text += ", waits for \(v.stopPrice.ticks)" }
        return text
    }

    private func text(_ fill: Fill) -> String {
        let isFilled = fill.status == .filled
        let fee = fill.fee == .zero ? "" : " fee \(fill.fee.units)"
        return "#\(fill.order.number) "
            + (isFilled ? "filled" : "\(fill.leavesQty.lots) left") + fee
    }

    private func book() -> [String] {
        func column(_ side: Side) -> [String] {
            venue.levels(side).map {
                "\($0.quantity.lots) @ \($0.price.ticks)"
                    + ($0.orders == 1 ? "" : " (\($0.orders) orders)")
            }
        }
        let (bids, asks) = (column(.buy), column(.sell))
        func padded(_ text: String) -> String {
            text + String(repeating: " ", count: max(0, 22 - text.count))
        }
        var lines = [padded("bids") + "| asks"]
        for row in 0..<max(bids.count, asks.count) {
            let ask = row < asks.count ? " " + asks[row] : ""
            lines.append(padded(row < bids.count ? bids[row] : "") + "|" + ask)
        }
        return lines
    }

    private func balance(_ name: String) -> [String] {
        [("gold", Venue.gold), ("dollar", Venue.dollar)].map { word, asset in
            let balance = venue.balance(names[name]!, asset)
            return "\(word): \(balance.available.units) available, \(balance.held.units) held"
        }
    }

    private func house() -> [String] {
        [("gold", Venue.gold), ("dollar", Venue.dollar)].map { word, asset in
            let house = venue.house(asset)
            return "\(word): fees \(house.fees.units), rounding \(house.rounding.units)"
        }
    }
}
