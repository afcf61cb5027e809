// Deposits: where they go, and what came.

import Engine
import Follower
import History
import SpotAPI
import Terms
import Wire

extension Endpoint {
    static let depositEndpoints: [Endpoint] = [
        Endpoint(
            .get, "/sapi/v1/capital/deposit/address", .userData, 10, needs: [.coin],
            takes: [.network, .amount], address),
        Endpoint(
            .get, "/sapi/v1/capital/deposit/hisrec", .userData, 1,
            takes: [
                .includeSource, .coin, .status, .startTime, .endTime, .offset, .limit, .txId,
            ], deposits),
    ]

    /// The account's address; the first request for a chain has the log assign one.
    @Sendable private static func address(_ context: EndpointContext, _ call: Call)
        throws(APIError)
    {
        let replica = try context.readyReplica()
        let asset = try replica.asset(try call.parameters.required(.coin))
        let network = try replica.network(
            asset.id, call.parameters[.network], for: call.account)
        guard network.takesDeposits else { throw .depositsClosed }
        // Before an address is assigned, for then the chain cannot be corrected any more.
        let chain = try replica.addresses(network.network)
        if let index = replica.engine.addressIndex(call.account, network.network) {
            let reply = DepositAddressReply(coin: asset.code, address: try chain.deposit(index))
            return call.reply { reply.write(to: &$0) }
        }
        let command = AssignAddress(account: call.account, network: network.network)
        try context.session.submit(command, .atOnce, deadline: call.deadline) { result in
            call.reply(result) { applied throws(APIError) in
                guard applied.outcome.refusal == .none,
                    let index = UInt32(exactly: applied.outcome.id)
                else { throw APIError(address: applied.outcome.refusal) }
                // The chain may have been declared anew meanwhile; it stays from the address on.
                let chain = try replica.addresses(command.network)
                var json = JSONWriter()
                DepositAddressReply(coin: asset.code, address: try chain.deposit(index))
                    .write(to: &json)
                return json.bytes
            }
        }
    }

    @Sendable private static func deposits(_ context: EndpointContext, _ call: Call)
        throws(APIError)
    {
        let replica = try context.readyReplica()
        let parameters = call.parameters
        _ = try parameters.flag(.includeSource)
        var filter = DepositFilter()
        if let coin = parameters[.coin] { filter.asset = try replica.asset(coin).id }
        if let code = try parameters.integer(.status) {
            guard let state = DepositState.allCases.first(where: { $0.code == code }) else {
                // A deposit here is never credited before it may be withdrawn, or wrong.
                guard 6...8 ~= code else { throw .invalid("status") }
                return emptyList(context, call)
            }
            filter.state = state
        }
        if let text = parameters[.txId] {
            guard let transaction = TransactionID(hex: text.dropFirst(text.hasPrefix("0x") ? 2 : 0))
            else {
                return emptyList(context, call)
            }
            filter.transaction = transaction
        }
        (filter.start, filter.end) = try capitalInterval(call)
        filter.offset = try parameters.integer(.offset) ?? 0
        filter.limit = try parameters.limit(default: 1_000, most: HistoryRange.limitMax)
        let account = call.account
        call.read(replica) { [filter] in
            try $0.deposits(account, filter)
        } done: { records in
            var places = DepositPlaces(account: account, replica: replica)
            call.reply(records.compactMap { places.reply($0) }, bytes: 420) { $1.write(to: &$0) }
        }
    }

    /// The times between which deposits or withdrawals were first seen: the 90 days before the end,
    /// or before now, where no start was sent. Throws -4047 for more.
    static func capitalInterval(_ call: Call) throws(APIError) -> (start: Int64, end: Int64) {
        let most: Int64 = 90 * 86_400_000_000_000
        // The end is a whole millisecond, all of it within the interval.
        let now = call.now * 1_000_000 + 999_999
        let end = try call.parameters.time(.endTime).map { $0 + 999_999 }
        let start = try call.parameters.time(.startTime)
        // The log's clock may be ahead of this host's.
        guard let start else { return (min(now, end ?? now) - most, end ?? .max) }
        guard start <= end ?? now, (end ?? now) - start < most + 1_000_000 else {
            throw .intervalTooLong
        }
        return (start, end ?? .max)
    }
}

/// Names and addresses of the networks of one account's deposits, each made once.
private struct DepositPlaces {
    let account: AccountID
    let replica: GatewayReplica
    private var addresses: [NetworkID: (address: String, prefix: String)] = [:]

    init(account: AccountID, replica: GatewayReplica) {
        (self.account, self.replica) = (account, replica)
    }

    mutating func reply(_ record: DepositRecord) -> DepositReply? {
        guard let asset = replica.engine.asset(record.asset) else { return nil }
        let network = replica.engine.network(record.asset, record.network)
        let needed = network?.confirmations ?? record.confirmations
        // The last confirmation is not noted: with it comes the credit.
        let isCredited = record.state == .credited
        let place = place(record.network)
        var reply = DepositReply(
            id: record.id, asset: asset, amount: record.amount,
            network: network?.name.description ?? "", status: record.state.code,
            address: place.address, transaction: record.transaction,
            time: record.time, creditedTime: record.creditedTime,
            confirmations: isCredited ? max(needed, record.confirmations) : record.confirmations,
            confirmationsNeeded: needed)
        reply.transactionPrefix = place.prefix
        return reply
    }

    private mutating func place(_ network: NetworkID) -> (address: String, prefix: String) {
        if let known = addresses[network] { return known }
        var place = (address: "", prefix: "")
        if let chain = try? replica.addresses(network) {
            place.prefix = chain.transactionPrefix
            if let index = replica.engine.addressIndex(account, network) {
                place.address = (try? chain.deposit(index)) ?? ""
            }
        }
        addresses[network] = place
        return place
    }
}

extension DepositState {
    /// Binance's code of a deposit's status. Binance also has 6, credited but not to be withdrawn
    /// yet, 7, wrong, and 8, waiting for the user: no deposit here is any of these.
    ///
    ///      pending  0  pending      credited  1  success      gone  2  rejected
    var code: Int {
        switch self {
        case .pending: 0
        case .credited: 1
        case .gone: 2
        }
    }
}
