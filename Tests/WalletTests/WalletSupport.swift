// What the wallet's tests share: bytes as texts, keys of a known phrase, and seeds of random input.

import Glibc
import Keys
import Secrets
import Slabs
import Terms
import Testing

func bytes(_ hex: String) -> [UInt8] {
    let digits = hex.utf8.compactMap { hexDigit($0) }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

func hex(_ bytes: [UInt8]) -> String { bytes.map(\.hexText).joined() }

func secret(_ text: String) -> SecretBytes { SecretBytes(Array(text.utf8)) }

func plain(_ secret: SecretBytes) -> [UInt8] { unsafe secret.withBytes { unsafe Array($0) } }

/// The accounts of the phrase that test chains are started with, `m/44'/60'/0'/0/index`.
func testAccount(_ index: UInt32) throws -> ExtendedPrivateKey {
    let words = "test test test test test test test test test test test junk"
    return try ExtendedPrivateKey(seed: try Mnemonic(reading: secret(words)).seed())
        .descendant(
            .hardened(44), .hardened(60), .hardened(0), 0, PathStep(integerLiteral: index))
}

/// Random input, which `BOURSE_SEED` repeats.
enum WalletFuzz {
    static let iterations = setting("BOURSE_FUZZ_ITERATIONS").map { Int($0) } ?? 20_000
    static let seed = setting("BOURSE_SEED") ?? 0xE7_11E7

    static func replay(_ round: Int) -> Comment {
        "round \(round); again with BOURSE_SEED=\(seed) BOURSE_FUZZ_ITERATIONS=\(iterations)"
    }

    private static func setting(_ name: String) -> UInt64? {
        guard let value = unsafe getenv(name) else { return nil }
        return UInt64(unsafe String(cString: value))
    }
}

extension SplitMix64 {
    /// Bytes, of which many are zeros, ones, or at an end of their range.
    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in
            below(3) == 0
                ? [0, 1, 0x7F, 0x80, 0xB7, 0xB8, 0xC0, 0xF7, 0xF8, 0xFF][below(10)]
                : UInt8(truncatingIfNeeded: next())
        }
    }

    /// Bytes with some of them changed, added or left out.
    mutating func damaged(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0...below(3) {
            let place = below(bytes.count)
            switch below(4) {
            case 0: bytes.insert(UInt8(truncatingIfNeeded: next()), at: place)
            case 1 where !bytes.isEmpty: bytes.remove(at: place)
            case 2 where !bytes.isEmpty: bytes[place] ^= 1 << UInt8(below(8))
            default: bytes = Array(bytes.prefix(place)) + self.bytes(below(4))
            }
        }
        return bytes
    }
}

/// A socket on loopback that the kernel accepts connections for, and its port.
func listeningSocket() throws -> (socket: Int32, port: Int) {
    let end = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let failed = unsafe withUnsafeMutablePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            unsafe bind(end, address, length) != 0 || listen(end, 16) != 0
                || getsockname(end, address, &length) != 0
        }
    }
    try #require(!failed)
    return (end, Int(UInt16(bigEndian: address.sin_port)))
}
