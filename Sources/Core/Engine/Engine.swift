// The engine and its input. Engine+Reading has the output.

internal import Slabs
public import Terms
public import Wire

/// The deterministic engine: the same log gives the same events and the same state on any machine.
///
/// Pure: no clock, no randomness, no input or output, no threads. One owner at a time. Its memory
/// is reserved in `init` and does not grow, except for the tables of administration (accounts'
/// names, sessions, API keys), bounded by `limits`, the ranges of elected stops, bounded by the
/// number of stops, and the tables of custody and of operators' proposals, bounded by `Limits`.
public struct Engine: ~Copyable {
    /// The sizes of its tables.
    public internal(set) var limits: EngineLimits
    /// The last record applied; 0 before the first.
    public internal(set) var sequence: UInt64 = 0
    /// The last record's timestamp.
    public internal(set) var timestamp: Int64 = 0
    /// The last record's epoch.
    public internal(set) var epoch: UInt32 = 0
    /// True once a `HashMark` of the log differs from this engine's hash: stop and investigate.
    public internal(set) var hasDiverged = false
    /// Whether the venue's kill switch is on.
    public internal(set) var isKilled = false

    /// The running hash over all outcomes and events so far.
    public var eventHash: UInt64 { events.hash }

    var orders: Orders
    var ladders: Ladders
    var ledger: Ledger
    var accounts: Accounts
    var instruments: Slab<InstrumentView>
    var instrumentsUsed: UInt16 = 0
    /// The prices that elect stops, by instrument.
    var triggers: Slab<TriggerPrices>
    /// States that instruments take when their flight ends: 0, or the state plus one.
    var deferredStates: Slab<UInt8>
    var assets: Slab<AssetView>
    var assetsUsed: UInt16 = 0
    var sessions: Sessions
    var keys: APIKeys
    var references: References
    var custody = Custody()
    var operators = Operators()
    var withdrawalRules = WithdrawalRules()
    var events: EventLog
    var lastOrder: UInt64 = 0
    /// `timestamp` in whole seconds.
    var second: Int64 = 0
    /// Steps used in this turn.
    var steps = 0
    /// The key of the log's hashes.
    var hashKey: (high: UInt64, low: UInt64) = (0, 0)
    /// The version of the rules in force.
    public internal(set) var rules: UInt32
    /// The newest version that this engine executes.
    public let rulesKnown: UInt32
    /// Sequences voided by operators, in the order of the log.
    public internal(set) var voids: [UInt64] = []
    /// Instruments with a flight, in the order in which the flights began.
    var flights: WaitingList
    /// These orders by instrument.
    var flightTerms: Slab<Flight>
    /// Accounts with a pending kill switch, in the order of the log; 0 is the venue.
    var kills: WaitingList
    /// The current account of the venue's kill switch.
    var killCursor: UInt32 = 0
    /// Mass cancels in progress, in the order of the log.
    var massCancels: [MassCancelWork] = []
    /// Waiting elected stops.
    var elections: Elections
    private let byAddress = ByAddress()

    /// Maximum looks at the book of an order before any change.
    var looksMax: Int { 4 * Int(limits.turnSteps) }

    /// An empty engine. Without events kept it has the same state and hashes, but `withEvents` has
    /// trades only: for matchd, whose events nobody reads. `rulesKnown` is below this code's where
    /// it stands for an earlier release, above for a later one, which then has this one's effects.
    public init(
        limits: EngineLimits, keepsEvents: Bool = true, rulesKnown: UInt32 = SetRules.current
    ) {
        precondition(limits.isReasonable, "limits that an engine can be made with")
        (self.limits, self.rulesKnown) = (limits, rulesKnown)
        rules = min(SetRules.current, rulesKnown)
        orders = Orders(capacity: Int(limits.openOrders), accounts: Int(limits.accounts))
        ladders = Ladders(instruments: Int(limits.instruments), orders: Int(limits.openOrders))
        ledger = Ledger(accounts: Int(limits.accounts), assets: Int(limits.assets))
        accounts = Accounts(limits: limits)
        kills = WaitingList(through: Int(limits.accounts))
        sessions = Sessions(capacity: Int(limits.sessions))
        keys = APIKeys(capacity: Int(limits.apiKeys))
        instruments = Slab(capacity: Int(limits.instruments) + 1)
        triggers = Slab(capacity: Int(limits.instruments) + 1)
        deferredStates = Slab(capacity: Int(limits.instruments) + 1)
        flights = WaitingList(through: Int(limits.instruments))
        elections = Elections(instruments: Int(limits.instruments))
        flightTerms = Slab(capacity: Int(limits.instruments) + 1)
        assets = Slab(capacity: Int(limits.assets) + 1)
        references = References(capacity: Int(limits.references))
        events = EventLog(capacity: Self.eventsMax(limits), kept: keepsEvents ? .all : .trades)
        for i in 0..<Int(limits.instruments) + 1 { triggers[i] = TriggerPrices() }
    }

    /// Maximum events of one turn: a step emits at most a trade, a slice and two ends; a change of
    /// all instruments one each, a payment one for each withdrawal, and a removed operator one for
    /// each proposal.
    static func eventsMax(_ limits: EngineLimits) -> Int {
        4 * Int(limits.turnSteps) + Int(limits.instruments) + Limits.payeesMax
            + Limits.proposalsMax + 64
    }

    // MARK: Reporting orders

    /// Reports that an order was accepted, amended, triggered or ended. `tag` is its place in the
    /// hash.
    @inline(__always)
    mutating func report(
        _ tag: EventTag, _ hot: HotOrder, stopPrice: Int64, _ status: OrderStatus, leaves: Int64
    ) { events.mix(tag, hot, stopPrice: stopPrice, status, leaves: leaves) }

    /// Reports that a resting order was changed.
    @inline(__always)
    mutating func reportAmended(_ slot: UInt32, oldPrice: Int64) {
        let now = status(slot)
        events.mix(
            .amended(oldPrice: oldPrice), orders.hot[slot], stopPrice: stopPrice(slot), now,
            leaves: orders.hot[slot].leaves)
        if events.kept == .all { keepAmended(slot, oldPrice) }
    }

    @inline(never) private mutating func keepAmended(_ slot: UInt32, _ oldPrice: Int64) {
        events.keep(.orderAmended(view(slot), oldPrice: Price(ticks: oldPrice)))
    }

    // MARK: Applying

    /// Applies the record in `bytes`, the next of the log (`sequence + 1`; a gap stops the
    /// process).
    ///
    /// `bytes` is a whole record whose CRC was checked. A malformed payload is refused.
    public mutating func apply(record bytes: UnsafeRawBufferPointer) -> Outcome {
        guard let header = unsafe RecordHeader(bytes) else {
            preconditionFailure("a record has a header")
        }
        var outcome = begin(header)
        if outcome.refusal == .none {
            let payload = unsafe UnsafeRawBufferPointer(rebasing: bytes[RecordHeader.size...])
            outcome = unsafe execute(kind: header.kind, payload: payload)
        }
        events.fold(outcome)
        return outcome
    }

    /// Applies a decoded command; equivalent to applying its record.
    public mutating func apply(_ header: RecordHeader, _ command: Command) -> Outcome {
        var outcome = begin(header)
        if outcome.refusal == .none {
            outcome = command.kind.rules <= rules ? execute(command) : .refused(.malformed)
        }
        events.fold(outcome)
        return outcome
    }

    /// Skips the record in `bytes`, which a later `VoidSequence` voids. Only its sequence,
    /// time and session number are taken.
    public mutating func skip(record bytes: UnsafeRawBufferPointer) -> Outcome {
        guard let header = unsafe RecordHeader(bytes) else {
            preconditionFailure("a record has a header")
        }
        var outcome = begin(header)
        if outcome.refusal == .none { outcome = .refused(.voided) }
        events.fold(outcome)
        return outcome
    }

    /// The events of the last `apply`, in order.
    public borrowing func withEvents<R>(_ body: (UnsafeBufferPointer<Event>) -> R) -> R {
        unsafe events.withEvents(body)
    }

    /// When the next timer is due (ns since 1970), or nil: a `Tick` at or after it fires it. At
    /// once while earlier work waits.
    public var nextTimer: Int64? {
        if hasWork { return timestamp }
        let slot = orders.firstTimer
        let order = slot == none ? nil : orders.cold[slot].expireTime
        // The deadline itself is still in time.
        if operators.firstDeadline == .max { return order }
        return min(order ?? .max, operators.firstDeadline + 1)
    }

    /// Advances to the record's sequence, time and session number.
    @inline(__always) mutating func begin(_ header: RecordHeader) -> Outcome {
        precondition(header.sequence == sequence + 1, "records are applied without gaps")
        sequence = header.sequence
        epoch = header.epoch
        if header.timestamp > timestamp {
            timestamp = header.timestamp
            second = timestamp / 1_000_000_000
        }
        events.clear()
        steps = 0
        if header.session.number == 0 { return Outcome() }
        guard let place = sessions.find(header.session) else { return .refused(.sessionUnknown) }
        let last = sessions.list[place].lastNumber
        if header.number <= last { return .refused(.duplicateCommand) }
        if header.number > last + 1 { return .refused(.sessionGap) }
        sessions.list[place].lastNumber = header.number
        sessions.list[place].lastUsed = timestamp
        return Outcome()
    }

    /// Decodes traders' commands, nearly all of the log, without `Command`.
    private mutating func execute(kind: UInt16, payload: UnsafeRawBufferPointer) -> Outcome {
        var reader = unsafe WireReader(payload)
        switch kind {
        case CommandKind.place.rawValue:
            let command = Place(from: &reader)
            reader.finish()
            return reader.isValid ? place(command) : .refused(.malformed)
        case CommandKind.cancel.rawValue:
            let command = Cancel(from: &reader)
            reader.finish()
            return reader.isValid ? cancel(command, .request) : .refused(.malformed)
        case CommandKind.amend.rawValue:
            let command = Amend(from: &reader)
            reader.finish()
            return reader.isValid ? amend(command) : .refused(.malformed)
        default:
            guard let kind = CommandKind(rawValue: kind), kind.rules <= rules,
                let command = unsafe Command(kind: kind, payload: payload)
            else { return .refused(.malformed) }
            return execute(command)
        }
    }

    @inline(__always) private mutating func execute(_ command: Command) -> Outcome {
        rules >= 3 && command.isOfOperators ? executeOfOperators(command) : carryOut(command)
    }

    mutating func carryOut(_ command: Command) -> Outcome {
        switch command {
        case .place(let c): place(c)
        case .cancel(let c): cancel(c, .request)
        case .amend(let c): amend(c)
        case .cancelReplace(let c): cancelReplace(c)
        case .massCancel(let c): massCancel(c)
        case .tick: tick()
        case .hashMark(let c): check(c)
        case .genesis(let c): check(c)
        case .epochMark(let c): check(c)
        case .setRules(let c): setRules(c)
        case .voidSequence(let c): voidSequence(c)
        case .openSession(let c): openSession(c)
        case .closeSession(let c): closeSession(c)
        case .setAsset(let c): setAsset(c)
        case .setInstrument(let c): setInstrument(c)
        case .setInstrumentState(let c): setInstrumentState(c)
        case .setFees(let c): setFees(c)
        case .openAccount(let c): openAccount(c)
        case .setAccountLimits(let c): setAccountLimits(c)
        case .setOrderLimits(let c): setOrderLimits(c)
        case .setAccountTier(let c): setAccountTier(c)
        case .setKillSwitch(let c): setKillSwitch(c)
        case .adjustBalance(let c): adjustBalance(c)
        case .transferFees(let c): transferFees(c)
        case .creditDeposit(let c): creditDeposit(c)
        case .setReferencePrice(let c): setReferencePrice(c)
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
        case .addWithdrawalAddress(let c): addWithdrawalAddress(c)
        case .removeWithdrawalAddress(let c): removeWithdrawalAddress(c)
        case .setColdStorage(let c): setColdStorage(c)
        case .setWithdrawalTerms(let c): setWithdrawalTerms(c)
        }
    }
}
