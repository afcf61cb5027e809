// Hierarchical deterministic keys, BIP32: all addresses of a wallet from one seed, and those of
// customers from a public key alone.

internal import CSecp
public import Secrets

/// Why a key cannot be had.
public enum KeyError: Error, Hashable, Sendable {
    /// The text is not an extended public key of this network.
    case invalidText
    /// A seed has 16 to 64 bytes.
    case seedLength(Int)
    /// Of a public key only children below 2^31 can be derived.
    case hardened
    /// There is no key at this index, which happens once in 2^127: use the next one.
    case noSuchChild(UInt32)
    /// A key is at most 255 levels deep.
    case tooDeep
    /// What is signed is a hash of 32 bytes, with 32 random ones beside it.
    case hashLength(Int)
    /// A signature did not verify, so none is given: the machine is faulty, or has no memory left.
    case notSigned
}

/// Where a key stands in its tree.
struct KeyPlace: Hashable {
    var depth: UInt8 = 0
    /// The first four bytes of the hash of the parent's public key.
    var parent: [UInt8] = [0, 0, 0, 0]
    var index: UInt32 = 0

    static let hardened: UInt32 = 1 << 31

    func child(_ index: UInt32, of key: [UInt8]) throws(KeyError) -> KeyPlace {
        guard depth < .max else { throw .tooDeep }
        return KeyPlace(
            depth: depth + 1, parent: Array(Hash160.digest(key).prefix(4)), index: index)
    }

    /// Depth, parent and index as in an extended key's text.
    var bytes: [UInt8] { [depth] + parent + bigEndian(index) }
}

func bigEndian(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * $0)) }
}

/// A public key from which those of its children can be derived.
public struct ExtendedPublicKey: Hashable, Sendable {
    /// The compressed point, 33 bytes.
    public let key: [UInt8]
    let chainCode: [UInt8]
    let place: KeyPlace

    init(key: [UInt8], chainCode: [UInt8], place: KeyPlace) {
        (self.key, self.chainCode, self.place) = (key, chainCode, place)
    }

    /// The first four bytes of the key's hash, which name a tree's master key in PSBTs (BIP174).
    public var fingerprint: [UInt8] { Array(Hash160.digest(key).prefix(4)) }

    /// How many steps it is below its tree's master key.
    public var depth: UInt8 { place.depth }
    /// Its index among its siblings; from 2^31 on it is hardened.
    public var index: UInt32 { place.index }

    /// Whether its bytes are a point of the curve.
    var isPoint: Bool { plus([UInt8](repeating: 0, count: 32)[...]) != nil }

    /// The key with a tweak's point added; nil where there is none.
    private func plus(_ tweak: ArraySlice<UInt8>) -> [UInt8]? {
        var sum = key
        let isPoint = unsafe sum.withUnsafeMutableBufferPointer { sum in
            unsafe tweak.withUnsafeBufferPointer { tweak in
                unsafe bourse_secp_add_to_public(sum.baseAddress!, tweak.baseAddress!) == 1
            }
        }
        return isPoint ? sum : nil
    }

    /// The child of an index below 2^31.
    public func child(_ index: UInt32) throws(KeyError) -> ExtendedPublicKey {
        guard index < KeyPlace.hardened else { throw .hardened }
        let code = HMACSHA512.code(key: SecretBytes(chainCode), key + bigEndian(index))
        guard let sum = plus(code[..<32]) else { throw .noSuchChild(index) }
        return ExtendedPublicKey(
            key: sum, chainCode: Array(code[32...]), place: try place.child(index, of: key))
    }

    /// The descendant along a path of indices below 2^31.
    public func descendant(_ path: UInt32...) throws(KeyError) -> ExtendedPublicKey {
        var key = self
        for index in path { key = try key.child(index) }
        return key
    }

    /// The x of the key that a Taproot output of it alone has, BIP86; 32 bytes.
    public var outputKey: [UInt8] {
        let tweak = TaggedHash.digest("TapTweak", Array(key.dropFirst()))
        var output = [UInt8](repeating: 0, count: 32)
        let isDone = unsafe output.withUnsafeMutableBufferPointer { output in
            unsafe key.withUnsafeBufferPointer { key in
                unsafe tweak.withUnsafeBufferPointer { tweak in
                    unsafe bourse_secp_output_key(
                        key.baseAddress!, tweak.baseAddress!, output.baseAddress!) == 1
                }
            }
        }
        precondition(isDone, "the tweak of a key that is no such hash of itself")
        return output
    }
}

/// A private key from which those of its children can be derived. Its bytes are overwritten with
/// the last reference.
public struct ExtendedPrivateKey: Sendable {
    let key: SecretBytes
    private let chainCode: [UInt8]
    private let place: KeyPlace
    /// What can be known of it without the secret.
    public let publicKey: ExtendedPublicKey

    /// The master key of a seed.
    public init(seed: SecretBytes) throws(KeyError) {
        guard 16...64 ~= seed.count else { throw .seedLength(seed.count) }
        let code = unsafe seed.withBytes {
            unsafe HMACSHA512.code(key: SecretBytes(Array("Bitcoin seed".utf8)), Array($0))
        }
        try self.init(code: code, place: KeyPlace(), index: 0)
    }

    /// Of a key and a chain code, 64 bytes.
    private init(code: [UInt8], place: KeyPlace, index: UInt32) throws(KeyError) {
        var (code, public33) = (code, [UInt8](repeating: 0, count: 33))
        let isKey = unsafe public33.withUnsafeMutableBufferPointer { out in
            unsafe code.withUnsafeBufferPointer { code in
                unsafe bourse_secp_public(code.baseAddress!, out.baseAddress!) == 1
            }
        }
        guard isKey else {
            cleanse(&code)
            throw .noSuchChild(index)
        }
        chainCode = Array(code[32...])
        key = unsafe code.withUnsafeBytes {
            unsafe SecretBytes(UnsafeRawBufferPointer(rebasing: $0[..<32]))
        }
        cleanse(&code)
        self.place = place
        publicKey = ExtendedPublicKey(key: public33, chainCode: chainCode, place: place)
    }

    /// The child of an index; from 2^31 on hardened, of which the public key tells nothing.
    public func child(_ index: UInt32) throws(KeyError) -> ExtendedPrivateKey {
        let place = try place.child(index, of: publicKey.key)
        var input = publicKey.key
        if index >= KeyPlace.hardened {
            unsafe key.withBytes { input = [0] + (unsafe Array($0)) }
        }
        input += bigEndian(index)
        var code = HMACSHA512.code(key: SecretBytes(chainCode), input)
        cleanse(&input)
        // The sum takes the key's place in front of the new chain code.
        var sum: [UInt8] = []
        unsafe key.withBytes { sum = unsafe Array($0) }
        let isKey = unsafe sum.withUnsafeMutableBufferPointer { sum in
            unsafe code.withUnsafeBufferPointer { tweak in
                unsafe bourse_secp_add_to_private(sum.baseAddress!, tweak.baseAddress!) == 1
            }
        }
        defer {
            cleanse(&sum)
            cleanse(&code)
        }
        guard isKey else { throw .noSuchChild(index) }
        return try ExtendedPrivateKey(code: sum + code[32...], place: place, index: index)
    }

    /// The descendant along a path, as `84' 0' 0'`.
    public func descendant(_ path: PathStep...) throws(KeyError) -> ExtendedPrivateKey {
        var key = self
        for step in path { key = try key.child(step.index) }
        return key
    }

    /// The descendant along a path of indices, those from 2^31 on hardened.
    public func descendant(along path: [UInt32]) throws(KeyError) -> ExtendedPrivateKey {
        var key = self
        for index in path { key = try key.child(index) }
        return key
    }
}

/// A step of a path: an index, hardened or not.
public struct PathStep: Hashable, Sendable, ExpressibleByIntegerLiteral {
    let index: UInt32

    /// An index below 2^31, not hardened.
    public init(integerLiteral value: UInt32) { index = value }

    /// The index, where it is not hardened.
    public var openIndex: UInt32? { index < KeyPlace.hardened ? index : nil }

    /// A hardened index, below 2^31 before.
    public static func hardened(_ index: UInt32) -> PathStep {
        PathStep(integerLiteral: index | KeyPlace.hardened)
    }
}
