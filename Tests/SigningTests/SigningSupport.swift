// What the signer's tests share: a directory, a list in it, and entries of numbers.

import Glibc
import Payments
import Platform
import Signing
import Terms
import UTXO

/// A signer's directory, and the configuration's beside it; both go away with their owner.
final class SignerDirectory {
    let path: String
    var place: SignerPlace {
        SignerPlace(directory: path + "/state", configuration: path + "/bourse.toml")
    }

    init() throws {
        var template = Array("/var/tmp/bourse-signer-XXXXXX".utf8CString)
        let made = unsafe mkdtemp(&template)
        guard unsafe made != nil else { throw SystemError.last("make a directory in", "/var/tmp") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.remove(path) }

    /// All files of the signer's.
    func contents() throws -> [String: [UInt8]] {
        var all: [String: [UInt8]] = [:]
        for name in try Directory.names(in: place.directory) {
            let file = try File(Directory.join(place.directory, name), .read)
            all[name] = try file.read(count: try file.size())
        }
        return all
    }

    /// Puts these files in the place of those there are.
    func put(_ files: [String: [UInt8]]) throws {
        for name in try Directory.names(in: place.directory) {
            _ = unsafe unlink(Directory.join(place.directory, name))
        }
        for (name, bytes) in files {
            let file = try File(Directory.join(place.directory, name), .replace)
            try file.write(bytes)
        }
    }

    private static func remove(_ path: String) {
        for name in (try? Directory.names(in: path)) ?? [] {
            let entry = Directory.join(path, name)
            if Directory.isDirectory(entry) { remove(entry) } else { _ = unsafe unlink(entry) }
        }
        unsafe rmdir(path)
    }
}

extension TransactionID {
    /// A transaction of a number.
    static func numbered(_ number: Int) -> TransactionID {
        TransactionID(high: UInt128(number), low: 7)
    }
}

extension OutPoint {
    /// A coin of a number.
    static func coin(_ number: Int) -> OutPoint { OutPoint(.numbered(10_000 + number), 1) }
}

extension SignedEntry {
    /// The transaction of a number, which pays these withdrawals from these coins.
    static func numbered(
        _ number: Int, paying ids: [Int], from coins: [Int], leaving: Int64 = 100,
        counted: Int64? = nil, time: Int64 = 0, bytes: Int = 10
    ) -> SignedEntry {
        SignedEntry(
            chain: Text40("bitcoin")!,
            payment: SignedPayment(
                network: NetworkID(1), asset: AssetID(1),
                withdrawals: ids.map { WithdrawalID(UInt64($0)) },
                transaction: .numbered(number),
                bytes: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: bytes)),
            inputs: coins.map { .coin($0) }, leaving: leaving, counted: counted ?? leaving,
            time: time, seen: SeenRecord(sequence: UInt64(number), crc: UInt32(number)))
    }
}

/// Numbers from a seed (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
