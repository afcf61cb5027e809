// The tree over all accounts of an asset.

public import Secrets
public import Terms

/// An account, and what the exchange owes it.
@frozen public struct LiabilityAccount: Hashable, BitwiseCopyable, Sendable {
    /// Its number.
    public let id: AccountID
    /// Its name.
    public let name: Text40
    /// What it has, in base units: free, held for orders and held for withdrawals.
    public let units: Int128

    /// An account.
    public init(id: AccountID, name: Text40, units: Int128) {
        (self.id, self.name, self.units) = (id, name, units)
    }
}

/// Why there is no tree.
public enum LiabilityTreeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// There are no accounts.
    case noAccounts
    /// An account owes the exchange: the total of the others would look smaller by that.
    case negative(AccountID)
    /// The total is above 2^127 - 1.
    case tooLarge

    /// What is wrong.
    public var description: String {
        switch self {
        case .noAccounts: "there are no accounts"
        case .negative(let account): "account \(account.number) has less than nothing"
        case .tooLarge: "the total is above 2^127 - 1"
        }
    }
}

/// A Merkle sum tree over all accounts of an asset (Maxwell and Todd's "summation tree", in the
/// form that commits to the sums of both children).
///
/// Leaves are in the order of their nonces, which are secret and are others for each asset and each
/// record of the log: who has several proofs cannot see which neighbour is the same account. On
/// each level two neighbours have a node above them; the last one of an odd number goes up as it
/// is, so that the tree is that of RFC 9162, section 2.1.1. `LiabilityNode` has the bytes.
///
/// What is known of such trees, and what is done here:
///
/// - A node that hashes only the sum of its children's sums lets the exchange show each customer
///   another split of it: what is proven is then the largest balance, not the total ("Broken Proofs
///   of Solvency in Blockchain Custodial Wallets and Exchanges", Chalkias, Chatzigiannis and Ji,
///   2022). Here a node hashes both sums and both hashes.
/// - A negative leaf, or a sum that wraps around, hides what others have. Here no sum has a sign,
///   and none is above 2^127 - 1, which both who makes and who checks a proof sees to.
/// - One leaf for two customers with equal balances. Here a leaf has the account's name, and the
///   place has one way to the root.
/// - A leaf read as a node, or a node as a leaf. Here each begins with a text of its own.
/// - Trying amounts until a leaf's hash fits. Here a leaf has 32 secret bytes.
///
/// What it cannot show: that the exchange has the coins, that all customers looked (each one that
/// does not can be left out), and that all got the same root: publish it. A proof shows its
/// customer the sums of about 20 nodes beside the way, the nearest one being that of one unnamed
/// account.
public struct LiabilityTree: Sendable {
    /// What is published.
    public let root: LiabilityRoot
    /// The accounts in the order of the leaves.
    private let leaves: [Leaf]
    /// The nodes, from the leaves to the top.
    private let levels: [[LiabilityNode]]

    private struct Leaf: BitwiseCopyable {
        let account: LiabilityAccount
        let nonce: LiabilityHash
    }

    /// The tree over these accounts, each once. `salt`: 32 bytes that nobody else knows.
    /// `progress`: what is done of twice the accounts. O(accounts × log accounts); about 300 bytes
    /// an account.
    public init(
        asset: Text16, scale: UInt8, sequence: UInt64, accounts: [LiabilityAccount],
        salt: SecretBytes, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws(LiabilityTreeError) {
        guard !accounts.isEmpty else { throw .noAccounts }
        let steps = 2 * accounts.count
        var leaves: [Leaf] = []
        leaves.reserveCapacity(accounts.count)
        for account in accounts {
            guard account.units >= 0 else { throw .negative(account.id) }
            let nonce = Self.nonce(salt, asset, sequence, account.id)
            leaves.append(Leaf(account: account, nonce: nonce))
            progress(leaves.count, steps)
        }
        leaves.sort { ($0.nonce, $0.account.id) < ($1.nonce, $1.account.id) }
        var nodes = leaves.map {
            LiabilityNode(name: $0.account.name, nonce: $0.nonce, units: $0.account.units)
        }
        var levels = [nodes]
        var done = accounts.count
        while nodes.count > 1 {
            var above: [LiabilityNode] = []
            above.reserveCapacity(nodes.count / 2 + 1)
            for place in stride(from: 0, to: nodes.count, by: 2) {
                guard place + 1 < nodes.count else {
                    above.append(nodes[place])
                    continue
                }
                guard let node = LiabilityNode(nodes[place], nodes[place + 1]) else {
                    throw .tooLarge
                }
                above.append(node)
                done += 1
                progress(done, steps)
            }
            levels.append(above)
            nodes = above
        }
        self.leaves = leaves
        self.levels = levels
        root = LiabilityRoot(
            asset: asset, scale: scale, sequence: sequence, accounts: UInt64(accounts.count),
            top: nodes[0])
    }

    /// How many accounts there are.
    public var count: Int { leaves.count }

    /// The place of an account; nil where there is none. O(accounts).
    public func place(of account: AccountID) -> Int? {
        leaves.firstIndex { $0.account.id == account }
    }

    /// The proof of the account at a place, from 0. O(log accounts).
    public func proof(at place: Int) -> LiabilityProof {
        let leaf = leaves[place]
        var siblings: [LiabilityNode] = []
        siblings.reserveCapacity(levels.count)
        var index = place
        for level in levels.dropLast() {
            if LiabilityProof.hasSibling(UInt64(index), UInt64(level.count)) {
                siblings.append(level[index ^ 1])
            }
            index /= 2
        }
        return LiabilityProof(
            asset: root.asset, sequence: root.sequence, account: leaf.account.name,
            units: leaf.account.units, nonce: leaf.nonce, place: UInt64(place), siblings: siblings)
    }

    private static func nonce(
        _ salt: SecretBytes, _ asset: Text16, _ sequence: UInt64, _ account: AccountID
    ) -> LiabilityHash {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(48)
        bytes += "bourse.pol.nonce".utf8
        asset.append(to: &bytes)
        sequence.append(to: &bytes)
        account.number.append(to: &bytes)
        return LiabilityHash(digest: HMACSHA256.code(key: salt, bytes))
    }
}
