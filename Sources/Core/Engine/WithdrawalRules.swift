// What customers may withdraw and where to: waiting times, address books, limits, and what the
// limits count.

public import Terms
package import Wire

/// A destination in an account's address book.
public struct BookEntryView: Hashable, Sendable {
    /// Whose book.
    public var account: AccountID
    /// The chain.
    public var network: NetworkID
    /// The address.
    public var address: Text64
    /// The destination's tag, or empty.
    public var tag: Text40
    /// The customer's word for it, or empty.
    public var label: Text40
    /// When it was added, on the log's clock.
    public var addedTime: Int64
    /// From when on it is usable.
    public var usableTime: Int64

    /// All fields, for projections and tests in this package.
    package init(_ c: AddWithdrawalAddress, addedTime: Int64, usableTime: Int64) {
        (account, network, address, tag, label) = (c.account, c.network, c.address, c.tag, c.label)
        (self.addedTime, self.usableTime) = (addedTime, usableTime)
    }
}

/// How much of an asset may leave; 0 is no limit.
public struct WithdrawalLimitsView: Hashable, Sendable {
    /// Whose; 0: of each account without a row of its own.
    public var account: AccountID
    /// Of each account of this tier without a row of its own; nil: not of a tier.
    public var tier: UInt16?
    /// The asset.
    public var asset: AssetID
    /// Requests within 24 hours.
    public var dayCountMax: UInt32
    /// Amount of one withdrawal.
    public var amountMax: Amount
    /// Amount within 24 hours.
    public var dayAmountMax: Amount
    /// Amount within 30 days.
    public var monthAmountMax: Amount

    /// All fields, for projections and tests in this package.
    package init(_ c: SetWithdrawalLimits) {
        (account, tier, asset) = (c.account, c.tier, c.asset)
        (dayCountMax, amountMax) = (c.dayCountMax, c.amountMax)
        (dayAmountMax, monthAmountMax) = (c.dayAmountMax, c.monthAmountMax)
    }

    /// The highest amount that one withdrawal can have: the lowest of the three limits of amounts;
    /// nil where there is none. What was requested before is not counted.
    public var amountMaxOfOne: Amount? {
        [amountMax, dayAmountMax, monthAmountMax].filter { $0 > .zero }.min()
    }

    /// Whether requests have to be counted for it.
    public var counts: Bool {
        dayCountMax > 0 || dayAmountMax > .zero || monthAmountMax > .zero
    }
}

/// An account's own terms of withdrawals, or a tier's, in place of a network's.
public struct WithdrawalTermsView: Hashable, Sendable {
    /// Whose; 0: of the tier.
    public var account: AccountID
    /// Of each account of this tier without a row of its own; nil: of the account.
    public var tier: UInt16?
    /// The asset.
    public var asset: AssetID
    /// The chain.
    public var network: NetworkID
    /// The smallest withdrawal, above zero.
    public var minimum: Amount
    /// The charge for a withdrawal, beside its amount.
    public var fee: Amount

    /// All fields, for projections and tests in this package.
    package init(_ c: SetWithdrawalTerms) {
        (account, tier, asset) = (c.account, c.tier, c.asset)
        (network, minimum, fee) = (c.network, c.minimum, c.fee)
    }
}

/// What the limits of an account count of an asset.
public struct WithdrawalCountView: Hashable, Sendable {
    /// Requests of the last day that were not refused or canceled.
    public var dayCount: UInt64 = 0
    /// Their amount; not above `Limits.amountUnitsMax` an hour.
    public var dayAmount = Amount.zero
    /// The amount of the last 30 days.
    public var monthAmount = Amount.zero

    /// Nothing, or so much, for projections and tests in this package.
    package init(dayCount: UInt64 = 0, dayAmount: Amount = .zero, monthAmount: Amount = .zero) {
        (self.dayCount, self.dayAmount, self.monthAmount) = (dayCount, dayAmount, monthAmount)
    }
}

/// An account, else a tier, or neither for all, and an asset.
struct LimitsRow: Hashable, Comparable {
    var account: UInt32 = 0
    var tier: UInt16?
    let asset: UInt16

    static func < (a: LimitsRow, b: LimitsRow) -> Bool { a.order < b.order }

    private var order: (UInt32, Int, UInt16) { (account, tier.map(Int.init) ?? -1, asset) }
}

/// An account or a tier, an asset and a chain.
struct TermsRow: Hashable, Comparable {
    let whose: LimitsRow
    let network: UInt16

    static func < (a: TermsRow, b: TermsRow) -> Bool {
        (a.whose, a.network) < (b.whose, b.network)
    }
}

/// An account and an asset.
struct WithdrawalRow: Hashable, Comparable {
    let account: UInt32
    let asset: UInt16

    static func < (a: WithdrawalRow, b: WithdrawalRow) -> Bool {
        (a.account, a.asset) < (b.account, b.asset)
    }
}

/// Requests of one hour of the log's clock, or of the earlier hours of one of its days as well.
struct CountedHour: Equatable {
    /// Hours since 1970; the last one that is in it.
    var hour: Int64
    var count: UInt32
    var units: Int128

    static let nanos: Int64 = 3_600_000_000_000

    /// Adds what another one has. Nothing exceeds its range, however often is requested and
    /// cancelled: no limit is above it.
    mutating func add(_ other: CountedHour) {
        hour = max(hour, other.hour)
        let (sum, isOver) = count.addingReportingOverflow(other.count)
        count = isOver ? .max : sum
        units = min(units + other.units, Limits.amountUnitsMax)
    }
}

/// A row's requests of the last 30 days, in ascending order: by hour for the last day, by day
/// before it, so that there are never many.
struct CountedHours: Equatable {
    private(set) var hours: [CountedHour] = []

    /// Hours before the present one that are within a day of it, and within 30.
    static let (day, month): (Int64, Int64) = (24, 720)
    /// The present hour and those of the day before it, and the days of the rest of the month.
    static let most = 25 + 30

    /// Puts what is older than a day together by days, and lets go of what is older than a month.
    /// What is of one day goes together, so no request leaves before its month is over.
    mutating func pass(to hour: Int64) {
        guard let first = hours.first, first.hour < hour - Self.day else { return }
        var kept: [CountedHour] = []
        kept.reserveCapacity(hours.count)
        for one in hours {
            if let last = kept.indices.last, one.hour < hour - Self.day,
                kept[last].hour / 24 == one.hour / 24
            {
                kept[last].add(one)
            } else {
                kept.append(one)
            }
        }
        kept.removeAll { $0.hour < hour - Self.month }
        hours = kept
    }

    /// Adds to the present hour; the caller has passed to it.
    mutating func add(_ one: CountedHour) {
        if let last = hours.indices.last, hours[last].hour == one.hour {
            hours[last].add(one)
        } else {
            hours.append(one)
        }
    }

    /// Takes back a request of an hour, from whatever that is part of by now; of one that is over
    /// nothing is left. The hour stays one with a request: its day ends when it would have ended.
    mutating func takeBack(units: Int128, of hour: Int64) {
        guard let place = hours.firstIndex(where: { $0.hour >= hour }),
            hours[place].hour / 24 == hour / 24
        else { return }
        hours[place].count -= hours[place].count > 0 ? 1 : 0
        hours[place].units = max(0, hours[place].units - units)
    }

    /// Adds one that a snapshot has; false where it cannot be.
    mutating func restore(_ one: CountedHour) -> Bool {
        guard hours.count < Self.most, one.hour >= 0, one.hour > hours.last?.hour ?? -1,
            0...Limits.amountUnitsMax ~= one.units
        else { return false }
        hours.append(one)
        return true
    }

    func total(at hour: Int64) -> WithdrawalCountView {
        var view = WithdrawalCountView()
        for one in hours {
            if one.hour >= hour - Self.day {
                view.dayCount += UInt64(one.count)
                view.dayAmount.units += one.units
            }
            if one.hour >= hour - Self.month { view.monthAmount.units += one.units }
        }
        return view
    }

    func isOver(at hour: Int64) -> Bool { (hours.last?.hour ?? .min) < hour - Self.month }
}

/// The rules of withdrawals. Bounded by `Limits`, changes of keys by the accounts; rules 3.
struct WithdrawalRules: ~Copyable {
    /// Seconds that a new destination waits.
    var addressDelay: UInt32 = 0
    /// Seconds of a freeze after a change of keys.
    var keyFreeze: UInt32 = 0
    /// Each account's destinations, in the order of the log.
    private(set) var books: [UInt32: [BookEntryView]] = [:]
    private(set) var entryCount = 0
    /// When a key of an account was last added or revoked.
    var keyChanges: [UInt32: Int64] = [:]
    private(set) var limits: [LimitsRow: WithdrawalLimitsView] = [:]
    /// Rules 4.
    private(set) var terms: [TermsRow: WithdrawalTermsView] = [:]
    private(set) var counted: [WithdrawalRow: CountedHours] = [:]
    /// The rows of `counted`, ascending.
    private(set) var order: [WithdrawalRow] = []
    /// The last row that was looked at for whether its month is over; account 0: none.
    private(set) var sweptRow = WithdrawalRow(account: 0, asset: 0)

    /// Rows that one request looks at.
    private static let sweepMax = 32

    /// Bytes of full tables: a dictionary has up to three times the places that it needs.
    static func bytesMax(accounts: Int) -> Int {
        let row = 3 * (MemoryLayout<WithdrawalRow>.stride + MemoryLayout<Int>.stride)
        let entries = Limits.bookEntriesMax * (2 * MemoryLayout<BookEntryView>.stride + row)
        let limits =
            Limits.withdrawalLimitsMax
            * (3 * MemoryLayout<LimitsRow>.stride + 3 * MemoryLayout<WithdrawalLimitsView>.stride)
        let terms =
            Limits.withdrawalTermsMax
            * (3 * MemoryLayout<TermsRow>.stride + 3 * MemoryLayout<WithdrawalTermsView>.stride)
        let counts =
            Limits.withdrawalCountsMax
            * (row + CountedHours.most * MemoryLayout<CountedHour>.stride
                + 2 * MemoryLayout<WithdrawalRow>.stride)
        return entries + limits + terms + counts + accounts * 3 * 16
    }

    // MARK: Address books

    func book(_ account: UInt32) -> [BookEntryView] { books[account] ?? [] }

    func entry(
        _ account: UInt32, _ network: NetworkID, _ address: Text64, _ tag: Text40
    ) -> BookEntryView? {
        books[account]?.first {
            $0.network == network && $0.address == address && $0.tag == tag
        }
    }

    mutating func add(_ entry: BookEntryView) {
        books[entry.account.number, default: []].append(entry)
        entryCount += 1
    }

    mutating func remove(_ entry: BookEntryView) {
        let account = entry.account.number
        let left = book(account).filter { $0 != entry }
        entryCount -= book(account).count - left.count
        books[account] = left.isEmpty ? nil : left
    }

    // MARK: Limits

    /// The row that counts for an account: its own, else its tier's, else that of all. Account 0:
    /// one without a row of its own.
    func limits(_ account: UInt32, tier: UInt16?, _ asset: UInt16) -> WithdrawalLimitsView? {
        (account == 0 ? nil : limits[LimitsRow(account: account, asset: asset)])
            ?? tier.flatMap { limits[LimitsRow(tier: $0, asset: asset)] }
            ?? limits[LimitsRow(asset: asset)]
    }

    mutating func set(_ row: LimitsRow, _ view: WithdrawalLimitsView?) { limits[row] = view }

    // MARK: Terms

    /// The row that counts for an account: its own, else its tier's; nil: the network's terms do.
    /// Account 0: one of the tier without a row of its own.
    func terms(
        _ account: UInt32, tier: UInt16?, _ key: NetworkKey
    ) -> WithdrawalTermsView? {
        if terms.isEmpty { return nil }
        func row(_ whose: LimitsRow) -> WithdrawalTermsView? {
            terms[TermsRow(whose: whose, network: key.network)]
        }
        return (account == 0 ? nil : row(LimitsRow(account: account, asset: key.asset)))
            ?? tier.flatMap { row(LimitsRow(tier: $0, asset: key.asset)) }
    }

    mutating func set(_ row: TermsRow, _ view: WithdrawalTermsView?) { terms[row] = view }

    // MARK: Counting

    /// What is counted of a row at an hour.
    func count(_ row: WithdrawalRow, at hour: Int64) -> WithdrawalCountView {
        var hours = counted[row] ?? CountedHours()
        hours.pass(to: hour)
        return hours.total(at: hour)
    }

    /// Whether a row can count.
    func hasRoom(_ row: WithdrawalRow) -> Bool {
        counted[row] != nil || counted.count < Limits.withdrawalCountsMax
    }

    /// Lets go of rows whose month is over, among the next few in ascending order; behind the last
    /// one it begins again. All at once would take longer than a turn may.
    mutating func sweep(at hour: Int64) {
        let begin = place(after: sweptRow)
        let end = min(begin + Self.sweepMax, order.count)
        sweptRow = end == order.count ? WithdrawalRow(account: 0, asset: 0) : order[end - 1]
        let kept = order[begin..<end].filter { counted[$0]?.isOver(at: hour) == false }
        if kept.count == end - begin { return }
        for row in order[begin..<end] where counted[row]?.isOver(at: hour) == true {
            counted[row] = nil
        }
        order.replaceSubrange(begin..<end, with: kept)
    }

    /// How many rows are not behind one. O(log rows).
    private func place(after row: WithdrawalRow) -> Int {
        var (low, high) = (0, order.count)
        while low < high {
            let middle = (low + high) / 2
            if order[middle] <= row { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Counts a request. O(log rows), for a row's first one O(rows).
    mutating func count(_ row: WithdrawalRow, units: Int128, at hour: Int64) {
        if counted[row] == nil { order.insert(row, at: place(after: row)) }
        counted[row, default: CountedHours()].pass(to: hour)
        counted[row, default: CountedHours()].add(
            CountedHour(hour: hour, count: 1, units: units))
    }

    /// Takes back that a request was counted in an hour. O(log rows).
    mutating func uncount(_ row: WithdrawalRow, units: Int128, at hour: Int64) {
        counted[row]?.takeBack(units: units, of: hour)
    }

    /// Adds a row that a snapshot has; false where it is not behind those before it.
    mutating func restore(_ row: WithdrawalRow, _ hours: CountedHours) -> Bool {
        if let last = order.last, last >= row { return false }
        order.append(row)
        counted[row] = hours
        return true
    }

    mutating func restore(sweptRow row: WithdrawalRow) { sweptRow = row }
}
