// Queries of the history.

import GRDB
public import MarketData
public import Terms

/// One consistent state of the history, for the duration of a read.
public struct HistoryReader {
    let db: Database

    /// The last record in the history.
    public func cursor() throws -> UInt64 {
        try UInt64(Int64.fetchOne(db, sql: "SELECT sequence FROM cursor") ?? 0)
    }

    /// An order by its id.
    public func order(_ id: OrderID) throws -> OrderRecord? {
        guard let key = Int64(exactly: id.number) else { return nil }
        return try first("SELECT * FROM orders WHERE id = ?", [key]).map(OrderRecord.init(_:))
    }

    /// The newest order of an account with the client's id.
    public func order(_ account: AccountID, clOrdID: Text40) throws -> OrderRecord? {
        if clOrdID.isEmpty { return nil }
        return try first(
            """
            SELECT * FROM orders WHERE account = ? AND client_id = ? AND client_id <> ''
            ORDER BY id DESC LIMIT 1
            """, [Int64(account.number), clOrdID.description]
        ).map(OrderRecord.init(_:))
    }

    /// An account's orders in an instrument, open and ended, by ascending id.
    public func orders(
        _ account: AccountID, _ instrument: InstrumentID, _ range: HistoryRange
    ) throws -> [OrderRecord] {
        guard
            let ids = try bounds(range, table: "orders", time: "created_time", instrument: nil)
        else { return [] }
        let rows = try all(
            """
            SELECT * FROM orders WHERE account = ? AND instrument = ? AND id BETWEEN ? AND ?
            ORDER BY id \(ids.direction) LIMIT ?
            """, [Int64(account.number), Int64(instrument.number), ids.low, ids.high, range.limit])
        return ids.ascending(rows).map(OrderRecord.init(_:))
    }

    /// An account's sides of trades in an instrument, by ascending id; with `order`, that one's.
    /// A trade of an account with itself has both sides, the maker's first, and is never split: a
    /// client continues after the last id it received. So there may be one row above the limit.
    public func trades(
        _ account: AccountID, _ instrument: InstrumentID, order: OrderID? = nil,
        _ range: HistoryRange
    ) throws -> [AccountTrade] {
        guard let ids = try bounds(range, table: "trades", time: "time", instrument: instrument)
        else { return [] }
        let named = order.map { Int64(clamping: $0.number) }
        func half(_ role: String, _ isMaker: Bool) throws -> [AccountTrade] {
            let filter = named == nil ? "" : "AND \(role)_order = ?"
            // The unary plus makes SQLite use the index by order.
            let account_ = named == nil ? "\(role)_account" : "+\(role)_account"
            var arguments: StatementArguments = [
                Int64(account.number), Int64(instrument.number), ids.low, ids.high,
            ]
            if let named { arguments += [named] }
            arguments += [range.limit]
            return try all(
                """
                SELECT * FROM trades WHERE \(account_) = ? AND instrument = ?
                  AND id BETWEEN ? AND ? \(filter) ORDER BY id \(ids.direction) LIMIT ?
                """, arguments
            ).map { AccountTrade($0, isMaker: isMaker) }
        }
        let both = try half("maker", true) + half("taker", false)
        let sorted = both.sorted { ($0.id, $0.isMaker ? 0 : 1) < ($1.id, $1.isMaker ? 0 : 1) }
        guard sorted.count > range.limit else { return sorted }
        if ids.isNewest {
            let first = sorted[sorted.count - range.limit].id
            return Array(sorted.drop { $0.id < first })
        }
        let last = sorted[range.limit - 1].id
        return Array(sorted.prefix { $0.id <= last })
    }

    /// All trades of an instrument by ascending id.
    public func marketTrades(
        _ instrument: InstrumentID, _ range: HistoryRange
    ) throws -> [MarketTrade] {
        guard
            let ids = try bounds(range, table: "trades", time: "time", instrument: instrument)
        else { return [] }
        let rows = try all(
            """
            SELECT * FROM trades WHERE instrument = ? AND id BETWEEN ? AND ?
            ORDER BY id \(ids.direction) LIMIT ?
            """, [Int64(instrument.number), ids.low, ids.high, range.limit])
        return ids.ascending(rows).map(MarketTrade.init(_:))
    }

    /// The minutes with a trade of an instrument that begin in `from … to`, oldest first; at most
    /// the newest `limit` of them.
    public func minutes(
        _ instrument: InstrumentID, from: Int64, to: Int64 = .max, limit: Int
    ) throws -> [Candle] {
        try all(
            """
            SELECT * FROM candles WHERE instrument = ? AND open_time BETWEEN ? AND ?
            ORDER BY open_time DESC LIMIT ?
            """, [Int64(instrument.number), from, to, max(0, limit)]
        ).reversed().map(Candle.init(_:))
    }

    /// An account's credits and debits in order; `fromID` is a sequence.
    public func adjustments(_ account: AccountID, _ range: HistoryRange) throws -> [Adjustment] {
        guard
            let ids = try bounds(
                range, table: "adjustments", key: "sequence", time: "time", instrument: nil)
        else { return [] }
        let rows = try all(
            """
            SELECT * FROM adjustments WHERE account = ? AND sequence BETWEEN ? AND ?
            ORDER BY sequence \(ids.direction) LIMIT ?
            """, [Int64(account.number), ids.low, ids.high, range.limit])
        return ids.ascending(rows).map(Adjustment.init(_:))
    }

    private func first(_ sql: String, _ arguments: StatementArguments) throws -> Row? {
        try Row.fetchOne(db.cachedStatement(sql: sql), arguments: arguments)
    }

    func all(_ sql: String, _ arguments: StatementArguments) throws -> [Row] {
        try Row.fetchAll(db.cachedStatement(sql: sql), arguments: arguments)
    }
}

/// A range as ids, for tables whose ids rise with time.
private struct IDBounds {
    var low: Int64
    var high: Int64
    /// Whether the newest are wanted, not the oldest.
    var isNewest: Bool

    var direction: String { isNewest ? "DESC" : "ASC" }

    func ascending(_ rows: [Row]) -> [Row] { isNewest ? rows.reversed() : rows }
}

extension HistoryReader {
    /// The ids in a range; nil when there can be none.
    private func bounds(
        _ range: HistoryRange, table: String, key: String = "id", time: String,
        instrument: InstrumentID?
    ) throws -> IDBounds? {
        var bounds = IDBounds(
            low: Int64(clamping: range.fromID ?? 0), high: .max,
            isNewest: range.fromID == nil && range.start == nil)
        if let start = range.start {
            guard let id = try firstID(start, table, key, time, instrument) else { return nil }
            bounds.low = max(bounds.low, id)
        }
        if let end = range.end, end < Int64.max,
            let id = try firstID(end + 1, table, key, time, instrument)
        {
            bounds.high = id - 1
        }
        return bounds.low <= bounds.high ? bounds : nil
    }

    /// The first id whose time is at or after `moment`, or nil; a binary search, for ids rise with
    /// time.
    private func firstID(
        _ moment: Int64, _ table: String, _ key: String, _ time: String, _ instrument: InstrumentID?
    ) throws -> Int64? {
        let place = instrument.map { "instrument = \($0.number) AND" } ?? ""
        let ends = try first(
            """
            SELECT (SELECT \(key) FROM \(table) WHERE \(place) \(key) >= 0
                    ORDER BY \(key) LIMIT 1) AS low,
                   (SELECT \(key) FROM \(table) WHERE \(place) \(key) >= 0
                    ORDER BY \(key) DESC LIMIT 1) AS high
            """, [])
        guard let ends, var low = ends["low"] as Int64?, let last = ends["high"] as Int64? else {
            return nil
        }
        var high = last + 1
        while low < high {
            let middle = low + (high - low) / 2
            let row = try first(
                """
                SELECT \(key) AS id, \(time) AS time FROM \(table)
                WHERE \(place) \(key) >= ? ORDER BY \(key) LIMIT 1
                """, [middle])
            guard let row, (row["time"] as Int64) < moment else {
                high = middle
                continue
            }
            low = (row["id"] as Int64) + 1
        }
        return low <= last ? low : nil
    }
}
