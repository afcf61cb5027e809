// Orders: placed, canceled, replaced, looked up.

import Engine
import Follower
import History
import SpotAPI
import Terms
import Wire

extension Endpoint {
    static let orderEndpoints: [Endpoint] = [
        Endpoint(.post, "/api/v3/order", .trade, 1, place),
        Endpoint(.post, "/api/v3/order/test", .trade, 1, test),
        Endpoint(.get, "/api/v3/order", .userData, 4, query),
        Endpoint(.delete, "/api/v3/order", .trade, 1, cancel),
        Endpoint(.post, "/api/v3/order/cancelReplace", .trade, 1, cancelReplace),
        Endpoint(
            .get, "/api/v3/openOrders", .userData,
            weight: { $0["symbol"] == nil ? 80 : 6 }, openOrders),
        Endpoint(.delete, "/api/v3/openOrders", .trade, 1, cancelAll),
        Endpoint(.get, "/api/v3/allOrders", .userData, 20, allOrders),
    ]

    // MARK: New orders

    @Sendable private static func place(_ venue: Venue, _ call: Call) throws(APIError) {
        let replica = try venue.readyReplica()
        let units = try venue.units(call, replica)
        let order = try OrderRequest(
            call.parameters, account: call.account, units: units, clOrdID: venue.newClientID())
        try venue.countOrder(call)
        try venue.submit(order.place) { result in
            call.reply(result) { applied throws(APIError) in
                try newOrder(applied, order, units)
            }
        }
    }

    /// The new order's answer, or what its refusal is to a client.
    private static func newOrder(
        _ applied: Applied, _ order: OrderRequest, _ units: InstrumentUnits
    ) throws(APIError) -> [UInt8] {
        guard applied.outcome.refusal == .none else {
            throw APIError(applied.outcome.refusal, isMarket: order.place.type == .market)
        }
        let id = OrderID(applied.outcome.id)
        guard
            let result = OrderResult(
                order: id, events: applied.events, timestamp: applied.header.timestamp)
        else { preconditionFailure("an accepted order has its event") }
        var json = JSONWriter()
        json.newOrder(result, units, response: order.response, time: applied.header.timestamp)
        return json.bytes
    }

    /// Says what `place` would, as far as it can be known before the log has the order: what
    /// another command before it in the log changes, and matchd's disk reserve, are not seen.
    @Sendable private static func test(_ venue: Venue, _ call: Call) throws(APIError) {
        let replica = try venue.readyReplica()
        let units = try venue.units(call, replica)
        let order = try OrderRequest(
            call.parameters, account: call.account, units: units, clOrdID: venue.newClientID())
        try venue.limiter.checkOrder(call.account, now: call.now)
        guard venue.desk.isOpen else { throw .matchingUnavailable }
        let refusal = replica.follower.engine.refusal(of: order.place, at: call.now * 1_000_000)
        guard refusal == .none else {
            throw APIError(refusal, isMarket: order.place.type == .market)
        }
        guard try call.parameters.flag("computeCommissionRates", default: false) else {
            return call.reply { $0.empty() }
        }
        let fees = replica.follower.engine.fees(
            account: call.account, instrument: units.view.id)
        call.reply { json in
            json.beginObject()
            for key: StaticString in ["standardCommissionForOrder", "taxCommissionForOrder"] {
                let isOurs = key.utf8CodeUnitCount == 26
                json.key(key)
                json.beginObject()
                json.field("maker", isOurs ? fees.maker : FeeRate(e8: 0))
                json.field("taker", isOurs ? fees.taker : FeeRate(e8: 0))
                json.endObject()
            }
            json.endObject()
        }
    }

    // MARK: Cancels

    @Sendable private static func cancel(_ venue: Venue, _ call: Call) throws(APIError) {
        let replica = try venue.readyReplica()
        let units = try venue.units(call, replica)
        let reference = try OrderReference(call.parameters)
        let id = try call.parameters.clOrdID("newClientOrderId") ?? venue.newClientID()
        try checkRestrictions(call, reference, units, replica)
        let cancel = Cancel(
            account: call.account, instrument: units.view.id, order: reference.order,
            clOrdID: reference.clOrdID)
        try venue.submit(cancel) { result in
            call.reply(result) { applied throws(APIError) in
                guard applied.outcome.refusal == .none else {
                    throw APIError(applied.outcome.refusal)
                }
                return canceled(applied, OrderID(applied.outcome.id), units, clOrdID: id)
            }
        }
    }

    /// `cancelRestrictions` against the order's state here. Throws -1145, -2011.
    private static func checkRestrictions(
        _ call: Call, _ reference: OrderReference, _ units: InstrumentUnits, _ replica: Replica
    ) throws(APIError) {
        let wanted: OrderStatus
        switch call.parameters["cancelRestrictions"] {
        case nil: return
        case "ONLY_NEW": wanted = .new
        case "ONLY_PARTIALLY_FILLED": wanted = .partiallyFilled
        default: throw APIError(-1145, "Invalid cancelRestrictions")
        }
        guard let view = replica.openOrder(reference, call.account, units.view.id) else { return }
        guard view.status == wanted else {
            throw APIError(-2011, "Order was not canceled due to cancel restrictions.")
        }
    }

    private static func canceled(
        _ applied: Applied, _ order: OrderID, _ units: InstrumentUnits, clOrdID: Text40
    ) -> [UInt8] {
        guard
            let result = OrderResult(
                order: order, events: applied.events, timestamp: applied.header.timestamp)
        else { preconditionFailure("a canceled order has its event") }
        var json = JSONWriter()
        json.canceledOrder(
            result.view, units, clOrdID: clOrdID, time: applied.header.timestamp)
        return json.bytes
    }

    @Sendable private static func cancelAll(_ venue: Venue, _ call: Call) throws(APIError) {
        let replica = try venue.readyReplica()
        let units = try venue.units(call, replica)
        let cancel = MassCancel(account: call.account, instrument: units.view.id)
        let id = venue.newClientID()
        try venue.submit(cancel) { result in
            call.reply(result) { applied throws(APIError) in
                guard applied.outcome.refusal == .none else {
                    throw APIError(applied.outcome.refusal)
                }
                guard applied.outcome.id > 0 else { throw .cancelUnknown }
                var json = JSONWriter(capacity: 16 + 400 * applied.events.count)
                json.beginArray()
                for event in applied.events {
                    guard case .orderEnded(let view, _) = event else { continue }
                    json.canceledOrder(
                        view, units, clOrdID: id, time: applied.header.timestamp)
                }
                json.endArray()
                return json.bytes
            }
        }
    }

    // MARK: Cancel and replace

    @Sendable private static func cancelReplace(_ venue: Venue, _ call: Call) throws(APIError) {
        let replica = try venue.readyReplica()
        let units = try venue.units(call, replica)
        let mode = try call.parameters.required("cancelReplaceMode")
        guard mode == "STOP_ON_FAILURE" || mode == "ALLOW_FAILURE" else {
            throw .invalid("cancelReplaceMode")
        }
        let reference = try OrderReference(
            call.parameters, id: .cancelOrderId, clOrdID: "cancelOrigClientOrderId")
        let order = try OrderRequest(
            call.parameters, account: call.account, units: units, clOrdID: venue.newClientID())
        let id = try call.parameters.clOrdID("cancelNewClientOrderId") ?? venue.newClientID()
        let cancel = Cancel(
            account: call.account, instrument: units.view.id, order: reference.order,
            clOrdID: reference.clOrdID)
        try checkRestrictions(call, reference, units, replica)
        try venue.countOrder(call)
        let command = CancelReplace(
            stopOnFailure: mode == "STOP_ON_FAILURE", cancel: cancel, place: order.place)
        try venue.submit(command) { result in
            let applied: Applied
            switch result {
            case .success(let value): applied = value
            case .failure(let error): return call.fail(error)
            }
            let reply = replaced(applied, order, units, clOrdID: id)
            call.reply(status: reply.status) { reply.write(to: &$0) }
        }
    }

    /// Both halves from the events of the one command.
    private static func replaced(
        _ applied: Applied, _ order: OrderRequest, _ units: InstrumentUnits, clOrdID: Text40
    ) -> CancelReplaceReply {
        var cancel: Result<[UInt8], APIError> = .failure(.cancelUnknown)
        for event in applied.events {
            if case .orderEnded(let view, .replaced) = event {
                cancel = .success(canceled(applied, view.order, units, clOrdID: clOrdID))
            }
        }
        if case .failure = cancel, applied.outcome.refusal == .cancelFailed {
            return CancelReplaceReply(cancel: cancel, newOrder: nil)
        }
        do throws(APIError) {
            return CancelReplaceReply(
                cancel: cancel, newOrder: .success(try newOrder(applied, order, units)))
        } catch {
            return CancelReplaceReply(cancel: cancel, newOrder: .failure(error))
        }
    }

    // MARK: Lookups

    @Sendable private static func query(_ venue: Venue, _ call: Call) throws(APIError) {
        let replica = try venue.readyReplica()
        let units = try venue.units(call, replica)
        let reference = try OrderReference(call.parameters)
        if let view = replica.openOrder(reference, call.account, units.view.id) {
            return call.reply { $0.order(view, units) }
        }
        let account = call.account
        venue.read(call) { reader in
            reference.order.number != 0
                ? try reader.order(reference.order)
                : try reader.order(account, clOrdID: reference.clOrdID)
        } done: { record in
            guard let view = record?.order, view.account == account,
                view.instrument == units.view.id
            else { return call.fail(.orderDoesNotExist) }
            call.reply { $0.order(view, units) }
        }
    }

    @Sendable private static func openOrders(_ venue: Venue, _ call: Call) throws(APIError) {
        let replica = try venue.readyReplica()
        var instrument: InstrumentID?
        if call.parameters["symbol"] != nil {
            instrument = try venue.units(call, replica).view.id
        }
        let account = call.account
        var views: [OrderView] = []
        if let view = replica.follower.engine.account(account), view.openOrders > 0 {
            views.reserveCapacity(Int(view.openOrders))
            replica.follower.engine.forEachOrder { order in
                guard order.account == account else { return }
                guard instrument == nil || order.instrument == instrument else { return }
                views.append(order)
            }
        }
        views.sort { $0.order < $1.order }
        call.reply(capacity: 16 + 560 * views.count) { json in
            json.beginArray()
            for view in views {
                if let units = StreamHub.units(view.instrument, replica.follower.engine) {
                    json.order(view, units)
                }
            }
            json.endArray()
        }
    }

    @Sendable private static func allOrders(_ venue: Venue, _ call: Call) throws(APIError) {
        let replica = try venue.readyReplica()
        let units = try venue.units(call, replica)
        let limit = try call.parameters.limit(default: 500, most: 1_000)
        let range = try historyRange(call, limit: limit, id: .orderId)
        let account = call.account
        venue.read(call) {
            try $0.orders(account, units.view.id, range)
        } done: { records in
            call.reply(capacity: 16 + 560 * records.count) { json in
                json.beginArray()
                for record in records { json.order(record.order, units) }
                json.endArray()
            }
        }
    }
}

extension Replica {
    /// An account's open order in an instrument, or nil.
    func openOrder(
        _ reference: OrderReference, _ account: AccountID, _ instrument: InstrumentID
    ) -> OrderView? {
        let view =
            reference.order.number != 0
            ? follower.engine.order(reference.order)
            : follower.engine.order(account, clOrdID: reference.clOrdID)
        guard let view, view.account == account, view.instrument == instrument else { return nil }
        return view
    }
}

extension Venue {
    /// Sends a command to matchd; `done` is called when it is in the log, or never will be, or took
    /// too long. Throws where it can't be sent: then nothing was done.
    func submit(
        _ payload: some CommandPayload, _ done: @escaping OrderDesk.Done
    ) throws(APIError) {
        try desk.submit(payload, now: steadyClock(), done)
        link?.flushSoon()
    }

    /// Counts a new order of the caller. Throws -1015.
    func countOrder(_ call: Call) throws(APIError) {
        try limiter.countOrder(call.account, now: call.now)
        call.orderCounts = limiter.orders(call.account)
    }
}

extension Call {
    /// Answers with what `write` makes of a command's result.
    func reply(
        _ result: Result<Applied, APIError>, _ write: (Applied) throws(APIError) -> [UInt8]
    ) {
        do throws(APIError) {
            answer(json: try write(try result.get()))
        } catch {
            fail(error)
        }
    }
}
