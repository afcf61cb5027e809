// Extended keys as texts, BIP32 "Serialization format".

internal import Addresses

extension ExtendedPublicKey {
    /// Reads an `xpub`, or a `tpub` of test networks; nil where it is none.
    public init?(_ text: String, isTest: Bool) {
        guard let bytes = Base58Check.bytes(text), bytes.count == 78,
            Array(bytes[..<4]) == Self.version(isTest: isTest)
        else { return nil }
        let place = KeyPlace(
            depth: bytes[4], parent: Array(bytes[5..<9]),
            index: bytes[9..<13].reduce(0) { $0 << 8 | UInt32($1) })
        let isMaster = place.parent == [0, 0, 0, 0] && place.index == 0
        self.init(key: Array(bytes[45...]), chainCode: Array(bytes[13..<45]), place: place)
        guard place.depth > 0 || isMaster, isPoint else { return nil }
    }

    /// Its text: `xpub`, or `tpub` of test networks.
    public func text(isTest: Bool) -> String {
        Base58Check.text(Self.version(isTest: isTest) + place.bytes + chainCode + key)
    }

    private static func version(isTest: Bool) -> [UInt8] {
        bigEndian(isTest ? 0x0435_87CF : 0x0488_B21E)
    }
}
