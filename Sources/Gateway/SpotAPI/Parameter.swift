// The parameters of the API: each one's name, form and range, once. Endpoints list those that they
// take, and everything that reads a request names them from here.

/// A parameter: its name, and what its value may be.
public struct Parameter: Hashable, Sendable {
    /// What a value may be.
    public enum Form: Hashable, Sendable {
        /// A text that its endpoint looks up.
        case text
        /// One of a few words; what is no such word has an error of its own.
        case word
        /// `true` or `false`.
        case flag
        /// A decimal without a sign.
        case decimal
        /// A whole number of this range; another one is refused with -1130, so nothing after the
        /// parser can overflow.
        case number(ClosedRange<Int64>)
        /// A client's id of an order or a withdrawal.
        case clOrdID
        /// A symbol.
        case symbol
        /// A JSON list of symbols.
        case symbols
    }

    /// Its name in the API.
    public let name: String
    /// What its value may be.
    public let form: Form

    private init(_ name: String, _ form: Form) { (self.name, self.form) = (name, form) }

    /// The valid range of a whole number; of nothing else.
    public var range: ClosedRange<Int64> {
        guard case .number(let range) = form else {
            preconditionFailure("\(name) is no whole number")
        }
        return range
    }

    // MARK: Signed requests

    /// When a request was signed.
    public static let timestamp = Parameter("timestamp", .number(timeRange))
    /// For how many milliseconds from then it is good.
    public static let recvWindow = Parameter("recvWindow", .decimal)
    /// The signature over all others.
    public static let signature = Parameter("signature", .text)
    /// What any request may have: some clients sign whatever they send.
    public static let ofSigning: [Parameter] = [.timestamp, .recvWindow, .signature]

    // MARK: Markets

    /// A symbol.
    public static let symbol = Parameter("symbol", .symbol)
    /// Symbols.
    public static let symbols = Parameter("symbols", .symbols)
    /// Only symbols in this state.
    public static let symbolStatus = Parameter("symbolStatus", .word)
    /// Only symbols of which these kinds of trading are permitted.
    public static let permissions = Parameter("permissions", .text)
    /// Whether the permissions of each symbol are shown.
    public static let showPermissionSets = Parameter("showPermissionSets", .flag)
    /// How long a candle is.
    public static let interval = Parameter("interval", .word)
    /// Where a candle of a day or more begins: only in UTC.
    public static let timeZone = Parameter("timeZone", .text)
    /// The unit of a stream's times, in its URL.
    public static let timeUnit = Parameter("timeUnit", .text)
    /// A ticker's kind.
    public static let tickerType = Parameter("type", .word)
    /// The streams of a connection.
    public static let streams = Parameter("streams", .text)

    // MARK: Lists

    /// Number of rows requested.
    public static let limit = Parameter("limit", .number(1...Int64.max))
    /// How many rows to pass over.
    public static let offset = Parameter("offset", .number(0...Int64.max))
    /// The first id of a list.
    public static let fromId = Parameter("fromId", .number(0...Int64.max))
    /// The beginning of a range of time.
    public static let startTime = Parameter("startTime", .number(timeRange))
    /// The end of a range of time.
    public static let endTime = Parameter("endTime", .number(timeRange))

    // MARK: Orders

    /// An order, or the first one of a list.
    public static let orderId = Parameter("orderId", .number(0...Int64.max))
    /// An order by its client's id.
    public static let origClientOrderId = Parameter("origClientOrderId", .clOrdID)
    /// The client's id of what is new.
    public static let newClientOrderId = Parameter("newClientOrderId", .clOrdID)
    /// Bought or sold.
    public static let side = Parameter("side", .word)
    /// An order's type.
    public static let type = Parameter("type", .word)
    /// For how long it is in force.
    public static let timeInForce = Parameter("timeInForce", .word)
    /// How much, in the base asset.
    public static let quantity = Parameter("quantity", .decimal)
    /// How much, in the quote asset.
    public static let quoteOrderQty = Parameter("quoteOrderQty", .decimal)
    /// The limit.
    public static let price = Parameter("price", .decimal)
    /// The trigger.
    public static let stopPrice = Parameter("stopPrice", .decimal)
    /// How far a trigger trails the market: no order here does.
    public static let trailingDelta = Parameter("trailingDelta", .text)
    /// How much of an order is shown.
    public static let icebergQty = Parameter("icebergQty", .decimal)
    /// A client's number for a strategy.
    public static let strategyId = Parameter("strategyId", .number(1...Int64.max))
    /// A client's number for a kind of strategy.
    public static let strategyType = Parameter("strategyType", .number(0...Int64(Int32.max)))
    /// What happens where an order would meet another of its account.
    public static let selfTradePreventionMode = Parameter("selfTradePreventionMode", .word)
    /// How detailed the answer is.
    public static let newOrderRespType = Parameter("newOrderRespType", .word)
    /// Whether a test says what the order would cost.
    public static let computeCommissionRates = Parameter("computeCommissionRates", .flag)
    /// An amended order's quantity.
    public static let newQty = Parameter("newQty", .decimal)
    /// In which state an order has to be to be canceled.
    public static let cancelRestrictions = Parameter("cancelRestrictions", .word)
    /// Whether an order is placed although the other was not canceled.
    public static let cancelReplaceMode = Parameter("cancelReplaceMode", .word)
    /// Whether the order is canceled where the new one exceeds a limit of rate.
    public static let orderRateLimitExceededMode = Parameter("orderRateLimitExceededMode", .word)
    /// The order to cancel before another is placed.
    public static let cancelOrderId = Parameter("cancelOrderId", .number(0...Int64.max))
    /// The same by its client's id.
    public static let cancelOrigClientOrderId = Parameter("cancelOrigClientOrderId", .clOrdID)
    /// The client's id of that cancel.
    public static let cancelNewClientOrderId = Parameter("cancelNewClientOrderId", .clOrdID)

    // MARK: Accounts

    /// Whether balances of zero are left out.
    public static let omitZeroBalances = Parameter("omitZeroBalances", .flag)
    /// An asset.
    public static let coin = Parameter("coin", .text)
    /// A network of it.
    public static let network = Parameter("network", .text)
    /// How much, in the asset.
    public static let amount = Parameter("amount", .decimal)
    /// A destination.
    public static let address = Parameter("address", .text)
    /// A memo or tag beside it.
    public static let addressTag = Parameter("addressTag", .text)
    /// A client's description of a destination.
    public static let destinationName = Parameter("name", .text)
    /// A client's id of a withdrawal.
    public static let withdrawOrderId = Parameter("withdrawOrderId", .clOrdID)
    /// Whether the fee of a transfer within the exchange goes back: there is none.
    public static let transactionFeeFlag = Parameter("transactionFeeFlag", .flag)
    /// From which wallet a withdrawal is: there is only the spot wallet.
    public static let walletType = Parameter("walletType", .number(0...0))
    /// A deposit's or withdrawal's status, by Binance's code.
    public static let status = Parameter("status", .number(0...8))
    /// Whether a deposit's sender is shown: no chain here says who that is.
    public static let includeSource = Parameter("includeSource", .flag)
    /// A transaction.
    public static let txId = Parameter("txId", .text)
    /// Withdrawals, separated by commas.
    public static let idList = Parameter("idList", .text)
    /// A kind of transfer between wallets: there is only one wallet.
    public static let transferType = Parameter("type", .text)
    /// A page of transfers.
    public static let current = Parameter("current", .number(1...Int64.max))
    /// Rows of such a page.
    public static let size = Parameter("size", .number(1...Int64.max))
    /// From which isolated wallet.
    public static let fromSymbol = Parameter("fromSymbol", .text)
    /// To which.
    public static let toSymbol = Parameter("toSymbol", .text)

    // MARK: Times

    /// The latest time, in nanoseconds since 1970 (the year 2255): later ones are clamped to it.
    /// That leaves years to the end of `Int64` for sums.
    public static var latestTime: Int64 { 9_000_000_000_000_000_000 }

    /// Times have up to 13 digits in milliseconds and 16 in microseconds; Binance takes both.
    static var millisecondsMax: Int64 { 9_999_999_999_999 }
    static var microsecondsMin: Int64 { 1_000_000_000_000_000 }
    private static var timeRange: ClosedRange<Int64> { 0...9_999_999_999_999_999 }
}

extension Parameter: CustomStringConvertible {
    /// The name and the form, as `bourse-gatewayd --endpoints` shows them: `limit:number`.
    public var description: String {
        switch form {
        case .text: "\(name):text"
        case .word: "\(name):word"
        case .flag: "\(name):flag"
        case .decimal: "\(name):decimal"
        case .number(Self.timeRange): "\(name):time"
        case .number: "\(name):number"
        case .clOrdID: "\(name):id"
        case .symbol: "\(name):symbol"
        case .symbols: "\(name):symbols"
        }
    }
}
