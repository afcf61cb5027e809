// The amount of a withdrawal, between the API and the log.

public import Engine
public import Terms

/// The two meanings of a withdrawal's amount. Binance's includes the fee: it is what the account
/// pays, and less arrives. The log's is what arrives, and the fee is held beside it.
public enum WithdrawalAmount {
    /// The highest that a client can write.
    static func most(of asset: AssetView) -> Amount {
        let whole = powerOfTen(20) - 1
        return Amount(units: min(Limits.amountUnitsMax, whole * powerOfTen(Int(asset.scale))))
    }

    /// What arrives of the amount that a client asks for. Throws -4021, -4022, -4026, -4028.
    public static func net(
        _ value: DecimalText, _ asset: AssetView, _ network: NetworkView
    ) throws(APIError) -> Amount {
        let gross: Int128
        switch value.steps(of: 1, scale: Int(asset.scale)) {
        case .whole(let units): gross = units
        case .between:
            throw .amountMultiple(asset.code.description, text(Amount(units: 1), asset))
        case .tooLarge: throw .withdrawalFunds
        }
        guard gross <= Limits.amountUnitsMax else { throw .withdrawalFunds }
        guard gross > network.fee.units else { throw .amountWithinFee }
        guard gross >= network.grossMinimum.units else {
            throw .amountBelow(text(network.grossMinimum, asset))
        }
        return Amount(units: gross - network.fee.units)
    }

    /// An amount as the API writes it.
    public static func text(_ amount: Amount, _ asset: AssetView) -> String {
        var json = JSONWriter(capacity: 48)
        json.decimal(amount.units, scale: Int(asset.scale))
        return String(json.text.dropFirst().dropLast())
    }
}

extension NetworkView {
    /// The smallest amount of a withdrawal, its fee included.
    public var grossMinimum: Amount { Amount(units: minimum.units + fee.units) }
}
