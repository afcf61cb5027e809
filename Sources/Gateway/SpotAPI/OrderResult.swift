// The effect of records on one order: its last state and its fills.

public import Engine
public import Terms

/// An order after a command, put together from the command's events alone.
public struct OrderResult: Sendable {
    /// The order's state after the command.
    public private(set) var view: OrderView
    /// Its trades in the command, in order.
    public private(set) var fills: [Trade] = []

    /// The state of `order` after `events`, the last of which happened at `timestamp` (ns since
    /// 1970); nil when none of them has a view of it.
    public init?(order: OrderID, events: some Sequence<Event>, timestamp: Int64) {
        var view: OrderView?
        var fills: [Trade] = []
        for event in events {
            switch event {
            case .orderAccepted(let v), .orderEnded(let v, _), .orderAmended(let v, _),
                .orderTriggered(let v):
                if v.order == order { view = v }
            case .trade(let trade):
                for fill in [trade.taker, trade.maker] where fill.order == order {
                    fills.append(trade)
                    view?.take(fill, timestamp: timestamp)
                }
            default: break
            }
        }
        guard let view else { return nil }
        (self.view, self.fills) = (view, fills)
    }
}

extension OrderView {
    /// Applies a fill to the order.
    mutating func take(_ fill: Fill, timestamp: Int64) {
        cumQty = fill.cumQty
        leavesQty = fill.leavesQty
        cumQuote = fill.cumQuote
        status = fill.status
        updatedTime = timestamp
    }
}
