// Orders: placed, canceled, replaced, looked up.

import Engine
import Follower
import History
import SpotAPI
import Terms
import Wire

extension Endpoint {
    static let orderEndpoints: [Endpoint] = [
        Endpoint(
            .post, "/api/v3/order", .trade, 1, needs: ofNewOrder, takes: ofNewOrderOptional, place),
        Endpoint(
            .post, "/api/v3/order/test", .trade, 1, needs: ofNewOrder,
            takes: ofTest, test),
        Endpoint(
            .get, "/api/v3/order", .userData, 4, needs: [.symbol],
            takes: [.orderId, .origClientOrderId], query),
        Endpoint(
            .delete, "/api/v3/order", .trade, 1, needs: [.symbol],
            takes: [.orderId, .origClientOrderId, .newClientOrderId, .cancelRestrictions], cancel),
        Endpoint(
            .post, "/api/v3/order/cancelReplace", .trade, 1,
            needs: [.symbol, .side, .type, .cancelReplaceMode], takes: ofCancelReplace,
            cancelReplace),
        Endpoint(
            .put, "/api/v3/order/amend/keepPriority", .trade, 4, needs: [.symbol, .newQty],
            takes: [.orderId, .origClientOrderId, .newClientOrderId], amend),
        Endpoint(
            .get, "/api/v3/openOrders", .userData,
            weight: { $0[.symbol] == nil ? 80 : 6 }, takes: [.symbol], openOrders),
        Endpoint(.delete, "/api/v3/openOrders", .trade, 1, needs: [.symbol], cancelAll),
        Endpoint(
            .get, "/api/v3/allOrders", .userData, 20, needs: [.symbol],
            takes: [.orderId, .startTime, .endTime, .limit], allOrders),
    ]

    private static let ofNewOrder: [Parameter] = [.symbol, .side, .type]
    /// What else a new order has by its type.
    private static let ofNewOrderOptional: [Parameter] = [
        .timeInForce, .quantity, .quoteOrderQty, .price, .newClientOrderId, .strategyId,
        .strategyType, .stopPrice, .trailingDelta, .icebergQty, .newOrderRespType,
        .selfTradePreventionMode,
    ]
    private static let ofTest: [Parameter] = ofNewOrderOptional + [.computeCommissionRates]
    private static let ofCancelReplace: [Parameter] =
        ofNewOrderOptional + [
            .cancelOrderId, .cancelOrigClientOrderId, .cancelNewClientOrderId, .cancelRestrictions,
            .orderRateLimitExceededMode,
        ]

    // MARK: New orders

    @Sendable private static func place(_ context: EndpointContext, _ call: Call) throws(APIError) {
        let (_, units) = try context.market(call)
        let order = try context.order(call, units)
        try context.countOrder(call)
        try context.session.submit(order.place, order.answerTime, deadline: call.deadline) {
            result in
            call.reply(result) { applied throws(APIError) in
                try newOrder(applied, order, units, call.timeUnit)
            }
        }
    }

    /// The new order's reply, or the error for its refusal.
    private static func newOrder(
        _ applied: AppliedCommand, _ order: OrderRequest, _ units: InstrumentUnits,
        _ timeUnit: TimeUnit
    ) throws(APIError) -> [UInt8] {
        guard applied.outcome.refusal == .none else {
            throw APIError(applied.outcome.refusal, isMarket: order.place.type == .market)
        }
        let id = OrderID(applied.outcome.id)
        guard
            let result = OrderResult(
                order: id, events: applied.events, timestamp: applied.timestamp)
        else { preconditionFailure("an accepted order has its event") }
        var json = JSONWriter(timeUnit: timeUnit)
        json.newOrder(result, units, response: order.response, time: applied.header.timestamp)
        return json.bytes
    }

    /// Replies as `place` would, as far as is known before the log has the order: commands that
    /// precede it in the log, and matchd's disk reserve, are not considered.
    @Sendable private static func test(_ context: EndpointContext, _ call: Call) throws(APIError) {
        let (replica, units) = try context.market(call)
        let order = try context.order(call, units)
        try context.limiter.checkOrder(call.account, now: call.now)
        guard context.session.isOpen else { throw .matchingUnavailable }
        let refusal = replica.engine.refusal(of: order.place, at: call.now * 1_000_000)
        guard refusal == .none else {
            throw APIError(refusal, isMarket: order.place.type == .market)
        }
        guard try call.parameters.flag(.computeCommissionRates) else {
            return call.reply { $0.empty() }
        }
        let fees = replica.engine.fees(account: call.account, instrument: units.view.id)
        call.reply { json in
            json.beginObject()
            for (key, isOurs): (StaticString, Bool) in [
                ("standardCommissionForOrder", true), ("specialCommissionForOrder", false),
                ("taxCommissionForOrder", false),
            ] {
                json.key(key)
                json.beginObject()
                json.field("maker", isOurs ? fees.maker : FeeRate(e8: 0))
                json.field("taker", isOurs ? fees.taker : FeeRate(e8: 0))
                json.endObject()
            }
            json.noDiscount(units.quote.code)
            json.endObject()
        }
    }

    // MARK: Cancels

    @Sendable private static func cancel(_ context: EndpointContext, _ call: Call) throws(APIError)
    {
        let (_, units) = try context.market(call)
        let reference = try OrderReference(call.parameters)
        let cancel = Cancel(
            account: call.account, instrument: units.view.id, order: reference.order,
            clOrdID: reference.clOrdID, restriction: try call.parameters.cancelRestriction(),
            cancelID: try call.parameters.clOrdID(.newClientOrderId) ?? context.newClientID(),
            deadline: context.deadline(call))
        try context.session.submit(cancel, .atOnce, deadline: call.deadline) { result in
            call.reply(result) { applied throws(APIError) in
                guard applied.outcome.refusal == .none else {
                    throw APIError(applied.outcome.refusal)
                }
                return canceled(
                    applied, OrderID(applied.outcome.id), units, call.timeUnit,
                    clOrdID: cancel.cancelID)
            }
        }
    }

    private static func canceled(
        _ applied: AppliedCommand, _ order: OrderID, _ units: InstrumentUnits,
        _ timeUnit: TimeUnit, clOrdID: Text40
    ) -> [UInt8] {
        guard
            let result = OrderResult(
                order: order, events: applied.events, timestamp: applied.timestamp)
        else { preconditionFailure("a canceled order has its event") }
        var json = JSONWriter(timeUnit: timeUnit)
        json.canceledOrder(result.view, units, clOrdID: clOrdID)
        return json.bytes
    }

    @Sendable private static func cancelAll(_ context: EndpointContext, _ call: Call)
        throws(APIError)
    {
        let (_, units) = try context.market(call)
        let cancel = MassCancel(
            account: call.account, instrument: units.view.id, deadline: context.deadline(call))
        let id = context.newClientID()
        try context.session.submit(
            cancel, .afterMassCancel(cancel), deadline: call.deadline
        ) { result in
            call.reply(result) { applied throws(APIError) in
                guard applied.outcome.refusal == .none else {
                    throw APIError(applied.outcome.refusal)
                }
                var json = JSONWriter(
                    capacity: 16 + 400 * applied.events.count, timeUnit: call.timeUnit)
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

    @Sendable private static func cancelReplace(_ context: EndpointContext, _ call: Call)
        throws(APIError)
    {
        let (_, units) = try context.market(call)
        let mode = try call.parameters.required(.cancelReplaceMode)
        guard mode == "STOP_ON_FAILURE" || mode == "ALLOW_FAILURE" else {
            throw .invalid("cancelReplaceMode")
        }
        // Over a limit nothing is done, neither the cancel.
        guard ["DO_NOTHING", nil].contains(call.parameters[.orderRateLimitExceededMode]) else {
            throw .invalid(Parameter.orderRateLimitExceededMode.name)
        }
        let reference = try OrderReference(
            call.parameters, id: .cancelOrderId, clOrdID: .cancelOrigClientOrderId)
        let order = try context.order(call, units)
        let cancel = Cancel(
            account: call.account, instrument: units.view.id, order: reference.order,
            clOrdID: reference.clOrdID, restriction: try call.parameters.cancelRestriction(),
            cancelID: try call.parameters.clOrdID(.cancelNewClientOrderId)
                ?? context.newClientID())
        try context.countOrder(call)
        let command = CancelReplace(
            stopOnFailure: mode == "STOP_ON_FAILURE", cancel: cancel, place: order.place)
        try context.session.submit(
            command, order.answerTime, cancel: cancel, deadline: call.deadline
        ) { result in
            do throws(APIError) {
                let reply = try replaced(
                    try result.get(), command, order, units, call.timeUnit)
                call.reply(status: reply.status) { reply.write(to: &$0) }
            } catch { call.fail(error) }
        }
    }

    /// Both halves from the events of the one command. Throws where a filter refused the new order:
    /// then nothing was done.
    private static func replaced(
        _ applied: AppliedCommand, _ command: CancelReplace, _ order: OrderRequest,
        _ units: InstrumentUnits, _ timeUnit: TimeUnit
    ) throws(APIError) -> CancelReplaceReply {
        var canceledOrder: [UInt8]?
        for case .orderEnded(let view, .replaced) in applied.events {
            canceledOrder = canceled(
                applied, view.order, units, timeUnit, clOrdID: command.cancel.cancelID)
        }
        let place: Result<[UInt8], APIError>
        do throws(APIError) {
            place = .success(try newOrder(applied, order, units, timeUnit))
        } catch { place = .failure(error) }
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
        // The new order was refused before anything changed. Filters come first.
        guard error.code == APIError.rejected("").code else { throw error }
        if applied.cancelRefusal == .none {
            return CancelReplaceReply(cancel: .failure(.cancelNotTried), newOrder: place)
        }
        return CancelReplaceReply(
            cancel: .failure(refused), newOrder: command.stopOnFailure ? nil : place)
    }

    // MARK: Amend

    @Sendable private static func amend(_ context: EndpointContext, _ call: Call) throws(APIError) {
        let (replica, units) = try context.market(call)
        let reference = try OrderReference(call.parameters)
        guard let text = try call.parameters.decimal(.newQty) else { throw .mandatory("newQty") }
        let quantity = try units.quantity(text, name: "newQty")
        let before = replica.openOrder(reference, call.account, units.view.id)
        let command = Amend(
            account: call.account, instrument: units.view.id, order: reference.order,
            quantity: quantity, clOrdID: reference.clOrdID,
            newClOrdID: try call.parameters.clOrdID(.newClientOrderId) ?? context.newClientID(),
            keepsPriority: true, deadline: context.deadline(call))
        let from = before?.clOrdID ?? reference.clOrdID
        try context.session.submit(command, .atOnce, deadline: call.deadline) { result in
            call.reply(result) { applied throws(APIError) in
                guard applied.outcome.refusal == .none else {
                    throw APIError(amend: applied.outcome.refusal)
                }
                guard
                    let result = OrderResult(
                        order: OrderID(applied.outcome.id), events: applied.events,
                        timestamp: applied.timestamp)
                else { preconditionFailure("an amended order has its event") }
                var json = JSONWriter(timeUnit: call.timeUnit)
                json.amendedOrder(
                    result.view, units, from: from, execution: applied.header.sequence)
                return json.bytes
            }
        }
    }

    // MARK: Lookups

    @Sendable private static func query(_ context: EndpointContext, _ call: Call) throws(APIError) {
        let (replica, units) = try context.market(call)
        let reference = try OrderReference(call.parameters)
        if let view = replica.openOrder(reference, call.account, units.view.id) {
            return call.reply { $0.order(view, units) }
        }
        let account = call.account
        call.read(replica) { reader in
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

    @Sendable private static func openOrders(_ context: EndpointContext, _ call: Call)
        throws(APIError)
    {
        let replica = try context.readyReplica()
        var instrument: InstrumentID?
        if call.parameters[.symbol] != nil {
            instrument = try replica.units(try call.parameters.symbol()).view.id
        }
        let account = call.account
        var views: [OrderView] = []
        if let view = replica.engine.account(account), view.openOrders > 0 {
            views.reserveCapacity(Int(view.openOrders))
            replica.engine.forEachOrder(of: account) { order in
                guard instrument == nil || order.instrument == instrument else { return }
                views.append(order)
            }
        }
        call.reply(views, bytes: 560) { json, view in
            if let units = InstrumentUnits(view.instrument, in: replica.engine) {
                json.order(view, units)
            }
        }
    }

    @Sendable private static func allOrders(_ context: EndpointContext, _ call: Call)
        throws(APIError)
    {
        let (replica, units) = try context.market(call)
        let limit = try call.parameters.limit(default: 500, most: 1_000)
        let range = try historyRange(call, limit: limit, id: .orderId)
        let account = call.account
        call.read(replica) {
            try $0.orders(account, units.view.id, range)
        } done: { records in
            call.reply(records, bytes: 560) { $0.order($1.order, units) }
        }
    }
}

extension OrderRequest {
    /// When its reply is complete: one with fills waits until the order is no longer in flight.
    var answerTime: AnswerTime { response == .full ? .atLanding : .atOnce }
}

extension Call {
    /// Answers with what `write` makes of a command's result.
    func reply(
        _ result: Result<AppliedCommand, APIError>,
        _ write: (AppliedCommand) throws(APIError) -> [UInt8]
    ) {
        do throws(APIError) {
            answer(json: try write(try result.get()))
        } catch { fail(error) }
    }
}
