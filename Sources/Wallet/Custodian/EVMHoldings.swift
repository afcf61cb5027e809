// What the wallet's accounts of an EVM chain have: the account that pays, customers' addresses, and
// every address that the log ever named as cold storage.
//
// Each is read once, and again after each final block whose transactions may have changed it. What
// no transaction tells of, as coins that a contract passes on by an internal call, is found by
// reading some of them again with each block, one after the other.

internal import Addresses
internal import Deposits
internal import EVM
internal import Nodes
internal import Platform
internal import Terms

/// The balances of one chain's accounts at a final block. One owner at a time.
struct EVMHoldings {
    /// Balances that one look asks for.
    static let checksMax = 200
    /// How long one look asks.
    static let nanosMax: Int64 = 300_000_000
    /// Balances that are read again with each block though nothing says that they changed.
    static let againMax = 32
    /// Balances of a token that are asked again with each block, as its contract did not say them.
    static let unreadMax = 4

    /// What there is, above zero, by holding.
    private(set) var known: [EVMHolding: EVMWord] = [:]
    /// The final block after which all that may have changed was read; nil: not yet.
    private(set) var block: (height: UInt64, id: BlockID)?
    /// Holdings that their contract does not say, as last asked; of each token at most
    /// `unreadMax`, so that one that fails hides no other.
    private(set) var unread: Set<EVMHolding> = []
    /// What the node does not answer; nil: it does.
    private(set) var silence: String?
    /// What is to be read for the block that is looked at now.
    private var due: Set<EVMHolding> = []
    private var target: BlockID?
    /// How many holdings of customers' addresses were ever read, in the order of the addresses.
    private(set) var first = 0
    /// Which one is read again next.
    private var again = 0

    /// Takes what final blocks may have changed. Before anything is read nothing has to be.
    mutating func touch(_ touched: [Set<EVMHolding>]) {
        guard target != nil else { return }
        for one in touched { due.formUnion(one) }
    }

    /// Reads on, of the chain's last final block; what may have changed up to it was touched, and
    /// `always` are read with each block. `remark` takes what changed without anything that says
    /// so. Returns whether more is to be read of it.
    mutating func look(
        _ height: UInt64, _ id: BlockID, addresses: [EVMAddress], always: [EVMHolding],
        coins: [EVMCoin], _ node: EVMNode, remark: (String) -> Void
    ) -> Bool {
        let total = addresses.count * coins.count
        func holding(_ place: Int) -> EVMHolding {
            EVMHolding(addresses[place / coins.count], coins[place % coins.count])
        }
        if target != id {
            target = id
            due.formUnion(always)
            due.formUnion(unread)
            if first >= total, total > 0 {
                for _ in 0..<min(Self.againMax, total) {
                    again = (again + 1) % total
                    check(holding(again), id, node, remark)
                }
            }
        } else if block?.id == id, due.isEmpty, first >= total {
            return false
        }
        let deadline = Clock.monotonicNanos() + Self.nanosMax
        var count = 0
        while Clock.monotonicNanos() < deadline, count < Self.checksMax {
            count += 1
            if let next = due.first {
                guard read(next, id, node) else { return false }
                due.remove(next)
            } else if first < total {
                guard read(holding(first), id, node) else { return false }
                first += 1
            } else {
                block = (height, id)
                return false
            }
        }
        return true
    }

    /// Reads one that nothing should have changed.
    private mutating func check(
        _ holding: EVMHolding, _ id: BlockID, _ node: EVMNode, _ remark: (String) -> Void
    ) {
        let before = known[holding] ?? .zero
        guard !due.contains(holding), read(holding, id, node) else { return }
        let after = known[holding] ?? .zero
        guard after != before else { return }
        remark(
            "\(holding.holder) had \(before) and has \(after) at block \(id.hex), though no "
                + "transaction or log that was read says so")
    }

    /// Reads one; false: the node gave no answer.
    private mutating func read(_ holding: EVMHolding, _ id: BlockID, _ node: EVMNode) -> Bool {
        do throws(NodeError) {
            guard let units = try node.balance(holding, after: id) else {
                if unread.count(where: { $0.coin == holding.coin }) < Self.unreadMax {
                    unread.insert(holding)
                }
                return true
            }
            unread.remove(holding)
            known[holding] = units > .zero ? units : nil
            silence = nil
            return true
        } catch {
            silence = "\(error)"
            return false
        }
    }

    /// What there is of a coin in all accounts but some; nil where it is beyond 256 bits.
    func sum(_ coin: EVMCoin, but holders: [EVMAddress]) -> EVMWord? {
        known.reduce(EVMWord?.some(.zero)) { sum, one in
            one.key.coin == coin && !holders.contains(one.key.holder)
                ? sum.flatMap(one.value.adding) : sum
        }
    }

    /// What some accounts have of a coin, each of them once; nil where it is beyond 256 bits.
    func sum(_ coin: EVMCoin, of holders: [EVMAddress]) -> EVMWord? {
        Set(holders).reduce(EVMWord?.some(.zero)) { sum, holder in
            sum.flatMap((known[EVMHolding(holder, coin)] ?? .zero).adding)
        }
    }

    /// How many accounts have some of a coin. O(holdings).
    func count(_ coin: EVMCoin) -> Int { known.keys.count { $0.coin == coin } }
}
