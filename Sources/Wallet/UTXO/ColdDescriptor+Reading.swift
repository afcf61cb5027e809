// Descriptors of cold storage as texts, with their checksums (BIP380).

public import Addresses
internal import Keys
internal import Terms

extension ColdDescriptor {
    /// Steps behind a key; more are a mistake, and each is work.
    private static let stepsMax = 10

    /// Reads a descriptor or an address of a network. The checksum may be left out. O(bytes), and
    /// one derivation for each step of a path.
    public init(_ text: String, on network: UTXONetwork) throws(ColdDescriptorError) {
        let maximum = Limits.coldKeyBytesMax
        guard text.utf8.count <= maximum else { throw .tooLong(maximum: maximum) }
        guard text.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else { throw .character }
        // Before anything else, so that no other mistake hides it.
        if Self.hasPrivateKey(text) { throw .privateKey }
        let body = try DescriptorChecksum.checked(text)
        guard body.contains("(") else {
            self.init(address: try Self.address(body, network), on: network)
            return
        }
        if let inner = Self.inside("addr(", body, ")") {
            self.init(address: try Self.address(inner, network), on: network)
        } else if let inner = Self.inside("wsh(sortedmulti(", body, "))") {
            let parts = inner.split(separator: ",", omittingEmptySubsequences: false)
            guard 2...Self.keysMax + 1 ~= parts.count else {
                throw .keyCount(maximum: Self.keysMax)
            }
            let keys = try Self.keys(parts.dropFirst(), network)
            guard let threshold = Self.number(parts[0]), 1...keys.count ~= Int(threshold) else {
                throw .threshold
            }
            self.init(keys: keys, threshold: Int(threshold), on: network)
        } else if let inner = Self.inside("wpkh(", body, ")") {
            let keys = try Self.keys([inner[...]], network)
            self.init(keys: keys, threshold: nil, on: network)
        } else {
            throw .kind
        }
    }

    private static func address(
        _ text: String, _ network: UTXONetwork
    ) throws(ColdDescriptorError) -> UTXODestination {
        do { return try UTXODestination(text, on: network) } catch { throw .address(error) }
    }

    private static func inside(_ start: String, _ text: String, _ end: String) -> String? {
        guard text.hasPrefix(start), text.hasSuffix(end),
            text.utf8.count >= start.utf8.count + end.utf8.count
        else { return nil }
        return String(text.dropFirst(start.count).dropLast(end.count))
    }

    // MARK: Keys

    private static func keys(
        _ texts: ArraySlice<Substring>, _ network: UTXONetwork
    ) throws(ColdDescriptorError) -> [ColdKey] {
        var keys: [ColdKey] = []
        // By their bytes: whoever has one branch of an account has the others as well.
        var seen: Set<[UInt8]> = []
        for (index, text) in texts.enumerated() {
            let key = try key(text, index + 1, network)
            guard seen.isDisjoint(with: key.line) else { throw .sameKey(key: index + 1) }
            seen.formUnion(key.line)
            keys.append(key)
        }
        return keys
    }

    /// One key of a descriptor; `number` is its place there, from 1 on.
    private static func key(
        _ text: Substring, _ number: Int, _ network: UTXONetwork
    ) throws(ColdDescriptorError) -> ColdKey {
        var (rest, origin) = (text, KeyOrigin?.none)
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]"),
                let read = Self.origin(text[..<end].dropFirst())
            else { throw .origin(key: number) }
            (rest, origin) = (text[end...].dropFirst(), read)
        }
        let parts = rest.split(separator: "/", omittingEmptySubsequences: false)
        let account = try extended(parts[0], number, network)
        guard !rest.contains("<") else { throw .branches(key: number) }
        guard parts.count > 1, let last = parts.last else { throw .notRanged(key: number) }
        guard parts.count - 2 <= stepsMax else { throw .path(key: number) }
        var path: [UInt32] = []
        for part in parts.dropFirst().dropLast() {
            guard let step = step(part) else { throw .path(key: number) }
            guard step < 1 << 31 else { throw .hardened(key: number) }
            path.append(step)
        }
        if last != "*" {
            if ["*h", "*H", "*'"].contains(last) { throw .hardened(key: number) }
            throw step(last) == nil ? .path(key: number) : .notRanged(key: number)
        }
        var (parent, line) = (account, [account.key])
        do {
            for step in path {
                parent = try parent.child(step)
                line.append(parent.key)
            }
        } catch {
            throw .path(key: number)
        }
        // Its children would be too deep.
        guard parent.depth < .max else { throw .path(key: number) }
        return ColdKey(
            account: account, path: path, parent: parent, line: line, origin: origin)
    }

    private static func extended(
        _ text: Substring, _ number: Int, _ network: UTXONetwork
    ) throws(ColdDescriptorError) -> ExtendedPublicKey {
        if let key = ExtendedPublicKey(String(text), isTest: network.isTest) { return key }
        if ExtendedPublicKey(String(text), isTest: !network.isTest) != nil {
            throw .otherNetwork(key: number)
        }
        // A key, and neither of the versions of BIP32.
        if let bytes = Base58Check.bytes(String(text)), bytes.count == 78,
            !text.hasPrefix("xpub"), !text.hasPrefix("tpub")
        {
            throw .version(key: number)
        }
        throw .key(number)
    }

    /// What stands between the brackets: `d34db33f/84h/0h/0h`.
    private static func origin(_ text: Substring) -> KeyOrigin? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let fingerprint = bytes(hex: parts[0]), parts.count <= 1 + stepsMax else {
            return nil
        }
        var path: [UInt32] = []
        for part in parts.dropFirst() {
            guard let step = step(part) else { return nil }
            path.append(step)
        }
        return KeyOrigin(fingerprint: fingerprint, path: path)
    }

    /// A step of a path, hardened with `h`, `H` or `'` behind it; nil where it is none.
    private static func step(_ text: Substring) -> UInt32? {
        let isHardened = text.last.map { "hH'".contains($0) } ?? false
        guard let value = number(isHardened ? text.dropLast() : text) else { return nil }
        return isHardened ? value | 1 << 31 : value
    }

    /// Digits alone, below 2^31.
    private static func number(_ text: Substring) -> UInt32? {
        guard 1...10 ~= text.utf8.count, text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }),
            let value = UInt32(text), value < 1 << 31
        else { return nil }
        return value
    }

    /// Whether a private key is anywhere in a text: an extended one, also with wrong letters, or
    /// one in the wallet import format.
    static func hasPrivateKey(_ text: String) -> Bool {
        let words = text.split { !($0.isLetter || $0.isNumber) }
        return words.contains { word in
            if word.utf8.count > 90, word.dropFirst().hasPrefix("prv") { return true }
            guard let bytes = Base58Check.bytes(String(word)) else { return false }
            switch bytes.count {
            case 33: return true
            case 34: return bytes[33] == 1
            case 78: return bytes[45] == 0
            default: return false
            }
        }
    }
}

/// The eight letters behind a descriptor's `#`, which find typing errors.
enum DescriptorChecksum {
    private static let characters = Array(
        ("0123456789()[],'/*abcdefgh@:$%{}" + "IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~"
            + "ijklmnopqrstuvwxyzABCDEFGH`#\"\\ ").utf8)
    private static let letters = Array("qpzry9x8gf2tvdw0s3jn54khce6mua7l".utf8)
    private static let count = 8

    /// The descriptor in front of a checksum, which is checked where there is one.
    static func checked(_ text: String) throws(ColdDescriptorError) -> String {
        guard let place = text.utf8.firstIndex(of: 0x23) else { return text }
        let body = String(text[..<place])
        guard let sum = sum(body), text[place...].dropFirst() == sum else { throw .checksum }
        return body
    }

    /// The checksum of a descriptor; nil where it has a character that none has.
    static func sum(_ body: String) -> String? {
        var (symbols, groups): ([UInt64], [UInt64]) = ([], [])
        for character in body.utf8 {
            guard let value = characters.firstIndex(of: character) else { return nil }
            symbols.append(UInt64(value & 31))
            groups.append(UInt64(value >> 5))
            if groups.count == 3 {
                symbols.append(groups[0] * 9 + groups[1] * 3 + groups[2])
                groups = []
            }
        }
        if groups.count == 1 { symbols.append(groups[0]) }
        if groups.count == 2 { symbols.append(groups[0] * 3 + groups[1]) }
        let rest = remainder(symbols + [UInt64](repeating: 0, count: count)) ^ 1
        let sum = (0..<count).map { letters[Int(rest >> UInt64(5 * (count - 1 - $0)) & 31)] }
        return String(decoding: sum, as: UTF8.self)
    }

    private static func remainder(_ symbols: [UInt64]) -> UInt64 {
        let generator: [UInt64] = [
            0xF5_DEE5_1989, 0xA9_FDCA_3312, 0x1B_AB10_E32D, 0x37_06B1_677A, 0x64_4D62_6FFD,
        ]
        var rest: UInt64 = 1
        for symbol in symbols {
            let top = rest >> 35
            rest = (rest & 0x7_FFFF_FFFF) << 5 ^ symbol
            for bit in 0..<5 where top >> UInt64(bit) & 1 == 1 { rest ^= generator[bit] }
        }
        return rest
    }
}

extension ColdDescriptor {
    /// The descriptor as it is written, with its checksum; an address as it is.
    public var text: String {
        if let fixed { return fixed.address(on: network) }
        let all = keys.map { $0.text(isTest: network.isTest) }.joined(separator: ",")
        let body = isMultisig ? "wsh(sortedmulti(\(threshold),\(all)))" : "wpkh(\(all))"
        return body + (DescriptorChecksum.sum(body).map { "#" + $0 } ?? "")
    }
}

extension ColdDescriptor.ColdKey {
    fileprivate func text(isTest: Bool) -> String {
        let origin = origin.map { origin in
            let steps = origin.path.map { step in
                step < 1 << 31 ? "/\(step)" : "/\(step & 0x7FFF_FFFF)h"
            }
            return "[" + origin.fingerprint.hexText + steps.joined() + "]"
        }
        let steps = path.map { "/\($0)" }.joined()
        return (origin ?? "") + account.text(isTest: isTest) + steps + "/*"
    }
}
