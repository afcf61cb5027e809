// Random search for long turns: a recipe of commands is mutated, and kept when its longest turn got
// longer.

internal import Engine
internal import Slabs
internal import Terms
internal import Wire

/// Commands as words, so that any words make a log.
public struct WorstRecipe: Sendable {
    /// One pattern of commands, repeated.
    struct Step {
        /// The action: see `WorstDraw`.
        var kind: UInt16
        /// Its count, as a share of the open orders.
        var times: UInt16
        /// The spread of prices.
        var price: UInt16
        /// Accounts, side, quantity, terms.
        var terms: UInt16
    }

    var steps: [Step]

    /// A recipe from its text; nil if it is invalid.
    public init?(_ text: String) {
        steps = []
        for part in text.split(separator: "-") {
            guard part.utf8.count == 16, let word = UInt64(part, radix: 16) else { return nil }
            steps.append(Self.step(word))
        }
        if steps.isEmpty { return nil }
    }

    /// A random recipe.
    init(_ random: inout SplitMix64) {
        steps = (0..<3 + random.below(6)).map { _ in Self.step(random.next()) }
    }

    private static func step(_ word: UInt64) -> Step {
        Step(
            kind: UInt16(truncatingIfNeeded: word >> 48),
            times: UInt16(truncatingIfNeeded: word >> 32),
            price: UInt16(truncatingIfNeeded: word >> 16), terms: UInt16(truncatingIfNeeded: word))
    }

    /// The recipe as a text.
    public var text: String {
        steps.map { step in
            let word: UInt64 =
                UInt64(step.kind) << 48 | UInt64(step.times) << 32 | UInt64(step.price) << 16
                | UInt64(step.terms)
            return word.hexText
        }.joined(separator: "-")
    }

    /// The recipe with a few mutations.
    func changed(_ random: inout SplitMix64) -> WorstRecipe {
        var recipe = self
        for _ in 0...random.below(3) {
            let place = random.below(recipe.steps.count)
            let word = UInt16(truncatingIfNeeded: random.next())
            switch random.below(7) {
            case 0 where recipe.steps.count < 12:
                recipe.steps.insert(Self.step(random.next()), at: place)
            case 1 where recipe.steps.count > 1: recipe.steps.remove(at: place)
            case 2: recipe.steps[place].kind = word
            case 3: recipe.steps[place].times = word
            case 4: recipe.steps[place].price = word
            case 5: recipe.steps[place].terms ^= 1 << (word & 15)
            default: recipe.steps.swapAt(place, random.below(recipe.steps.count))
            }
        }
        return recipe
    }

    /// Applies it to a new venue and gives its turns.
    public func run(_ scale: WorstScale) -> [WorstTurns] {
        var venue = WorstVenue(scale, accounts: 8, instruments: 3)
        var random = SplitMix64(seed: 1)
        for step in steps { Self.apply(step, &venue, &random) }
        venue.goOn("search")
        return venue.kinds
    }

    private static func apply(_ step: Step, _ v: inout WorstVenue, _ random: inout SplitMix64) {
        let share = 1 << Int(step.times & 15)
        let times = max(1, min(v.scale.orders(), v.scale.orders() * share >> 15))
        for turn in 0..<times {
            let draw = WorstDraw(step, turn, random.next(), v)
            guard let place = draw.order(v) else {
                // Some are so long that a few of them show what they do.
                if draw.change(&v) { return }
                continue
            }
            let outcome = v.measure("place", .place(place), ticks: step.terms & 1024 == 0)
            if outcome.refusal == .none { v.lastOrder = outcome.id }
        }
    }
}

/// One command of a step: what its words and a random one choose.
private struct WorstDraw {
    private static let middle: Int64 = 1 << 30

    let step: WorstRecipe.Step
    let turn: Int
    let account: UInt32
    let side: Side
    let lots: Int64
    let mode: SelfTradePrevention
    let price: Int64
    let instrument: InstrumentID
    let expires: Int64
    /// An earlier order, and its account.
    let id: OrderID
    let owner: AccountID

    init(_ step: WorstRecipe.Step, _ turn: Int, _ word: UInt64, _ v: borrowing WorstVenue) {
        (self.step, self.turn) = (step, turn)
        account = step.terms & 1 == 0 ? 1 : UInt32(word & 7) + 1
        side = step.terms & 2 == 0 ? .sell : .buy
        lots = step.terms & 4 == 0 ? 1 : Int64(1) << Int64(word >> 8 & 15)
        let modes: [SelfTradePrevention] = [.none, .expireMaker, .expireTaker, .decrement]
        mode = modes[Int(step.terms >> 3 & 3)]
        let width = Int64(1) << Int64(step.price & 31)
        let spread = (step.price & 32 == 0 ? Int64(turn) : Int64(word >> 32)) % max(1, width)
        let stride = Int64(1) << Int64(step.price >> 6 & 15)
        let away = min(spread * stride, Self.middle - 1)
        price = side == .buy ? Self.middle - away : Self.middle + away
        instrument = InstrumentID(step.terms & 32 == 0 ? 1 : UInt16(word >> 24 & 1) + 1)
        expires = v.now + (step.terms & 64 == 0 ? 1_000_000 : 1_000_000_000)
        id = OrderID(
            v.lastOrder == 0 ? 0 : step.terms & 128 == 0 ? v.lastOrder : word % v.lastOrder + 1)
        owner = v.engine.order(id)?.account ?? AccountID(account)
    }

    /// The order that it places; nil: it does something else.
    func order(_ v: borrowing WorstVenue) -> Place? {
        // A price that crosses the whole book.
        let crossing = side == .buy ? Self.middle * 2 : 1
        switch step.kind & 15 {
        case 0, 1:
            return v.order(account, side, lots, at: price, mode: mode, instrument: instrument)
        case 2:
            return v.order(
                account, side, lots * 8, at: price, mode: mode, display: lots,
                instrument: instrument)
        case 3:
            return v.order(
                account, side, lots, at: price, .gtd, mode: mode, expires: expires,
                instrument: instrument)
        case 4:
            return v.order(
                account, side, lots, type: .stopLoss, mode: mode, stop: price,
                instrument: instrument)
        case 5:
            return v.order(
                account, side, lots, at: crossing, type: .takeProfitLimit,
                step.terms & 256 == 0 ? .gtc : .fok, mode: mode, stop: price,
                instrument: instrument)
        case 6, 7:
            return v.order(
                account, side, lots * Int64(step.terms >> 8 & 255) + 1, type: .market, mode: mode,
                instrument: instrument)
        case 8:
            return v.order(
                account, side, 0, type: .market, mode: mode,
                amount: Int128(price) << Int128(turn & 15), instrument: instrument)
        case 9:
            return v.order(
                account, side, lots * Int64(step.terms >> 8) + 1, at: crossing, .fok, mode: mode,
                instrument: instrument)
        default: return nil
        }
    }

    /// Measures what places no order; true where the step ends with it.
    func change(_ v: inout WorstVenue) -> Bool {
        let cancel = Cancel(account: owner, instrument: instrument, order: id)
        switch step.kind & 15 {
        case 10: v.measure("cancel", .cancel(cancel))
        case 11:
            v.measure(
                "amend",
                .amend(
                    Amend(
                        account: owner, instrument: instrument, order: id,
                        price: Price(ticks: price))))
        case 12:
            let place = v.order(
                owner.number, side, lots, at: price, mode: mode, instrument: instrument)
            v.measure(
                "cancel-replace",
                .cancelReplace(CancelReplace(stopOnFailure: false, cancel: cancel, place: place)))
        case 13:
            v.measure(
                "mass cancel", .massCancel(MassCancel(account: AccountID(account))),
                ticks: step.terms & 512 == 0)
            return turn > 100
        case 14:
            v.now += 1_000_000_000
            v.goOn("expiry")
            return turn > 10
        default:
            let states: [InstrumentState] = [.trading, .preOpen, .halt, .pause]
            v.measure(
                "state",
                .setInstrumentState(
                    SetInstrumentState(
                        instrument: InstrumentID(0), state: states[turn & 3],
                        audit: WorstVenue.audit)))
            return turn > 16
        }
        return false
    }
}

/// A search: the worst recipe so far, and its successors.
public struct WorstSearch {
    /// The venue of the recipes.
    public let scale: WorstScale
    /// The recipe with the longest turn, and its nanoseconds.
    public private(set) var worst: WorstRecipe?
    /// Nanoseconds of the longest turn found; of two runs the shorter.
    public private(set) var longest: UInt64 = 0
    /// The kind of that turn.
    public private(set) var kind = ""
    /// Recipes tried.
    public private(set) var tried = 0
    private var random: SplitMix64

    /// A search from a seed.
    public init(seed: UInt64, scale: WorstScale) {
        random = SplitMix64(seed: seed)
        self.scale = scale
    }

    /// Tries another recipe; true when it is the worst so far.
    public mutating func step() -> Bool {
        tried += 1
        let isNew = random.below(4) == 0
        let recipe = isNew ? WorstRecipe(&random) : worst?.changed(&random) ?? WorstRecipe(&random)
        guard Self.longest(recipe.run(scale)).nanos > longest else { return false }
        // A neighbour is unlikely to disturb the same turn twice.
        var turns = recipe.run(scale)
        for _ in 0..<2 {
            let again = recipe.run(scale)
            for i in turns.indices { turns[i].keepShorter(again[i]) }
        }
        let found = Self.longest(turns)
        if found.nanos <= longest { return false }
        (worst, longest, kind) = (recipe, found.nanos, found.kind)
        return true
    }

    private static func longest(_ turns: [WorstTurns]) -> (nanos: UInt64, kind: String) {
        turns.map { ($0.longest, $0.name) }.max { $0.0 < $1.0 } ?? (0, "")
    }
}
