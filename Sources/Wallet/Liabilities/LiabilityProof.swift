// What a customer gets: enough to see that the account is part of the published total.

public import JSON
public import Terms

/// Why a proof is none.
public enum LiabilityProofError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It is of another asset, or of another record of the log.
    case otherRoot
    /// The place is not among the accounts.
    case place
    /// It has this many nodes, and the place needs that many.
    case nodes(Int, needed: Int)
    /// The sums are above 2^127 - 1.
    case tooLarge
    /// The account, its place, its units, a node's sum or a node's hash is another one.
    case hash

    /// What is wrong.
    public var description: String {
        switch self {
        case .otherRoot: "the proof is of another asset or time than the root"
        case .place: "the proof's place is behind the last account"
        case .nodes(let count, let needed):
            "the proof has \(count) nodes where its place needs \(needed)"
        case .tooLarge: "the proof's sums are above 2^127 - 1"
        case .hash:
            "the proof does not lead to the root: it has another name, amount, nonce, sum or hash"
        }
    }
}

/// The proof that an account is one of those below a root.
///
/// Of all others it shows how many there are, and about 20 sums: the nearest one is that of one
/// other account, of which neither the name nor the place in any other proof can be known.
public struct LiabilityProof: Hashable, Sendable {
    /// The asset's code.
    public let asset: Text16
    /// The last record of the log that counts.
    public let sequence: UInt64
    /// The account's name.
    public let account: Text40
    /// What it has, in base units: free, held for orders and held for withdrawals.
    public let units: Int128
    /// Its secret: without it nobody can try amounts until the hash fits.
    public let nonce: LiabilityHash
    /// Its place among the leaves, from 0.
    public let place: UInt64
    /// The nodes beside its way up, the lowest first.
    public let siblings: [LiabilityNode]

    /// Maximum nodes of a proof: of 2^64 accounts.
    public static let siblingsMax = 64

    /// A proof.
    public init(
        asset: Text16, sequence: UInt64, account: Text40, units: Int128, nonce: LiabilityHash,
        place: UInt64, siblings: [LiabilityNode]
    ) {
        (self.asset, self.sequence, self.account) = (asset, sequence, account)
        (self.units, self.nonce, self.place) = (units, nonce, place)
        self.siblings = siblings
    }

    /// Throws where the account, with these units, is not part of the root's total.
    /// O(log accounts).
    public func check(_ root: LiabilityRoot) throws(LiabilityProofError) {
        guard asset == root.asset, sequence == root.sequence else { throw .otherRoot }
        guard place < root.accounts else { throw .place }
        let needed = Self.siblingCount(place, root.accounts)
        guard siblings.count == needed else { throw .nodes(siblings.count, needed: needed) }
        var node = LiabilityNode(name: account, nonce: nonce, units: units)
        var (place, count, next) = (place, root.accounts, 0)
        while count > 1 {
            // The last one of an odd number has no sibling, and goes up as it is.
            if Self.hasSibling(place, count) {
                let sibling = siblings[next]
                next += 1
                let above =
                    place % 2 == 1 ? LiabilityNode(sibling, node) : LiabilityNode(node, sibling)
                guard let above else { throw .tooLarge }
                node = above
            }
            place /= 2
            count = count / 2 + count % 2
        }
        guard root.isAbove(node) else { throw .hash }
    }

    /// Whether a place on a level of so many nodes has another beside it.
    static func hasSibling(_ place: UInt64, _ count: UInt64) -> Bool {
        place % 2 == 1 || place + 1 < count
    }

    private static func siblingCount(_ place: UInt64, _ accounts: UInt64) -> Int {
        var (place, count, siblings) = (place, accounts, 0)
        while count > 1 {
            if hasSibling(place, count) { siblings += 1 }
            place /= 2
            count = count / 2 + count % 2
        }
        return siblings
    }

    // MARK: JSON

    /// Appends it in one line, without its end: {"version": 1, "asset", "sequence", "account",
    /// "units", "nonce", "place", "siblings": [{"sum", "hash"}]}; sums are strings of base units.
    public func write(into text: inout [UInt8]) {
        text += #"{"version":1,"asset":"#.utf8
        text += JSONValue.string("\(asset)").compact.utf8
        text += #","sequence":"#.utf8
        text += "\(sequence)".utf8
        text += #","account":"#.utf8
        text += JSONValue.string("\(account)").compact.utf8
        text += #","units":""#.utf8
        text += "\(units)".utf8
        text += #"","nonce":""#.utf8
        nonce.write(into: &text)
        text += #"","place":"#.utf8
        text += "\(place)".utf8
        text += #","siblings":["#.utf8
        for (number, sibling) in siblings.enumerated() {
            text += (number > 0 ? #",{"sum":""# : #"{"sum":""#).utf8
            text += "\(sibling.sum)".utf8
            text += #"","hash":""#.utf8
            sibling.hash.write(into: &text)
            text += #""}"#.utf8
        }
        text += "]}".utf8
    }

    /// Reads it; nil where it is none.
    public init?(_ json: JSONValue) {
        guard json["version"]?.count == 1, let asset = json["asset"]?.text.flatMap({ Text16($0) }),
            let sequence = json["sequence"]?.count,
            let account = json["account"]?.text.flatMap({ Text40($0) }),
            let units = json["units"]?.text.flatMap(Int128.init(units:)),
            let nonce = json["nonce"]?.text.flatMap(LiabilityHash.init(text:)),
            let place = json["place"]?.count,
            let siblings = json["siblings"]?.rows(LiabilityNode.init),
            siblings.count <= Self.siblingsMax
        else { return nil }
        self.init(
            asset: asset, sequence: sequence, account: account, units: units, nonce: nonce,
            place: place, siblings: siblings)
    }
}

extension LiabilityNode {
    fileprivate init?(_ json: JSONValue) {
        guard let sum = json["sum"]?.text.flatMap(Int128.init(units:)),
            let hash = json["hash"]?.text.flatMap(LiabilityHash.init(text:))
        else { return nil }
        self.init(sum: sum, hash: hash)
    }
}

extension LiabilityHash {
    /// Appends its 64 digits: proofs have many, and a text of each would take most of the time.
    fileprivate func write(into text: inout [UInt8]) {
        for word in [w0, w1, w2, w3] {
            for shift in stride(from: 60, through: 0, by: -4) {
                let digit = UInt8(truncatingIfNeeded: word >> UInt64(shift)) & 15
                text.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
            }
        }
    }
}
