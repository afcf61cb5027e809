// What the wallet says of a chain's cold storage.

public import JSON
internal import Payments
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

        /// `TRANSACTION:OUTPUT AMOUNT STORAGE INDEX`
        var text: String {
            "\(place.transaction.hex):\(place.output) \(amount) \(storage) \(index)"
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

    /// All that the log named and the wallet knows.
    public var storages: [Storage] = []
    /// The coins that can be spent, the largest first.
    public var coins: [Coin] = []
    /// How many of them there are.
    public var count = 0
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
        let spendable = known.freeCold.filter { known.payments[$0.outPoint.transaction] == nil }
            .sorted { ($1.coin.amount, $0.outPoint) < ($0.coin.amount, $1.outPoint) }
        count = spendable.count
        coins = spendable.prefix(Self.coinsMax).map {
            Coin(
                place: $0.outPoint, amount: $0.coin.amount, storage: $0.coin.storage,
                index: $0.coin.index)
        }
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
            "coins": .strings(coins.map(\.text)),
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
