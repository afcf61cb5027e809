// Events gathered for one transaction, each order and minute once.

public import Engine
import MarketData
import Terms
public import Wire

/// The changes of consecutive records to the history.
public struct HistoryBatch: Sendable {
    /// The first record in it; 0 while it is empty.
    public private(set) var firstSequence: UInt64 = 0
    /// The last record in it; 0 while it is empty.
    public private(set) var lastSequence: UInt64 = 0
    /// The last record's time.
    private(set) var time: Int64 = 0
    /// Orders by id: whole, or the change to one that is stored.
    private(set) var orders: [UInt64: OrderChange] = [:]
    /// Trades in order.
    private(set) var trades: [(trade: Trade, time: Int64)] = []
    /// Minutes with a trade.
    private(set) var minutes: [Minute: Candle] = [:]
    /// Balance changes other than trades, in order.
    private(set) var adjustments: [Adjustment] = []
    /// Changes of deposits and withdrawals, in order.
    private(set) var custody: [CustodyChange] = []
    private var custodyRows = 0

    /// An empty batch.
    public init() {}

    /// Whether no record is in it.
    public var isEmpty: Bool { firstSequence == 0 }

    /// Approximate number of rows that it will write: bounds a queue of batches.
    public var rows: Int {
        1 + orders.count + trades.count + minutes.count + adjustments.count + custodyRows
    }

    /// An instrument's minute.
    struct Minute: Hashable, Sendable {
        var instrument: UInt16
        var openTime: Int64
    }

    /// What a batch does to an order.
    enum OrderChange: Sendable {
        /// Stores the whole order.
        case whole(OrderRecord)
        /// Updates the columns that a trade changes in a stored order.
        case traded(cumQty: Int64, leavesQty: Int64, cumQuote: Int128, status: UInt8, time: Int64)
    }

    /// Takes the events of the record that `engine` applied last, and the deposit that it credits,
    /// if it is of that kind. Records come without gaps.
    public mutating func add(
        _ header: RecordHeader, _ engine: borrowing Engine, credit: CreditDeposit? = nil
    ) {
        begin(header.sequence, engine.timestamp)
        unsafe engine.withEvents { events in
            var settled: [WithdrawalID] = []
            for index in 0..<events.count {
                let event = unsafe events[index]
                add(event)
                if let change = CustodyChange(event, credit, engine, &settled) { add(change) }
            }
        }
    }

    /// Takes the events of a record, in order.
    package mutating func add(sequence: UInt64, time: Int64, events: [Event]) {
        begin(sequence, time)
        for event in events { add(event) }
    }

    private mutating func add(_ change: CustodyChange) {
        custody.append(change)
        custodyRows += change.rows
    }

    private mutating func begin(_ sequence: UInt64, _ time: Int64) {
        precondition(isEmpty || sequence == lastSequence + 1, "records without gaps")
        if isEmpty { firstSequence = sequence }
        lastSequence = sequence
        self.time = time
    }

    private mutating func add(_ event: Event) {
        switch event {
        case .orderAccepted(let order), .orderTriggered(let order),
            .orderAmended(let order, oldPrice: _):
            orders[order.order.number] = .whole(OrderRecord(order: order, endReason: nil))
        case .orderEnded(let order, let reason):
            orders[order.order.number] = .whole(OrderRecord(order: order, endReason: reason))
        case .trade(let trade):
            trades.append((trade, time))
            add(trade.maker)
            add(trade.taker)
            let market = MarketTrade(trade, time: time)
            let openTime = CandleInterval.minute1.openTime(at: time)
            let minute = Minute(instrument: trade.instrument.number, openTime: openTime)
            if minutes[minute]?.add(market) == nil {
                minutes[minute] = Candle(market, openTime: openTime)
            }
        case .balanceAdjusted(let account, let asset, let amount):
            adjust(.booking, account, asset, amount)
        case .feesTransferred(let account, let asset, let amount):
            adjust(.fees, account, asset, amount)
        case .depositCredited(let account, let asset, let amount):
            adjust(.deposit, account, asset, amount)
        // What history has of custody is a `CustodyChange`.
        case .depositNoted, .addressAssigned, .withdrawalChanged, .transactionSigned,
            .transactionSettled, .transactionDropped, .networkChanged, .withdrawalsStopped,
            .chainChanged, .blockChecked, .operatorChanged, .custodyPolicyChanged,
            .proposalChanged, .withdrawalPolicyChanged, .withdrawalLimitsChanged,
            .withdrawalTermsChanged,
            .addressBookChanged, .coldStorageChanged:
            break
        case .orderRefused, .orderReplenished, .assetChanged, .instrumentChanged,
            .accountChanged, .venueChanged, .apiKeyChanged, .sessionOpened, .sessionClosed:
            break
        }
    }

    private mutating func adjust(
        _ kind: Adjustment.Kind, _ account: AccountID, _ asset: AssetID, _ amount: Amount
    ) {
        adjustments.append(
            Adjustment(
                sequence: lastSequence, kind: kind, account: account, asset: asset, amount: amount,
                time: time))
    }

    private mutating func add(_ fill: Fill) {
        if case .whole(var record) = orders[fill.order.number] {
            record.order.cumQty = fill.cumQty
            record.order.leavesQty = fill.leavesQty
            record.order.cumQuote = fill.cumQuote
            record.order.status = fill.status
            record.order.updatedTime = time
            orders[fill.order.number] = .whole(record)
        } else {
            orders[fill.order.number] = .traded(
                cumQty: fill.cumQty.lots, leavesQty: fill.leavesQty.lots,
                cumQuote: fill.cumQuote.units, status: fill.status.rawValue, time: time)
        }
    }
}
