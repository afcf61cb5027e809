// Which customers' addresses are to be swept.

internal import Addresses
internal import EVM
internal import Nodes
internal import Payments
internal import Platform
internal import Terms

/// What is remembered of a chain's sweeps beside the log; all of it comes again after a restart.
struct EVMSweeping {
    /// Sweeps that are open at once.
    static let openMax = 16
    /// Addresses that one look tries.
    static let triesMax = 8
    /// How long an address rests that was swept or could not be: each try may cost gas.
    static let restNanos: Int64 = 3_600_000_000_000
    /// How long one rests that waits for something else.
    static let waitNanos: Int64 = 5_000_000_000
    /// An asset of which no amount is set is swept from so many times the fee on that its network
    /// takes of withdrawals, and from its minimum on: that fee is what gas costs, about.
    static let feesMin: Int128 = 50
    /// The gas of a token's sweep, with that of a transfer that brings it, costs at most so many
    /// times what the network of native coin takes for a withdrawal.
    static let feesMax: Int128 = 4
    /// Of native coin the fee of a sweep is at most such a part of what is swept.
    static let share: UInt128 = 50

    /// What is tried next, the last one first.
    private(set) var queue: [EVMHolding] = []
    /// Until when a holding rests, monotonic.
    private var rests: [EVMHolding: Int64] = [:]
    /// What could not be swept, and why; at most one of each coin.
    private(set) var problems: [EVMCoin: (holder: EVMAddress, text: String)] = [:]
    /// How many sweeps of a holding in a row did not bring what they were to bring.
    private var failures: [EVMHolding: Int] = [:]
    /// When the next one is planned, monotonic.
    var planTime: Int64 = 0

    /// Takes what there is on customers' addresses; tokens come first, as they need coins for gas.
    /// Of `others`, the account that pays and cold storage, nothing is swept.
    mutating func fill(from holdings: EVMHoldings, but others: [EVMAddress]) {
        let now = Clock.monotonicNanos()
        rests = rests.filter { $0.value > now }
        failures = failures.filter { holdings.known[$0.key] != nil }
        let tokens = holdings.known.keys.filter {
            !others.contains($0.holder) && $0.coin != .native
        }
        let native = holdings.known.keys.filter {
            !others.contains($0.holder) && $0.coin == .native
        }
        queue = native + tokens
        problems = problems.filter { holdings.known[EVMHolding($0.value.holder, $0.key)] != nil }
    }

    /// The next one that does not rest.
    mutating func next() -> EVMHolding? {
        let now = Clock.monotonicNanos()
        while let holding = queue.popLast() {
            if rests[holding] ?? 0 <= now { return holding }
        }
        return nil
    }

    /// A holding is not tried again for a while.
    mutating func rest(_ holding: EVMHolding, for nanos: Int64) {
        rests[holding] = Clock.monotonicNanos() + nanos
    }

    /// A holding cannot be swept; it rests for so long.
    mutating func fail(
        _ holding: EVMHolding, _ text: String, for nanos: Int64 = 20 * waitNanos
    ) {
        problems[holding.coin] = (holding.holder, text)
        rest(holding, for: nanos)
    }

    /// A sweep of a holding is final and did not bring what it was to bring: the holding rests for
    /// twice as long each time, up to five days.
    mutating func failAgain(_ holding: EVMHolding, _ text: String) {
        let count = min((failures[holding] ?? 0) + 1, 7)
        failures[holding] = count
        fail(holding, text, for: Self.restNanos << count)
    }

    /// A sweep of a holding is final and brought what it was to bring.
    mutating func bring(_ holding: EVMHolding) {
        failures[holding] = nil
        succeed(holding)
    }

    /// A holding can be swept.
    mutating func succeed(_ holding: EVMHolding) {
        if problems[holding.coin]?.holder == holding.holder { problems[holding.coin] = nil }
    }
}
