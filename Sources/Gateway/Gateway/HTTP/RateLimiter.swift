// Limits per address and per account. Time is an argument, in milliseconds.

import SpotAPI
import Terms

/// Counts request weight by address and new orders by account, in windows of the clock.
final class RateLimiter {
    var limits: RateLimits
    /// Maximum number of addresses and accounts with a count of their own; others share one.
    let entriesMax: Int
    private var minute: Int64 = -1
    private var weights: [String: Int] = [:]
    private var banned: [String: Int64] = [:]
    private var tenSeconds: Int64 = -1
    private var ordersInTen: [AccountID: Int] = [:]
    private var day: Int64 = -1
    private var ordersInDay: [AccountID: Int] = [:]

    /// Multiple of the limit at which an address is banned for `banMilliseconds`.
    private static var banFactor: Int { 2 }
    private static var banMilliseconds: Int64 { 120_000 }

    init(limits: RateLimits, entriesMax: Int = 100_000) {
        (self.limits, self.entriesMax) = (limits, entriesMax)
    }

    /// Adds weight. Throws -1003 with 429 above the limit, and with 418 for an address that
    /// continues.
    func charge(_ weight: Int, address: String, now: Int64) throws(APIError) {
        roll(now)
        if let until = banned[address] {
            guard until <= now else { throw Self.ban(until: until, now: now) }
            banned[address] = nil
        }
        let key = weights[address] == nil && weights.count >= entriesMax ? "" : address
        let used = weights[key, default: 0] + weight
        weights[key] = used
        guard used > limits.weightPerMinute else { return }
        if used > limits.weightPerMinute * Self.banFactor, banned.count < entriesMax {
            banned[address] = now + Self.banMilliseconds
            throw Self.ban(until: now + Self.banMilliseconds, now: now)
        }
        throw .tooManyRequests(
            limit: limits.weightPerMinute,
            retryAfterSeconds: Int((60_000 - now % 60_000 + 999) / 1_000))
    }

    /// Throws -1003 with 418 while an address is banned.
    func checkBan(_ address: String, now: Int64) throws(APIError) {
        if let until = banned[address], until > now { throw Self.ban(until: until, now: now) }
    }

    /// Counts a new order. Throws -1015.
    func countOrder(_ account: AccountID, now: Int64) throws(APIError) {
        try checkOrder(account, now: now)
        ordersInTen[account, default: 0] += 1
        ordersInDay[account, default: 0] += 1
    }

    /// Whether a new order would be within the limits. Throws -1015 where it would not.
    func checkOrder(_ account: AccountID, now: Int64) throws(APIError) {
        roll(now)
        let ten = ordersInTen[account, default: 0]
        guard ten < limits.ordersPer10Seconds else {
            throw .tooManyOrders(
                limit: limits.ordersPer10Seconds, interval: "10 SECOND",
                retryAfterSeconds: Int((10_000 - now % 10_000 + 999) / 1_000))
        }
        let inDay = ordersInDay[account, default: 0]
        guard inDay < limits.ordersPerDay else {
            throw .tooManyOrders(
                limit: limits.ordersPerDay, interval: "1 DAY",
                retryAfterSeconds: Int((86_400_000 - now % 86_400_000 + 999) / 1_000))
        }
    }

    /// Weight that an address has used in this minute.
    func weight(_ address: String) -> Int { weights[address] ?? weights[""] ?? 0 }

    /// New orders of an account in these 10 seconds and this day.
    func orders(_ account: AccountID) -> (ten: Int, day: Int) {
        (ordersInTen[account] ?? 0, ordersInDay[account] ?? 0)
    }

    private func roll(_ now: Int64) {
        if now / 60_000 != minute {
            minute = now / 60_000
            weights.removeAll(keepingCapacity: weights.count < 1_024)
            banned = banned.filter { $0.value > now }
        }
        if now / 10_000 != tenSeconds {
            tenSeconds = now / 10_000
            ordersInTen.removeAll(keepingCapacity: true)
        }
        if now / 86_400_000 != day {
            day = now / 86_400_000
            ordersInDay.removeAll(keepingCapacity: true)
        }
    }

    private static func ban(until: Int64, now: Int64) -> APIError {
        APIError(
            -1003,
            "Way too much request weight used; IP banned until \(until). Please use WebSocket "
                + "Streams for live updates to avoid bans.",
            status: 418, retryAfterSeconds: Int((until - now + 999) / 1_000))
    }
}
