// What clients request first: ping, time, rules.

import Engine
import Follower
import Platform
import SpotAPI
import Terms

extension Endpoint {
    static let generalEndpoints: [Endpoint] = [
        Endpoint(.get, "/api/v3/ping", .open, 1) { _, call in call.reply { $0.empty() } },
        Endpoint(.get, "/api/v3/time", .open, 1) { _, call in
            call.reply { json in
                json.beginObject()
                json.field("serverTime", time: Clock.realtimeNanos())
                json.endObject()
            }
        },
        Endpoint(
            .get, "/api/v3/exchangeInfo", .open, 20,
            takes: [.symbol, .symbols, .permissions, .showPermissionSets, .symbolStatus],
            exchangeInfo),
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
        Endpoint(.get, "/sapi/v1/margin/allPairs", .open, 1, takes: [.symbol], emptyList),
        Endpoint(.get, "/sapi/v1/margin/isolated/allPairs", .open, 1, takes: [.symbol], emptyList),
    ]

    @Sendable private static func exchangeInfo(_ context: EndpointContext, _ call: Call)
        throws(APIError)
    {
        let replica = try context.readyReplica()
        var instruments: [InstrumentUnits] = []
        let parameters = call.parameters
        let isAsked = try parameters.flag(.showPermissionSets)
        let showsPermissions = isAsked || parameters[.showPermissionSets] == nil
        let status = try SymbolStatus(parameters)
        let isSpot = try parameters.permitsSpot()
        if let symbols = try parameters.symbols() {
            guard status == nil, isSpot == nil else { throw .combinationInvalid }
            for symbol in symbols { instruments.append(try replica.units(symbol)) }
        } else if isSpot != false {
            instruments = replica.allUnits.filter { status?.holds($0) ?? true }
        }
        // The public reply has the limit of accounts without a limit of their own.
        let limit = replica.engine.defaultLimits.openOrdersMax
        let openOrdersMax = limit == 0 ? replica.engine.limits.openOrders : limit
        call.reply(capacity: 256 + 2_048 * instruments.count) { json in
            ExchangeInfo.write(
                to: &json, instruments: instruments, limits: context.limiter.limits,
                time: Clock.realtimeNanos(), openOrdersMax: openOrdersMax,
                showsPermissions: showsPermissions)
        }
    }

    @Sendable private static func noSymbols(_ context: EndpointContext, _ call: Call) {
        call.reply { json in
            json.beginObject()
            json.field("timezone", "UTC")
            json.field("serverTime", time: Clock.realtimeNanos())
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
