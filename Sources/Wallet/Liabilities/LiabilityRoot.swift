// What an exchange publishes of an asset: what it owes in all, and a hash that commits to it.

public import JSON
public import Terms

/// The root of a tree. Whoever has it and a proof can see that the account is part of the total.
public struct LiabilityRoot: Hashable, Sendable {
    /// The asset's code.
    public let asset: Text16
    /// Decimals of the asset's amounts: a base unit is 10^-scale.
    public let scale: UInt8
    /// The last record of the log that counts.
    public let sequence: UInt64
    /// How many accounts there are, from 1.
    public let accounts: UInt64
    /// What all accounts have, in base units.
    public let total: Int128
    /// Commits to all of it, and to the tree.
    public let hash: LiabilityHash

    /// The root above a top node.
    init(asset: Text16, scale: UInt8, sequence: UInt64, accounts: UInt64, top: LiabilityNode) {
        (self.asset, self.scale, self.sequence) = (asset, scale, sequence)
        (self.accounts, total) = (accounts, top.sum)
        var bytes: [UInt8] = []
        bytes += "bourse.pol.root1".utf8
        asset.append(to: &bytes)
        bytes.append(scale)
        sequence.append(to: &bytes)
        accounts.append(to: &bytes)
        UInt128(top.sum).append(to: &bytes)
        top.hash.append(to: &bytes)
        hash = LiabilityHash(of: bytes)
    }

    /// Whether this is the root above a top node.
    func isAbove(_ top: LiabilityNode) -> Bool {
        self
            == LiabilityRoot(
                asset: asset, scale: scale, sequence: sequence, accounts: accounts, top: top)
    }

    // MARK: JSON

    /// {"version": 1, "asset", "scale", "sequence", "accounts", "total", "hash"}; total is a string
    /// of base units.
    public var json: JSONValue {
        [
            "version": .number(1), "asset": .string("\(asset)"), "scale": .number(scale),
            "sequence": .number(sequence), "accounts": .number(accounts),
            "total": .string("\(total)"), "hash": .string(hash.text),
        ]
    }

    /// Reads it; nil where it is none.
    public init?(_ json: JSONValue) {
        guard json["version"]?.count == 1, let asset = json["asset"]?.text.flatMap({ Text16($0) }),
            let scale = json["scale"]?.count.flatMap({ UInt8(exactly: $0) }),
            let sequence = json["sequence"]?.count,
            let accounts = json["accounts"]?.count, accounts > 0,
            let total = json["total"]?.text.flatMap(Int128.init(units:)),
            let hash = json["hash"]?.text.flatMap(LiabilityHash.init(text:))
        else { return nil }
        (self.asset, self.scale, self.sequence) = (asset, scale, sequence)
        (self.accounts, self.total, self.hash) = (accounts, total, hash)
    }
}

extension Int128 {
    /// Decimal digits without a sign or zeros in front; nil of any other text and above 2^127 - 1.
    init?(units text: String) {
        let digits = text.utf8
        guard 1...39 ~= digits.count, digits.allSatisfy({ 0x30...0x39 ~= $0 }),
            digits.count == 1 || digits.first != 0x30
        else { return nil }
        self.init(text)
    }
}
