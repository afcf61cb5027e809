// A trade as everybody may see it.

public import Engine
public import Terms

/// A trade without its parties.
@frozen public struct MarketTrade: Hashable, BitwiseCopyable, Sendable {
    /// Its id, sequential within the instrument.
    public var id: TradeID
    /// The instrument.
    public var instrument: InstrumentID
    /// The price.
    public var price: Price
    /// The quantity.
    public var quantity: Quantity
    /// Price × quantity in the quote asset's smallest units.
    public var quoteAmount: Amount
    /// When, in nanoseconds since 1970 on the log's clock.
    public var time: Int64
    /// The side of the incoming order; a sell means that the buyer was the maker.
    public var takerSide: Side
    /// The incoming order: trades of one such order at one price make one aggregate trade.
    public var takerOrder: OrderID

    /// A trade of these values.
    public init(
        id: TradeID, instrument: InstrumentID, price: Price, quantity: Quantity,
        quoteAmount: Amount, time: Int64, takerSide: Side, takerOrder: OrderID
    ) {
        (self.id, self.instrument, self.price) = (id, instrument, price)
        (self.quantity, self.quoteAmount, self.time) = (quantity, quoteAmount, time)
        (self.takerSide, self.takerOrder) = (takerSide, takerOrder)
    }

    /// What everybody may see of `trade`, made at `time`.
    public init(_ trade: Trade, time: Int64) {
        self.init(
            id: trade.id, instrument: trade.instrument, price: trade.price,
            quantity: trade.quantity, quoteAmount: trade.quoteAmount, time: time,
            takerSide: trade.takerSide, takerOrder: trade.taker.order)
    }
}
