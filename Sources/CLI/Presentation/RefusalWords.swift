// What a refusal means to an operator, and what to do about it.

package import Terms

extension Refusal {
    /// What was wrong.
    package var meaning: String {
        switch self {
        case .none: "done"
        case .sessionUnknown: "another session of the same name replaced this one"
        case .sessionGap: "an earlier command of the same session is missing"
        case .duplicateCommand: "the command is in the log already"
        case .malformed: "the command is malformed"
        case .diskReserve: "the journal's disk is below its reserve: only cancels are accepted"
        case .voided: "the command was voided"
        case .poisoned: "matchd died twice while applying this command; it is not applied again"
        case .deadlinePassed: "its deadline had passed before it was sequenced"
        case .venueKilled: "the venue's kill switch is on"
        case .accountUnknown: "there is no such account"
        case .approvalRequired: "operators have keys: it has to be proposed, or signed"
        case .accountKilled: "the account's kill switch is on"
        case .instrumentUnknown: "there is no such instrument"
        case .messageRate: "the account exceeds its limit of messages per second"
        case .instrumentState: "the instrument's state does not allow this"
        case .instrumentBusy: "an earlier command is still in progress in the instrument"
        default: laterMeaning
        }
    }

    private var laterMeaning: String {
        switch self {
        case .orderTypeInvalid: "the order type does not match the other fields"
        case .priceInvalid: "the price is out of the instrument's range"
        case .quantityInvalid: "the quantity is out of the instrument's range"
        case .displayQuantityInvalid: "the displayed quantity is out of range"
        case .stopPriceInvalid: "the trigger price is out of range"
        case .expireTimeInvalid: "the expire time is not in the future"
        case .sweepLimit: "the order would examine more of the book than one turn allows"
        case .notionalBelowMinimum: "price × quantity is below the minimum"
        case .notionalAboveMaximum: "price × quantity is above the maximum"
        case .priceBand: "the price is outside the band"
        case .orderSizeLimit: "above the account's limit for a single order"
        case .openOrdersLimit: "the account has reached its limit of open orders"
        case .capacity: "the exchange has reached its limit of open orders"
        case .clOrdIDDuplicate: "the account has an open order with that client id"
        case .triggersImmediately: "the trigger price has already been reached"
        case .wouldTake: "the order would take liquidity"
        case .insufficientFunds: "the account does not have that much available"
        case .orderUnknown: "there is no such open order"
        case .amendInvalid: "the order cannot be amended this way"
        case .priorityLost: "the order would lose its priority"
        case .cancelFailed: "the cancel failed"
        case .cancelRestricted: "the order's status is not one that the cancel is restricted to"
        case .nameInvalid: "the name is empty, or exists with other terms, which cannot change"
        case .assetUnknown: "there is no such asset"
        case .termsInvalid: "a scale, tick, lot, rate or limit is out of its range"
        case .tableFull: "the table is full"
        case .amountInvalid: "the amount is zero or outside the ledger's range"
        case .apiKeyUnknown: "there is no such key, or it is revoked"
        case .stateInvalid: "that state cannot be set"
        case .referenceDuplicate: "this reference is in the journal already; nothing was booked"
        case .feesInsufficient: "the house does not have that much in fees"
        case .networkUnknown: "the asset has no such network"
        case .withdrawalUnknown: "there is no such open withdrawal of that account"
        case .transactionUnknown: "there is no such signed transaction that is not settled"
        case .addressInvalid: "the address is empty"
        case .withdrawalsStopped: "withdrawals of the asset are stopped, or closed on that network"
        case .approvalInvalid: "who asked for it, or has approved it, cannot approve it"
        case .operatorUnknown: "the log has no operator of that name with that key and role"
        case .proposalUnknown: "there is no such open proposal"
        case .addressNotListed: "the destination is not in the account's address book"
        case .addressDelayed: "the destination is new in the address book: its delay is not over"
        case .withdrawalsFrozen: "a key of the account was added or revoked a short time ago"
        case .withdrawalLimit: "the withdrawal is above a limit of the account"
        case .auditHeadUnknown: "the log has another past than the one that was signed for"
        default: "refused"
        }
    }

    /// What to do about it, or empty.
    package var repair: String {
        switch self {
        case .diskReserve: "free space on the journal's disk, or move old segments away"
        case .venueKilled: "see `boursectl status`; release it with `boursectl kill venue --off`"
        case .accountUnknown: "see `boursectl account list`"
        case .accountKilled: "release it with `boursectl kill ACCOUNT --off`"
        case .instrumentUnknown: "see `boursectl instrument list`"
        case .assetUnknown: "see `boursectl asset list`"
        case .insufficientFunds:
            "see `boursectl account show ACCOUNT`; `boursectl cancel-all` frees what orders hold"
        case .nameInvalid: "see what exists with `boursectl asset list` or `instrument list`"
        case .tableFull:
            "raise the limit of that table with `boursectl limits raise`"
        case .instrumentBusy: "retry in a moment"
        case .referenceDuplicate:
            "find the first booking with `boursectl journal dump --kind adjustBalance`, or `--kind "
                + "transferFees`"
        case .feesInsufficient: "see `boursectl fees report`"
        case .apiKeyUnknown: "see `boursectl key list`"
        case .networkUnknown: "see `boursectl wallet network list`"
        case .withdrawalUnknown: "see `boursectl wallet withdrawals`"
        case .withdrawalsStopped:
            "see `boursectl wallet status` and `boursectl wallet network list`"
        case .addressNotListed, .addressDelayed: "see `boursectl wallet book list ACCOUNT`"
        case .withdrawalsFrozen: "see `boursectl wallet policy show`"
        case .withdrawalLimit: "see `boursectl wallet limits show ASSET --account ACCOUNT`"
        case .sessionUnknown: "retry"
        default: ""
        }
    }
}
