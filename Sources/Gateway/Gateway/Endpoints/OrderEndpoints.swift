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
        Endpoint(.put, "/api/v3/order/amend/keepPriority", .trade, 4, amend),
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
        let order = try venue.order(call, units)
        try venue.countOrder(call)
        try venue.submit(order.place, order.answerTime, call) { result in
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
                order: id, events: applied.events, timestamp: applied.timestamp)
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
        let order = try venue.order(call, units)
        try venue.limiter.checkOrder(call.account, now: call.now)
        guard venue.pending.isOpen else { throw .matchingUnavailable }
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
        let cancel = Cancel(
            account: call.account, instrument: units.view.id, order: reference.order,
            clOrdID: reference.clOrdID, restriction: try call.parameters.cancelRestriction(),
            cancelID: try call.parameters.clOrdID("newClientOrderId") ?? venue.newClientID(),
            deadline: venue.deadline(call))
        try venue.submit(cancel, .atOnce, call) { result in
            call.reply(result) { applied throws(APIError) in
                guard applied.outcome.refusal == .none else {
                    throw APIError(applied.outcome.refusal)
                }
                return canceled(
                    applied, OrderID(applied.outcome.id), units, clOrdID: cancel.cancelID)
            }
        }
    }

    private static func canceled(
        _ applied: Applied, _ order: OrderID, _ units: InstrumentUnits, clOrdID: Text40
    ) -> [UInt8] {
        guard
            let result = OrderResult(
                order: order, events: applied.events, timestamp: applied.timestamp)
        else { preconditionFailure("a canceled order has its event") }
        var json = JSONWriter()
        json.canceledOrder(result.view, units, clOrdID: clOrdID)
        return json.bytes
    }

    @Sendable private static func cancelAll(_ venue: Venue, _ call: Call) throws(APIError) {
        let replica = try venue.readyReplica()
        let units = try venue.units(call, replica)
        let cancel = MassCancel(
            account: call.account, instrument: units.view.id, deadline: venue.deadline(call))
        let id = venue.newClientID()
        try venue.submit(cancel, .afterMassCancel(cancel), call) { result in
            call.reply(result) { applied throws(APIError) in
                guard applied.outcome.refusal == .none else {
                    throw APIError(applied.outcome.refusal)
                }
                var json = JSONWriter(capacity: 16 + 400 * applied.events.count)
                json.beginArray()
                var count = 0
                for case .orderEnded(let view, .massCancel) in applied.events {
                    json.canceledOrder(view, units, clOrdID: id)
                    count += 1
                }
                json.endArray()
                guard count > 0 else { throw .cancelUnknown }
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
        let order = try venue.order(call, units)
        let cancel = Cancel(
            account: call.account, instrument: units.view.id, order: reference.order,
            clOrdID: reference.clOrdID, restriction: try call.parameters.cancelRestriction(),
            cancelID: try call.parameters.clOrdID("cancelNewClientOrderId")
                ?? venue.newClientID())
        try venue.countOrder(call)
        let command = CancelReplace(
            stopOnFailure: mode == "STOP_ON_FAILURE", cancel: cancel, place: order.place)
        try venue.submit(command, order.answerTime, cancel: cancel, call) { result in
            do throws(APIError) {
                let reply = try replaced(try result.get(), command, order, units)
                call.reply(status: reply.status) { reply.write(to: &$0) }
            } catch {
                call.fail(error)
            }
        }
    }

    /// Both halves from the events of the one command. Throws what a filter says of the new order:
    /// then nothing was done.
    private static func replaced(
        _ applied: Applied, _ command: CancelReplace, _ order: OrderRequest,
        _ units: InstrumentUnits
    ) throws(APIError) -> CancelReplaceReply {
        var canceledOrder: [UInt8]?
        for case .orderEnded(let view, .replaced) in applied.events {
            canceledOrder = canceled(
                applied, view.order, units, clOrdID: command.cancel.cancelID)
        }
        let place: Result<[UInt8], APIError>
        do throws(APIError) {
            place = .success(try newOrder(applied, order, units))
        } catch {
            place = .failure(error)
        }
        if let canceledOrder {
            return CancelReplaceReply(cancel: .success(canceledOrder), newOrder: place)
        }
        let refused = APIError(
            applied.cancelRefusal == .none ? .orderUnknown : applied.cancelRefusal)
        guard case .failure(let error) = place else {
            return CancelReplaceReply(cancel: .failure(refused), newOrder: place)
        }
        if applied.outcome.refusal == .cancelFailed {
            return CancelReplaceReply(cancel: .failure(refused), newOrder: nil)
        }
        // The new order was refused before anything changed. Filters stand first.
        guard error.code == APIError.rejected("").code else { throw error }
        if applied.cancelRefusal == .none {
            return CancelReplaceReply(cancel: .failure(.cancelNotTried), newOrder: place)
        }
        return CancelReplaceReply(
            cancel: .failure(refused), newOrder: command.stopOnFailure ? nil : place)
    }

    // MARK: Amend

    @Sendable private static func amend(_ venue: Venue, _ call: Call) throws(APIError) {
        let replica = try venue.readyReplica()
        let units = try venue.units(call, replica)
        let reference = try OrderReference(call.parameters)
        guard let text = try call.parameters.decimal("newQty") else { throw .mandatory("newQty") }
        let quantity = try units.quantity(text, name: "newQty")
        let before = replica.openOrder(reference, call.account, units.view.id)
        let command = Amend(
            account: call.account, instrument: units.view.id, order: reference.order,
            quantity: quantity, clOrdID: reference.clOrdID,
            newClOrdID: try call.parameters.clOrdID("newClientOrderId") ?? venue.newClientID(),
            keepsPriority: true, deadline: venue.deadline(call))
        let from = before?.clOrdID ?? reference.clOrdID
        try venue.submit(command, .atOnce, call) { result in
            call.reply(result) { applied throws(APIError) in
                guard applied.outcome.refusal == .none else {
                    throw APIError(amend: applied.outcome.refusal)
                }
                guard
                    let result = OrderResult(
                        order: OrderID(applied.outcome.id), events: applied.events,
                        timestamp: applied.timestamp)
                else { preconditionFailure("an amended order has its event") }
                var json = JSONWriter()
                json.amendedOrder(
                    result.view, units, from: from, execution: applied.header.sequence)
                return json.bytes
            }
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
                view.instrument == units.view.id, reference.names(view)
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
            replica.follower.engine.forEachOrder(of: account) { order in
                guard instrument == nil || order.instrument == instrument else { return }
                views.append(order)
            }
        }
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
        guard let view, view.account == account, view.instrument == instrument,
            reference.names(view)
        else { return nil }
        return view
    }
}

extension Venue {
    /// Sends a command of a call to matchd; `done` is called at its time, or when the command never
    /// will be in the log, or took too long. Throws where it can't be sent: then nothing was done.
    func submit(
        _ payload: some InstrumentCommand, _ time: AnswerTime, cancel: Cancel? = nil, _ call: Call,
        _ done: @escaping PendingCommands.Done
    ) throws(APIError) {
        let host = clockNanos()
        try pending.submit(
            payload, time, cancel: cancel, lifetime: (call.deadline - host) / 1_000_000,
            now: steadyClock(), host: host, done)
        link?.flushSoon()
    }

    /// A call's deadline on the log's clock.
    func deadline(_ call: Call) -> Int64 { pending.clock.onLog(call.deadline) }

    /// The new order of a call.
    func order(_ call: Call, _ units: InstrumentUnits) throws(APIError) -> OrderRequest {
        try OrderRequest(
            call.parameters, account: call.account, units: units, clOrdID: newClientID(),
            deadline: deadline(call))
    }

    /// Counts a new order of the caller. Throws -1015.
    func countOrder(_ call: Call) throws(APIError) {
        try limiter.countOrder(call.account, now: call.now)
        call.orderCounts = limiter.orders(call.account)
    }
}

extension OrderRequest {
    /// When its answer is whole: one with fills waits until there are no more at once.
    var answerTime: AnswerTime { response == .full ? .atLanding : .atOnce }
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
