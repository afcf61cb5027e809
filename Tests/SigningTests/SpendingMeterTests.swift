// Goal: no more leaves than the limit says, whatever the clock does and however often the signer
// starts again.

import Signing
import Terms
import Testing

@Suite struct SpendingMeterTests {
    private let chain = Text40("litecoin")!
    private let hour: Int64 = 3_600_000_000_000
    /// 1,000 at once, 360 in an hour: one in ten seconds.
    private let capacity: Int64 = 1_000
    private let refill: Int64 = 360

    private func verdict(_ meter: inout SpendingMeter, _ units: Int64) -> SpendingVerdict {
        meter.verdict(chain, units, capacity: capacity, refill: refill)
    }

    private func meter(used: Int64 = 0, host: Int64 = 0) -> SpendingMeter {
        var meter = SpendingMeter(time: 0, used: used == 0 ? [:] : [chain: used])
        meter.advance(to: SpendingMoment(host: host, monotonic: 0))
        return meter
    }

    @Test func `its boundaries are exact`() {
        var meter = meter()
        #expect(verdict(&meter, 1_000) == .fits)
        #expect(verdict(&meter, 1_001) == .never)
        meter.take(chain, 1_000, refill: refill)
        #expect(verdict(&meter, 0) == .fits)
        #expect(verdict(&meter, 1) == .later(nanos: 10_000_000_000))
        meter.advance(to: SpendingMoment(host: 9_999_999_999, monotonic: 9_999_999_999))
        #expect(verdict(&meter, 1) == .later(nanos: 1))
        meter.advance(to: SpendingMoment(host: 10_000_000_000, monotonic: 10_000_000_000))
        #expect(verdict(&meter, 1) == .fits)
        #expect(verdict(&meter, 2) == .later(nanos: 10_000_000_000))
        #expect(meter.used(chain, refill: refill) == 999)
        // Full again, and never more than full.
        meter.advance(to: SpendingMoment(host: 100 * hour, monotonic: 100 * hour))
        #expect(verdict(&meter, 1_000) == .fits)
        #expect(verdict(&meter, 1_001) == .never)
        #expect(meter.used(chain, refill: refill) == 0)
    }

    @Test func `without a refill it is used up once`() {
        var meter = meter()
        meter.take(chain, 999, refill: 0)
        #expect(meter.verdict(chain, 1, capacity: 1_000, refill: 0) == .fits)
        #expect(meter.verdict(chain, 2, capacity: 1_000, refill: 0) == .never)
    }

    @Test func `a clock that is set refills nothing`() {
        var meter = meter(used: 1_000)
        // Forth: what passed is what the other clock says.
        meter.advance(to: SpendingMoment(host: 10 * hour, monotonic: 1_000_000_000))
        #expect(verdict(&meter, 1) == .later(nanos: 9_000_000_000))
        // Back, and on from there.
        meter.advance(to: SpendingMoment(host: 5 * hour, monotonic: 2_000_000_000))
        #expect(verdict(&meter, 1) == .later(nanos: 9_000_000_000))
        meter.advance(to: SpendingMoment(host: 15 * hour, monotonic: 3_000_000_000))
        #expect(verdict(&meter, 1) == .later(nanos: 8_000_000_000))
    }

    @Test func `restarts refill what passed between them, once`() {
        // Each one goes on where the last one was: its time, and what was used, rounded up.
        var (time, used): (Int64, Int64) = (0, 1_000)
        for start in 1...1_000 {
            var meter = SpendingMeter(time: time, used: [chain: used])
            // Every other start the clock is an hour behind.
            let host = Int64(start) * 1_000_000_000 - (start % 2 == 0 ? hour : 0)
            meter.advance(to: SpendingMoment(host: host, monotonic: 77))
            used = meter.used(chain, refill: refill)
            #expect(meter.time >= time)
            time = meter.time
        }
        // Rounded up at each start: less than the 100 that 1,000 seconds refill.
        #expect(used >= 900)
        #expect(time == 999_000_000_000)
    }

    @Test func `any sequence stays within capacity and refill`() {
        for seed in 0..<200 as Range<UInt64> {
            var numbers = SeededNumbers(seed)
            var meter = meter(host: 5)
            var (host, monotonic, taken): (Int64, Int64, Int128) = (5, 0, 0)
            for _ in 0..<200 {
                let passed = Int64.random(in: 0...600_000_000_000, using: &numbers)
                monotonic += passed
                host +=
                    Bool.random(using: &numbers)
                    ? passed
                    : Int64.random(
                        in: -hour...hour, using: &numbers)
                meter.advance(to: SpendingMoment(host: host, monotonic: monotonic))
                let units = Int64.random(in: 0...400, using: &numbers)
                if verdict(&meter, units) == .fits {
                    meter.take(chain, units, refill: refill)
                    taken += Int128(units)
                }
                // All that ever left is at most one full bucket and what was refilled since.
                #expect(
                    taken * Int128(hour) <= Int128(capacity) * Int128(hour)
                        + Int128(refill) * Int128(monotonic), "seed \(seed)")
            }
        }
    }

    @Test func `a limit is in coins of eight decimals`() throws {
        func units(_ capacity: String, _ refill: String) throws -> [Int64]? {
            SpendingLimit(
                chain: chain, capacity: try #require(DecimalText(capacity)),
                refill: try #require(DecimalText(refill))
            ).units.map { [$0.capacity, $0.refill] }
        }
        #expect(try units("50", "0.00000001") == [5_000_000_000, 1])
        #expect(try units("0.000000001", "0") == nil)
        #expect(try units("100000000000", "0") == nil)
    }

    @Test func `extremes do not overflow`() {
        var meter = SpendingMeter(time: .min, used: [chain: .max])
        meter.advance(to: SpendingMoment(host: .max, monotonic: 0))
        meter.advance(to: SpendingMoment(host: .min, monotonic: .max))
        meter.advance(to: SpendingMoment(host: .max, monotonic: .max))
        #expect(meter.verdict(chain, .max, capacity: .max, refill: 1) != .never)
        meter.take(chain, .max, refill: .max)
        meter.take(chain, .max, refill: .max)
        #expect(meter.verdict(chain, .max, capacity: 0, refill: .max) == .never)
        #expect(meter.used(chain, refill: 0) > 0)
    }
}
