// The double-entry ledger: every amount has one owner at each moment. What enters comes from the
// external account, so per asset all accounts sum to zero.

internal import Slabs
internal import Terms

/// What trading touches of a balance: 32 bytes.
struct HotBalance: BitwiseCopyable {
    var available = Amount.zero
    var held = Amount.zero
}

/// Balances of customers and of the house. An asset's balances stand side by side, so that memory
/// and caches hold those of assets that are used, and another asset moves nothing.
struct Ledger: ~Copyable {
    private var balances: Slab<HotBalance>
    /// What is held for withdrawals, apart: trading never looks at it.
    private var withdrawing: Slab<Int128>
    var house: Slab<HouseBalance>
    /// Accounts that an asset's row has room for.
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

    /// Makes room. More assets cost nothing; more accounts than a row has room for copy all
    /// balances (`used` accounts of each asset), with both copies in memory meanwhile.
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
                // Memory that was never touched stays so.
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

    /// Loads a balance ahead of time.
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

    /// Moves from available to held; negative moves back. The caller has seen that it is there.
    @inline(__always)
    mutating func hold(_ account: UInt32, _ asset: UInt16, _ units: Int128) {
        let i = index(account, asset)
        balances[i].available.units -= units
        balances[i].held.units += units
        assert(balances[i].available.units >= 0 && balances[i].held.units >= 0)
    }

    /// Moves from available to held, or back where negative; false when there is not as much.
    @inline(__always)
    mutating func holdIfAvailable(_ account: UInt32, _ asset: UInt16, _ units: Int128) -> Bool {
        balances[index(account, asset)].holdIfAvailable(units)
    }

    /// Takes from what is held: one side of a trade pays.
    @inline(__always)
    mutating func pay(_ account: UInt32, _ asset: UInt16, _ units: Int128) {
        let i = index(account, asset)
        balances[i].held.units -= units
        precondition(balances[i].held.units >= 0, "a trade is paid from what was held")
    }

    /// Gives what a trade brings, less the fee, and books the fee. `overpaid` is what the order was
    /// charged beyond its exact fee so far, in 10⁻⁸ units: an order pays its exact fee rounded up,
    /// once. Returns what the customer is charged; a rebate is negative, and zero when the house's
    /// fees of the asset do not cover it.
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
        // `rounding` has the unit that an order whose fee is not whole paid too much.
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

    /// What a trade is charged when so much was overpaid, and what is overpaid then.
    @inline(__always)
    private static func charge(
        _ units: Int128, rate: Int32, overpaid: UInt32
    ) -> (charged: Int128, overpaid: UInt32) {
        let scale: Int64 = 100_000_000
        // units × rate ÷ 10⁸ in two parts, so that nothing leaves its type: |rate| ≤ 10⁷.
        let (whole, rest): (Int128, Int64)
        if units < 1 << 63 {
            let parts = UInt64(truncatingIfNeeded: units).quotientAndRemainder(
                dividingBy: UInt64(scale))
            (whole, rest) = (
                Int128(Int64(parts.quotient) &* Int64(rate)), Int64(parts.remainder)
            )
        } else {
            let parts = units.quotientAndRemainder(dividingBy: Int128(scale))
            (whole, rest) = (parts.quotient * Int128(rate), Int64(parts.remainder))
        }
        let due = rest &* Int64(rate) &- Int64(overpaid)
        // Rounded up: towards zero, and one more where something is left above.
        let floor = due / scale
        let up = floor &* scale < due ? floor &+ 1 : floor
        return (whole + Int128(up), UInt32(truncatingIfNeeded: up &* scale &- due))
    }

    /// Brings in from outside, or takes out where negative. The caller has checked both ends.
    mutating func adjust(_ account: UInt32, _ asset: UInt16, _ units: Int128) {
        balances[index(account, asset)].available.units += units
        house[Int(asset)].external.units -= units
    }

    /// Moves from the house's fees to an account, or back where negative. The caller has checked
    /// both ends.
    mutating func transferFees(_ account: UInt32, _ asset: UInt16, _ units: Int128) {
        house[Int(asset)].fees.units -= units
        balances[index(account, asset)].available.units += units
    }

    /// Whether an account has nothing of an asset; such a balance is left out of snapshots.
    func isEmpty(_ account: UInt32, _ asset: UInt16) -> Bool {
        let i = index(account, asset)
        return balances[i].available.units | balances[i].held.units | withdrawing[i] == 0
    }
}

extension HotBalance {
    /// Moves from available to held, or back where negative; false when there is not as much.
    @inline(__always) fileprivate mutating func holdIfAvailable(_ units: Int128) -> Bool {
        let rest = available.units - units
        if rest < 0 { return false }
        available.units = rest
        held.units += units
        return true
    }
}
