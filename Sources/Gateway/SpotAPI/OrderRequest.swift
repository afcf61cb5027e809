// A client's new order: checked as far as possible without the engine, and made a command.

public import Engine
public import Terms
public import Wire

/// A new order's parameters, read.
public struct OrderRequest: Sendable {
    /// The command.
    public let place: Place
    /// How detailed the answer is.
    public let response: OrderResponse

    /// The lowest kind of strategy that clients may use.
    public static var strategyTypeMin: Int64 { 1_000_000 }

    /// Reads a new order of `account`. `clOrdID` is its id where the client sent none; `deadline`
    /// in nanoseconds since 1970 on the log's clock, or 0.
    ///
    /// The order of checks is Binance's: words, then what the type needs, then numbers. Throws
    /// -1102, -1106, -1115 … -1117, -1134, -1100, -1111, -1013 and -2010.
    public init(
        _ parameters: Parameters, account: AccountID, units: InstrumentUnits, clOrdID: Text40,
        deadline: Int64 = 0
    ) throws(APIError) {
        let side = try Self.word(parameters, .side, .sideInvalid, Side.init(word:))
        let type = try Self.word(parameters, .type, .orderTypeInvalid, OrderType.init(word:))
        var place = Place(
            account: account, instrument: units.view.id, side: side, type: type,
            timeInForce: try Self.timeInForce(parameters, type),
            selfTradePrevention: try Self.selfTradePrevention(parameters),
            clOrdID: try parameters.clOrdID(.newClientOrderId) ?? clOrdID, deadline: deadline)
        try Self.readStrategy(parameters, into: &place)
        try Self.readQuantities(parameters, units, into: &place)
        try Self.readPrices(parameters, units, into: &place)
        try Self.readIceberg(parameters, units, into: &place)
        if parameters[.trailingDelta] != nil { throw .unsupportedCombination }
        self.place = place
        let fallback: OrderResponse = type == .market || type == .limit ? .full : .ack
        if let word = parameters[.newOrderRespType] {
            guard let response = OrderResponse(rawValue: word) else {
                throw .invalid("newOrderRespType")
            }
            self.response = response
        } else {
            response = fallback
        }
    }

    private static func word<T>(
        _ parameters: Parameters, _ parameter: Parameter, _ error: APIError, _ read: (String) -> T?
    ) throws(APIError) -> T {
        guard let value = read(try parameters.required(parameter)) else { throw error }
        return value
    }

    private static func timeInForce(
        _ parameters: Parameters, _ type: OrderType
    ) throws(APIError) -> TimeInForce {
        let needed = type == .limit || type == .stopLossLimit || type == .takeProfitLimit
        guard let word = parameters[.timeInForce] else {
            if needed { throw .mandatory("timeInForce") }
            return .gtc
        }
        guard let value = TimeInForce(word: word) else { throw .timeInForceInvalid }
        guard needed else { throw .notRequired("timeInForce") }
        return value
    }

    private static func selfTradePrevention(
        _ parameters: Parameters
    ) throws(APIError) -> SelfTradePrevention {
        guard let word = parameters[.selfTradePreventionMode] else { return .instrumentDefault }
        if word == "TRANSFER" { throw .preventionNotAllowed }
        guard let mode = SelfTradePrevention(word: word) else {
            throw .invalid("selfTradePreventionMode")
        }
        return mode
    }

    private static func readStrategy(
        _ parameters: Parameters, into place: inout Place
    ) throws(APIError) {
        place.strategyID = try parameters.integer(.strategyId) ?? 0
        guard let type = try parameters.integer(.strategyType) else { return }
        guard type >= strategyTypeMin else { throw .strategyTypeInvalid }
        place.strategyType = Int32(type)
    }

    private static func readQuantities(
        _ parameters: Parameters, _ units: InstrumentUnits, into place: inout Place
    ) throws(APIError) {
        let quantity = try parameters.decimal(.quantity)
        let quote = try parameters.decimal(.quoteOrderQty)
        if let quote {
            guard place.type == .market else { throw .notRequired("quoteOrderQty") }
            guard quantity == nil else { throw .combinationInvalid }
            place.quoteQuantity = try units.quoteAmount(quote, name: "quoteOrderQty")
            return
        }
        guard let quantity else {
            throw place.type == .market
                ? .mandatory("quantity", or: "quoteOrderQty") : .mandatory("quantity")
        }
        place.quantity = try units.quantity(
            quantity, name: "quantity",
            filter: place.type == .market ? "MARKET_LOT_SIZE" : "LOT_SIZE")
    }

    private static func readPrices(
        _ parameters: Parameters, _ units: InstrumentUnits, into place: inout Place
    ) throws(APIError) {
        if let price = try parameters.decimal(.price) {
            guard place.type.hasPrice else { throw .notRequired("price") }
            place.price = try units.price(price, name: "price")
        } else if place.type.hasPrice {
            throw .mandatory("price")
        }
        if let stop = try parameters.decimal(.stopPrice) {
            guard place.type.isTriggered else { throw .notRequired("stopPrice") }
            place.stopPrice = try units.price(stop, name: "stopPrice")
        } else if place.type.isTriggered {
            throw parameters[.trailingDelta] == nil
                ? .mandatory("stopPrice") : .unsupportedCombination
        }
    }

    private static func readIceberg(
        _ parameters: Parameters, _ units: InstrumentUnits, into place: inout Place
    ) throws(APIError) {
        guard let iceberg = try parameters.decimal(.icebergQty), iceberg.digits != 0 else {
            return
        }
        guard place.type.hasPrice else { throw .notRequired("icebergQty") }
        guard place.timeInForce == .gtc else { throw .timeInForceInvalid }
        place.displayQuantity = try units.quantity(iceberg, name: "icebergQty")
        guard place.displayQuantity <= place.quantity else { throw .icebergExceeds }
    }
}

/// A client's reference to an order: by the exchange's id, by its own, or by both, which must then
/// name the same order.
public struct OrderReference: Hashable, Sendable {
    /// The id, or 0.
    public let order: OrderID
    /// The client's id, or empty.
    public let clOrdID: Text40

    /// Reads `orderId` and the client's id from `clOrdID`. Throws -1102 when neither is there.
    public init(
        _ parameters: Parameters, id: Parameter = .orderId,
        clOrdID: Parameter = .origClientOrderId
    ) throws(APIError) {
        let number = try parameters.id(id)
        let text = try parameters.clOrdID(clOrdID)
        guard number != 0, number != nil || text != nil else {
            throw .mandatory(clOrdID.name, or: id.name)
        }
        order = OrderID(number ?? 0)
        self.clOrdID = text ?? Text40()
    }

    /// Whether the reference names `view`.
    public func names(_ view: OrderView) -> Bool {
        (order.number == 0 || view.order == order) && (clOrdID.isEmpty || view.clOrdID == clOrdID)
    }
}

extension Parameters {
    /// `cancelRestrictions`. Throws -1145.
    public func cancelRestriction() throws(APIError) -> CancelRestriction {
        guard let word = self[.cancelRestrictions] else { return .none }
        guard let restriction = CancelRestriction(word: word) else {
            throw .cancelRestrictionsInvalid
        }
        return restriction
    }
}
