// What can be wrong with a descriptor of cold storage.

public import Addresses

/// Why a text is no descriptor of cold storage. None of the reasons repeats the text, which may be
/// a secret by mistake.
public enum ColdDescriptorError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It has more bytes than the log takes.
    case tooLong(maximum: Int)
    /// A character that no descriptor has.
    case character
    /// A private key is in it.
    case privateKey
    /// The checksum is not that of the text.
    case checksum
    /// It is none of the kinds that are known here.
    case kind
    /// It has no brackets, and is no address either.
    case address(AddressError)
    /// It has no keys, or too many.
    case keyCount(maximum: Int)
    /// How many keys sign is no number, or not from 1 to the count of keys.
    case threshold
    /// The origin in front of a key is malformed.
    case origin(key: Int)
    /// A key is no extended public key: a letter is wrong, or it is of another kind.
    case key(Int)
    /// A key is one of test networks and the chain is not, or the other way round.
    case otherNetwork(key: Int)
    /// A key has the version of one kind of address (SLIP132): as `zpub`.
    case version(key: Int)
    /// The steps behind a key are malformed.
    case path(key: Int)
    /// A step behind a key is hardened, for which its private key would be needed.
    case hardened(key: Int)
    /// A key has two branches in one text (BIP389).
    case branches(key: Int)
    /// A key does not end in `/*`: all coins would go to one address.
    case notRanged(key: Int)
    /// A key is there twice.
    case sameKey(key: Int)

    /// The reason, for an operator.
    public var description: String {
        switch self {
        case .tooLong(let maximum): "it has more than \(maximum) bytes"
        case .character:
            "it has a character that no descriptor has: a space, or a letter beyond ASCII"
        case .privateKey:
            "a private key is in it: cold storage is described by public keys alone, and whoever "
                + "has seen this text can spend what that key can"
        case .checksum: "its checksum is wrong: a letter is wrong, or some are missing"
        case .kind:
            "it is none of wpkh(KEY), wsh(sortedmulti(k,KEY,…)) and an address"
        case .address(let error): "it is no descriptor, and as an address: \(error)"
        case .keyCount(let maximum): "it has to have 1 to \(maximum) keys"
        case .threshold: "how many keys sign has to be a number from 1 to the count of keys"
        case .origin(let key):
            "the origin of key \(key) is malformed: it is as [d34db33f/84h/0h/0h]"
        case .key(let key):
            "key \(key) is no extended public key: a letter is wrong, or some are missing"
        case .otherNetwork(let key):
            "key \(key) is of another network: xpub is of main networks, tpub of test networks"
        case .version(let key):
            "key \(key) has to be given in its plain form, which begins with xpub or tpub"
        case .path(let key): "the steps behind key \(key) are malformed: they are as /0/*"
        case .hardened(let key):
            "a step behind key \(key) is hardened, which takes its private key: give the extended "
                + "public key that is behind that step"
        case .branches(let key): "key \(key) has two branches: give the first alone, as /0/*"
        case .notRanged(let key):
            "key \(key) does not end in /*, which gives each transfer its own address"
        case .sameKey(let key):
            "key \(key) is there twice, or is of the same account as another: each signer has to "
                + "have a key of its own"
        }
    }
}
