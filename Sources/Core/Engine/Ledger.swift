// The double-entry ledger: every amount has one owner at each moment. What enters comes from the
// external account, so per asset all accounts sum to zero.

internal import Slabs
internal import Terms

/// Balances of customers and of the house.
struct Ledger: ~Copyable {
    private var balances: Slab<Balance>
    var house: Slab<HouseBalance>
    private let assets: Int
    private let byAddress = ByAddress()

    init(accounts: Int, assets: Int) {
        self.assets = assets + 1
        balances = Slab(capacity: (accounts + 1) * (assets + 1))
        house = Slab(capacity: assets + 1)
    }

    @inline(__always) private func index(_ account: UInt32, _ asset: UInt16) -> Int {
        Int(account) * assets + Int(asset)
    }

    @inline(__always) func balance(_ account: UInt32, _ asset: UInt16) -> Balance {
        balances[index(account, asset)]
    }

    mutating func set(_ account: UInt32, _ asset: UInt16, _ balance: Balance) {
        balances[index(account, asset)] = balance
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

    /// Gives what a trade brings, less the fee, and books the fee. Returns what the customer is
    /// charged: the exact fee rounded up to a unit, in the house's favour, rebates included.
    @inline(__always)
    mutating func receive(
        _ account: UInt32, _ asset: UInt16, _ units: Int128, rate: Int32
    ) -> Int128 {
        let i = index(account, asset)
        if rate == 0 {
            balances[i].available.units += units
            return 0
        }
        let down = Self.floorFee(units, rate: rate.magnitude)
        let isWhole = down.isWhole
        let exactDown: Int128 = rate > 0 ? down.units : -(down.units + (isWhole ? 0 : 1))
        let charged = exactDown + (isWhole ? 0 : 1)
        // Rebates end where the house has paid all that there can be of an asset: so every sum
        // stays in its type.
        if house[Int(asset)].fees.units + exactDown < -Limits.amountUnitsMax {
            balances[i].available.units += units
            return 0
        }
        balances[i].available.units += units - charged
        house[Int(asset)].fees.units += exactDown
        house[Int(asset)].rounding.units += charged - exactDown
        return charged
    }

    /// ⌊units × rate ÷ 10⁸⌋ for a positive rate, and whether nothing was left over.
    @inline(__always)
    private static func floorFee(_ units: Int128, rate: UInt32) -> (units: Int128, isWhole: Bool) {
        if units < 1 << 63 {
            // The common case, without division in 128 bits: rate ≤ 10⁷, so both products stay
            // below 2^60.
            let (whole, rest) = UInt64(truncatingIfNeeded: units).quotientAndRemainder(
                dividingBy: 100_000_000)
            let product = rest &* UInt64(rate)
            let carry = product / 100_000_000
            return (
                Int128(whole &* UInt64(rate) &+ carry), carry &* 100_000_000 == product
            )
        }
        let (whole, rest) = units.quotientAndRemainder(dividingBy: 100_000_000)
        let product = rest * Int128(rate)
        let (carry, left) = product.quotientAndRemainder(dividingBy: 100_000_000)
        return (whole * Int128(rate) + carry, left == 0)
    }

    /// Brings in from outside, or takes out where negative. The caller has checked both ends.
    mutating func adjust(_ account: UInt32, _ asset: UInt16, _ units: Int128) {
        balances[index(account, asset)].available.units += units
        house[Int(asset)].external.units -= units
    }

    /// Whether an account has nothing of an asset; such a balance is left out of snapshots.
    func isEmpty(_ account: UInt32, _ asset: UInt16) -> Bool {
        let b = balances[index(account, asset)]
        return b.available.units == 0 && b.held.units == 0
    }
}

extension Balance {
    /// Moves from available to held, or back where negative; false when there is not as much.
    @inline(__always) fileprivate mutating func holdIfAvailable(_ units: Int128) -> Bool {
        let rest = available.units - units
        if rest < 0 { return false }
        available.units = rest
        held.units += units
        return true
    }
}
