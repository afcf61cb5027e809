// The fields of custody's commands.

import JSON
import Terms
import Wire

extension Command {
    var custodyFields: [JSONValue.Member] {
        switch self {
        case .setNetwork(let c):
            [
                .init("asset", .number(c.asset.number)),
                .init("network", .number(c.network.number)),
                .init("name", .string("\(c.name)")), .init("takesDeposits", .bool(c.takesDeposits)),
                .init("takesWithdrawals", .bool(c.takesWithdrawals)),
                .init("approvals", .number(c.approvals)),
                .init("confirmations", .number(c.confirmations)),
                .init("minimumUnits", .number(c.minimum.units)),
                .init("feeUnits", .number(c.fee.units)),
                .init("approvalsAboveUnits", .number(c.approvalsAbove.units)),
            ] + c.audit.json
        case .decideWithdrawal(let c):
            [
                .init("withdrawal", .number(c.withdrawal.number)),
                .init("approves", .bool(c.approves)),
            ] + c.audit.json
        case .resumeWithdrawals(let c):
            [.init("asset", .number(c.asset.number))] + c.audit.json
        case .requestWithdrawal(let c):
            Self.booking(c.account, c.asset, c.amount) + [
                .init("network", .number(c.network.number)),
                .init("feeMost", .string("\(c.feeMost.units)")),
                .init("address", .string("\(c.address)")),
            ] + Self.present("tag", c.tag) + Self.present("clientID", c.clientID)
                + Self.present("requester", c.requester)
                + (c.keyID.isEmpty ? [] : [.init("keyID", .string("\(c.keyID)"))])
        case .cancelWithdrawal(let c):
            [
                .init("account", .number(c.account.number)),
                .init("withdrawal", .number(c.withdrawal.number)),
            ]
        case .assignAddress(let c):
            [
                .init("account", .number(c.account.number)),
                .init("network", .number(c.network.number)),
            ]
        default: walletFields
        }
    }

    private var walletFields: [JSONValue.Member] {
        switch self {
        case .noteDeposit(let c):
            Self.booking(c.account, c.asset, c.amount) + [
                .init("network", .number(c.network.number)),
                .init("transaction", c.transaction.json), .init("outputIndex", .number(c.output)),
                .init("confirmations", .number(c.confirmations)),
                .init("status", .string("\(c.status)")),
            ]
        case .signWithdrawals(let c):
            [
                .init("asset", .number(c.asset.number)),
                .init("network", .number(c.network.number)),
                .init("transaction", c.transaction.json),
                .init("replaces", c.replaces == .none ? .null : c.replaces.json),
                .init("withdrawals", .array(c.withdrawals.map { .number($0.number) })),
                .init("bytes", .number(c.bytes.count)),
            ]
        case .settleTransaction(let c):
            [
                .init("transaction", c.transaction.json), .init("block", .number(c.block)),
                .init("costAsset", .number(c.costAsset.number)),
                .init("costUnits", .number(c.cost.units)),
            ]
        case .dropTransaction(let c): [.init("transaction", c.transaction.json)]
        case .stopWithdrawals(let c):
            [.init("asset", .number(c.asset.number)), .init("reason", .string(c.reason))]
        case .setChain(let c):
            [
                .init("network", .number(c.network.number)), .init("chain", .string("\(c.chain)")),
                .init("key", .string(c.key)), .init("firstBlock", .number(c.firstBlock)),
            ] + c.audit.json
        case .setColdStorage(let c):
            [
                .init("asset", .number(c.asset.number)),
                .init("network", .number(c.network.number)),
                .init("ceilingUnits", .string("\(c.ceiling.units)")),
                .init("targetUnits", .string("\(c.target.units)")),
                .init("descriptor", .string(c.descriptor)),
            ] + c.audit.json
        case .checkBlock(let c):
            [
                .init("network", .number(c.network.number)), .init("height", .number(c.height)),
                .init("addresses", .number(c.addresses)),
                .init("block", .string(c.block.hex)), .init("stage", .string("\(c.stage)")),
                .init("chainRecord", .number(c.chainRecord)),
            ]
        default: []
        }
    }
}

extension TransactionID {
    var json: JSONValue { .string(hex) }
}
