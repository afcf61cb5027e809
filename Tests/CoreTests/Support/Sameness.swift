// Whether two events are the same in every field. Events have no equality of their own, for nothing
// but these tests compares them.

import Engine
import Terms

func same(_ a: Event, _ b: Event) -> Bool {
    switch (a, b) {
    case (.orderAccepted(let x), .orderAccepted(let y)): same(x, y)
    case (.orderRefused(let x), .orderRefused(let y)):
        x.refusal == y.refusal && same(x.order, y.order)
    case (.trade(let x), .trade(let y)): same(x, y)
    case (.orderReplenished(let x), .orderReplenished(let y)):
        x.order == y.order && x.instrument == y.instrument && x.side == y.side
            && x.price == y.price && x.displayed == y.displayed
    case (.orderEnded(let x, let r), .orderEnded(let y, let s)): r == s && same(x, y)
    case (.orderAmended(let x, let p), .orderAmended(let y, let q)): p == q && same(x, y)
    case (.orderTriggered(let x), .orderTriggered(let y)): same(x, y)
    case (.balanceAdjusted(let x, let p, let n), .balanceAdjusted(let y, let q, let m)):
        x == y && p == q && n == m
    case (.feesTransferred(let x, let p, let n), .feesTransferred(let y, let q, let m)):
        x == y && p == q && n == m
    case (.depositCredited(let x, let p, let n), .depositCredited(let y, let q, let m)):
        x == y && p == q && n == m
    case (.depositNoted(let x), .depositNoted(let y)): same(x, y)
    case (.addressAssigned(let x, let p, let n), .addressAssigned(let y, let q, let m)):
        x == y && p == q && n == m
    case (.withdrawalChanged(let x, let p), .withdrawalChanged(let y, let q)): x == y && p == q
    case (.transactionSigned(let x), .transactionSigned(let y)): x == y
    case (.transactionSettled(let x), .transactionSettled(let y)): x == y
    case (.transactionDropped(let x), .transactionDropped(let y)): x == y
    case (.networkChanged(let x, let p), .networkChanged(let y, let q)): x == y && p == q
    case (.chainChanged(let x), .chainChanged(let y)): x == y
    case (.operatorChanged(let x), .operatorChanged(let y)): x == y
    case (.custodyPolicyChanged(let x), .custodyPolicyChanged(let y)): x == y
    case (.proposalChanged(let x, let p), .proposalChanged(let y, let q)): x == y && p == q
    case (.withdrawalPolicyChanged(let x, let p), .withdrawalPolicyChanged(let y, let q)):
        x == y && p == q
    case (
        .withdrawalTermsChanged(let x, let p, let v), .withdrawalTermsChanged(let y, let q, let w)
    ):
        x == y && p == q && v == w
    case (.withdrawalLimitsChanged(let x, let p), .withdrawalLimitsChanged(let y, let q)):
        x == y && p == q
    case (.coldStorageChanged(let x, let p), .coldStorageChanged(let y, let q)): x == y && p == q
    case (.addressBookChanged(let x, let p, let n), .addressBookChanged(let y, let q, let m)):
        x == y && p == q && n == m
    case (.blockChecked(let x, let s, let p, let n), .blockChecked(let y, let t, let q, let m)):
        x == y && s == t && p == q && n == m
    case (.withdrawalsStopped(let x, let p), .withdrawalsStopped(let y, let q)):
        x == y && p == q
    case (.assetChanged(let x), .assetChanged(let y)): x == y
    case (.instrumentChanged(let x), .instrumentChanged(let y)): x == y
    case (.accountChanged(let x), .accountChanged(let y)): x == y
    case (.venueChanged, .venueChanged): true
    case (.apiKeyChanged(let x), .apiKeyChanged(let y)): x == y
    case (.sessionOpened(let x), .sessionOpened(let y)): x == y
    case (.sessionClosed(let x), .sessionClosed(let y)): x == y
    default: false
    }
}

private func same(_ a: DepositNoted, _ b: DepositNoted) -> Bool {
    a.account == b.account && a.asset == b.asset && a.network == b.network
        && a.status == b.status && a.output == b.output && a.confirmations == b.confirmations
        && a.transaction == b.transaction && a.amount == b.amount
}

func same(_ a: [Event], _ b: [Event]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { same($0, $1) }
}

func same(_ a: Trade, _ b: Trade) -> Bool {
    a.id == b.id && a.instrument == b.instrument && a.takerSide == b.takerSide
        && a.price == b.price && a.quantity == b.quantity && a.quoteAmount == b.quoteAmount
        && same(a.maker, b.maker) && same(a.taker, b.taker)
}

func same(_ a: Fill, _ b: Fill) -> Bool {
    a.order == b.order && a.account == b.account && a.fee == b.fee && a.feeAsset == b.feeAsset
        && a.cumQty == b.cumQty && a.leavesQty == b.leavesQty && a.cumQuote == b.cumQuote
        && a.status == b.status
}

func same(_ a: OrderView, _ b: OrderView) -> Bool {
    a.order == b.order && a.account == b.account && a.instrument == b.instrument
        && a.side == b.side && a.type == b.type && a.timeInForce == b.timeInForce
        && a.selfTradePrevention == b.selfTradePrevention && a.status == b.status
        && a.isWorking == b.isWorking && a.price == b.price && a.stopPrice == b.stopPrice
        && a.quantity == b.quantity && a.cumQty == b.cumQty && a.leavesQty == b.leavesQty
        && a.displayQuantity == b.displayQuantity && a.quoteQuantity == b.quoteQuantity
        && a.cumQuote == b.cumQuote && a.expireTime == b.expireTime
        && a.createdTime == b.createdTime && a.updatedTime == b.updatedTime
        && a.preventedQuantity == b.preventedQuantity && a.workingTime == b.workingTime
        && a.clOrdID == b.clOrdID && a.strategyID == b.strategyID
        && a.strategyType == b.strategyType
}
