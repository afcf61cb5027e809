// The errors of deposits and withdrawals. Source: Binance Wallet API documentation, "Error Code".

public import Terms

extension APIError {
    /// No such coin.
    public static let assetUnknown = APIError(-4018, "We don't have this asset.")
    /// A coin of no network, or one whose withdrawals are stopped.
    public static let withdrawalsClosed = APIError(
        -4019, "Current asset is not open for withdrawal.")
    /// A coin that neither comes in nor goes out on a chain.
    public static let assetWithoutNetwork = APIError(
        -4019, "Current asset has no network here: it is not open for deposits or withdrawals.")
    /// A network on which deposits are closed.
    public static let depositsClosed = APIError(
        -1020, "This operation is not supported: deposits over this network are closed.")
    /// A network of a chain of which nobody said yet what it is.
    public static let chainUndeclared = APIError(
        -1020, "This operation is not supported: the network has no chain yet.")
    /// A chain whose public key in the log is none.
    public static let chainKeyInvalid = APIError(
        -1020, "This operation is not supported: the network's chain has no valid key.")
    /// No more addresses.
    public static let addressesExhausted = APIError(
        -4045, "Failure to acquire assets: no further deposit address can be assigned.")
    /// A destination's tag on a network that has none.
    public static let tagUnsupported = APIError(
        -4106, "This network does not support address tags: send none.")
    /// An amount that its fee uses up.
    public static let amountWithinFee = APIError(
        -4028, "The amount of withdrawal must be greater than the Commission.")
    /// A range of time that is longer than history answers at once, or that ends before it begins.
    public static let intervalTooLong = APIError(-4047, "Time interval must be within 0-90 days")
    /// A client's own id that it has used for another withdrawal.
    public static let withdrawOrderIdRepeated = APIError(
        -4032,
        "Withdraw verification exception: the account has used this withdrawOrderId before; "
            + "nothing was done.")
    /// The account, or the exchange, has as many open withdrawals as there may be, or the exchange
    /// remembers or counts no more.
    public static let withdrawalsOpenLimit = APIError(-4015, "Withdraw is limited.")
    /// A destination that is not in the account's address book.
    public static let addressNotListed = APIError(
        -4035, "This address is not on the whitelist. Please join and try again.")
    /// A withdrawal above a limit.
    public static let withdrawalAboveLimit = APIError(
        -4023,
        "The withdrawal exceeds a limit: of one withdrawal, of 24 hours or of 30 days.")
    /// The fee rose above what the gateway saw when the request came.
    public static let withdrawalFeeChanged = APIError(
        -1013, "The withdrawal fee has changed; nothing was done. Please look at it and try again.")
    /// A withdrawal of more than is available.
    public static let withdrawalFunds = APIError(-4026, "You have insufficient balance.")

    /// A chain that this version has no addresses of.
    public static func chainUnsupported(_ name: String) -> APIError {
        APIError(
            -1020,
            "This operation is not supported: this version does not know the chain '\(name)'.")
    }

    /// An address that the network's chain does not have, and why.
    public static func addressIllegal(_ reason: String) -> APIError {
        APIError(-4033, "Illegal address: \(reason).")
    }

    /// An amount with more decimals than the coin has.
    public static func amountMultiple(_ coin: String, _ step: String) -> APIError {
        APIError(-4021, "Asset withdrawal must be an \(coin) multiple of \(step).")
    }

    /// An amount below the account's minimum on the network.
    public static func amountBelow(_ minimum: String) -> APIError {
        APIError(-4022, "Not less than the minimum pick-up quantity \(minimum).")
    }

    /// A destination that was added a short time ago.
    public static func addressNew(_ nanos: Int64) -> APIError {
        APIError(-4036, "The new address needs to be withdrawn in \(hours(nanos)) hours.")
    }

    /// Withdrawals wait because a key was added or revoked.
    public static func keysChanged(_ nanos: Int64) -> APIError {
        APIError(
            -4016,
            "After a change of the account's API keys, withdrawal is prohibited for "
                + "\(hours(nanos)) hours.")
    }

    private static func hours(_ nanos: Int64) -> Int64 {
        let hour: Int64 = 3_600_000_000_000
        return max(1, nanos / hour + (nanos % hour > 0 ? 1 : 0))
    }

    /// The error for a withdrawal that the engine refused; `minimum` is the account's, and `waits`
    /// says how long the account waits for its keys and for the destination.
    public init(
        withdrawal refusal: Refusal, minimum: String, waits: (keys: Int64, address: Int64) = (0, 0)
    ) {
        self =
            switch refusal {
            case .assetUnknown: .assetUnknown
            case .networkUnknown: .invalid("network")
            case .addressInvalid: .addressIllegal("it is empty")
            case .amountInvalid: .amountBelow(minimum)
            // What the client was shown when it asked; nothing else of a request is a term.
            case .termsInvalid: .withdrawalFeeChanged
            case .withdrawalsStopped: .withdrawalsClosed
            case .apiKeyUnknown: .keyInvalid
            case .addressNotListed: .addressNotListed
            case .addressDelayed: .addressNew(waits.address)
            case .withdrawalsFrozen: .keysChanged(waits.keys)
            case .withdrawalLimit: .withdrawalAboveLimit
            case .referenceDuplicate: .withdrawOrderIdRepeated
            case .tableFull: .withdrawalsOpenLimit
            case .insufficientFunds: .withdrawalFunds
            default: APIError(refusal)
            }
    }

    /// The error for a deposit address that the engine did not assign.
    public init(address refusal: Refusal) {
        self =
            switch refusal {
            case .networkUnknown: .invalid("network")
            case .tableFull: .addressesExhausted
            default: APIError(refusal)
            }
    }
}
