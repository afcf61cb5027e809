// What the twin shows, in the engine's own views.

import Engine
import Terms

extension SlowExchange {
    /// An account with the limits that stand for it.
    func view(_ account: SlowAccount) -> AccountView {
        var view = account.view
        let limits = limits(of: account)
        view.openOrders = UInt32(openOrders(of: view.id))
        view.openOrdersMax = limits.openOrders
        view.messagesPerSecondMax = limits.messagesPerSecond
        return view
    }

    /// A side of the book as it is shown, the best price first.
    func shown(_ instrument: InstrumentID, _ side: Side) -> [LevelView] {
        let orders = resting(instrument, side)
        return prices(instrument, side).map { price in
            let here = orders.filter { $0.view.price == price }
            return LevelView(
                price: price, quantity: Quantity(lots: here.reduce(0) { $0 + $1.displayed }),
                orders: UInt32(here.count))
        }
    }

    /// The first of the twin's own rules that does not hold, or nil.
    func checkInvariants() -> String? {
        for asset in assets {
            let house = houses[Int(asset.id.number) - 1]
            var inside: Int128 = 0
            for (key, balance) in balances where key.asset == asset.id {
                inside += balance.available.units + balance.held.units + balance.withdrawing.units
            }
            for part in [house.fees, house.rounding, house.inTransit] {
                if part.units < 0 { return "\(asset.code): the house has less than nothing" }
                inside += part.units
            }
            if inside + house.chain.units + house.external.units != 0 {
                return "\(asset.code) does not sum to zero"
            }
        }
        var held: [BalanceKey: Int128] = [:]
        for order in open {
            let asset = holdAsset(order.view.side, instrument(order.view.instrument))
            held[BalanceKey(account: order.view.account, asset: asset), default: 0] += order.hold
            if order.isByQuote { continue }
            if order.view.timeInForce == .fok, order.place == .resting {
                return "order \(order.view.order.number) rests, but was to fill or kill"
            }
            if order.leaves < 1 { return "order \(order.view.order.number) is open but empty" }
            let sum = order.view.cumQty.lots + order.view.preventedQuantity.lots + order.leaves
            if order.view.quantity.lots != sum {
                return "order \(order.view.order.number) does not add up"
            }
        }
        for (key, balance) in balances where balance.held.units != held[key] ?? 0 {
            return "held \(balance.held.units) of account \(key.account.number), "
                + "but its orders hold \(held[key] ?? 0)"
        }
        for order in open
        where order.place == .matching && !flights.contains(where: { $0 === order }) {
            return "order \(order.view.order.number) is nowhere"
        }
        return nil
    }
}
