// Assets, deposits and withdrawals. The latter two belong to the wallet; without one their lists
// are empty.

import Engine
import Follower
import SpotAPI
import Terms

extension Endpoint {
    static let capitalEndpoints: [Endpoint] = [
        Endpoint(.get, "/sapi/v1/capital/config/getall", .userData, 10, allCoins),
        Endpoint(.get, "/sapi/v1/capital/deposit/hisrec", .userData, 1, emptyList),
        Endpoint(.get, "/sapi/v1/capital/withdraw/history", .userData, 1, emptyList),
        Endpoint(.get, "/sapi/v1/asset/tradeFee", .userData, 1, tradeFee),
        Endpoint(.get, "/sapi/v1/asset/transfer", .userData, 1) { _, call in
            call.reply { json in
                json.beginObject()
                json.field("total", 0)
                json.field("rows", list: [])
                json.endObject()
            }
        },
    ]

    @Sendable private static func allCoins(_ context: EndpointContext, _ call: Call)
        throws(APIError)
    {
        let replica = try context.readyReplica()
        let all = replica.balances(call.account)
        call.reply(all, bytes: 512) { coin($1.0, $1.1, to: &$0) }
    }

    private static func coin(_ asset: AssetView, _ balance: Balance, to json: inout JSONWriter) {
        json.beginObject()
        json.field("coin", asset.code)
        json.field("depositAllEnable", false)
        json.field("free", balance.available, of: asset)
        json.field("freeze", Amount.zero, of: asset)
        json.field("ipoable", Amount.zero, of: asset)
        json.field("ipoing", Amount.zero, of: asset)
        json.field("isLegalMoney", false)
        json.field("locked", balance.held, of: asset)
        json.field("name", asset.code)
        json.field("networkList", list: [])
        json.field("storage", Amount.zero, of: asset)
        json.field("trading", true)
        json.field("withdrawAllEnable", false)
        json.field("withdrawing", balance.withdrawing, of: asset)
        json.endObject()
    }

    @Sendable private static func tradeFee(_ context: EndpointContext, _ call: Call)
        throws(APIError)
    {
        let replica = try context.readyReplica()
        let list =
            call.parameters["symbol"] == nil
            ? replica.allUnits : [try replica.units(try call.parameters.symbol())]
        call.reply(list, bytes: 96) { json, units in
            let fees = replica.engine.fees(account: call.account, instrument: units.view.id)
            json.beginObject()
            json.field("symbol", units.view.symbol)
            json.field("makerCommission", fees.maker)
            json.field("takerCommission", fees.taker)
            json.endObject()
        }
    }
}
