// The limits of a random log.

import Terms

/// Small tables in one seed of four, so that these fill up, and turns of few steps in most, so that
/// much goes on by ticks.
func seedLimits(_ seed: UInt64) -> EngineLimits {
    var limits = EngineLimits.small
    if seed % 4 == 1 {
        limits.openOrders = 24
        limits.accounts = 7
        limits.assets = 6
        limits.instruments = 5
        limits.apiKeys = 12
        limits.sessions = 3
        limits.orderLimits = 4
        limits.references = 60
    }
    if seed % 8 != 4 { limits.turnSteps = 3 + UInt32(seed % 10) }
    return limits
}
