// One batch into the tables, within the transaction that moves the cursor.

import Engine
import GRDB
import MarketData
import Terms

extension HistoryBatch {
    /// Writes the batch and moves the cursor to its end; no effect if the cursor is there already.
    func write(_ db: Database, file: String) throws {
        let cursor = try UInt64(Int64.fetchOne(db, sql: "SELECT sequence FROM cursor") ?? 0)
        if lastSequence <= cursor { return }
        guard firstSequence == cursor + 1 else {
            throw HistoryError.gap(file: file, cursor: cursor, first: firstSequence)
        }
        // Ascending ids go to the end of each table.
        for (id, change) in orders.sorted(by: { $0.key < $1.key }) { try write(db, id, change) }
        for (trade, time) in trades { try write(db, trade, time) }
        for (minute, candle) in minutes { try write(db, minute, candle) }
        for adjustment in adjustments {
            try db.run(
                """
                INSERT INTO adjustments (sequence, kind, account, asset, amount, time)
                VALUES (?,?,?,?,?,?)
                """,
                [
                    Int64(adjustment.sequence), Int64(adjustment.kind.rawValue),
                    Int64(adjustment.account.number), Int64(adjustment.asset.number),
                    stored(adjustment.amount.units), adjustment.time,
                ])
        }
        for change in custody { try change.write(db) }
        try db.run("UPDATE cursor SET sequence = ?, time = ?", [Int64(lastSequence), time])
    }

    private func write(_ db: Database, _ id: UInt64, _ change: OrderChange) throws {
        switch change {
        case .whole(let record):
            try write(db, record)
        case .traded(let cumQty, let leavesQty, let cumQuote, let status, let time):
            try db.run(
                """
                UPDATE orders SET cum_qty = ?, leaves_qty = ?, cum_quote = ?, status = ?,
                  updated_time = ? WHERE id = ?
                """, [cumQty, leavesQty, stored(cumQuote), Int64(status), time, Int64(id)])
        }
    }

    private func write(_ db: Database, _ record: OrderRecord) throws {
        let order = record.order
        try db.run(
            """
            INSERT INTO orders (id, account, instrument, client_id, side, type, time_in_force,
              self_trade_prevention, status, is_working, price, stop_price, quantity, cum_qty,
              prevented_quantity, leaves_qty, display_quantity, quote_quantity, cum_quote,
              expire_time, created_time, updated_time, working_time, strategy_id, strategy_type,
              end_reason)
            VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
            ON CONFLICT (id) DO UPDATE SET client_id = excluded.client_id,
              status = excluded.status, is_working = excluded.is_working, price = excluded.price,
              quantity = excluded.quantity, cum_qty = excluded.cum_qty,
              prevented_quantity = excluded.prevented_quantity,
              leaves_qty = excluded.leaves_qty, display_quantity = excluded.display_quantity,
              cum_quote = excluded.cum_quote, updated_time = excluded.updated_time,
              working_time = excluded.working_time, end_reason = excluded.end_reason
            """,
            [
                Int64(order.order.number), Int64(order.account.number),
                Int64(order.instrument.number), order.clOrdID.description,
                Int64(order.side.rawValue), Int64(order.type.rawValue),
                Int64(order.timeInForce.rawValue), Int64(order.selfTradePrevention.rawValue),
                Int64(order.status.rawValue), Int64(order.isWorking ? 1 : 0), order.price.ticks,
                order.stopPrice.ticks, order.quantity.lots, order.cumQty.lots,
                order.preventedQuantity.lots, order.leavesQty.lots, order.displayQuantity.lots,
                stored(order.quoteQuantity.units), stored(order.cumQuote.units),
                order.expireTime, order.createdTime, order.updatedTime, order.workingTime,
                order.strategyID, Int64(order.strategyType),
                record.endReason.map { Int64($0.rawValue) },
            ])
    }

    private func write(_ db: Database, _ trade: Trade, _ time: Int64) throws {
        try db.run(
            """
            INSERT INTO trades (instrument, id, time, taker_side, price, quantity, quote_amount,
              maker_order, maker_account, maker_fee, maker_fee_asset,
              taker_order, taker_account, taker_fee, taker_fee_asset)
            VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
            """,
            [
                Int64(trade.instrument.number), Int64(trade.id.number), time,
                Int64(trade.takerSide.rawValue), trade.price.ticks, trade.quantity.lots,
                stored(trade.quoteAmount.units),
                Int64(trade.maker.order.number), Int64(trade.maker.account.number),
                stored(trade.maker.fee.units), Int64(trade.maker.feeAsset.number),
                Int64(trade.taker.order.number), Int64(trade.taker.account.number),
                stored(trade.taker.fee.units), Int64(trade.taker.feeAsset.number),
            ])
    }

    private func write(_ db: Database, _ minute: Minute, _ candle: Candle) throws {
        let key: StatementArguments = [Int64(minute.instrument), minute.openTime]
        let statement = try db.cachedStatement(
            sql: "SELECT * FROM candles WHERE instrument = ? AND open_time = ?")
        var whole = candle
        if let row = try Row.fetchOne(statement, arguments: key) {
            whole = Candle(row)
            whole.merge(candle)
        }
        try db.run(
            """
            INSERT OR REPLACE INTO candles (instrument, open_time, open, high, low, close, volume,
              quote_volume, taker_buy_volume, taker_buy_quote_volume, first_trade, last_trade,
              trade_count)
            VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)
            """,
            [
                Int64(minute.instrument), minute.openTime, whole.open.ticks, whole.high.ticks,
                whole.low.ticks, whole.close.ticks, stored(whole.volume),
                stored(whole.quoteVolume.units), stored(whole.takerBuyVolume),
                stored(whole.takerBuyQuoteVolume.units), Int64(whole.firstTrade.number),
                Int64(whole.lastTrade.number), whole.tradeCount,
            ])
    }
}

extension Database {
    /// Runs a statement that is prepared once per connection.
    func run(_ sql: String, _ arguments: StatementArguments) throws {
        try cachedStatement(sql: sql).execute(arguments: arguments)
    }
}

/// A 128-bit number as a column holds it.
func stored(_ number: Int128) -> any DatabaseValueConvertible {
    if let small = Int64(exactly: number) { return small }
    return String(number)
}

/// A 128-bit number from a column.
func restored(_ value: DatabaseValue) -> Int128 {
    if let small = Int64.fromDatabaseValue(value) { return Int128(small) }
    guard let text = String.fromDatabaseValue(value), let number = Int128(text) else {
        preconditionFailure("a column of 128 bits holds a whole number")
    }
    return number
}
