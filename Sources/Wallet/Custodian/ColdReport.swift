// What the wallet says of a chain's cold storage.

public import JSON
public import Payments
internal import Platform
public import Terms
public import UTXO

/// Cold storage of a chain, as the log says, and what became of the last transaction that an
/// operator brought from there.
public struct ColdReport: Hashable, Sendable {
    /// A cold storage that the log named.
    public struct Storage: Hashable, Sendable {
        /// What coins know it by.
        public var number: UInt32
        /// Its descriptor, as the log has it.
        public var descriptor: String
        /// The index of its next address.
        public var next: UInt32
        /// What is there, in base units: as `ChainCoins.coldTotal`.
        public var amount: Int128
    }

    /// A coin there that can be spent: what brought it there is final.
    public struct Coin: Hashable, Sendable {
        /// Its place on the chain.
        public var place: OutPoint
        /// In base units.
        public var amount: Int64
        /// The number of its storage.
        public var storage: UInt32
        /// The index of its address.
        public var index: UInt32

        /// The open transfer that spends it; nil: none does.
        public var taker: ColdSpend.Taker?

        /// `TRANSACTION:OUTPUT AMOUNT STORAGE INDEX`, and of one that is taken the transfer, its
        /// fee, and 1 where another one may take its place.
        var text: String {
            let words = "\(place.transaction.hex):\(place.output) \(amount) \(storage) \(index)"
            guard let taker else { return words }
            return words + " \(taker.id.hex) \(taker.fee) \(taker.isReplaceable ? 1 : 0)"
        }
    }

    /// What became of a transaction.
    public struct Answer: Hashable, Sendable {
        /// Its name; zero where it is none.
        public var transaction: TransactionID
        /// Whether it is in the log.
        public var isTaken: Bool
        /// Why not, or what is next.
        public var text: String
        /// When it was given, nanoseconds since 1970.
        public var time = Clock.realtimeNanos()
    }

    /// More coins than these are not listed; the largest are. Each is one value of the report,
    /// which has `JSONValue.valuesMax` for all chains.
    static let coinsMax = 300
    /// Coins that are listed of all chains.
    public static let allMax = 3_000
    /// As many of those that are taken: what one transaction spends.
    static let takenMax = 150

    /// All that the log named and the wallet knows.
    public var storages: [Storage] = []
    /// The coins that can be spent, the largest first.
    public var coins: [Coin] = []
    /// How many of them there are.
    public var count = 0
    /// Coins that open transfers spend, the largest first.
    public var taken: [Coin] = []
    /// What the wallet's own keys have on the chain, in base units.
    public var hot: Int128 = 0
    /// What miners ask for, in base units for 1,000 virtual bytes, as the node last said; nil: it
    /// did not.
    public var feePerKilobyte: Int64?
    /// The last transaction's; nil: there was none since the start.
    public var answer: Answer?

    init() {}

    /// Of what the log says now.
    mutating func take(_ known: ChainCoins) {
        var amounts: [UInt32: Int128] = [:]
        for (place, coin) in known.cold where known.payments[place.transaction] == nil {
            amounts[coin.storage, default: 0] += Int128(coin.amount)
        }
        storages = known.storages.map {
            Storage(
                number: $0.number, descriptor: $0.text, next: $0.next,
                amount: amounts[$0.number] ?? 0)
        }
        hot = known.total
        let there = known.cold.filter { known.payments[$0.key.transaction] == nil }
            .map { (outPoint: $0.key, coin: $0.value) }
            .sorted { ($1.coin.amount, $0.outPoint) < ($0.coin.amount, $1.outPoint) }
        let all = there.map {
            Coin(
                place: $0.outPoint, amount: $0.coin.amount, storage: $0.coin.storage,
                index: $0.coin.index, taker: known.taker(of: $0.outPoint) { _ in false })
        }
        let free = all.filter { $0.taker == nil }
        count = free.count
        coins = Array(free.prefix(Self.coinsMax))
        taken = Array(all.filter { $0.taker != nil }.prefix(Self.takenMax))
    }

    /// Lists no more coins than are left for all chains, and says how many are left then.
    public mutating func bound(_ left: inout Int) {
        taken = Array(taken.prefix(left))
        left -= taken.count
        coins = Array(coins.prefix(left))
        left -= coins.count
    }

    /// As JSON. Amounts are strings of base units.
    public var json: JSONValue {
        [
            "storages": .array(
                storages.map {
                    [
                        "number": .number($0.number), "descriptor": .string($0.descriptor),
                        "next": .number($0.next), "amount": .string("\($0.amount)"),
                    ]
                }),
            "coins": .strings(coins.map(\.text)), "taken": .strings(taken.map(\.text)),
            "coinCount": .number(count), "hot": .string("\(hot)"),
            "feePerKilobyte": .orNull(feePerKilobyte),
            "answer": answer.map {
                [
                    "transaction": .string($0.transaction.hex), "isTaken": .bool($0.isTaken),
                    "text": .string($0.text), "time": .number($0.time),
                ]
            } ?? .null,
        ]
    }
}
