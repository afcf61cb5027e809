// The engine's slow twin: every rule of Engine/RULES.md written the obvious way, with arrays that
// are scanned from end to end. It shares no code with the engine but the types that go in and come
// out.

import Engine
import Terms
import Wire

/// An open order, and the one that is being matched.
final class SlowOrder {
    enum Place { case waiting, matching, resting }

    var view: OrderView
    var place = Place.matching
    /// What is shown of it while it rests.
    var displayed: Int64 = 0
    /// What is held for it: quote units of a buy, base units of a sell.
    var hold: Int128 = 0
    /// Quote amount that an order by quote may still trade.
    var rest: Int128
    /// Its turn among orders at one price.
    var arrival: UInt64 = 0

    init(_ view: OrderView) {
        self.view = view
        rest = view.quoteQuantity.units
    }

    var isByQuote: Bool { view.quoteQuantity.units != 0 }
    var leaves: Int64 { view.leavesQty.lots }
}

/// An account with what is counted about it.
struct SlowAccount {
    var view: AccountView
    var hasOwnLimits = false
    var second: Int64 = -1
    var messages: UInt32 = 0
}

/// A writer's name with its open session.
struct SlowSession {
    var view: SessionView
}

/// An API key, kept when it is revoked.
struct SlowKey {
    var view: APIKeyView
    var isRevoked = false
}

/// Limits of an account; zero is none.
struct SlowLimits {
    var openOrders: UInt32 = 0
    var messagesPerSecond: UInt32 = 0
    var orderQuantity: Int64 = 0
    var orderNotional: Int128 = 0
}

struct BalanceKey: Hashable {
    var account: AccountID
    var asset: AssetID
}

struct FeeKey: Hashable {
    var tier: UInt16
    var instrument: InstrumentID
}

/// Deliberate mistakes, to show that the comparison with the engine finds them.
enum Flaw: String, CaseIterable, Sendable {
    case newestFirst, feeRoundedDown, improvementKept, holdKeptAfterCancel, icebergKeepsPlace
    case amendUpKeepsPriority, stopsInOrderOfID, fillOrKillSeesOwnOrders, expiresOneTickLate
    case bandIsExclusive, duplicateIsTaken, decrementForgetsHold, quoteSellIgnoresHold
    case rebateRoundedUp, killSparesStops, amendIsNotCounted
}

/// An exchange that is slow and plain.
final class SlowExchange {
    let limits: EngineLimits
    var flaw: Flaw?

    var sequence: UInt64 = 0
    var timestamp: Int64 = 0
    var epoch: UInt32 = 0

    var assets: [AssetView] = []
    var instruments: [InstrumentView] = []
    var accounts: [SlowAccount] = []
    var defaultLimits = SlowLimits()
    var balances: [BalanceKey: Balance] = [:]
    var houses: [HouseBalance] = []
    var fees: [FeeKey: (maker: FeeRate, taker: FeeRate)] = [:]
    var isKilled = false
    var keys: [SlowKey] = []
    var sessions: [SlowSession] = []
    var lastSession: UInt32 = 0
    /// In ascending id; the order being matched is among them.
    var open: [SlowOrder] = []
    var lastOrder: UInt64 = 0
    var arrivals: UInt64 = 0
    var events: [Event] = []
    /// Steps that the command at hand has taken.
    var steps = 0
    /// Instruments whose triggers wait because a command had taken all its steps.
    var postponed: [InstrumentID] = []

    /// The most steps of one command.
    static let stepsMax = 65_536

    init(limits: EngineLimits) { self.limits = limits }

    /// Applies the next command of the log; nil is a payload that does not decode.
    func apply(_ header: RecordHeader, _ command: Command?) -> Outcome {
        begin(header)
        if let refusal = enter(header) { return .refused(refusal) }
        guard let command else { return .refused(.malformed) }
        return carryOut(command)
    }

    /// Passes over a voided command.
    func pass(_ header: RecordHeader) -> Outcome {
        begin(header)
        return .refused(enter(header) ?? .voided)
    }

    private func begin(_ header: RecordHeader) {
        events.removeAll(keepingCapacity: true)
        steps = 0
        precondition(header.sequence == sequence + 1)
        sequence += 1
        timestamp = max(timestamp, header.timestamp)
        epoch = header.epoch
    }

    /// Takes the command's number into its session.
    private func enter(_ header: RecordHeader) -> Refusal? {
        if header.session.number == 0 { return nil }
        guard let i = sessions.firstIndex(where: { $0.view.id == header.session }) else {
            return .sessionUnknown
        }
        let last = sessions[i].view.lastNumber
        if header.number <= last, flaw != .duplicateIsTaken { return .duplicateCommand }
        if header.number > last + 1 { return .sessionGap }
        sessions[i].view.lastNumber = header.number
        return nil
    }

    private func carryOut(_ command: Command) -> Outcome {
        switch command {
        case .genesis(let c): c.limits == limits ? Outcome() : .refused(.termsInvalid)
        case .tick: tick()
        case .hashMark, .epochMark: Outcome()
        case .voidSequence(let c): Outcome(id: c.sequence)
        case .openSession(let c): openSession(c)
        case .setAsset(let c): setAsset(c)
        case .setInstrument(let c): setInstrument(c)
        case .setInstrumentState(let c): setInstrumentState(c)
        case .setFees(let c): setFees(c)
        case .openAccount(let c): openAccount(c)
        case .setAccountLimits(let c): setAccountLimits(c)
        case .setAccountTier(let c): setAccountTier(c)
        case .setKillSwitch(let c): setKillSwitch(c)
        case .adjustBalance(let c): adjustBalance(c)
        case .addAPIKey(let c): addAPIKey(c)
        case .revokeAPIKey(let c): revokeAPIKey(c)
        case .place(let c): place(c)
        case .cancel(let c): cancel(c, reason: .request)
        case .amend(let c): amend(c)
        case .cancelReplace(let c): cancelReplace(c)
        case .massCancel(let c): massCancel(c)
        }
    }

    // MARK: Ledger

    /// Moves an account's balance of one asset.
    func post(_ account: AccountID, _ asset: AssetID, available: Int128 = 0, held: Int128 = 0) {
        let key = BalanceKey(account: account, asset: asset)
        var balance = balances[key] ?? Balance()
        balance.available.units += available
        balance.held.units += held
        precondition(balance.available.units >= 0 && balance.held.units >= 0)
        balances[key] = balance
    }

    /// What an order's hold is made of.
    func holdAsset(_ side: Side, _ instrument: InstrumentView) -> AssetID {
        side == .buy ? instrument.quote : instrument.base
    }

    /// Gives `amount` of an order's hold back to its account.
    func release(_ order: SlowOrder, _ amount: Int128) {
        let asset = holdAsset(order.view.side, instrument(order.view.instrument))
        order.hold -= amount
        post(order.view.account, asset, available: amount, held: -amount)
    }

    // MARK: Finding

    func account(_ id: AccountID) -> SlowAccount? {
        id.number >= 1 && Int(id.number) <= accounts.count ? accounts[Int(id.number) - 1] : nil
    }

    func instrumentOrNil(_ id: InstrumentID) -> InstrumentView? {
        id.number >= 1 && Int(id.number) <= instruments.count
            ? instruments[Int(id.number) - 1] : nil
    }

    func instrument(_ id: InstrumentID) -> InstrumentView { instruments[Int(id.number) - 1] }

    func balance(_ account: AccountID, _ asset: AssetID) -> Balance {
        balances[BalanceKey(account: account, asset: asset)] ?? Balance()
    }

    func limits(of account: SlowAccount) -> SlowLimits {
        guard account.hasOwnLimits else { return defaultLimits }
        return SlowLimits(
            openOrders: account.view.openOrdersMax,
            messagesPerSecond: account.view.messagesPerSecondMax,
            orderQuantity: account.view.orderQuantityMax.lots,
            orderNotional: account.view.orderNotionalMax.units)
    }

    func openOrders(of account: AccountID) -> Int { open.count { $0.view.account == account } }

    /// An account's open order by its id or, where that is 0, by the client's.
    func find(
        _ account: AccountID, _ instrument: InstrumentID, _ id: OrderID, _ clOrdID: Text40
    ) -> SlowOrder? {
        open.first {
            $0.view.account == account && $0.view.instrument == instrument
                && (id.number != 0
                    ? $0.view.order == id : !clOrdID.isEmpty && $0.view.clOrdID == clOrdID)
        }
    }
}

/// The product of three, or the highest value where it would be above it.
func product(_ a: Int128, _ b: Int128, _ c: Int128) -> Int128 {
    let (ab, overAB) = a.multipliedReportingOverflow(by: b)
    let (abc, overABC) = ab.multipliedReportingOverflow(by: c)
    return overAB || overABC ? .max : abc
}

/// The sum of two that are not negative, or the highest value where it would be above it.
func sum(_ a: Int128, _ b: Int128) -> Int128 {
    let (sum, over) = a.addingReportingOverflow(b)
    return over ? .max : sum
}
