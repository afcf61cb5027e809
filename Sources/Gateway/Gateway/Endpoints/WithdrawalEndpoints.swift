// Withdrawals: requested, looked up.

import Engine
import Follower
import History
import SpotAPI
import Terms
import Wire

extension Endpoint {
    static let withdrawalEndpoints: [Endpoint] = [
        Endpoint(.post, "/sapi/v1/capital/withdraw/apply", .withdraw, 30, withdraw),
        Endpoint(.get, "/sapi/v1/capital/withdraw/history", .userData, 20, withdrawals),
    ]

    /// Requests a withdrawal. What is wrong with it is refused here, before anything is logged;
    /// what only the log can decide, by the engine. The client's description of the address,
    /// `name`, is not kept.
    @Sendable private static func withdraw(_ context: EndpointContext, _ call: Call)
        throws(APIError)
    {
        let replica = try context.readyReplica()
        let parameters = call.parameters
        let asset = try replica.asset(try parameters.required("coin"))
        let network = try replica.network(asset.id, parameters["network"])
        let text = try parameters.required("address")
        guard let amount = try parameters.decimal("amount") else { throw .mandatory("amount") }
        let clientID = try parameters.clOrdID("withdrawOrderId") ?? Text40()
        _ = try parameters.flag("transactionFeeFlag", default: false)
        _ = try parameters.integer(.walletType)
        guard network.takesWithdrawals, !replica.engine.isWithdrawalStopped(asset.id) else {
            throw .withdrawalsClosed
        }
        let chain = try replica.addresses(network.network)
        // No chain that this version knows has tags.
        guard parameters["addressTag"] == nil else { throw .tagUnsupported }
        let command = RequestWithdrawal(
            account: call.account, asset: asset.id, network: network.network,
            amount: try WithdrawalAmount.net(amount, asset, network), feeMost: network.fee,
            address: try chain.destination(text), clientID: clientID,
            deadline: context.deadline(call))
        let minimum = WithdrawalAmount.text(network.grossMinimum, asset)
        try context.session.submit(command, .atOnce, deadline: call.deadline) { result in
            call.reply(result) { applied throws(APIError) in
                guard applied.outcome.refusal == .none else {
                    throw APIError(withdrawal: applied.outcome.refusal, minimum: minimum)
                }
                var json = JSONWriter(capacity: 40)
                json.beginObject()
                json.field("id", String(applied.outcome.id))
                json.endObject()
                return json.bytes
            }
        }
    }

    /// Where ids are asked for and no time, they are found whatever their age.
    @Sendable private static func withdrawals(_ context: EndpointContext, _ call: Call)
        throws(APIError)
    {
        let replica = try context.readyReplica()
        let parameters = call.parameters
        var filter = WithdrawalFilter()
        if let coin = parameters["coin"] { filter.asset = try replica.asset(coin).id }
        filter.clientID = try parameters.clOrdID("withdrawOrderId")
        if let code = try parameters.integer(.status) {
            filter.statuses = try WithdrawalStatus.all(code: code)
        }
        if let list = parameters["idList"] { filter.ids = try withdrawalIDs(list) }
        let isOfAllTimes =
            (filter.clientID != nil || filter.ids != nil)
            && parameters["startTime"] == nil && parameters["endTime"] == nil
        if !isOfAllTimes { (filter.start, filter.end) = try capitalInterval(call) }
        filter.offset = try parameters.integer(.offset) ?? 0
        filter.limit = try parameters.limit(default: 1_000, most: HistoryRange.limitMax)
        let account = call.account
        call.read(replica) { [filter] in
            try $0.withdrawals(account, filter)
        } done: { records in
            let replies = records.compactMap { WithdrawalReply($0, replica) }
            call.reply(replies, bytes: 520) { $1.write(to: &$0) }
        }
    }

    /// Ids, separated by commas. Throws -1130.
    private static func withdrawalIDs(_ list: String) throws(APIError) -> [WithdrawalID] {
        let parts = list.split(separator: ",", maxSplits: WithdrawalFilter.idsMax)
        var ids: [WithdrawalID] = []
        for part in parts {
            guard let number = wholeNumber(part), ids.count < WithdrawalFilter.idsMax else {
                throw .invalid("idList")
            }
            ids.append(WithdrawalID(UInt64(number)))
        }
        return ids
    }
}

extension WithdrawalReply {
    /// A withdrawal with the names that the log has now.
    init?(_ record: WithdrawalRecord, _ replica: GatewayReplica) {
        guard let asset = replica.engine.asset(record.asset) else { return nil }
        let network = replica.engine.network(record.asset, record.network)
        self.init(
            id: record.id, asset: asset, amount: record.amount, fee: record.fee,
            network: network?.name.description ?? "", status: record.status,
            address: record.address, tag: record.tag, transaction: record.transaction,
            clientID: record.clientID, createdTime: record.createdTime,
            updatedTime: record.updatedTime, confirmationsNeeded: network?.confirmations ?? 0)
        transactionPrefix = (try? replica.addresses(record.network))?.transactionPrefix ?? ""
    }
}
