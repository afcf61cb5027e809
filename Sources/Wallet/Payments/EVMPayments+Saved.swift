// An EVM chain's payments as bytes, behind the coins of `CoinTable.saved`.

internal import Addresses
internal import EVM
internal import Terms
internal import Wire

extension EVMPayments {
    /// As bytes, least significant first; see `init(from:)`.
    var saved: [UInt8] {
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
        text("\(chain)")
        text(key)
        number(spentBelow)
        number(nonceEnd)
        number(UInt8(hasForgotten ? 1 : 0))
        number(UInt32(spentAbove.count))
        for nonce in spentAbove.sorted() { number(nonce) }
        for list in [settled, transferred] {
            number(UInt32(list.count))
            for one in list { id(one) }
        }
        number(UInt32(held.count))
        for (asset, units) in held.sorted(by: { $0.key.number < $1.key.number }) {
            number(asset.number)
            number(units)
        }
        number(UInt32(swept.count))
        for (account, nonce) in swept.sorted(by: {
            $0.key.bytes.lexicographicallyPrecedes($1.key.bytes)
        }) {
            out += account.bytes
            number(nonce)
        }
        number(UInt32(cold.count))
        for account in cold { out += account.bytes }
        let coldCoins = coldHeld.map { coin, units in
            let token = if case .token(let contract) = coin { contract.bytes } else { [UInt8]() }
            return (token, units)
        }
        number(UInt32(coldCoins.count))
        for (token, units) in coldCoins.sorted(by: { $0.0.lexicographicallyPrecedes($1.0) }) {
            number(UInt8(token.count))
            out += token + units.bytes
        }
        for table in [payments, dropped, sweeps] {
            number(UInt32(table.count))
            for (transaction, payment) in table.sorted(by: { $0.key < $1.key }) {
                id(transaction)
                id(payment.replaces)
                number(payment.asset.number)
                number(payment.sequence)
                number(payment.amount)
                number(UInt8((payment.isAgain ? 1 : 0) | (payment.isVoid ? 2 : 0)))
                number(UInt32(payment.withdrawals.count))
                for withdrawal in payment.withdrawals { number(withdrawal.number) }
                number(UInt32(payment.signed.bytes.count))
                out += payment.signed.bytes
            }
        }
        return out
    }

    /// Reads what `saved` gave; nil where it is something else.
    init?(from r: inout WireReader) {
        guard let name = Text40(r.string(most: 40)) else { return nil }
        self.init(chain: name, key: r.string(most: Limits.chainKeyBytesMax))
        spentBelow = r.integer()
        nonceEnd = r.integer()
        hasForgotten = r.integer(UInt8.self) != 0
        let above = Int(r.integer(UInt32.self))
        guard above <= Self.spentMax, r.remaining >= 8 * above else { return nil }
        for _ in 0..<above { spentAbove.insert(r.integer()) }
        guard let settled = Self.readNames(&r), let transferred = Self.readNames(&r) else {
            return nil
        }
        (self.settled, self.transferred) = (settled, transferred)
        guard readHeld(&r), readSwept(&r), readCold(&r), let payments = Self.readPayments(&r),
            let dropped = Self.readPayments(&r), let sweeps = Self.readPayments(&r)
        else { return nil }
        (self.payments, self.dropped, self.sweeps) = (payments, dropped, sweeps)
    }

    private static func readNames(_ r: inout WireReader) -> [TransactionID]? {
        let count = Int(r.integer(UInt32.self))
        guard count <= settledMax, r.remaining >= 32 * count else { return nil }
        return (0..<count).map { _ in r.transaction() }
    }

    private mutating func readHeld(_ r: inout WireReader) -> Bool {
        let count = Int(r.integer(UInt32.self))
        guard count <= Int(UInt16.max), r.remaining >= 18 * count else { return false }
        for _ in 0..<count { held[AssetID(r.integer())] = r.integer() }
        return true
    }

    private mutating func readSwept(_ r: inout WireReader) -> Bool {
        let count = Int(r.integer(UInt32.self))
        guard count <= Limits.addressesMax, r.remaining >= 28 * count else { return false }
        for _ in 0..<count {
            guard let account = EVMAddress(bytes: r.bytes(count: 20, most: 20)) else {
                return false
            }
            swept[account] = r.integer()
        }
        return true
    }

    private mutating func readCold(_ r: inout WireReader) -> Bool {
        let count = Int(r.integer(UInt32.self))
        guard count <= Self.coldMax, r.remaining >= 20 * count else { return false }
        for _ in 0..<count {
            guard let account = EVMAddress(bytes: r.bytes(count: 20, most: 20)) else {
                return false
            }
            cold.append(account)
        }
        let coinCount = Int(r.integer(UInt32.self))
        guard coinCount <= EVMAssetList.assetsMax, r.remaining >= 33 * coinCount else {
            return false
        }
        for _ in 0..<coinCount {
            let isToken = r.integer(UInt8.self) != 0
            let token = isToken ? EVMAddress(bytes: r.bytes(count: 20, most: 20)) : nil
            guard isToken == (token != nil),
                let units = EVMWord(bytes: r.bytes(count: 32, most: 32))
            else { return false }
            coldHeld[token.map { .token($0) } ?? .native] = units
        }
        return true
    }

    private static func readPayments(
        _ r: inout WireReader
    ) -> [TransactionID: EVMOpenPayment]? {
        let count = r.integer(UInt32.self)
        guard count <= Limits.transactionsMax else { return nil }
        var table: [TransactionID: EVMOpenPayment] = [:]
        for _ in 0..<count {
            let id = r.transaction()
            let replaces = r.transaction()
            let asset = AssetID(r.integer())
            let sequence: UInt64 = r.integer()
            let amount: Int128 = r.integer()
            let marks = r.integer(UInt8.self)
            let paid = Int(r.integer(UInt32.self))
            guard paid <= Limits.payeesMax, r.remaining >= 8 * paid else { return nil }
            let withdrawals = (0..<paid).map { _ in WithdrawalID(r.integer()) }
            let bytes = r.bytes(
                count: Int(r.integer(UInt32.self)), most: Limits.transactionBytesMax)
            guard r.isValid, let signed = try? SignedEVMTransaction(decoding: bytes) else {
                return nil
            }
            table[id] = EVMOpenPayment(
                withdrawals: withdrawals, asset: asset, replaces: replaces, sequence: sequence,
                amount: amount, isAgain: marks & 1 != 0, isVoid: marks & 2 != 0, signed: signed)
        }
        return table
    }
}
