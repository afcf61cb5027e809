// What a record of the log changes in the history of deposits and withdrawals.

import Engine
import GRDB
import Terms
import Wire

/// One change, in the order of the log.
enum CustodyChange: Sendable {
    /// A deposit was seen or credited.
    case deposit(DepositRecord)
    /// A withdrawal was requested, or its status changed, and it is open.
    case withdrawal(WithdrawalView, time: Int64)
    /// A withdrawal ended.
    case ended(WithdrawalID, WithdrawalStatus, time: Int64)
    /// A transaction was signed that pays withdrawals.
    case signed(PaymentView)
    /// A transaction is final, so no other one pays its withdrawals.
    case settled(TransactionID, [WithdrawalID])
    /// A transaction has ended without payment.
    case dropped(TransactionID)

    /// What an event of the record that `engine` applied last changes; nil: nothing. `credit` is
    /// the record's command if that credits a deposit. `settled` gathers the withdrawals that the
    /// record settles: their events come before that of the transaction.
    init?(
        _ event: Event, _ credit: CreditDeposit?, _ engine: borrowing Engine,
        _ settled: inout [WithdrawalID]
    ) {
        let time = engine.timestamp
        switch event {
        case .depositNoted(let seen): self = .deposit(DepositRecord(seen, at: time))
        case .depositCredited:
            guard let credit else { return nil }
            self = .deposit(DepositRecord(credit, at: time))
        case .withdrawalChanged(let id, let status):
            if status == .settled { settled.append(id) }
            if let view = engine.withdrawal(id) {
                self = .withdrawal(view, time: time)
            } else {
                self = .ended(id, status, time: time)
            }
        case .transactionSigned(let id):
            guard let payment = engine.payment(id) else { return nil }
            self = .signed(payment)
        case .transactionSettled(let id): self = .settled(id, settled)
        case .transactionDropped(let id): self = .dropped(id)
        default: return nil
        }
    }

    /// Approximate number of rows that it will write.
    var rows: Int {
        switch self {
        case .deposit, .withdrawal, .ended, .dropped: 1
        case .signed(let payment): payment.withdrawals.count
        case .settled(_, let withdrawals): withdrawals.count
        }
    }

    /// Writes it, within the transaction of its batch.
    func write(_ db: Database) throws {
        switch self {
        case .deposit(let deposit): try Self.write(db, deposit)
        case .withdrawal(let view, let time): try Self.write(db, view, time)
        case .ended(let id, let status, let time):
            try db.run(
                "UPDATE withdrawals SET status = ?, updated_time = ? WHERE id = ?",
                [Int64(status.rawValue), time, Int64(id.number)])
        case .signed(let payment):
            for id in payment.withdrawals {
                try db.run(
                    "INSERT INTO payments (withdrawal, sequence, txid) VALUES (?,?,?)",
                    [Int64(id.number), Int64(payment.sequence), payment.id.hex])
            }
        case .settled(let transaction, let withdrawals):
            for id in withdrawals {
                try db.run(
                    "DELETE FROM payments WHERE withdrawal = ? AND txid <> ?",
                    [Int64(id.number), transaction.hex])
            }
        case .dropped(let transaction):
            // One of the same name may be final on another chain.
            try db.run(
                """
                DELETE FROM payments WHERE txid = ? AND withdrawal IN
                  (SELECT p.withdrawal FROM payments p JOIN withdrawals w ON w.id = p.withdrawal
                   WHERE p.txid = ? AND w.status <> ?)
                """,
                [transaction.hex, transaction.hex, Int64(WithdrawalStatus.settled.rawValue)])
        }
    }

    private static func write(_ db: Database, _ deposit: DepositRecord) throws {
        try db.run(
            """
            INSERT INTO deposits (account, asset, network, txid, output, amount, state,
              confirmations, time, credited_time)
            VALUES (?,?,?,?,?,?,?,?,?,?)
            ON CONFLICT (txid, output, network, asset) DO UPDATE SET account = excluded.account,
              amount = excluded.amount, state = excluded.state,
              confirmations = max(confirmations * (excluded.state = 2), excluded.confirmations),
              credited_time = excluded.credited_time
            """,
            [
                Int64(deposit.account.number), Int64(deposit.asset.number),
                Int64(deposit.network.number), deposit.transaction.hex, Int64(deposit.output),
                stored(deposit.amount.units), Int64(deposit.state.rawValue),
                Int64(deposit.confirmations), deposit.time, deposit.creditedTime,
            ])
    }

    private static func write(_ db: Database, _ view: WithdrawalView, _ time: Int64) throws {
        try db.run(
            """
            INSERT INTO withdrawals (id, account, asset, network, status, amount, fee, address,
              tag, client_id, created_time, updated_time)
            VALUES (?,?,?,?,?,?,?,?,?,?,?,?)
            ON CONFLICT (id) DO UPDATE SET status = excluded.status,
              updated_time = excluded.updated_time
            """,
            [
                Int64(view.id.number), Int64(view.account.number), Int64(view.asset.number),
                Int64(view.network.number), Int64(view.status.rawValue),
                stored(view.amount.units), stored(view.fee.units), view.address.description,
                view.tag.description, view.clientID.description, view.createdTime, time,
            ])
    }
}
