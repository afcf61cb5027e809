// Refusals: codes in a reply, never thrown, in a fixed order of precedence.

/// Why a command was refused. If several apply, the one with the lowest raw value is returned.
///
/// Raw values are in the log's event hash and in replies: append, never renumber. The precedence is
/// the order of raw values within one kind of command.
@frozen public enum Refusal: UInt16, BitwiseCopyable, Sendable, CaseIterable, Error {
    /// Not refused.
    case none = 0

    // Sessions and form.
    /// The session is not open, or a later incarnation of its writer replaced it.
    case sessionUnknown = 1
    /// The command's number is not the next of its session: one before it is missing.
    case sessionGap = 2
    /// The session's command of that number is in the log already; nothing was done.
    case duplicateCommand = 3
    /// The command is not well formed: an unknown kind or value, or a text that is not ASCII.
    case malformed = 4
    /// Disk space is below the reserve: only cancels are accepted.
    case diskReserve = 5
    /// An operator voided the command.
    case voided = 6
    /// The process died twice while applying the command; it was not tried again.
    case poisoned = 7
    /// The command's deadline had passed when it was sequenced.
    case deadlinePassed = 8
    /// Operators have keys: the command has to be proposed and endorsed, or signed.
    case approvalRequired = 9

    // Account and instrument.
    /// The venue's kill switch is on.
    case venueKilled = 10
    /// No such account.
    case accountUnknown = 11
    /// The account's kill switch is on.
    case accountKilled = 12
    /// No such instrument.
    case instrumentUnknown = 13
    /// The account sent more messages than its rate allows.
    case messageRate = 14
    /// The instrument's state does not accept this command.
    case instrumentState = 15
    /// Ticks still continue an earlier command's work in the instrument; nothing overtakes it.
    case instrumentBusy = 16

    // The order's own terms.
    /// The order type with this time in force, or without a needed field.
    case orderTypeInvalid = 20
    /// Price absent, negative or above the instrument's maximum (filter PRICE_FILTER).
    case priceInvalid = 21
    /// Quantity zero, below the minimum or above the maximum (filter LOT_SIZE).
    case quantityInvalid = 22
    /// Displayed quantity zero, above the order's or too many slices (filter ICEBERG_PARTS).
    case displayQuantityInvalid = 23
    /// Trigger price absent or out of range.
    case stopPriceInvalid = 24
    /// The expire time is absent or not in the future.
    case expireTimeInvalid = 25
    /// A market or fill-or-kill order would have to look at more of the book than one turn may.
    case sweepLimit = 26
    /// Price × quantity is below the instrument's minimum (filter NOTIONAL).
    case notionalBelowMinimum = 27
    /// Price × quantity is above the instrument's maximum.
    case notionalAboveMaximum = 28
    /// The price is outside the static band (filter PERCENT_PRICE_BY_SIDE).
    case priceBand = 29

    // The account's limits.
    /// Above the account's limit of one order's quantity or notional.
    case orderSizeLimit = 30
    /// Above the account's limit of open orders (filter MAX_NUM_ORDERS).
    case openOrdersLimit = 31
    /// The engine's own limit of open orders is reached.
    case capacity = 32
    /// The account has an open order with that client order id.
    case clOrdIDDuplicate = 33

    // The book and the funds.
    /// A stop order whose trigger has been reached already.
    case triggersImmediately = 40
    /// A post-only order that would take.
    case wouldTake = 41
    /// Available funds do not cover the order.
    case insufficientFunds = 42

    // Cancels and changes.
    /// No open order of that id in that account.
    case orderUnknown = 50
    /// The amend changes nothing, or something that this order does not allow.
    case amendInvalid = 51
    /// The cancel half of a cancel-replace failed, so the new order was not tried.
    case cancelFailed = 52
    /// The cancel's restriction excludes the order's status.
    case cancelRestricted = 53
    /// The amend would lose the order's priority, which it requires to be kept.
    case priorityLost = 54

    // Administration.
    /// A name that exists already with other, unchangeable terms, or is empty.
    case nameInvalid = 60
    /// No such asset.
    case assetUnknown = 61
    /// A scale, tick, lot, rate or limit out of its range, or tick × lot is no whole quote unit.
    case termsInvalid = 62
    /// The table is full: raise the limit.
    case tableFull = 63
    /// An amount of zero, a negative one, or one that would leave the ledger's range.
    case amountInvalid = 64
    /// No such API key.
    case apiKeyUnknown = 65
    /// A change of state that is not allowed.
    case stateInvalid = 66
    /// The reference, or the deposit's output, is in the log already; nothing was booked.
    case referenceDuplicate = 67
    /// The house's fees of the asset are insufficient.
    case feesInsufficient = 68

    // Custody.
    /// The asset has no such network.
    case networkUnknown = 70
    /// No open withdrawal of that id, or not in that account.
    case withdrawalUnknown = 71
    /// No open transaction of that id.
    case transactionUnknown = 72
    /// An empty address.
    case addressInvalid = 73
    /// Withdrawals of the asset are stopped, or the network is closed for them.
    case withdrawalsStopped = 74
    /// The approval of the one who asked for it, or a second one by the same operator.
    case approvalInvalid = 75

    // Operators' keys.
    /// No operator of that name with that key and the role that the command needs.
    case operatorUnknown = 76
    /// No open proposal of that id.
    case proposalUnknown = 77
    /// The head of the audit chain that the signer saw is none of the log's last ones.
    case auditHeadUnknown = 78

    // What customers may withdraw.
    /// The destination is not in the account's address book, and the key withdraws to nowhere else.
    case addressNotListed = 90
    /// The destination is in the book, and its delay is not over.
    case addressDelayed = 91
    /// A key of the account was added or revoked, and the freeze after that is not over.
    case withdrawalsFrozen = 92
    /// Above a limit of one withdrawal, of a day or of a month.
    case withdrawalLimit = 93
}
