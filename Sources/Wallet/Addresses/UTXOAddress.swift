// Addresses of Bitcoin and its kin, and the output scripts that they stand for.

/// Why an address is refused.
public enum AddressError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It is no address of any network here: a typing error, or cut off.
    case malformed
    /// It is one of another network.
    case otherNetwork(String)
    /// A witness version that no wallet can spend yet.
    case unspendable(version: UInt8)
    /// An address of Litecoin's extension blocks (MWEB, LIP2 to LIP4), which other transactions
    /// pay to.
    case extensionBlock
    /// The zero address of an EVM chain or one of its built-in contracts.
    case nobody

    /// The reason, for the one who gave the address.
    public var description: String {
        switch self {
        case .malformed: "it is no address: a letter is wrong, or some are missing"
        case .otherNetwork(let name): "it is an address of \(name)"
        case .unspendable(let version):
            "it is of witness version \(version), which nobody can spend from yet"
        case .extensionBlock:
            "it is an MWEB address of Litecoin, which is not paid to from here: use one that "
                + "begins with ltc1, L or M"
        case .nobody:
            "it is the zero address or one that is built into the chain: nobody could spend what "
                + "is sent there"
        }
    }
}

/// Where an output goes.
public enum UTXODestination: Hashable, Sendable {
    /// Pay to the hash of a public key, 20 bytes.
    case publicKeyHash([UInt8])
    /// Pay to the hash of a script, 20 bytes (BIP16).
    case scriptHash([UInt8])
    /// A witness program (BIP141): version 0 with 20 or 32 bytes, version 1 with 32 (BIP341).
    case witness(version: UInt8, program: [UInt8])

    /// The prefixes of Litecoin's MWEB addresses, which are longer than BIP173 allows.
    private static let extensionPrefixes = ["ltcmweb1", "tmweb1"]

    /// Reads an address of a network.
    public init(_ text: String, on network: UTXONetwork) throws(AddressError) {
        if let found = Self.read(text, network) {
            self = try found.get()
            return
        }
        for other in UTXONetwork.all where Self.read(text, other) != nil {
            throw .otherNetwork(other.name)
        }
        let start = text.prefix(8).lowercased()
        if Self.extensionPrefixes.contains(where: { start.hasPrefix($0) }) {
            throw .extensionBlock
        }
        throw .malformed
    }

    /// What a text is on a network; nil: nothing.
    private static func read(
        _ text: String, _ network: UTXONetwork
    ) -> Result<UTXODestination, AddressError>? {
        if let bech32 = Bech32(text) { return readWitness(bech32, network) }
        guard let payload = Base58Check.bytes(text), payload.count == 21 else { return nil }
        let hash = Array(payload.dropFirst())
        if payload[0] == network.publicKeyHash { return .success(.publicKeyHash(hash)) }
        return network.scriptHashes.contains(payload[0]) ? .success(.scriptHash(hash)) : nil
    }

    private static func readWitness(
        _ bech32: Bech32, _ network: UTXONetwork
    ) -> Result<UTXODestination, AddressError>? {
        guard bech32.prefix == network.segWitPrefix, let version = bech32.values.first,
            version <= 16, bech32.variant == (version == 0 ? .bech32 : .bech32m),
            let program = Bech32.bytes(bech32.values.dropFirst()), 2...40 ~= program.count
        else { return nil }
        if version == 0 {
            return program.count == 20 || program.count == 32
                ? .success(.witness(version: 0, program: program)) : nil
        }
        // Such outputs can be taken by anybody until their rules exist.
        guard version == 1, program.count == 32 else {
            return .failure(.unspendable(version: version))
        }
        return .success(.witness(version: version, program: program))
    }

    /// The address on a network.
    public func address(on network: UTXONetwork) -> String {
        switch self {
        case .publicKeyHash(let hash): Base58Check.text([network.publicKeyHash] + hash)
        case .scriptHash(let hash): Base58Check.text([network.scriptHashes[0]] + hash)
        case .witness(let version, let program):
            Bech32(
                version == 0 ? .bech32 : .bech32m, prefix: network.segWitPrefix,
                values: [version] + Bech32.groups(program)
            ).text
        }
    }

    /// The output's script.
    public var script: [UInt8] {
        switch self {
        // DUP HASH160 <hash> EQUALVERIFY CHECKSIG
        case .publicKeyHash(let hash): [0x76, 0xA9, 20] + hash + [0x88, 0xAC]
        // HASH160 <hash> EQUAL
        case .scriptHash(let hash): [0xA9, 20] + hash + [0x87]
        case .witness(let version, let program):
            [version == 0 ? 0 : 0x50 + version, UInt8(program.count)] + program
        }
    }

    /// Where a script pays; nil where no address stands for it.
    public init?(script: [UInt8]) {
        let count = script.count
        if count == 25, script[..<3] == [0x76, 0xA9, 20], script[23...] == [0x88, 0xAC] {
            self = .publicKeyHash(Array(script[3..<23]))
        } else if count == 23, script[..<2] == [0xA9, 20], script[22] == 0x87 {
            self = .scriptHash(Array(script[2..<22]))
        } else if count == 22 || count == 34, script[0] == 0, Int(script[1]) == count - 2 {
            self = .witness(version: 0, program: Array(script[2...]))
        } else if count == 34, script[..<2] == [0x51, 32] {
            self = .witness(version: 1, program: Array(script[2...]))
        } else {
            return nil
        }
    }
}
