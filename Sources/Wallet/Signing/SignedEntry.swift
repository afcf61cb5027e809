// What the list of signed payments holds.

internal import JSON
public import Journal
public import Payments
public import Terms
public import UTXO

/// A record of the log, and the hash of the log up to it: a log of another hash is another log.
public struct SeenRecord: Hashable, Sendable {
    /// Its sequence; 0: none.
    public var sequence: UInt64
    /// Its CRC.
    public var crc: UInt32
    /// The log's hash, see `CoinTable.hash`; empty: not known, as in lists of older versions.
    public var hash: [UInt8]

    /// A record.
    public init(sequence: UInt64 = 0, crc: UInt32 = 0, hash: [UInt8] = []) {
        (self.sequence, self.crc, self.hash) = (sequence, crc, hash)
    }

    /// The last record that these coins have seen.
    public init(_ coins: CoinTable) {
        self.init(sequence: coins.sequence, crc: coins.crc, hash: coins.hash)
    }

    /// Whether a log in which this record was seen can be the one in which the other was.
    func isSame(as other: SeenRecord) -> Bool {
        sequence == other.sequence && crc == other.crc
            && (hash.isEmpty || other.hash.isEmpty || hash == other.hash)
    }
}

/// What leaves of a token with a payment of an EVM chain, in units of the token's limit.
public struct TokenSpending: Hashable, Sendable {
    /// The limit's name, as `ethereum:USDT`.
    public var limit: Text40
    /// What leaves.
    public var leaving: Int64
    /// What of that counted against the limit.
    public var counted: Int64

    /// So much of a token.
    public init(limit: Text40, leaving: Int64, counted: Int64) {
        (self.limit, self.leaving, self.counted) = (limit, leaving, counted)
    }

    var json: JSONValue {
        [
            "limit": .string("\(limit)"), "leaving": .number(leaving),
            "counted": .number(counted),
        ]
    }

    init?(_ json: JSONValue) {
        guard let limit = json["limit"]?.text.flatMap({ Text40($0) }),
            let leaving = json["leaving"]?.count.flatMap(Int64.init(exactly:)),
            let counted = json["counted"]?.count.flatMap(Int64.init(exactly:))
        else { return nil }
        self.init(limit: limit, leaving: leaving, counted: counted)
    }
}

/// A signed payment, as the signer keeps it.
public struct SignedEntry: Hashable, Sendable {
    /// The chain's name, as `litecoin`: its number in the log may be another one tomorrow.
    public var chain: Text40
    /// The payment.
    public var payment: SignedPayment
    /// What it spends.
    public var inputs: [OutPoint]
    /// What leaves the wallet with it, in base units: payees and the miner's fee.
    public var leaving: Int64
    /// What of that counted against the chain's limit, in base units.
    public var counted: Int64
    /// When it was signed, by the limit's clock: ns since 1970.
    public var time: Int64
    /// The last record of the log that was followed then.
    public var seen: SeenRecord
    /// What leaves of a token; nil: none does. `leaving` and `counted` are then gas.
    public var token: TokenSpending?
    /// Whether another host's signer signed it, and the log has or had it.
    public var isAdopted = false

    /// An entry.
    public init(
        chain: Text40, payment: SignedPayment, inputs: [OutPoint], leaving: Int64, counted: Int64,
        time: Int64, seen: SeenRecord, token: TokenSpending? = nil
    ) {
        (self.chain, self.payment, self.inputs, self.leaving) = (chain, payment, inputs, leaving)
        (self.counted, self.time, self.seen, self.token) = (counted, time, seen, token)
    }

    /// What it spends, as `TRANSACTION:OUTPUT`.
    public var inputNames: [String] {
        inputs.map { "\($0.transaction.hex):\($0.output)" }
    }

    var json: JSONValue {
        var json: JSONValue = [
            "chain": .string("\(chain)"), "payment": payment.json,
            "inputs": .strings(inputNames),
            "leaving": .number(leaving), "counted": .number(counted), "time": .number(time),
            "sequence": .number(seen.sequence), "crc": .number(seen.crc),
            "hash": .string(seen.hash.hexText),
        ]
        if let token, case .object(let members) = json {
            json = .object(members + [.init("token", token.json)])
        }
        if isAdopted, case .object(let members) = json {
            json = .object(members + [.init("adopted", .bool(true))])
        }
        return json
    }

    init?(_ json: JSONValue) {
        guard let chain = json["chain"]?.text.flatMap({ Text40($0) }),
            let payment = json["payment"].flatMap(SignedPayment.init),
            let inputs = json["inputs"]?.rows(Self.outPoint), !inputs.isEmpty,
            let leaving = json["leaving"]?.count.flatMap(Int64.init(exactly:)),
            let counted = json["counted"]?.count.flatMap(Int64.init(exactly:)),
            let time = json["time"]?.whole, let seen = SeenRecord(json)
        else { return nil }
        self.init(
            chain: chain, payment: payment, inputs: inputs, leaving: leaving, counted: counted,
            time: time, seen: seen)
        if let found = json["token"] {
            guard let token = TokenSpending(found) else { return nil }
            self.token = token
        }
        isAdopted = json["adopted"]?.flag ?? false
    }

    private static func outPoint(_ json: JSONValue) -> OutPoint? {
        guard let parts = json.text?.split(separator: ":"), parts.count == 2,
            let transaction = TransactionID(hex: parts[0]), let output = UInt32(parts[1])
        else { return nil }
        return OutPoint(transaction, output)
    }
}

/// What a list begins with: what is left of the entries that were dropped.
public struct SignedBase: Hashable, Sendable {
    /// Which list it is.
    public var identity: JournalIdentity
    /// How often it was written anew.
    public var generation: UInt64 = 0
    /// Bytes of the entries that were written with it.
    public var entryBytes = 0
    /// How many entries these are: `used` has what they counted.
    public var entryCount = 0
    /// The journal that it belongs to; nil: it has followed none yet.
    public var journal: JournalIdentity?
    /// The last record of the log that was followed then.
    public var seen = SeenRecord()
    /// The limits' time, ns since 1970.
    public var time: Int64 = 0
    /// What each chain had used of its limit then, in base units, rounded up.
    public var used: [Text40: Int64] = [:]

    /// The base of a new list.
    public init(identity: JournalIdentity) { self.identity = identity }

    var json: JSONValue {
        [
            "version": .number(1), "identity": .string("\(identity)"),
            "generation": .number(generation), "entryBytes": .number(entryBytes),
            "entryCount": .number(entryCount), "journal": .orNull(journal.map { "\($0)" }),
            "sequence": .number(seen.sequence),
            "crc": .number(seen.crc), "hash": .string(seen.hash.hexText), "time": .number(time),
            "used": .array(
                used.map { ("\($0.key)", $0.value) }.sorted { $0.0 < $1.0 }.map {
                    .array([.string($0.0), .number($0.1)])
                }),
        ]
    }

    init?(_ json: JSONValue) {
        guard json["version"]?.count == 1,
            let identity = json["identity"]?.text.flatMap({ JournalIdentity($0) }),
            let generation = json["generation"]?.count,
            let entryBytes = json["entryBytes"]?.count.flatMap(Int.init(exactly:)),
            let entryCount = json["entryCount"]?.count.flatMap(Int.init(exactly:)),
            let seen = SeenRecord(json), let time = json["time"]?.whole,
            let used = json["used"]?.rows(Self.use)
        else { return nil }
        self.init(identity: identity)
        self.generation = generation
        (self.entryBytes, self.entryCount) = (entryBytes, entryCount)
        (self.seen, self.time) = (seen, time)
        if json["journal"] != .null {
            guard let journal = json["journal"]?.text.flatMap({ JournalIdentity($0) }) else {
                return nil
            }
            self.journal = journal
        }
        for (chain, units) in used { self.used[chain] = units }
    }

    private static func use(_ json: JSONValue) -> (Text40, Int64)? {
        guard let row = json.rows({ $0 }), row.count == 2,
            let chain = row[0].text.flatMap({ Text40($0) }),
            let units = row[1].count.flatMap(Int64.init(exactly:))
        else { return nil }
        return (chain, units)
    }
}

extension SeenRecord {
    init?(_ json: JSONValue) {
        guard let sequence = json["sequence"]?.count,
            let crc = json["crc"]?.count.flatMap(UInt32.init(exactly:)),
            let hash = hexBytes(json["hash"]?.text ?? ""), hash.isEmpty || hash.count == 32
        else { return nil }
        self.init(sequence: sequence, crc: crc, hash: hash)
    }
}
