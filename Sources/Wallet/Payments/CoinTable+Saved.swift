// The coins as bytes, so that whoever starts again need not read the whole log. A cache: without it
// the log gives the same.

internal import Addresses
internal import Terms
internal import UTXO
internal import Wire

extension CoinTable {
    private static var version: UInt32 { 9 }

    /// The table as bytes; see `init(saved:)`. O(coins + bytes of open payments).
    public var saved: [UInt8] {
        var out: [UInt8] = []
        func number(_ value: some FixedWidthInteger) {
            for index in 0..<value.bitWidth / 8 {
                out.append(UInt8(truncatingIfNeeded: value >> (8 * index)))
            }
        }
        func text(_ value: String) {
            number(UInt16(value.utf8.count))
            out += value.utf8
        }
        func id(_ id: TransactionID) {
            number(id.high)
            number(id.low)
        }
        number(Self.version)
        number(sequence)
        number(crc)
        out += hash
        number(epoch)
        number(leader)
        number(UInt8(hasGap ? 1 : 0))
        number(UInt32(chains.count))
        for (network, chain) in chains.sorted(by: { $0.key.number < $1.key.number }) {
            number(network.number)
            text("\(chain.chain)")
            text(chain.key)
            for coins in [chain.coins, chain.dropped] {
                number(UInt32(coins.count))
                for (place, coin) in coins.sorted(by: { $0.key < $1.key }) {
                    id(place.transaction)
                    number(place.output)
                    number(coin.amount)
                    number(coin.place.branch.rawValue)
                    number(coin.place.index)
                }
            }
            number(chain.storagesNamed)
            number(UInt32(chain.storages.count))
            for storage in chain.storages {
                number(storage.number)
                number(storage.next)
                text(storage.text)
            }
            for coins in [chain.cold, chain.droppedCold] {
                number(UInt32(coins.count))
                for (place, coin) in coins.sorted(by: { $0.key < $1.key }) {
                    id(place.transaction)
                    number(place.output)
                    number(coin.amount)
                    number(coin.storage)
                    number(coin.index)
                }
            }
            number(UInt32(chain.droppedSpenders.count))
            for (place, spenders) in chain.droppedSpenders.sorted(by: { $0.key < $1.key }) {
                id(place.transaction)
                number(place.output)
                number(UInt32(spenders.count))
                for spender in spenders.sorted() { id(spender) }
            }
            number(UInt32(chain.payments.count))
            for (transaction, payment) in chain.payments.sorted(by: { $0.key < $1.key }) {
                id(transaction)
                id(payment.replaces)
                number(payment.asset.number)
                number(payment.sequence)
                number(payment.time)
                number(payment.change.map { Int64($0) } ?? -1)
                number(payment.cold.map { Int64($0.output) } ?? -1)
                if let coin = payment.cold?.coin {
                    number(coin.amount)
                    number(coin.storage)
                    number(coin.index)
                }
                number(payment.fee)
                number(UInt32(payment.withdrawals.count))
                for withdrawal in payment.withdrawals { number(withdrawal.number) }
                number(UInt32(payment.inputs.count))
                for input in payment.inputs {
                    id(input.transaction)
                    number(input.output)
                }
                number(UInt32(payment.bytes.count))
                out += payment.bytes
            }
        }
        number(UInt32(overcharged.count))
        for (asset, units) in overcharged.sorted(by: { $0.key.number < $1.key.number }) {
            number(asset.number)
            number(units)
        }
        number(UInt32(accounts.count))
        for (network, account) in accounts.sorted(by: { $0.key.number < $1.key.number }) {
            number(network.number)
            out += account.saved
        }
        return out
    }

    /// Reads what `saved` gave; nil where it is something else. A table that is to keep payments'
    /// bytes has to be read from one that did.
    public init?(saved: [UInt8], keepsBytes: Bool = true) {
        self.init(keepsBytes: keepsBytes)
        let isRead = unsafe saved.withUnsafeBytes { bytes in
            var reader = unsafe WireReader(bytes)
            return read(&reader) && reader.isValid && reader.remaining == 0
        }
        if !isRead { return nil }
    }

    private mutating func read(_ r: inout WireReader) -> Bool {
        guard r.integer(UInt32.self) == Self.version else { return false }
        sequence = r.integer()
        crc = r.integer()
        hash = r.bytes(count: hash.count, most: hash.count)
        epoch = r.integer()
        leader = r.integer()
        hasGap = r.integer(UInt8.self) != 0
        let count = r.integer(UInt32.self)
        guard count <= Limits.networksMax else { return false }
        for _ in 0..<count {
            let number = NetworkID(r.integer())
            guard let name = Text40(r.string(most: 40)),
                let network = UTXONetwork.named("\(name)")
            else { return false }
            var chain = ChainCoins(
                chain: name, key: r.string(most: Limits.chainKeyBytesMax), network: network)
            guard let coins = Self.coins(&r), let dropped = Self.coins(&r)
            else { return false }
            (chain.coins, chain.dropped) = (coins, dropped)
            guard Self.readStorages(&r, &chain), let cold = Self.coldCoins(&r, chain),
                let droppedCold = Self.coldCoins(&r, chain)
            else { return false }
            (chain.cold, chain.droppedCold) = (cold, droppedCold)
            guard Self.readDroppedSpenders(&r, &chain), Self.readPayments(&r, &chain) else {
                return false
            }
            chains[number] = chain
        }
        let overchargedCount = r.integer(UInt32.self)
        guard overchargedCount <= UInt32(UInt16.max) + 1 else { return false }
        for _ in 0..<overchargedCount {
            guard r.isValid else { return false }
            let asset = AssetID(r.integer())
            overcharged[asset] = r.integer(Int128.self)
        }
        let accountCount = r.integer(UInt32.self)
        guard accountCount <= Limits.networksMax else { return false }
        for _ in 0..<accountCount {
            let number = NetworkID(r.integer())
            guard let account = EVMPayments(from: &r) else { return false }
            accounts[number] = account
        }
        return true
    }

    private static func coins(_ r: inout WireReader) -> [OutPoint: WalletCoin]? {
        let count = Int(r.integer(UInt32.self))
        guard count <= coinsMax, r.remaining >= 52 * count else { return nil }
        var coins: [OutPoint: WalletCoin] = [:]
        for _ in 0..<count {
            let place = OutPoint(r.transaction(), r.integer())
            let amount: Int64 = r.integer()
            guard let branch = CoinPlace.Branch(rawValue: r.integer()) else { return nil }
            coins[place] = WalletCoin(
                amount: amount, place: CoinPlace(branch: branch, index: r.integer()))
        }
        return coins
    }

    private static func readStorages(_ r: inout WireReader, _ chain: inout ChainCoins) -> Bool {
        chain.storagesNamed = r.integer()
        let count = Int(r.integer(UInt32.self))
        guard count <= ChainCoins.storagesMax else { return false }
        for _ in 0..<count {
            let number: UInt32 = r.integer()
            let next: UInt32 = r.integer()
            let text = r.string(most: Limits.coldKeyBytesMax)
            guard r.isValid, let read = try? ColdDescriptor(text, on: chain.network) else {
                return false
            }
            var storage = ColdStorage(number: number, text: text, descriptor: read)
            storage.next = next
            chain.storages.append(storage)
        }
        return true
    }

    private static func coldCoins(
        _ r: inout WireReader, _ chain: ChainCoins
    ) -> [OutPoint: ColdCoin]? {
        let count = Int(r.integer(UInt32.self))
        guard count <= coinsMax, r.remaining >= 52 * count else { return nil }
        var coins: [OutPoint: ColdCoin] = [:]
        for _ in 0..<count {
            let place = OutPoint(r.transaction(), r.integer())
            let coin = coldCoin(&r)
            guard chain.storage(coin.storage) != nil else { return nil }
            coins[place] = coin
        }
        return coins
    }

    private static func readDroppedSpenders(
        _ r: inout WireReader, _ chain: inout ChainCoins
    ) -> Bool {
        let count = Int(r.integer(UInt32.self))
        guard r.remaining >= 72 * count else { return false }
        for _ in 0..<count {
            let place = OutPoint(r.transaction(), r.integer())
            let spenders = Int(r.integer(UInt32.self))
            guard r.isValid, r.remaining >= 32 * spenders else { return false }
            chain.droppedSpenders[place] = Set((0..<spenders).map { _ in r.transaction() })
        }
        return true
    }

    private static func coldCoin(_ r: inout WireReader) -> ColdCoin {
        ColdCoin(amount: r.integer(), storage: r.integer(), index: r.integer())
    }

    private static func readPayments(_ r: inout WireReader, _ chain: inout ChainCoins) -> Bool {
        let count = r.integer(UInt32.self)
        guard count <= Limits.transactionsMax else { return false }
        for _ in 0..<count {
            let id = r.transaction()
            let replaces = r.transaction()
            let asset = AssetID(r.integer())
            let sequence: UInt64 = r.integer()
            let time: Int64 = r.integer()
            let change: Int64 = r.integer()
            let cold = UInt32(exactly: r.integer(Int64.self)).map {
                TransferOutputs.ColdOutput(output: $0, coin: coldCoin(&r))
            }
            let fee: Int64 = r.integer()
            let withdrawals = Int(r.integer(UInt32.self))
            guard withdrawals <= Limits.payeesMax else { return false }
            let paid = (0..<withdrawals).map { _ in WithdrawalID(r.integer()) }
            let inputs = Int(r.integer(UInt32.self))
            guard r.isValid, r.remaining >= 36 * inputs else { return false }
            let spent = (0..<inputs).map { _ in OutPoint(r.transaction(), r.integer()) }
            let bytes = r.bytes(
                count: Int(r.integer(UInt32.self)), most: Limits.transactionBytesMax)
            guard r.isValid else { return false }
            chain.payments[id] = OpenPayment(
                withdrawals: paid, asset: asset, replaces: replaces, sequence: sequence,
                time: time, inputs: spent, change: UInt32(exactly: change), cold: cold,
                fee: fee, bytes: bytes)
            chain.link(id, spent)
        }
        return true
    }
}
