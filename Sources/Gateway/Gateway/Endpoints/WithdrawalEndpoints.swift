// Withdrawals: requested, looked up.

import Engine
import Follower
import History
import Platform
import SpotAPI
import Terms
import Wire

extension Endpoint {
    static let withdrawalEndpoints: [Endpoint] = [
        Endpoint(
            .post, "/sapi/v1/capital/withdraw/apply", .withdraw, 30,
            needs: [.coin, .address, .amount],
            takes: [
                .network, .withdrawOrderId, .addressTag, .transactionFeeFlag, .destinationName,
                .walletType,
            ], withdraw),
        Endpoint(
            .get, "/sapi/v1/capital/withdraw/history", .userData, 20,
            takes: [
                .coin, .withdrawOrderId, .status, .offset, .limit, .idList, .startTime, .endTime,
            ], withdrawals),
        Endpoint(.get, "/sapi/v1/capital/withdraw/address/list", .userData, 10, addressBook),
    ]

    /// Requests a withdrawal. What is wrong with it is refused here, before anything is logged;
    /// what only the log can decide, by the engine. The client's description of the address,
    /// `name`, is not kept.
    @Sendable private static func withdraw(_ context: EndpointContext, _ call: Call)
        throws(APIError)
    {
        let replica = try context.readyReplica()
        let parameters = call.parameters
        let asset = try replica.asset(try parameters.required(.coin))
        let network = try replica.network(asset.id, parameters[.network], for: call.account)
        let text = try parameters.required(.address)
        guard let amount = try parameters.decimal(.amount) else { throw .mandatory("amount") }
        let clientID = try parameters.clOrdID(.withdrawOrderId) ?? Text40()
        _ = try parameters.flag(.transactionFeeFlag)
        _ = try parameters.integer(.walletType)
        guard network.takesWithdrawals, !replica.engine.isWithdrawalStopped(asset.id) else {
            throw .withdrawalsClosed
        }
        let chain = try replica.addresses(network.network)
        // No chain that this version knows has tags.
        guard parameters[.addressTag] == nil else { throw .tagUnsupported }
        let destination = try chain.destination(text)
        let command = RequestWithdrawal(
            account: call.account, asset: asset.id, network: network.network,
            amount: try WithdrawalAmount.net(amount, asset, network), feeMost: network.fee,
            address: destination, clientID: clientID, keyID: key(call, replica),
            deadline: context.deadline(call))
        let waits = waits(command, replica)
        try context.session.submit(command, .atOnce, deadline: call.deadline) { result in
            call.reply(result) { applied throws(APIError) in
                guard applied.outcome.refusal == .none else {
                    // The terms that it was refused by: they may be others than when it was asked.
                    let terms =
                        replica.engine.network(asset.id, network.network, for: call.account)
                        ?? network
                    throw APIError(
                        withdrawal: applied.outcome.refusal,
                        minimum: WithdrawalAmount.text(terms.grossMinimum, asset), waits: waits)
                }
                var json = JSONWriter(capacity: 40)
                json.beginObject()
                json.field("id", String(applied.outcome.id))
                json.endObject()
                return json.bytes
            }
        }
    }

    /// The key that signed; before rules 3 the log had no place for it.
    private static func key(_ call: Call, _ replica: GatewayReplica) -> Text64 {
        guard let caller = call.caller, replica.engine.rules >= 3 else { return Text64() }
        return caller.keyID
    }

    /// The log's time of a command that were given now: while nothing happens its clock stands
    /// still.
    private static func presentTime(_ replica: GatewayReplica) -> Int64 {
        max(replica.engine.timestamp, Clock.realtimeNanos())
    }

    /// How long the account waits for its keys and for a destination, for the words of a refusal.
    private static func waits(
        _ command: RequestWithdrawal, _ replica: GatewayReplica
    ) -> (keys: Int64, address: Int64) {
        let now = presentTime(replica)
        let entry = replica.engine.addressBook(command.account).first {
            $0.network == command.network && $0.address == command.address && $0.tag == command.tag
        }
        return (
            (replica.engine.withdrawalThaw(command.account) ?? now) - now,
            (entry?.usableTime ?? now) - now
        )
    }

    /// The account's address book: each destination once for each coin of its chain. `whiteStatus`
    /// says whether a key that withdraws by the book may use it now.
    @Sendable private static func addressBook(_ context: EndpointContext, _ call: Call)
        throws(APIError)
    {
        let replica = try context.readyReplica()
        let now = presentTime(replica)
        var networks: [NetworkView] = []
        replica.engine.forEachNetwork { networks.append($0) }
        var replies: [BookEntryReply] = []
        for entry in replica.engine.addressBook(call.account) {
            for network in networks where network.network == entry.network {
                guard let asset = replica.engine.asset(network.asset) else { continue }
                replies.append(
                    BookEntryReply(
                        entry: entry, coin: asset.code, network: network.name,
                        isUsable: entry.usableTime <= now))
            }
        }
        call.reply(replies, bytes: 220) { $1.write(to: &$0) }
    }

    /// Where ids are asked for and no time, they are found whatever their age.
    @Sendable private static func withdrawals(_ context: EndpointContext, _ call: Call)
        throws(APIError)
    {
        let replica = try context.readyReplica()
        let parameters = call.parameters
        var filter = WithdrawalFilter()
        if let coin = parameters[.coin] { filter.asset = try replica.asset(coin).id }
        filter.clientID = try parameters.clOrdID(.withdrawOrderId)
        if let code = try parameters.integer(.status) {
            filter.statuses = try WithdrawalStatus.all(code: code)
        }
        if let list = parameters[.idList] { filter.ids = try withdrawalIDs(list) }
        let isOfAllTimes =
            (filter.clientID != nil || filter.ids != nil)
            && parameters[.startTime] == nil && parameters[.endTime] == nil
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
