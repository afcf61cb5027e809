// A block as `getblock` gives it: megabytes of JSON, of which a few numbers count. It is read as it
// stands, without a tree of its values: a block of 5,000 transactions has 300,000 of them.

internal import JSON
internal import Terms

/// What a node says of one block.
struct BlockAnswer {
    private(set) var hash: BlockID?
    private(set) var height: UInt64?
    /// The block before it; none: the answer names none.
    private(set) var parent = BlockID.none
    private(set) var outputs: [ChainOutput] = []
    private(set) var spends: [ChainSpend] = []
    private var hasTransactions = false
    private var seen: Set<Int> = []

    /// Reads the block at the cursor; nil where it is none.
    init?(_ cursor: inout JSONCursor) {
        var found = BlockAnswer()
        let isRead = cursor.object { cursor, name in
            if cursor.isNamed(name, "hash") {
                guard found.isFirst(0), let id = cursor.digest() else { return false }
                found.hash = BlockID(high: id.high, low: id.low)
            } else if cursor.isNamed(name, "height") {
                guard found.isFirst(1), let height = cursor.whole() else { return false }
                found.height = height
            } else if cursor.isNamed(name, "previousblockhash") {
                guard found.isFirst(2), let id = cursor.digest() else { return false }
                found.parent = BlockID(high: id.high, low: id.low)
            } else if cursor.isNamed(name, "tx") {
                guard found.isFirst(3) else { return false }
                found.hasTransactions = true
                return cursor.array { found.transaction(&$0) }
            } else {
                return cursor.skip()
            }
            return true
        }
        guard isRead, found.hasTransactions else { return nil }
        self = found
    }

    private init() {}

    private mutating func isFirst(_ member: Int) -> Bool { seen.insert(member).inserted }

    /// Reads a transaction: what it pays and what it spends. False where it cannot be read.
    private mutating func transaction(_ cursor: inout JSONCursor) -> Bool {
        let (firstOutput, firstSpend) = (outputs.count, spends.count)
        var id: TransactionID?
        var (hasInputs, hasOutputs, isCoinbase) = (false, false, false)
        let isRead = cursor.object { cursor, name in
            if cursor.isNamed(name, "txid") {
                guard id == nil, let found = cursor.digest() else { return false }
                id = TransactionID(high: found.high, low: found.low)
            } else if cursor.isNamed(name, "vin") {
                guard !hasInputs else { return false }
                hasInputs = true
                return cursor.array { input(&$0, &isCoinbase) }
            } else if cursor.isNamed(name, "vout") {
                guard !hasOutputs else { return false }
                hasOutputs = true
                return cursor.array { output(&$0) }
            } else {
                return cursor.skip()
            }
            return true
        }
        guard isRead, hasInputs, hasOutputs, let id else { return false }
        if isCoinbase {
            outputs.removeLast(outputs.count - firstOutput)
            spends.removeLast(spends.count - firstSpend)
            return true
        }
        for place in firstOutput..<outputs.count { outputs[place].transaction = id }
        for place in firstSpend..<spends.count { spends[place].spender = id }
        return true
    }

    /// Reads an input. One of Litecoin's MWEB names no transaction, and spends no output of ours.
    private mutating func input(_ cursor: inout JSONCursor, _ isCoinbase: inout Bool) -> Bool {
        var id: TransactionID?
        var index: UInt32?
        var isOfBlock = false
        let isRead = cursor.object { cursor, name in
            if cursor.isNamed(name, "txid") {
                guard id == nil, let found = cursor.digest() else { return false }
                id = TransactionID(high: found.high, low: found.low)
            } else if cursor.isNamed(name, "vout") {
                guard index == nil, let found = cursor.whole().flatMap(UInt32.init(exactly:)) else {
                    return false
                }
                index = found
            } else {
                if cursor.isNamed(name, "coinbase") { isOfBlock = true }
                return cursor.skip()
            }
            return true
        }
        guard isRead else { return false }
        isCoinbase = isCoinbase || isOfBlock
        guard !isOfBlock, let id else { return true }
        guard let index else { return false }
        spends.append(ChainSpend(spender: .none, transaction: id, index: index))
        return true
    }

    /// Reads an output. One of Litecoin's MWEB has no script, and nothing that a customer's address
    /// stands for.
    private mutating func output(_ cursor: inout JSONCursor) -> Bool {
        var index: UInt32?
        var units: Int64?
        var script: [UInt8]?
        var isHidden = false
        let isRead = cursor.object { cursor, name in
            if cursor.isNamed(name, "n") {
                guard index == nil, let found = cursor.whole().flatMap(UInt32.init(exactly:)) else {
                    return false
                }
                index = found
            } else if cursor.isNamed(name, "value") {
                guard units == nil, let text = cursor.numeral(), let found = Self.units(text) else {
                    return false
                }
                units = found
            } else if cursor.isNamed(name, "scriptPubKey") {
                guard script == nil else { return false }
                return cursor.object { cursor, name in
                    guard cursor.isNamed(name, "hex") else { return cursor.skip() }
                    guard script == nil, let found = cursor.hexText() else { return false }
                    script = found
                    return true
                }
            } else if cursor.isNamed(name, "ismweb") {
                guard let found = cursor.flag() else { return false }
                isHidden = isHidden || found
            } else {
                return cursor.skip()
            }
            return true
        }
        guard isRead else { return false }
        if isHidden { return true }
        guard let index, let units, let script else { return false }
        outputs.append(
            ChainOutput(transaction: .none, index: index, script: script, units: units))
        return true
    }

    /// An amount of coins with up to eight decimals, in the smallest units; nil for anything else.
    static func units(_ text: ArraySlice<UInt8>) -> Int64? {
        // As nodes write it: digits, a point, eight digits.
        let pointed = text.count - 9
        guard 1...10 ~= pointed, text[text.startIndex + pointed] == UInt8(ascii: ".") else {
            return UTXONode.units(String(decoding: text, as: UTF8.self))
        }
        var units: Int64 = 0
        for place in text.indices where place != text.startIndex + pointed {
            guard 0x30...0x39 ~= text[place] else {
                return UTXONode.units(String(decoding: text, as: UTF8.self))
            }
            units = units * 10 + Int64(text[place] - 0x30)
        }
        return units
    }
}
