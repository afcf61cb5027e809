// The API's errors: `{"code":…,"msg":…}`. Clients match codes and texts, so both are here, once.
// Source: Binance Spot API documentation, "Error codes for Binance" and "Filters".

public import Terms

/// An error as a reply.
public struct APIError: Error, Hashable, Sendable {
    /// HTTP status.
    public var status: Int
    /// Binance's code.
    public var code: Int
    /// The text that clients match.
    public var message: String
    /// Seconds for the header `Retry-After`, where there is one.
    public var retryAfterSeconds: Int?

    /// An error of these values; most are the client's own, so 400.
    public init(_ code: Int, _ message: String, status: Int = 400, retryAfterSeconds: Int? = nil) {
        (self.status, self.code, self.message) = (status, code, message)
        self.retryAfterSeconds = retryAfterSeconds
    }

    /// The reply's body.
    public func write(to json: inout JSONWriter) {
        json.beginObject()
        json.field("code", code)
        json.field("msg", message)
        json.endObject()
    }
}

extension APIError {
    /// Something here failed; nothing was done.
    public static let internalFault = APIError(
        -1001, "Internal error; unable to process your request. Please try again.", status: 500)
    /// matchd is away; nothing was sent.
    public static let matchingUnavailable = APIError(
        -1001, "The matching engine cannot be reached now; nothing was done. Please try again.",
        status: 503, retryAfterSeconds: 1)
    /// The state is still being read; nothing was sent.
    public static let startingUp = APIError(
        -1001, "The exchange is starting up. Please try again.", status: 503, retryAfterSeconds: 1)
    /// The bound of commands in flight is reached; nothing was sent.
    public static let overloaded = APIError(
        -1008,
        "Server is currently overloaded with other requests. Please try again in a few "
            + "minutes.", status: 503, retryAfterSeconds: 1)
    /// Sent, but no answer came in time.
    public static let timeout = APIError(
        -1007,
        "Timeout waiting for response from backend server. Send status unknown; execution "
            + "status unknown.", status: 503)
    /// The daemon is stopping.
    public static let shuttingDown = APIError(
        -1016, "This service is no longer available.", status: 503, retryAfterSeconds: 1)
    /// No unit of times.
    public static let timeUnitInvalid = APIError(
        -1194, "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.")
    /// Too old, or not yet.
    public static let timestampOutside = APIError(
        -1021, "Timestamp for this request is outside of the recvWindow.")
    /// Ahead of this clock.
    public static let timestampAhead = APIError(
        -1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    /// A recvWindow that is too long.
    public static let recvWindowTooLong = APIError(-1131, "recvWindow must be less than 60000")
    /// The signature is not valid.
    public static let signatureInvalid = APIError(-1022, "Signature for this request is not valid.")
    /// A parameter twice.
    public static let duplicateParameter = APIError(
        -1101, "Duplicate values for a parameter detected.")
    /// More parameters than any endpoint takes.
    public static let tooManyParameters = APIError(
        -1101, "Too many parameters sent for this endpoint.")
    /// Parameters that cannot be combined.
    public static let combinationInvalid = APIError(
        -1128, "Combination of optional parameters invalid.")
    /// No such time in force.
    public static let timeInForceInvalid = APIError(-1115, "Invalid timeInForce.")
    /// No such type.
    public static let orderTypeInvalid = APIError(-1116, "Invalid orderType.")
    /// No such side.
    public static let sideInvalid = APIError(-1117, "Invalid side.")
    /// No such kind of ticker.
    public static let tickerTypeInvalid = APIError(-1139, "Invalid ticker type.")
    /// A symbol that is not in the state that was asked for.
    public static let symbolStatusMismatch = APIError(
        -1220, "The symbol's status does not match the requested symbolStatus.")
    /// No such interval.
    public static let intervalInvalid = APIError(-1120, "Invalid interval.")
    /// No such symbol.
    public static let symbolInvalid = APIError(-1121, "Invalid symbol.")
    /// A symbol twice in a list.
    public static let symbolRepeated = APIError(
        -1151, "Symbol is present multiple times in the list.")
    /// A cancel of an unknown order.
    public static let cancelUnknown = APIError(-2011, "Unknown order sent.")
    /// A cancel whose restriction excludes the order's status.
    public static let cancelRestricted = APIError(
        -2011, "Order was not canceled due to cancel restrictions.")
    /// No such restriction of a cancel.
    public static let cancelRestrictionsInvalid = APIError(-1145, "Invalid cancelRestrictions")
    /// The cancel of a cancel-replace whose new order is refused: it is not tried.
    public static let cancelNotTried = APIError(
        -2011, "Order was not canceled: the new order is refused.")
    /// A kind of strategy below the clients' own range.
    public static let strategyTypeInvalid = APIError(-1134, "strategyType was less than 1000000.")
    /// A prevention mode that no symbol here has.
    public static let preventionNotAllowed = APIError(
        -1013, "This symbol does not allow the specified self-trade prevention mode.")
    /// An amend that would raise the quantity.
    public static let amendIncrease = APIError(
        -2038, "Order amend (quantity increase) is not supported.")
    /// A query for an unknown order.
    public static let orderDoesNotExist = APIError(-2013, "Order does not exist.")
    /// No key, or a malformed one.
    public static let keyFormatInvalid = APIError(-2014, "API-key format invalid.", status: 401)
    /// A key that is unknown, revoked, or may not do this.
    public static let keyInvalid = APIError(
        -2015, "Invalid API-key, IP, or permissions for action.", status: 401)
    /// A price of zero.
    public static let priceZero = APIError(-1013, "Invalid price.")
    /// A quantity of zero.
    public static let quantityZero = APIError(-1013, "Invalid quantity.")
    /// A slice larger than the order.
    public static let icebergExceeds = APIError(-2010, "IcebergQty exceeds QTY.")
    /// An order type that the exchange does not have.
    public static let unsupportedCombination = APIError(-2010, "Unsupported order combination")

    /// A missing mandatory parameter.
    public static func mandatory(_ name: String) -> APIError {
        APIError(-1102, "Mandatory parameter '\(name)' was not sent, was empty/null, or malformed.")
    }

    /// Neither of two parameters, one of which is mandatory.
    public static func mandatory(_ a: String, or b: String) -> APIError {
        APIError(-1102, "Param '\(a)' or '\(b)' must be sent, but both were empty/null!")
    }

    /// A parameter without a value.
    public static func empty(_ name: String) -> APIError {
        APIError(-1105, "Parameter '\(name)' was empty.")
    }

    /// Parameters that the endpoint does not know: it read `known` of those that were sent.
    public static func unread(_ sent: Int, known: Int) -> APIError {
        APIError(
            -1104,
            "Not all sent parameters were read; read '\(known)' parameter(s) but was sent "
                + "'\(sent)'.")
    }

    /// A parameter that this order type does not take.
    public static func notRequired(_ name: String) -> APIError {
        APIError(-1106, "Parameter '\(name)' sent when not required.")
    }

    /// A value with illegal characters.
    public static func illegal(_ name: String, range: String) -> APIError {
        APIError(
            -1100, "Illegal characters found in parameter '\(name)'; legal range is '\(range)'.")
    }

    /// An unknown value.
    public static func invalid(_ name: String) -> APIError {
        APIError(-1130, "Data sent for parameter '\(name)' is not valid.")
    }

    /// A value with more decimals than the asset has.
    public static func precision(_ name: String) -> APIError {
        APIError(-1111, "Parameter '\(name)' has too much precision.")
    }

    /// A filter of exchangeInfo that the order fails.
    public static func filter(_ name: String) -> APIError {
        APIError(-1013, "Filter failure: \(name)")
    }

    /// A new order that was refused.
    public static func rejected(_ text: String) -> APIError { APIError(-2010, text) }

    /// More request weight than the limit.
    public static func tooManyRequests(limit: Int, retryAfterSeconds: Int) -> APIError {
        APIError(
            -1003,
            "Too much request weight used; current limit is \(limit) request weight per 1 MINUTE."
                + " Please use WebSocket Streams for live updates to avoid polling the API.",
            status: 429, retryAfterSeconds: retryAfterSeconds)
    }

    /// More orders than the limit.
    public static func tooManyOrders(
        limit: Int, interval: String, retryAfterSeconds: Int
    ) -> APIError {
        APIError(
            -1015, "Too many new orders; current limit is \(limit) orders per \(interval).",
            status: 429, retryAfterSeconds: retryAfterSeconds)
    }

    /// The error for an amend that the engine refused.
    public init(amend refusal: Refusal) {
        self.init(refusal)
        if code == -2010 || code == -2011 { code = -2038 }
    }

    /// The error for a command that the engine refused. `isMarket` names the filter of a quantity.
    public init(_ refusal: Refusal, isMarket: Bool = false) {
        self =
            switch refusal {
            case .none, .sessionUnknown, .sessionGap, .duplicateCommand, .malformed, .voided:
                .internalFault
            // A retry cannot succeed.
            case .poisoned:
                APIError(
                    -1000, "The exchange failed while processing this request, and refuses it.",
                    status: 500)
            case .deadlinePassed: .timestampOutside
            case .instrumentBusy: .overloaded
            case .diskReserve:
                APIError(
                    -1008, "The exchange is short of disk space and takes only cancels now.",
                    status: 503)
            case .venueKilled, .accountKilled:
                .rejected("This action is disabled on this account.")
            case .accountUnknown: .keyInvalid
            case .instrumentUnknown: .symbolInvalid
            case .messageRate:
                APIError(
                    -1015, "Too many new orders; current limit is reached for this second.",
                    status: 429, retryAfterSeconds: 1)
            case .instrumentState: .rejected("Market is closed.")
            case .orderTypeInvalid, .expireTimeInvalid: .unsupportedCombination
            case .priceInvalid, .stopPriceInvalid: .filter("PRICE_FILTER")
            case .quantityInvalid: .filter(isMarket ? "MARKET_LOT_SIZE" : "LOT_SIZE")
            case .displayQuantityInvalid: .filter("ICEBERG_PARTS")
            case .notionalBelowMinimum, .notionalAboveMaximum: .filter("NOTIONAL")
            case .priceBand: .filter("PERCENT_PRICE_BY_SIDE")
            case .sweepLimit: .rejected("Order reaches too deep into the order book.")
            case .orderSizeLimit: .filter("MAX_ASSET")
            case .openOrdersLimit: .filter("MAX_NUM_ORDERS")
            case .capacity: .filter("EXCHANGE_MAX_NUM_ORDERS")
            case .clOrdIDDuplicate: .rejected("Duplicate order sent.")
            case .triggersImmediately: .rejected("Order would trigger immediately.")
            case .wouldTake: .rejected("Order would immediately match and take.")
            case .insufficientFunds:
                .rejected("Account has insufficient balance for requested action.")
            case .orderUnknown, .cancelFailed: .cancelUnknown
            case .cancelRestricted: .cancelRestricted
            case .priorityLost: .amendIncrease
            case .amendInvalid:
                APIError(-2038, "The requested action would change no state; rejecting.")
            case .nameInvalid, .assetUnknown, .termsInvalid, .tableFull, .amountInvalid,
                .apiKeyUnknown, .stateInvalid, .referenceDuplicate, .feesInsufficient,
                .networkUnknown, .withdrawalUnknown, .transactionUnknown, .addressInvalid,
                .withdrawalsStopped, .approvalInvalid, .approvalRequired, .operatorUnknown,
                .proposalUnknown, .auditHeadUnknown, .addressNotListed, .addressDelayed,
                .withdrawalsFrozen, .withdrawalLimit:
                .internalFault
            }
    }
}
