// The fields of the commands of operators with keys.

import JSON
import Terms
import Wire

extension Command {
    var operatorFields: [JSONValue.Member] {
        switch self {
        case .setOperator(let c):
            [
                .init("name", .string("\(c.name)")), .init("key", .string(c.key.hex)),
                .init("approves", .bool(c.approves)), .init("administers", .bool(c.administers)),
            ] + c.audit.json
        case .setCustodyPolicy(let c):
            [.init("endorsements", .number(c.endorsements))] + c.audit.json
        case .propose(let c):
            [
                .init("proposal", .string(c.id.hex)),
                .init("deadline", .string(Readable.time(c.deadline))),
                .init("proposes", .string(c.command.map { "\($0.kind)" } ?? "unknown")),
                .init("fields", .object(c.command?.fields ?? [])),
                .init("digest", .string(c.digest.hex)),
            ] + c.seal.json
        case .endorse(let c):
            [
                .init("proposal", .string(c.proposal.hex)),
                .init("deadline", .string(Readable.time(c.deadline))),
                .init("digest", .string(c.digest.hex)),
            ] + c.seal.json
        case .withdrawProposal(let c): [.init("proposal", .string(c.proposal.hex))] + c.seal.json
        case .signDecision(let c):
            [
                .init("withdrawal", .number(c.withdrawal.number)),
                .init("deadline", .string(Readable.time(c.deadline))),
                .init("approves", .bool(c.approves)), .init("account", .number(c.account.number)),
                .init("asset", .number(c.asset.number)),
                .init("network", .number(c.network.number)),
                .init("units", .string("\(c.amount.units)")),
                .init("feeUnits", .string("\(c.fee.units)")),
                .init("address", .string("\(c.address)")), .init("tag", .string("\(c.tag)")),
                .init("reason", .string(c.reason)),
            ] + c.seal.json
        default: []
        }
    }
}

extension OperatorSeal {
    var json: [JSONValue.Member] {
        [
            .init("operator", .string("\(name)")), .init("operatorKey", .string(key.hex)),
            .init("auditCount", .number(seen.count)), .init("auditHead", .string(seen.digest.hex)),
        ]
    }
}
