// Queries of deposits and withdrawals.

import GRDB
public import Terms

extension HistoryReader {
    /// An account's deposits, the newest first. O(the account's deposits).
    public func deposits(_ account: AccountID, _ filter: DepositFilter) throws -> [DepositRecord] {
        try all(
            """
            SELECT * FROM deposits WHERE account = ? AND time BETWEEN ? AND ?
              AND (?4 IS NULL OR asset = ?4) AND (?5 IS NULL OR state = ?5)
              AND (?6 IS NULL OR txid = ?6)
            ORDER BY id DESC LIMIT ?7 OFFSET ?8
            """,
            [
                Int64(account.number), filter.start, filter.end,
                filter.asset.map { Int64($0.number) }, filter.state.map { Int64($0.rawValue) },
                filter.transaction?.hex, min(max(filter.limit, 1), HistoryRange.limitMax),
                max(filter.offset, 0),
            ]
        ).map(DepositRecord.init(_:))
    }

    /// An account's withdrawals, the newest first. O(the account's withdrawals), or those of the
    /// client's id.
    public func withdrawals(
        _ account: AccountID, _ filter: WithdrawalFilter
    ) throws -> [WithdrawalRecord] {
        let ids = (filter.ids ?? []).prefix(WithdrawalFilter.idsMax).map {
            Int64(clamping: $0.number)
        }
        var arguments: StatementArguments = [
            Int64(account.number), filter.start, filter.end,
            filter.asset.map { Int64($0.number) },
            filter.statuses.map { $0.reduce(Int64(0)) { $0 | 1 << Int64($1.rawValue) } },
            min(max(filter.limit, 1), HistoryRange.limitMax), max(filter.offset, 0),
        ]
        var conditions = ""
        if let clientID = filter.clientID {
            conditions += " AND client_id = ? AND client_id <> ''"
            arguments += [clientID.description]
        }
        if filter.ids != nil {
            conditions += " AND id IN (\(ids.map { _ in "?" }.joined(separator: ",")))"
            arguments += StatementArguments(ids)
        }
        return try all(
            """
            SELECT *, (SELECT txid FROM payments WHERE withdrawal = withdrawals.id
                       ORDER BY sequence DESC LIMIT 1) AS txid
            FROM withdrawals WHERE account = ?1 AND created_time BETWEEN ?2 AND ?3
              AND (?4 IS NULL OR asset = ?4) AND (?5 IS NULL OR (1 << status) & ?5 <> 0)
              AND ?6 > 0 AND ?7 >= 0\(conditions)
            ORDER BY id DESC LIMIT ?6 OFFSET ?7
            """, arguments
        ).map(WithdrawalRecord.init(_:))
    }
}

extension DepositRecord {
    init(_ row: Row) {
        self.init(
            id: row.number("id"), account: AccountID(row.number("account")),
            asset: AssetID(row.number("asset")), network: NetworkID(row.number("network")),
            transaction: TransactionID(column: row["txid"]), output: row.number("output"),
            amount: row.amount("amount"), state: row.choice("state"),
            confirmations: row.number("confirmations"), time: row["time"],
            creditedTime: row["credited_time"])
    }
}

extension WithdrawalRecord {
    init(_ row: Row) {
        self.init(
            id: WithdrawalID(row.number("id")), account: AccountID(row.number("account")),
            asset: AssetID(row.number("asset")), network: NetworkID(row.number("network")),
            status: row.choice("status"), amount: row.amount("amount"), fee: row.amount("fee"),
            address: row["address"], tag: row["tag"], clientID: row["client_id"],
            transaction: (row["txid"] as String?).map { TransactionID(column: $0) },
            createdTime: row["created_time"], updatedTime: row["updated_time"])
    }
}

extension TransactionID {
    fileprivate init(column text: String) {
        guard let id = TransactionID(hex: text) else {
            preconditionFailure("a column holds what was written into it")
        }
        self = id
    }
}
