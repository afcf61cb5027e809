// The fields of the commands about what customers may withdraw.

import JSON
import Terms
import Wire

extension Command {
    var withdrawalRuleFields: [JSONValue.Member] {
        switch self {
        case .setWithdrawalPolicy(let c):
            [
                .init("addressDelaySeconds", .number(c.addressDelay)),
                .init("keyFreezeSeconds", .number(c.keyFreeze)),
            ] + c.audit.json
        case .setWithdrawalLimits(let c):
            [.init("account", .number(c.account.number))]
                + (c.tier.map { [.init("tier", .number($0))] } ?? []) + [
                    .init("asset", .number(c.asset.number)),
                    .init("dayCountMax", .number(c.dayCountMax)),
                    .init("amountMaxUnits", .string("\(c.amountMax.units)")),
                    .init("dayAmountMaxUnits", .string("\(c.dayAmountMax.units)")),
                    .init("monthAmountMaxUnits", .string("\(c.monthAmountMax.units)")),
                ] + c.audit.json
        case .setWithdrawalTerms(let c):
            [.init("account", .number(c.account.number))]
                + (c.tier.map { [.init("tier", .number($0))] } ?? []) + [
                    .init("asset", .number(c.asset.number)),
                    .init("network", .number(c.network.number)),
                    .init("minimumUnits", .string("\(c.minimum.units)")),
                    .init("feeUnits", .string("\(c.fee.units)")),
                ] + c.audit.json
        case .addWithdrawalAddress(let c):
            Self.destination(c.account, c.network, c.address, c.tag)
                + Self.present("label", c.label) + c.audit.json
        case .removeWithdrawalAddress(let c):
            Self.destination(c.account, c.network, c.address, c.tag) + c.audit.json
        default: []
        }
    }

    private static func destination(
        _ account: AccountID, _ network: NetworkID, _ address: Text64, _ tag: Text40
    ) -> [JSONValue.Member] {
        [
            .init("account", .number(account.number)),
            .init("network", .number(network.number)),
            .init("address", .string("\(address)")),
        ] + present("tag", tag)
    }
}
