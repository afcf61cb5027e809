// The double-entry ledger: every amount has one owner at each moment. Incoming amounts are taken
// from the external account, so per asset all accounts sum to zero.

internal import Slabs
internal import Terms

/// The part of a balance that trading touches: 32 bytes.
struct HotBalance: BitwiseCopyable {
    var available = Amount.zero
    var held = Amount.zero
}

/// Balances of customers and of the house. An asset's balances are contiguous, so that memory and
/// caches hold those of used assets, and a new asset moves nothing.
struct Ledger: ~Copyable {
    private var balances: Slab<HotBalance>
    /// Amounts held for withdrawals, separate: trading never reads them.
    private var withdrawing: Slab<Int128>
    var house: Slab<HouseBalance>
    /// Accounts per asset's row.
    private var stride: Int
    private var assets: Int
    private let byAddress = ByAddress()

    init(accounts: Int, assets: Int) {
        self.assets = assets + 1
        stride = Self.stride(accounts)
        balances = Slab(capacity: self.assets * stride)
        withdrawing = Slab(capacity: self.assets * stride)
        house = Slab(capacity: self.assets)
    }

    /// Whole pages, so that rows do not share lines.
    private static func stride(_ accounts: Int) -> Int { (accounts + 1 + 127) / 128 * 128 }

    /// Makes room. More assets cost nothing; more accounts than a row holds copy all balances
    /// (`used` accounts of each asset), with both copies in memory meanwhile.
    mutating func raise(accounts: Int, assets: Int, used: Int) {
        let rows = self.assets
        self.assets = max(self.assets, assets + 1)
        house.raise(capacity: self.assets)
        let wider = Self.stride(accounts)
        if wider <= stride {
            balances.raise(capacity: self.assets * stride)
            withdrawing.raise(capacity: self.assets * stride)
            return
        }
        var hot = Slab<HotBalance>(capacity: self.assets * wider)
        var apart = Slab<Int128>(capacity: self.assets * wider)
        for asset in 0..<rows {
            for account in 0..<used + 1 {
                let (old, new) = (asset * stride + account, asset * wider + account)
                // Untouched memory stays untouched.
                if balances[old].available.units | balances[old].held.units != 0 {
                    hot[new] = balances[old]
                }
                if withdrawing[old] != 0 { apart[new] = withdrawing[old] }
            }
        }
        balances = hot
        withdrawing = apart
        stride = wider
    }

    @inline(__always) private func index(_ account: UInt32, _ asset: UInt16) -> Int {
        Int(asset) * stride + Int(account)
    }

    /// The pages of all tables.
    var slabMemory: [SlabMemory] { [balances.memory, withdrawing.memory, house.memory] }

    /// Prefetches a balance.
    @inline(__always) func prefetch(_ account: UInt32, _ asset: UInt16) {
        balances.prefetch(index(account, asset))
    }

    func balance(_ account: UInt32, _ asset: UInt16) -> Balance {
        let i = index(account, asset)
        return Balance(
            available: balances[i].available, held: balances[i].held,
            withdrawing: Amount(units: withdrawing[i]))
    }

    mutating func set(_ account: UInt32, _ asset: UInt16, _ balance: Balance) {
        let i = index(account, asset)
        balances[i] = HotBalance(available: balance.available, held: balance.held)
        withdrawing[i] = balance.withdrawing.units
    }

    @inline(__always) func available(_ account: UInt32, _ asset: UInt16) -> Int128 {
        balances[index(account, asset)].available.units
    }

    /// Moves from available to held; negative moves back. The caller has checked the funds.
    @inline(__always)
    mutating func hold(_ account: UInt32, _ asset: UInt16, _ units: Int128) {
        let i = index(account, asset)
        balances[i].available.units -= units
        balances[i].held.units += units
        precondition(balances[i].available.units | balances[i].held.units >= 0, "held is there")
    }

    /// Moves from available to held, or back if negative; false when funds are insufficient.
    @inline(__always)
    mutating func holdIfAvailable(_ account: UInt32, _ asset: UInt16, _ units: Int128) -> Bool {
        balances[index(account, asset)].holdIfAvailable(units)
    }

    /// Pays one side of a trade from its held amount.
    @inline(__always)
    mutating func pay(_ account: UInt32, _ asset: UInt16, _ units: Int128) {
        let i = index(account, asset)
        balances[i].held.units -= units
        precondition(balances[i].held.units >= 0, "a trade is paid from what was held")
    }

    /// Credits one side of a trade less the fee, and books the fee. `overpaid` is the order's
    /// charge beyond its exact fee so far, in 10⁻⁸ units: an order pays its exact fee rounded up,
    /// once. Returns the charge; a rebate is negative, and zero if the house's fees of the asset do
    /// not cover it.
    @inline(__always)
    mutating func receive(
        _ account: UInt32, _ asset: UInt16, _ units: Int128, rate: Int32,
        _ overpaid: inout UInt32
    ) -> Int128 {
        let i = index(account, asset)
        if rate == 0 {
            balances[i].available.units += units
            return 0
        }
        let (charged, left) = Self.charge(units, rate: rate, overpaid: overpaid)
        // `rounding` has the excess unit of an order whose fee is not whole.
        let rounding: Int128 = (left > 0 ? 1 : 0) - (overpaid > 0 ? 1 : 0)
        if rate < 0, house[Int(asset)].fees.units + charged - rounding < 0 {
            balances[i].available.units += units
            return 0
        }
        balances[i].available.units += units - charged
        house[Int(asset)].fees.units += charged - rounding
        house[Int(asset)].rounding.units += rounding
        overpaid = left
        return charged
    }

    /// A trade's charge given the amount overpaid, and the amount overpaid after it.
    @inline(__always)
    private static func charge(
        _ units: Int128, rate: Int32, overpaid: UInt32
    ) -> (charged: Int128, overpaid: UInt32) {
        let scale: Int64 = 100_000_000
        // units × rate ÷ 10⁸ in two parts, so that nothing overflows: |rate| ≤ 10⁷.
        let (whole, rest): (Int128, Int64)
        if units < 1 << 63 {
            let parts = UInt64(truncatingIfNeeded: units).quotientAndRemainder(
                dividingBy: UInt64(scale))
            (whole, rest) = (Int128(Int64(parts.quotient) &* Int64(rate)), Int64(parts.remainder))
        } else {
            let parts = units.quotientAndRemainder(dividingBy: Int128(scale))
            (whole, rest) = (parts.quotient * Int128(rate), Int64(parts.remainder))
        }
        let due = rest &* Int64(rate) &- Int64(overpaid)
        // Rounded up: towards zero, plus one for a positive remainder.
        let floor = due / scale
        let up = floor &* scale < due ? floor &+ 1 : floor
        return (whole + Int128(up), UInt32(truncatingIfNeeded: up &* scale &- due))
    }

    /// Brings in from outside, or takes out if negative. The caller has checked both ends.
    mutating func adjust(_ account: UInt32, _ asset: UInt16, _ units: Int128) {
        balances[index(account, asset)].available.units += units
        house[Int(asset)].external.units -= units
    }

    /// Moves from the house's fees to an account, or back if negative. The caller has checked both
    /// ends.
    mutating func transferFees(_ account: UInt32, _ asset: UInt16, _ units: Int128) {
        house[Int(asset)].fees.units -= units
        balances[index(account, asset)].available.units += units
    }

    /// Holds for a withdrawal, or gives back if negative. The caller has checked the funds.
    mutating func withdraw(_ account: UInt32, _ asset: UInt16, _ units: Int128) {
        let i = index(account, asset)
        balances[i].available.units -= units
        withdrawing[i] += units
        precondition(balances[i].available.units | withdrawing[i] >= 0, "what is held is there")
    }

    /// A signed transaction pays what is held for a withdrawal, or no longer does if negative.
    mutating func transit(_ account: UInt32, _ asset: UInt16, _ units: Int128) {
        let i = index(account, asset)
        withdrawing[i] -= units
        house[Int(asset)].inTransit.units += units
        precondition(
            withdrawing[i] | house[Int(asset)].inTransit.units >= 0, "what is signed was held")
    }

    /// A withdrawal is final: its amount is outside, its charge the house's.
    mutating func settle(_ asset: UInt16, amount: Int128, fee: Int128) {
        house[Int(asset)].inTransit.units -= amount + fee
        house[Int(asset)].external.units += amount
        house[Int(asset)].fees.units += fee
        precondition(house[Int(asset)].inTransit.units >= 0, "what is settled was in transit")
    }

    /// The chain's cost goes outside, at the house's expense. The caller has checked the range.
    mutating func payChain(_ asset: UInt16, _ units: Int128) {
        house[Int(asset)].external.units += units
        house[Int(asset)].chain.units -= units
    }

    /// Whether an account has nothing of an asset; snapshots omit such a balance.
    func isEmpty(_ account: UInt32, _ asset: UInt16) -> Bool {
        let i = index(account, asset)
        return balances[i].available.units | balances[i].held.units | withdrawing[i] == 0
    }
}

extension HotBalance {
    /// Moves from available to held, or back if negative; false when funds are insufficient.
    @inline(__always) fileprivate mutating func holdIfAvailable(_ units: Int128) -> Bool {
        let rest = available.units - units
        if rest < 0 { return false }
        available.units = rest
        held.units += units
        return true
    }
}
