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
    /// The worst price that it takes, fixed when its matching started; nil is any.
    var bound: Price?
    /// The exact fee of its trades so far.
    var fee = SlowFee()

    init(_ view: OrderView) {
        self.view = view
        rest = view.quoteQuantity.units
    }

    var isByQuote: Bool { view.quoteQuantity.units != 0 }
    var leaves: Int64 { view.leavesQty.lots }
}

/// A sum of amounts × rates in hundred-millionths, exact: `whole` + `part` ÷ 10⁸.
struct SlowFee {
    static let scale: Int128 = 100_000_000
    var whole: Int128 = 0
    /// 0 ..< 10⁸.
    var part: Int128 = 0

    var down: Int128 { whole }
    var up: Int128 { part > 0 ? whole + 1 : whole }

    /// With `amount` × `rate` ÷ 10⁸ more. The product may be wider than 128 bits, so the
    /// hundred-millions of the amount go by themselves.
    func plus(_ amount: Int128, _ rate: Int128) -> SlowFee {
        var sum = self
        sum.whole += amount / Self.scale * rate
        sum.part += amount % Self.scale * rate
        while sum.part < 0 {
            let ones = (-sum.part + Self.scale - 1) / Self.scale
            sum.part += ones * Self.scale
            sum.whole -= ones
        }
        sum.whole += sum.part / Self.scale
        sum.part %= Self.scale
        return sum
    }
}

/// An account with what is counted about it.
struct SlowAccount {
    var view: AccountView
    var hasOwnLimits = false
    var second: Int64 = -1
    var messages: UInt32 = 0
}

/// Limits of an account; zero is none.
struct SlowLimits {
    var openOrders: UInt32 = 0
    var messagesPerSecond: UInt32 = 0
}

struct BalanceKey: Hashable {
    var account: AccountID
    var asset: AssetID
}

struct FeeKey: Hashable {
    var tier: UInt16
    var instrument: InstrumentID
}

/// What may be booked only once.
enum SlowReference: Hashable {
    case text(Text64)
    case withdrawal(AccountID, Text40)
    case settled(NetworkID, TransactionID)
    case output(NetworkID, AssetID, high: UInt128, low: UInt128, output: UInt32)
}

/// A mass cancel or a kill switch at its work; of kill switches one an account, or the venue.
struct SlowMassCancel {
    /// Whose orders, or 0 for all.
    var account: AccountID
    var instrument: InstrumentID
    var side: Side?
    var reason: EndReason
    /// The last order that was accepted before it.
    var lastOrder: UInt64
    /// The account whose turn it is, and the last of its orders that was looked at.
    var at: UInt32 = 0
    var looked: UInt64 = 0
}

/// Deliberate mistakes, to show that the comparison with the engine finds them.
enum Flaw: String, CaseIterable, Sendable {
    case newestFirst, improvementKept, holdKeptAfterCancel, icebergKeepsPlace
    case amendUpKeepsPriority, fillOrKillSeesOwnOrders, expiresOneTickLate, bandIsExclusive
    case duplicateIsTaken, decrementForgetsHold, killSparesStops
    case amendIsNotCounted, feeOfEachTrade, feeRoundedDown, rebateOfNothing, lastElectsAlone
    case stopsInOrderOfID, decrementChangesQuantity, massCancelTouchesLater, massCancelOvertakes
    case cancelOvertakesFlight, deadlineOneEarly, referenceForgotten, sweepSeesOwnOrders
    case quoteIgnoresLotLimit, replaceIsCountedTwice, rebaseOutlivesTrade, boundMoves
    case restrictionIgnored, flightTakesNoStep, massCancelPassesAccounts
    case killIsNotRaised, killedStopFires, gatewayGivesWay, sessionInUseGivesWay
    case termsOvertakeFlight, priorityNotKept, longListIsWalked
    case requesterApproves, approvedTwiceByOne, stopIgnored, feeNotGivenBack, replacedIsPaidAgain
    case droppedStaysInTransit, withdrawalDoubled, settledAgain
    case replacedSurvives, costIsCharged, stopIgnoredInSigning
    case outputOfAnyChain, blockGoesBack, keyIsReplaced, readAgainIsForgotten
    case finalGoesBack, finalIsReplaced, checkOfBefore, chainTwice
    case feeNotAgreed
    case addressesIgnored
    case transferBeforeItsRules, transfersEndTogether
    case guardedIsTaken, keyIsChanged, keyOfTwo, lastIsRemoved, removedStillCounts, anyPastIsTaken
    case proposedAgain, otherIsEndorsed, proposerEndorses, endorsedTwiceByOne, addressIsNotSigned
    case timeIsNotChained, removedApproverCounts
    case heldBackCounts, oldRolesSign, namesStillCount, lastSpareIsRemoved, lastApproverIsRemoved
    case networkOfTooMany, oneRefusesSigned, customerTakesSignedBack, marksAreForgotten
    case feesOfOne, keyOfOne
    case newAddressAtOnce, bookOfAnybody, bookOfAnyChain, firstChangeFreezes, keyOfAnother
    case dayIsShort, requestIsNotCounted, anywhereUnasked, coldForNobody, coldIsKept
    case everyTierIsTheFirst, ownTermsIgnored, tierBeforeAccount, termsOfAnyChain
    case canceledStillCounts, onlyThisHourIsGivenBack
}

/// An exchange that is slow and plain.
final class SlowExchange {
    var limits: EngineLimits
    var flaw: Flaw?

    var sequence: UInt64 = 0
    var timestamp: Int64 = 0
    var epoch: UInt32 = 0
    var rules = SetRules.current
    var voids: [UInt64] = []

    var assets: [AssetView] = []
    var instruments: [InstrumentView] = []
    var accounts: [SlowAccount] = []
    var defaultLimits = SlowLimits()
    var orderLimits: [OrderLimitsView] = []
    var balances: [BalanceKey: Balance] = [:]
    var houses: [HouseBalance] = []
    var fees: [FeeKey: (maker: FeeRate, taker: FeeRate)] = [:]
    var references: Set<SlowReference> = []
    var isKilled = false
    var keys: [APIKeyView] = []
    var sessions: [SessionView] = []
    var lastSession: UInt32 = 0
    /// In ascending id; the order being matched is among them.
    var open: [SlowOrder] = []
    var lastOrder: UInt64 = 0
    var arrivals: UInt64 = 0
    var events: [Event] = []

    var networks: [NetworkView] = []
    var chains: [ChainView] = []
    /// Assets whose withdrawals are stopped.
    var stopped: [AssetID] = []
    var addresses: [SlowAddress] = []
    var withdrawals: [WithdrawalView] = []
    var lastWithdrawal: UInt64 = 0
    /// In the order of the log.
    var payments: [PaymentView] = []

    var operators: [OperatorView] = []
    var endorsements: UInt8 = 0
    /// In the order of the log.
    var proposals: [ProposalView] = []
    /// The audit chain's ends, from the one without a command on.
    var heads: [Digest256] = [.none]
    /// The minute of each command in it.
    var minutes: [Int64] = []

    var coldStorages: [ColdStorageView] = []
    var addressDelay: UInt32 = 0
    var keyFreeze: UInt32 = 0
    /// In the order of the log.
    var book: [BookEntryView] = []
    /// When keys of an account last changed.
    var keyChanges: [AccountID: Int64] = [:]
    var withdrawalLimits: [WithdrawalLimitsView] = []
    var withdrawalTerms: [WithdrawalTermsView] = []
    var counted: [SlowRow: [SlowCounted]] = [:]
    /// The last of these that was looked at for whether its month is over; nil: none.
    var lookedAt: SlowRow?

    /// Steps that the command at hand has taken.
    var steps = 0
    /// Incoming orders that ran out of steps, in the order in which they took off.
    var flights: [SlowOrder] = []
    /// States that instruments take when their flight is at its end.
    var statesToCome: [InstrumentID: InstrumentState] = [:]
    /// Kill switches, then mass cancels that ran out of steps, in the order of the log.
    var kills: [SlowMassCancel] = []
    var massCancels: [SlowMassCancel] = []
    /// Stops that were elected and wait, by instrument, in the order of election.
    var elected: [InstrumentID: [SlowOrder]] = [:]
    /// Instruments with elected stops, in the order in which these began to wait.
    var electing: [InstrumentID] = []

    init(limits: EngineLimits) { self.limits = limits }

    /// Applies the next command of the log; nil is a payload that does not decode.
    func apply(_ header: RecordHeader, _ command: Command?) -> Outcome {
        begin(header)
        if let refusal = enter(header) { return .refused(refusal) }
        guard let command, command.kind.rules <= rules else { return .refused(.malformed) }
        let hasOperators = rules > 2
        if hasOperators, needsTwo(command) { return .refused(.approvalRequired) }
        let outcome = carryOut(command)
        if hasOperators, outcome.refusal == .none { chain(command) }
        return outcome
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
        guard let i = sessions.firstIndex(where: { $0.id == header.session }) else {
            return .sessionUnknown
        }
        let last = sessions[i].lastNumber
        if header.number <= last, flaw != .duplicateIsTaken { return .duplicateCommand }
        if header.number > last + 1 { return .sessionGap }
        sessions[i].lastNumber = header.number
        sessions[i].lastUsed = timestamp
        return nil
    }

    private func genesis(_ c: Genesis) -> Outcome {
        if sequence != 1 || c.limits != limits { return .refused(.termsInvalid) }
        rules = c.rules
        return Outcome()
    }

    private func setRules(_ c: SetRules) -> Outcome {
        if c.version <= rules { return .refused(.termsInvalid) }
        rules = c.version
        return Outcome()
    }

    func carryOut(_ command: Command) -> Outcome {
        switch command {
        case .genesis(let c):
            genesis(c)
        case .tick: tick()
        case .hashMark, .epochMark: Outcome()
        case .setRules(let c): setRules(c)
        case .voidSequence(let c): voidSequence(c)
        case .openSession(let c): openSession(c)
        case .closeSession(let c): closeSession(c)
        case .setAsset(let c): setAsset(c)
        case .setInstrument(let c): setInstrument(c)
        case .setInstrumentState(let c): setInstrumentState(c)
        case .setReferencePrice(let c): setReferencePrice(c)
        case .setFees(let c): setFees(c)
        case .openAccount(let c): openAccount(c)
        case .setAccountLimits(let c): setAccountLimits(c)
        case .setOrderLimits(let c): setOrderLimits(c)
        case .setAccountTier(let c): setAccountTier(c)
        case .setKillSwitch(let c): setKillSwitch(c)
        case .adjustBalance(let c): adjustBalance(c)
        case .transferFees(let c): transferFees(c)
        case .creditDeposit(let c): creditDeposit(c)
        case .raiseLimits(let c): raiseLimits(c)
        case .addAPIKey(let c): addAPIKey(c)
        case .revokeAPIKey(let c): revokeAPIKey(c)
        case .setNetwork(let c): setNetwork(c)
        case .decideWithdrawal(let c): decideWithdrawal(c)
        case .resumeWithdrawals(let c): resumeWithdrawals(c)
        case .assignAddress(let c): assignAddress(c)
        case .requestWithdrawal(let c): requestWithdrawal(c)
        case .cancelWithdrawal(let c): cancelWithdrawal(c)
        case .noteDeposit(let c): noteDeposit(c)
        case .signWithdrawals(let c): signWithdrawals(c)
        case .settleTransaction(let c): settleTransaction(c)
        case .dropTransaction(let c): dropTransaction(c)
        case .stopWithdrawals(let c): stopWithdrawals(c)
        case .setChain(let c): setChain(c)
        case .checkBlock(let c): checkBlock(c)
        case .setOperator(let c): setOperator(c)
        case .setCustodyPolicy(let c): setCustodyPolicy(c)
        case .propose(let c): propose(c)
        case .endorse(let c): endorse(c)
        case .withdrawProposal(let c): withdrawProposal(c)
        case .signDecision(let c): signDecision(c)
        case .setWithdrawalPolicy(let c): setWithdrawalPolicy(c)
        case .setWithdrawalLimits(let c): setWithdrawalLimits(c)
        case .setWithdrawalTerms(let c): setWithdrawalTerms(c)
        case .setColdStorage(let c): setColdStorage(c)
        case .addWithdrawalAddress(let c): addWithdrawalAddress(c)
        case .removeWithdrawalAddress(let c): removeWithdrawalAddress(c)
        case .place(let c): place(c, isCounted: false)
        case .cancel(let c): cancel(c)
        case .amend(let c): amend(c)
        case .cancelReplace(let c): cancelReplace(c)
        case .massCancel(let c): massCancel(c)
        }
    }

    func isPast(_ deadline: Int64) -> Bool {
        deadline != 0 && timestamp > (flaw == .deadlineOneEarly ? deadline &- 1 : deadline)
    }

    /// Whether the turn's steps are used up.
    var isTurnOver: Bool { steps >= Int(limits.turnSteps) }

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

    func assetOrNil(_ id: AssetID) -> AssetView? {
        id.number >= 1 && Int(id.number) <= assets.count ? assets[Int(id.number) - 1] : nil
    }

    func balance(_ account: AccountID, _ asset: AssetID) -> Balance {
        balances[BalanceKey(account: account, asset: asset)] ?? Balance()
    }

    func limits(of account: SlowAccount) -> SlowLimits {
        guard account.hasOwnLimits else { return defaultLimits }
        return SlowLimits(
            openOrders: account.view.openOrdersMax,
            messagesPerSecond: account.view.messagesPerSecondMax)
    }

    /// The row of order limits that stands for an account in an instrument.
    func orderLimits(_ account: AccountID, _ instrument: InstrumentID) -> OrderLimitsView? {
        let rows = orderLimits.filter { $0.instrument == instrument }
        return rows.first { $0.account == account } ?? rows.first { $0.account.number == 0 }
    }

    func openOrders(of account: AccountID) -> Int { open.count { $0.view.account == account } }

    /// An account's open order by its id, the client's, or both.
    func find(
        _ account: AccountID, _ instrument: InstrumentID, _ id: OrderID, _ clOrdID: Text40
    ) -> SlowOrder? {
        if id.number == 0, clOrdID.isEmpty { return nil }
        return open.first {
            $0.view.account == account && $0.view.instrument == instrument
                && (id.number == 0 || $0.view.order == id)
                && (clOrdID.isEmpty || $0.view.clOrdID == clOrdID)
        }
    }

    func hasFlight(_ instrument: InstrumentID) -> Bool {
        flights.contains { $0.view.instrument == instrument }
    }

    func hasElected(_ instrument: InstrumentID) -> Bool { elected[instrument] != nil }
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
