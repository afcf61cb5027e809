// What clients request first: ping, time, rules.

import Engine
import Follower
import SpotAPI
import Terms

extension Endpoint {
    static let generalEndpoints: [Endpoint] = [
        Endpoint(.get, "/api/v3/ping", .open, 1) { _, call in call.reply { $0.empty() } },
        Endpoint(.get, "/api/v3/time", .open, 1) { _, call in
            call.reply { json in
                json.beginObject()
                json.field("serverTime", call.now)
                json.endObject()
            }
        }, Endpoint(.get, "/api/v3/exchangeInfo", .open, 20, exchangeInfo),
        Endpoint(.get, "/sapi/v1/system/status", .open, 1) { context, call in
            let isNormal = (context.replica?.isCaughtUp == true) && context.session.isOpen
            call.reply { json in
                json.beginObject()
                json.field("status", isNormal ? 0 : 1)
                json.field("msg", isNormal ? "normal" : "system_maintenance")
                json.endObject()
            }
        },
        // Markets that this exchange does not have; clients request them at start.
        Endpoint(.get, "/fapi/v1/exchangeInfo", .open, 1, noSymbols),
        Endpoint(.get, "/dapi/v1/exchangeInfo", .open, 1, noSymbols),
        Endpoint(.get, "/eapi/v1/exchangeInfo", .open, 1, noSymbols),
        Endpoint(.get, "/sapi/v1/margin/allPairs", .open, 1, emptyList),
        Endpoint(.get, "/sapi/v1/margin/isolated/allPairs", .open, 1, emptyList),
    ]

    @Sendable private static func exchangeInfo(_ context: EndpointContext, _ call: Call)
        throws(APIError)
    {
        let replica = try context.readyReplica()
        var instruments: [InstrumentUnits] = []
        if let symbols = try call.parameters.symbols() {
            for symbol in symbols { instruments.append(try replica.units(symbol)) }
        } else {
            instruments = replica.allUnits
        }
        // The public reply has the limit of accounts without a limit of their own.
        let limit = replica.engine.defaultLimits.openOrdersMax
        let openOrdersMax = limit == 0 ? replica.engine.limits.openOrders : limit
        call.reply(capacity: 256 + 2_048 * instruments.count) { json in
            ExchangeInfo.write(
                to: &json, instruments: instruments, limits: context.limiter.limits,
                time: call.now * 1_000_000, openOrdersMax: openOrdersMax)
        }
    }

    @Sendable private static func noSymbols(_ context: EndpointContext, _ call: Call) {
        call.reply { json in
            json.beginObject()
            json.field("timezone", "UTC")
            json.field("serverTime", call.now)
            json.field("symbols", list: [])
            json.endObject()
        }
    }

    @Sendable static func emptyList(_ context: EndpointContext, _ call: Call) {
        call.answer(json: Array("[]".utf8))
    }
}

extension JSONWriter {
    /// `{}`
    mutating func empty() {
        beginObject()
        endObject()
    }
}
