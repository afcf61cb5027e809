// Assets and their networks.

import Engine
import Follower
import SpotAPI
import Terms

extension Endpoint {
    static let capitalEndpoints: [Endpoint] = [
        Endpoint(.get, "/sapi/v1/capital/config/getall", .userData, 10, allCoins),
        Endpoint(.get, "/sapi/v1/asset/tradeFee", .userData, 1, takes: [.symbol], tradeFee),
        Endpoint(
            .get, "/sapi/v1/asset/transfer", .userData, 1,
            takes: [
                .transferType, .startTime, .endTime, .current, .size, .fromSymbol, .toSymbol,
            ]
        ) { _, call in
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
        let coins = replica.balances(call.account).map { asset, balance in
            CoinReply(
                asset: asset, balance: balance, networks: networks(asset.id, call.account, replica))
        }
        let bytes = 512 + 1_024 * coins.reduce(0) { $0 + $1.networks.count } / max(1, coins.count)
        call.reply(coins, bytes: bytes) { $1.write(to: &$0) }
    }

    /// An asset's networks. One whose chain this version does not know takes nothing: its addresses
    /// could neither be given nor checked.
    private static func networks(
        _ asset: AssetID, _ account: AccountID, _ replica: GatewayReplica
    ) -> [NetworkReply] {
        let limit = replica.engine.withdrawalLimits(account, asset)?.amountMaxOfOne
        let isStopped = replica.engine.isWithdrawalStopped(asset)
        return replica.networks(asset, for: account).enumerated().map { place, view in
            let isKnown = (try? replica.addresses(view.network)) != nil
            return NetworkReply(
                view: view, isDefault: place == 0, takesDeposits: view.takesDeposits && isKnown,
                takesWithdrawals: view.takesWithdrawals && isKnown && !isStopped
                    && limit ?? view.minimum >= view.minimum,
                amountMax: limit)
        }
    }

    @Sendable private static func tradeFee(_ context: EndpointContext, _ call: Call)
        throws(APIError)
    {
        let replica = try context.readyReplica()
        let list =
            call.parameters[.symbol] == nil
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
