// A generated market's course over time: quiet, busy, in long swings, through a crash.

/// How the messages of a generated market are mixed and how its price moves.
public enum Flow: String, CaseIterable, Sendable {
    /// Mostly replaces, open orders held steady at any number, the price nearly still.
    case steady
    /// A tight book: orders come and go near a price that hardly moves.
    case calm
    /// A book of medium width whose price wanders.
    case normal
    /// The price repeatedly rises and falls by a tenth, through all resting orders on its way.
    case swing
    /// A normal market, then the price loses a third: orders are withdrawn, market orders sweep a
    /// sparse book; then half of a recovery.
    case crash

    /// Default number of open orders.
    public var liveOrders: Int {
        switch self {
        case .steady: 1_000
        case .calm: 5_000
        case .normal, .crash: 10_000
        case .swing: 20_000
        }
    }

    /// One part of a market's life.
    struct Phase {
        /// Shares of the messages in percent. The rest are replaces.
        var new: Int
        var cancel: Int
        var immediate: Int
        var market: Int
        /// A limit order stands less than 2 to this number of ticks from the middle, and to each
        /// lower number, down to `depthMin`, as often.
        var depth: Int
        var depthMin = 2
        /// Number of new orders between two steps of the middle.
        var wanderEvery: Int
        /// Highest quantity of a market order, in lots; of others 100.
        var sweepMax = 100
    }

    private static var usual: Phase {
        Phase(new: 46, cancel: 40, immediate: 3, market: 2, depth: 9, wanderEvery: 16)
    }

    /// The phase after `perMille` of the messages.
    func phase(at perMille: Int) -> Phase {
        switch self {
        case .steady, .calm:
            return Phase(new: 46, cancel: 43, immediate: 1, market: 1, depth: 5, wanderEvery: 256)
        case .normal: return Self.usual
        case .swing:
            var phase = Self.usual
            (phase.depth, phase.market, phase.wanderEvery) = (12, 3, 4)
            return phase
        case .crash:
            if perMille < 400 { return Self.usual }
            if perMille < 600 {
                return Phase(
                    new: 32, cancel: 48, immediate: 4, market: 6, depth: 14, depthMin: 5,
                    wanderEvery: 1, sweepMax: 4_000)
            }
            var phase = Self.usual
            (phase.depth, phase.wanderEvery, phase.sweepMax) = (13, 2, 400)
            return phase
        }
    }

    /// The move of the middle by message `index` of `count`, in 10⁻⁵ of its start.
    func path(at index: Int, of count: Int) -> Int64 {
        let perMillion = Int64(index) * 1_000_000 / Int64(max(count, 1))
        switch self {
        case .steady, .calm, .normal: return 0
        case .swing:
            // Eight times up by 10 %, down by 20 %, back.
            let place = perMillion * 8 % 1_000_000
            let quarter = place % 250_000
            return switch place / 250_000 {
            case 0: quarter / 25
            case 1: 10_000 - quarter / 25
            case 2: -quarter / 25
            default: -10_000 + quarter / 25
            }
        case .crash:
            if perMillion < 400_000 { return 0 }
            if perMillion < 600_000 { return -(perMillion - 400_000) / 6 }
            return -33_333 + (perMillion - 600_000) / 24
        }
    }
}
