// Accounts, fees, sessions and API keys.

internal import Slabs
internal import Terms

/// What checks and trades touch of an account.
struct AccountSlot: BitwiseCopyable {
    var orderNotionalMax: Int128 = 0
    var orderQuantityMax: Int64 = 0
    /// The second of the log's clock that `messages` counts.
    var messageSecond: Int64 = 0
    var messages: UInt32 = 0
    var messagesPerSecondMax: UInt32 = 0
    var openOrdersMax: UInt32 = 0
    var openOrders: UInt32 = 0
    var tier: UInt16 = 0
    var isKilled = false
    var hasOwnLimits = false

    /// Counts a message; false, and not counted, when there were `most` in this second already.
    @inline(__always) mutating func countMessage(at second: Int64, most: UInt32) -> Bool {
        let before = messageSecond == second ? messages : 0
        messageSecond = second
        let isFull = most > 0 && before >= most
        messages = isFull ? before : before + 1
        return !isFull
    }
}

/// A tier's rates, in general or for one instrument.
struct FeeSlot: BitwiseCopyable {
    var maker: Int32 = 0
    var taker: Int32 = 0
    var isSet = false
}

/// All accounts. Number 0 holds the limits of those that have none of their own.
struct Accounts: ~Copyable {
    var slots: Slab<AccountSlot>
    var names: Slab<Text40>
    private var fees: Slab<FeeSlot>
    private let feeStride: Int
    private let byAddress = ByAddress()
    private(set) var count: UInt32 = 0
    private var byName: [Text40: UInt32] = [:]

    init(accounts: Int, tiers: Int, instruments: Int) {
        slots = Slab(capacity: accounts + 1)
        names = Slab(capacity: accounts + 1)
        feeStride = instruments + 1
        fees = Slab(capacity: tiers * feeStride)
    }

    /// Opens the next account. The caller has checked name and room.
    mutating func open(_ name: Text40) -> UInt32 {
        count += 1
        names[count] = name
        byName[name] = count
        return count
    }

    func find(_ name: Text40) -> UInt32? { byName[name] }

    /// The slot whose limits stand for the account.
    @inline(__always) func limits(_ account: UInt32) -> UInt32 {
        slots[account].hasOwnLimits ? account : 0
    }

    func fee(_ tier: UInt16, _ instrument: UInt16) -> FeeSlot {
        fees[Int(tier) * feeStride + Int(instrument)]
    }

    mutating func setFee(_ tier: UInt16, _ instrument: UInt16, _ fee: FeeSlot) {
        fees[Int(tier) * feeStride + Int(instrument)] = fee
    }

    /// The rates of an account: the tier's for the instrument, else the tier's own, else none.
    @inline(__always) func rates(_ account: UInt32, _ instrument: UInt16) -> FeeSlot {
        let row = Int(slots[account].tier) * feeStride
        let own = fees[row + Int(instrument)]
        return own.isSet ? own : fees[row]
    }
}

/// Writers' sessions: one a name, the latest incarnation.
struct Sessions {
    var list: [SessionView] = []
    var lastID: UInt32 = 0
    private var recent = 0

    /// The place of a session that is open, or nil. O(1) for the one used last.
    @inline(__always) mutating func find(_ id: SessionID) -> Int? {
        if recent < list.count, list[recent].id == id { return recent }
        for i in list.indices where list[i].id == id {
            recent = i
            return i
        }
        return nil
    }
}

/// API keys in the order of their creation; a revoked one stays, without its secret.
struct APIKeys {
    var list: [APIKeyView] = []
    var isRevoked: [Bool] = []
    var places: [Text64: Int] = [:]
}
