// How much may leave the wallet: for each chain a bucket that is emptied by payments and refills
// with time. A chain is known by its name, which the signer's own key is bound to: the numbers,
// codes and decimals of assets are the log's, and a forged log could give a bucket for each.
//
// It is derived from the list: what its entries counted, when, and what was used before. Time goes
// on as the host's clock says, and while the signer runs no faster than the clock that nobody sets
// (CLOCK_BOOTTIME): a clock that is set back, or forth while it runs, refills nothing. Over a
// restart the host's clock is believed where it went forth; so a clock that is set forth by an hour
// while the signer is down refills what an hour refills, and never more than the bucket holds.

internal import Addresses
public import EVM
internal import Payments
public import Terms

/// What may leave of a chain, in coins; of an EVM chain's token by a limit of its own, beside which
/// its gas counts against the chain's.
public struct SpendingLimit: Hashable, Sendable {
    /// The chain's name, as `litecoin`, or a token's, as `ethereum:USDT`.
    public var chain: Text40
    /// How much at once.
    public var capacity: DecimalText
    /// How much of that comes back in an hour.
    public var refill: DecimalText
    /// Decimals of its base unit; nil: no payments of such a chain can be signed.
    private let scale: Int?

    /// A limit; `assets` are those of EVM chains.
    public init(
        chain: Text40, capacity: DecimalText, refill: DecimalText,
        assets: EVMAssetList = EVMAssetList()
    ) {
        (self.chain, self.capacity, self.refill) = (chain, capacity, refill)
        scale = Self.scale(chain, assets)
    }

    /// Whether payments of such a chain can be signed.
    public var isOfKnownChain: Bool { scale != nil }

    private static func scale(_ chain: Text40, _ assets: EVMAssetList) -> Int? {
        // Decimals of a coin of any UTXO chain.
        if UTXONetwork.named("\(chain)") != nil { return 8 }
        if EVMNetwork.named("\(chain)") != nil {
            return Int(EVMSpending.scale(EVMAsset.nativeDecimals))
        }
        let token = assets.assets.first { $0.coin != .native && EVMSpending.limitName($0) == chain }
        return token.map { Int(EVMSpending.scale($0.decimals)) }
    }

    /// The limit in base units; nil: it is none in whole units below 2^63.
    public var units: (capacity: Int64, refill: Int64)? {
        guard let scale, case .whole(let capacity) = capacity.steps(of: 1, scale: scale),
            case .whole(let refill) = refill.steps(of: 1, scale: scale),
            let capacity = Int64(exactly: capacity), let refill = Int64(exactly: refill)
        else { return nil }
        return (capacity, refill)
    }
}

/// The clocks of a moment.
public struct SpendingMoment: Hashable, Sendable {
    /// The host's clock: ns since 1970.
    public var host: Int64
    /// The clock that nobody sets: ns since the host's start.
    public var monotonic: Int64

    /// A moment.
    public init(host: Int64, monotonic: Int64) {
        (self.host, self.monotonic) = (host, monotonic)
    }
}

/// Whether an amount may leave now.
public enum SpendingVerdict: Hashable, Sendable {
    /// It may.
    case fits
    /// It may after so many nanoseconds.
    case later(nanos: Int64)
    /// It never may: it is more than the bucket holds, or the bucket does not refill.
    case never
}

/// What each chain has used of its limit. Exact: in base units × nanoseconds of an hour.
public struct SpendingMeter: Sendable {
    static let hourNanos: Int128 = 3_600_000_000_000

    /// The limits' time, ns since 1970; it never goes back.
    public private(set) var time: Int64
    private var last: SpendingMoment?
    /// What was used at a time; where that is nothing, since when.
    private var buckets: [Text40: (used: Int128, time: Int64)] = [:]
    /// When it began: buckets that it does not have are full since then.
    private let start: Int64

    /// A meter that goes on at `time`, with so much used of each chain then.
    public init(time: Int64, used: [Text40: Int64]) {
        (self.time, start) = (time, time)
        for (chain, units) in used {
            buckets[chain] = (Int128(units) * Self.hourNanos, time)
        }
    }

    /// Adds an entry of the past: before the first `advance`.
    mutating func replay(_ chain: Text40, _ units: Int64, at moment: Int64, refill: Int64) {
        time = max(time, moment)
        take(chain, units, at: moment, refill: refill)
    }

    /// Goes on to this moment.
    public mutating func advance(to now: SpendingMoment) {
        if let last {
            let (host, isFar) = now.host.subtractingReportingOverflow(last.host)
            let passed = max(0, min(isFar ? 0 : host, now.monotonic - last.monotonic))
            let (sum, isOver) = time.addingReportingOverflow(passed)
            time = isOver ? .max : sum
        } else {
            time = max(time, now.host)
        }
        last = now
    }

    /// Brings a chain's bucket to the present.
    private mutating func settle(_ chain: Text40, refill: Int64) -> Int128 {
        guard let bucket = buckets[chain] else { return 0 }
        let passed = Int64(clamping: Int128(time) - Int128(bucket.time))
        let refilled = Int128(refill) * Int128(max(0, passed))
        guard refilled < bucket.used else {
            if bucket.used > 0 {
                let nanos = (bucket.used + Int128(refill) - 1) / Int128(refill)
                buckets[chain] = (0, min(time, Int64(clamping: Int128(bucket.time) + nanos)))
            }
            return 0
        }
        buckets[chain] = (bucket.used - refilled, time)
        return bucket.used - refilled
    }

    /// Whether so many base units may leave now.
    public mutating func verdict(
        _ chain: Text40, _ units: Int64, capacity: Int64, refill: Int64
    ) -> SpendingVerdict {
        let used = settle(chain, refill: refill)
        let excess = used + Int128(units - capacity) * Self.hourNanos
        if excess <= 0 { return .fits }
        guard units <= capacity, refill > 0 else { return .never }
        let nanos = (excess + Int128(refill) - 1) / Int128(refill)
        return .later(nanos: Int64(clamping: nanos))
    }

    /// Takes them out, whether they fit or not.
    public mutating func take(_ chain: Text40, _ units: Int64, refill: Int64) {
        let used = settle(chain, refill: refill)
        buckets[chain] = (used + Int128(units) * Self.hourNanos, time)
    }

    /// Takes out what was used at an earlier moment and is known only now: as if it had been taken
    /// then, as far as the bucket was full since.
    mutating func take(_ chain: Text40, _ units: Int64, at moment: Int64, refill: Int64) {
        guard settle(chain, refill: refill) == 0 else {
            return take(chain, units, refill: refill)
        }
        let full = buckets[chain]?.time ?? start
        buckets[chain] = (Int128(units) * Self.hourNanos, min(time, max(moment, full)))
    }

    /// Forgets what is used beyond so many units.
    mutating func clamp(_ chain: Text40, to units: Int128, refill: Int64) {
        let used = settle(chain, refill: refill)
        if used > units * Self.hourNanos { buckets[chain] = (units * Self.hourNanos, time) }
    }

    /// What a chain has used now, in base units, rounded up.
    public mutating func used(_ chain: Text40, refill: Int64) -> Int64 {
        let used = settle(chain, refill: refill)
        return Int64(clamping: (used + Self.hourNanos - 1) / Self.hourNanos)
    }

    /// The chains of which something is used.
    var chains: [Text40] { Array(buckets.keys) }
}
