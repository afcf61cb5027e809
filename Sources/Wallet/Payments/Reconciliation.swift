// What the ledger says of an asset in custody, against what there is.

public import Engine
public import Terms

/// The ledger's side and the chains' side of an asset, at one record of the log; in base units.
///
/// By the ledger: what came in, less what went out and what chains took, whether by a chain or by
/// an operator's booking. By the chains: the coins of credited deposits and of change. What an
/// operator books by hand is on no chain, so the owner states what is kept elsewhere.
public struct Reconciliation: Hashable, Sendable {
    /// The last record that counts.
    public var sequence: UInt64
    /// What there has to be, by the ledger.
    public var custody: Int128
    /// Customers' balances, and withdrawals in transit.
    public var owed: Int128
    /// What is on the chains, by the log.
    public var onChain: Int128
    /// Of that, what the chains do not have: spent by nothing that the log knows.
    public var vanished: Int128 = 0
    /// What the owner states to be kept elsewhere.
    public var elsewhere: Int128 = 0
    /// What settlements were booked to cost beyond the fees of their transactions: the chain did
    /// not take it, so it has to be there.
    public var overcharged: Int128 = 0

    /// The sides of an asset, of whose networks `holdings` gives what the wallet has on each; nil
    /// where it does not know one of them.
    public init?(
        _ asset: AssetID, _ engine: borrowing Engine, holdings: (NetworkID) -> Int128?
    ) {
        sequence = engine.sequence
        let house = engine.house(asset)
        custody = -house.external.units
        // All accounts of an asset sum to zero.
        owed = -(house.external.units + house.fees.units + house.rounding.units + house.chain.units)
        var networks: [NetworkID] = []
        engine.forEachNetwork { if $0.asset == asset { networks.append($0.network) } }
        var total: Int128 = 0
        for network in networks {
            guard let held = holdings(network) else { return nil }
            total += held
        }
        onChain = total
    }

    /// What there is beyond what there has to be; below 0: it is missing.
    public var difference: Int128 { onChain - vanished + elsewhere - custody - overcharged }

    /// What the house has of it, from fees and rounding less what chains took; below 0: customers
    /// are owed more than came in and is left.
    public var ofHouse: Int128 { custody - owed }
}
