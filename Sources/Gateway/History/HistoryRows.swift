// From rows to values.

import Engine
import GRDB
import MarketData
import Terms

extension Row {
    func number<T: FixedWidthInteger>(_ column: String) -> T {
        let stored: Int64 = self[column]
        guard let value = T(exactly: stored) else {
            preconditionFailure("a column holds what was written into it")
        }
        return value
    }

    func amount(_ column: String) -> Amount { Amount(units: restored(self[column])) }

    func choice<E: RawRepresentable>(_ column: String) -> E where E.RawValue == UInt8 {
        guard let value = E(rawValue: number(column)) else {
            preconditionFailure("a column holds what was written into it")
        }
        return value
    }
}

extension OrderRecord {
    init(_ row: Row) {
        order = OrderView(
            order: OrderID(row.number("id")), account: AccountID(row.number("account")),
            instrument: InstrumentID(row.number("instrument")), side: row.choice("side"),
            type: row.choice("type"), timeInForce: row.choice("time_in_force"),
            selfTradePrevention: row.choice("self_trade_prevention"),
            status: row.choice("status"), isWorking: row["is_working"],
            price: Price(ticks: row["price"]), stopPrice: Price(ticks: row["stop_price"]),
            quantity: Quantity(lots: row["quantity"]), cumQty: Quantity(lots: row["cum_qty"]),
            preventedQuantity: Quantity(lots: row["prevented_quantity"]),
            leavesQty: Quantity(lots: row["leaves_qty"]),
            displayQuantity: Quantity(lots: row["display_quantity"]),
            quoteQuantity: row.amount("quote_quantity"), cumQuote: row.amount("cum_quote"),
            expireTime: row["expire_time"], createdTime: row["created_time"],
            updatedTime: row["updated_time"], workingTime: row["working_time"],
            clOrdID: Text40(row["client_id"] as String) ?? Text40(),
            strategyID: row["strategy_id"], strategyType: row.number("strategy_type"))
        endReason = (row["end_reason"] as Int64?).flatMap {
            UInt8(exactly: $0).flatMap(EndReason.init(rawValue:))
        }
    }
}

extension MarketTrade {
    init(_ row: Row) {
        self.init(
            id: TradeID(row.number("id")), instrument: InstrumentID(row.number("instrument")),
            price: Price(ticks: row["price"]), quantity: Quantity(lots: row["quantity"]),
            quoteAmount: row.amount("quote_amount"), time: row["time"],
            takerSide: row.choice("taker_side"), takerOrder: OrderID(row.number("taker_order")))
    }
}

extension AccountTrade {
    init(_ row: Row, isMaker: Bool) {
        let role = isMaker ? "maker" : "taker"
        let takerSide: Side = row.choice("taker_side")
        self.init(
            id: TradeID(row.number("id")), instrument: InstrumentID(row.number("instrument")),
            order: OrderID(row.number("\(role)_order")),
            account: AccountID(row.number("\(role)_account")),
            side: isMaker ? takerSide.opposite : takerSide, isMaker: isMaker,
            price: Price(ticks: row["price"]), quantity: Quantity(lots: row["quantity"]),
            quoteAmount: row.amount("quote_amount"), fee: row.amount("\(role)_fee"),
            feeAsset: AssetID(row.number("\(role)_fee_asset")), time: row["time"])
    }
}

extension Candle {
    init(_ row: Row) {
        self.init(empty: row["open_time"], price: Price(ticks: row["open"]))
        high = Price(ticks: row["high"])
        low = Price(ticks: row["low"])
        close = Price(ticks: row["close"])
        volume = restored(row["volume"])
        quoteVolume = row.amount("quote_volume")
        takerBuyVolume = restored(row["taker_buy_volume"])
        takerBuyQuoteVolume = row.amount("taker_buy_quote_volume")
        firstTrade = TradeID(row.number("first_trade"))
        lastTrade = TradeID(row.number("last_trade"))
        tradeCount = row["trade_count"]
    }
}

extension Adjustment {
    init(_ row: Row) {
        self.init(
            sequence: row.number("sequence"), kind: row.choice("kind"),
            account: AccountID(row.number("account")),
            asset: AssetID(row.number("asset")), amount: row.amount("amount"),
            time: row["time"])
    }
}
