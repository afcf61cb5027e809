// Where cold storage keeps coins: an output descriptor of one key or of several, or an address.

public import Addresses
public import Keys
internal import Secrets

/// A descriptor of cold storage, which has public keys only (BIP380 to BIP383):
///
///     wpkh(KEY)                        one key signs
///     wsh(sortedmulti(k,KEY,KEY,…))    k of up to five keys sign
///     an address                       whoever can spend it
///
/// where a KEY is `[fingerprint/84h/0h/0h]xpub…/0/*`. Two of them are equal that have the same keys
/// with the same origins, however they are written.
public struct ColdDescriptor: Hashable, Sendable {
    /// A key of it, of which each index has a child.
    public struct ColdKey: Hashable, Sendable {
        /// The extended key, as the descriptor has it.
        let account: ExtendedPublicKey
        /// The steps from there to the keys' parent.
        let path: [UInt32]
        /// Their parent.
        let parent: ExtendedPublicKey
        /// The bytes of the keys from the account's to the parent.
        let line: [[UInt8]]
        /// Where the account's key comes from; nil: the descriptor does not say.
        let origin: KeyOrigin?

        /// The key of an index.
        public func key(_ index: UInt32) throws(KeyError) -> [UInt8] {
            try parent.child(index).key
        }

        /// Where the key of an index comes from, as PSBTs say it. A key without an origin is its
        /// own master, as with Bitcoin Core.
        public func origin(_ index: UInt32) -> KeyOrigin? {
            KeyOrigin(
                fingerprint: origin?.fingerprint ?? account.fingerprint,
                path: (origin?.path ?? []) + path + [index])
        }
    }

    /// More keys than these no descriptor has.
    public static let keysMax = 5

    /// The chain.
    public let network: UTXONetwork
    /// The keys, in the descriptor's order; none of an address.
    public let keys: [ColdKey]
    /// How many of them sign.
    public let threshold: Int
    /// Whether there is a script of several keys, be it of one of one.
    let isMultisig: Bool
    /// The address; nil where there are keys.
    let fixed: UTXODestination?

    init(address: UTXODestination, on network: UTXONetwork) {
        (self.network, keys, threshold) = (network, [], 0)
        (isMultisig, fixed) = (false, address)
    }

    init(keys: [ColdKey], threshold: Int?, on network: UTXONetwork) {
        (self.network, self.keys, self.threshold) = (network, keys, threshold ?? 1)
        (isMultisig, fixed) = (threshold != nil, nil)
    }

    /// Whether each index has an address of its own; an address is the same for all.
    public var hasIndices: Bool { fixed == nil }

    /// Where an index pays, from 0 to 2^31 - 1.
    public func destination(_ index: UInt32) throws(KeyError) -> UTXODestination {
        if let fixed { return fixed }
        if let script = try witnessScript(index) {
            return .witness(version: 0, program: SHA256.digest(script))
        }
        return .witness(version: 0, program: Hash160.digest(try keys[0].key(index)))
    }

    /// The script of an index's output.
    public func script(_ index: UInt32) throws(KeyError) -> [UInt8] {
        try destination(index).script
    }

    /// The address of an index.
    public func address(_ index: UInt32) throws(KeyError) -> String {
        try destination(index).address(on: network)
    }

    /// The script behind the hash of a multisig's output: `k <key> … n CHECKMULTISIG`, the keys in
    /// the order of their bytes (BIP383, `sortedmulti`). Nil of all others.
    public func witnessScript(_ index: UInt32) throws(KeyError) -> [UInt8]? {
        guard isMultisig else { return nil }
        var keys: [[UInt8]] = []
        for key in self.keys { keys.append(try key.key(index)) }
        return MultisigScript(threshold: threshold, keys: keys).bytes
    }

    /// How it is signed, in words.
    public var words: String {
        switch (hasIndices, isMultisig) {
        case (false, _): "one address"
        case (true, false): "one key"
        case (true, true): "\(threshold) of \(keys.count) keys"
        }
    }

    /// Whether one of its keys is this one, or leads there, or is its child 0 or 1, by which the
    /// wallet has all of its own. Bytes are compared: depth and fingerprint can be written
    /// otherwise.
    public func hasKey(of account: ExtendedPublicKey) -> Bool {
        let children = ([0, 1] as [UInt32]).compactMap { try? account.child($0).key }
        return hasKey(among: Set([account.key] + children))
    }

    /// Whether one of its keys, or of those that lead to them, is one of these, of 33 bytes each.
    public func hasKey(among own: Set<[UInt8]>) -> Bool {
        keys.contains { !own.isDisjoint(with: $0.line) }
    }

    /// Whether it is an address that this key alone spends, in any of its forms.
    public func isAddress(of key: ExtendedPublicKey) -> Bool {
        let hash = Hash160.digest(key.key)
        return switch fixed {
        case .publicKeyHash(let own): own == hash
        case .scriptHash(let own): own == Hash160.digest([0, 20] + hash)
        case .witness(version: 0, let program): program == hash
        case .witness(version: 1, let program):
            program == Array(key.key.dropFirst()) || program == key.outputKey
        case .witness, .none: false
        }
    }

    /// The weight of an input that spends an output of it, with its witness, as `SpendKind` counts;
    /// nil of an address, unless one key spends it.
    public var inputWeight: Int? {
        if let fixed { return SpendKind(script: fixed.script)?.inputWeight }
        if !isMultisig { return SpendKind.publicKeyHash.inputWeight }
        return MultisigScript.inputWeight(threshold: threshold, keyCount: keys.count)
    }
}

/// A witness script of which `threshold` of some keys sign.
struct MultisigScript: Hashable {
    let threshold: Int
    /// Ascending, 33 bytes each.
    let keys: [[UInt8]]

    private static let checkMultisig: UInt8 = 0xAE

    /// The keys in any order; `threshold` is 1 to their count, which is at most 16.
    init(threshold: Int, keys: [[UInt8]]) {
        precondition(1...16 ~= keys.count && 1...keys.count ~= threshold, "small numbers only")
        (self.threshold, self.keys) = (threshold, keys.sorted { $0.lexicographicallyPrecedes($1) })
    }

    /// Reads one; nil where a script is anything else.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 3 + 34, (bytes.count - 3) % 34 == 0, let first = bytes.first else {
            return nil
        }
        let count = (bytes.count - 3) / 34
        guard count <= 16, 0x51...0x50 + UInt8(count) ~= first else { return nil }
        let keys = (0..<count).map { Array(bytes[(2 + 34 * $0)..<(35 + 34 * $0)]) }
        self.init(threshold: Int(first - 0x50), keys: keys)
        guard self.bytes == bytes else { return nil }
    }

    var bytes: [UInt8] {
        var bytes = [0x50 + UInt8(threshold)]
        for key in keys { bytes += [33] + key }
        return bytes + [0x50 + UInt8(keys.count), Self.checkMultisig]
    }

    /// The weight of an input: 41 bytes four times; then the count, an empty item, the signatures
    /// with their counts, and the script with its.
    static func inputWeight(threshold: Int, keyCount: Int) -> Int {
        let script = 3 + 34 * keyCount
        return 4 * 41 + compactSizeBytes(threshold + 2) + 1 + threshold * (1 + 72)
            + compactSizeBytes(script) + script
    }
}
