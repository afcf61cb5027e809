// Whole numbers from clients. Each parameter has its range here, so that nothing after the parser
// can overflow.

/// A parameter that is a whole number, and its valid range.
public struct NumberParameter: Hashable, Sendable {
    /// Its name in the API.
    public let name: String
    /// Its valid range; anything else is refused with -1130.
    public let range: ClosedRange<Int64>

    private init(_ name: String, _ range: ClosedRange<Int64>) {
        (self.name, self.range) = (name, range)
    }

    /// Number of rows requested.
    public static let limit = NumberParameter("limit", 1...Int64.max)
    /// The first id of a list.
    public static let fromId = NumberParameter("fromId", 0...Int64.max)
    /// An order, or the first one of a list.
    public static let orderId = NumberParameter("orderId", 0...Int64.max)
    /// The order to cancel before another is placed.
    public static let cancelOrderId = NumberParameter("cancelOrderId", 0...Int64.max)
    /// A client's number for a strategy.
    public static let strategyId = NumberParameter("strategyId", 1...Int64.max)
    /// A client's number for a kind of strategy.
    public static let strategyType = NumberParameter("strategyType", 0...Int64(Int32.max))
    /// A deposit's or withdrawal's status, by Binance's code.
    public static let status = NumberParameter("status", 0...8)
    /// How many rows to pass over.
    public static let offset = NumberParameter("offset", 0...Int64.max)
    /// From which wallet a withdrawal is: there is only the spot wallet.
    public static let walletType = NumberParameter("walletType", 0...0)
    /// The beginning of a range of time.
    public static let startTime = NumberParameter("startTime", timeRange)
    /// The end of a range of time.
    public static let endTime = NumberParameter("endTime", timeRange)
    /// When a request was signed.
    public static let timestamp = NumberParameter("timestamp", timeRange)

    /// The latest time, in nanoseconds since 1970 (the year 2255): later ones are clamped to it.
    /// That leaves years to the end of `Int64` for sums.
    public static var latestTime: Int64 { 9_000_000_000_000_000_000 }

    /// Times have up to 13 digits in milliseconds and 16 in microseconds; Binance takes both.
    static var millisecondsMax: Int64 { 9_999_999_999_999 }
    static var microsecondsMin: Int64 { 1_000_000_000_000_000 }
    private static var timeRange: ClosedRange<Int64> { 0...9_999_999_999_999_999 }
}
