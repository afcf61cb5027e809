// What a descriptor has to be before coins go there, for whoever sets it and whoever endorses it.

import Addresses
import EVM
import Engine
import Keys
import Terms
import UTXO

/// Cold storage of a chain as the log is to have it.
struct ColdStorageCheck {
    /// The descriptor, with its checksum.
    let text: String
    /// How many sign, in words.
    let words: String
    /// Its first addresses: three, or the one that it is.
    let addresses: [String]

    /// How many of the wallet's addresses beyond those in use are looked at.
    private static let ahead: UInt32 = 3_000
    private static let offline = "give the keys of devices that are kept offline"

    /// Reads a descriptor. Refuses what nothing could come back from, and what the wallet's own
    /// keys spend. O(addresses of the chain), for an address.
    init(
        _ descriptor: String, _ kind: ChainKind, _ chain: ChainView, _ engine: borrowing Engine
    ) throws(CommandError) {
        switch kind {
        case .evm:
            guard let address = EVMAddress(descriptor), address.isPayable,
                "\(address)" == descriptor
            else {
                throw CommandError(
                    "cold storage on \(chain.chain) is an address with its checksum",
                    repair: "give it as the device shows it, with upper and lower case (EIP-55)",
                    code: .usage)
            }
            (text, words, addresses) = (descriptor, "one address", [descriptor])
            let count = UInt32(clamping: engine.addressees(chain.network).count)
            let isOwn = try CommandError.wrapping { () throws(KeyError) in
                let book = try ChainAddressBook(chain.key, on: kind)
                if book.hot == descriptor { return true }
                for index in 0..<count where try book.address(index + 1) == descriptor {
                    return true
                }
                return false
            }
            if isOwn { throw Self.own(descriptor) }
        case .utxo(let network):
            let read: ColdDescriptor
            do throws(ColdDescriptorError) {
                read = try ColdDescriptor(descriptor, on: network)
            } catch { throw CommandError("the descriptor is not taken: \(error)", code: .usage) }
            guard read.inputWeight != nil else {
                throw CommandError(
                    "nobody can say what it takes to spend from \(read.text)",
                    repair: "only from addresses of one key that begin with bc1q, bc1p, ltc1q or "
                        + "ltc1p", code: .usage)
            }
            (text, words) = (read.text, read.words)
            guard text.utf8.count <= Limits.coldKeyBytesMax else {
                throw CommandError("the descriptor is too long with its checksum", code: .usage)
            }
            var addresses: [String] = []
            for index in 0..<(read.hasIndices ? 3 : 1) as Range<UInt32> {
                addresses.append(
                    try CommandError.wrapping { () throws(KeyError) in try read.address(index) })
            }
            self.addresses = addresses
            guard let own = ExtendedPublicKey(chain.key, isTest: network.isTest) else {
                throw CommandError("the key of \(chain.chain) is damaged")
            }
            if read.hasKey(of: own) {
                throw CommandError(
                    "a key of it is the wallet's own: whoever has the wallet could spend it",
                    repair: Self.offline)
            }
            if let key = Self.ownKey(of: read, own, chain, engine) {
                throw read.hasIndices
                    ? CommandError(
                        "a key of it is that of the wallet's own address \(key)",
                        repair: Self.offline) : Self.own(addresses[0])
            }
        }
    }

    private static func own(_ address: String) -> CommandError {
        CommandError(
            "\(address) is one of the wallet's own addresses",
            repair: "give one of a device that is kept offline")
    }

    /// The place of a key of the wallet's that spends it, among those in use and some thousands
    /// ahead, as `0/7`; nil: none of these.
    private static func ownKey(
        of read: ColdDescriptor, _ account: ExtendedPublicKey, _ chain: ChainView,
        _ engine: borrowing Engine
    ) -> String? {
        let deposits = UInt32(clamping: engine.addressees(chain.network).count)
        // A payment's change is at the number of its first withdrawal.
        var last: UInt64 = 0
        engine.forEachWithdrawal { last = max(last, $0.id.number) }
        let newest = UInt32(truncatingIfNeeded: min(last, 0x7FFF_0000))
        let ranges: [(UInt32, Range<UInt32>)] = [
            (0, 0..<min(deposits, 0x7FFF_0000) + ahead), (1, 0..<ahead),
            (1, max(ahead, newest - min(newest, ahead))..<max(ahead, newest + ahead)),
        ]
        for (branch, range) in ranges {
            guard let parent = try? account.child(branch) else { continue }
            for index in range {
                guard let key = try? parent.child(index) else { continue }
                if read.hasIndices ? read.hasKey(among: [key.key]) : read.isAddress(of: key) {
                    return "\(branch)/\(index)"
                }
            }
        }
        return nil
    }
}
