// Open withdrawals as a table and as JSON.

package import Engine
import JSON
import Platform
import Presentation
import Terms

extension WithdrawalView {
    /// How many of the approvals that it needs it has, and of whom.
    package var approvalsText: String {
        if approvals == 0 { return "none needed" }
        let names = approvers.map { "\($0)" }.joined(separator: ", ")
        return "\(approvers.count) of \(approvals)" + (names.isEmpty ? "" : ": \(names)")
    }

    /// What comes next for it.
    package var next: String {
        switch status {
        case .requested:
            let missing = Int(approvals) - approvers.count
            return "It needs \(missing) more \(missing == 1 ? "approval" : "approvals") by others "
                + "than who asked or approved: boursectl wallet approve \(id.number)"
        case .approved: return "It is approved and waits to be paid."
        case .signed: return "A signed transaction pays it."
        case .settled, .refused, .canceled: return "It ended."
        }
    }
}

/// Withdrawals with the transactions that pay them.
struct WithdrawalTable {
    private let replica: ExchangeReplica
    private let payments: [WithdrawalID: [PaymentView]]

    /// What pays in a state.
    init(_ replica: ExchangeReplica) {
        self.replica = replica
        var payments: [WithdrawalID: [PaymentView]] = [:]
        for payment in replica.payments {
            for id in payment.withdrawals { payments[id, default: []].append(payment) }
        }
        self.payments = payments
    }

    /// One withdrawal.
    func json(_ view: WithdrawalView) -> JSONValue {
        let paying = (payments[view.id] ?? []).map { payment in
            [
                "transaction": .string(payment.id.hex),
                "replaces": payment.replaces == .none ? .null : .string(payment.replaces.hex),
                "record": .number(payment.sequence),
            ] as JSONValue
        }
        return [
            "id": .number(view.id.number), "account": .string(replica.name(view.account)),
            "asset": .string(replica.code(view.asset)), "chain": .number(view.network.number),
            "amount": .string("\(replica.number(view.amount, view.asset))"),
            "fee": .string("\(replica.number(view.fee, view.asset))"),
            "address": .string("\(view.address)"), "tag": .string("\(view.tag)"),
            "clientID": .string("\(view.clientID)"), "requester": .string("\(view.requester)"),
            "status": .string("\(view.status)"), "approvals": .number(view.approvals),
            "approvers": .array(view.approvers.map { .string("\($0)") }),
            "created": .string(Readable.time(view.createdTime)), "payments": .array(paying),
        ]
    }

    /// All of them.
    func table(_ views: [WithdrawalView]) -> Table {
        var table = Table([
            .numbers("ID"), .words("ACCOUNT"), .words("ASSET"), .words("NETWORK"),
            .numbers("AMOUNT"), .numbers("FEE"), .words("STATUS"), .words("APPROVALS"),
            .words("REQUESTED BY"), .words("AGE"), .words("ADDRESS"), .words("PAID BY"),
        ])
        let now = Clock.realtimeNanos()
        for view in views {
            table.add([
                "\(view.id.number)", replica.name(view.account), replica.code(view.asset),
                replica.networkName(view.asset, view.network),
                replica.number(view.amount, view.asset).grouped(),
                replica.number(view.fee, view.asset).grouped(), "\(view.status)",
                view.approvalsText, view.requester.isEmpty ? "customer" : "\(view.requester)",
                Readable.duration(nanos: max(0, now - view.createdTime)),
                "\(view.address)" + (view.tag.isEmpty ? "" : " tag \(view.tag)"),
                payments[view.id]?.map(\.id.hex).joined(separator: ", ") ?? "-",
            ])
        }
        return table
    }

    /// A withdrawal as a sentence's subject: `Withdrawal 12: 1.5 LTC of alice to ltc1… on LTC`.
    func sentence(_ view: WithdrawalView) -> String {
        let code = replica.code(view.asset)
        return "Withdrawal \(view.id.number): "
            + "\(replica.number(view.amount, view.asset).grouped()) \(code) of "
            + "\(replica.name(view.account)) to \(view.address) on "
            + "\(replica.networkName(view.asset, view.network)), fee "
            + "\(replica.number(view.fee, view.asset).grouped()) \(code)"
    }

    /// The JSON of a withdrawal in a sentence about its commands.
    static let members = """
        {"id", "account", "asset", "chain", "amount", "fee", "address", "tag", "clientID", \
        "requester", "status", "approvals", "approvers", "created", "payments"}; requester is \
        empty where the customer asked; approvals is the number needed; a payment is \
        {"transaction", "replaces", "record"}
        """
}
