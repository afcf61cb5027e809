// Signatures by ECDSA from which the signer's public key follows: those of Ethereum's transactions.

public import Addresses
internal import CSecp
internal import Secrets

/// A signature by ECDSA on secp256k1 with what tells its signer's key from the others that fit.
public struct RecoverableSignature: Hashable, Sendable {
    /// The x of the nonce's point, modulo the order: 32 bytes, big-endian.
    public let r: [UInt8]
    /// The proof, 32 bytes, big-endian; in the lower half of the order, so that nobody can make a
    /// second signature of the first (EIP-2, BIP62).
    public let s: [UInt8]
    /// Which of the four points with this `r` it was: bit 0 is the parity of y, bit 1 whether x was
    /// above the order.
    public let recoveryID: UInt8

    /// Half the order of the curve, rounded down.
    private static let halfOrder: [UInt8] =
        [0x7F] + [UInt8](repeating: 0xFF, count: 15) + [
            0x5D, 0x57, 0x6E, 0x73, 0x57, 0xA4, 0x50, 0x1D,
            0xDF, 0xE9, 0x2F, 0x46, 0x68, 0x1B, 0x20, 0xA0,
        ]

    /// A signature of these parts; nil of other lengths, of zeros, of an `s` in the upper half, and
    /// of a `recoveryID` above 3.
    public init?(r: [UInt8], s: [UInt8], recoveryID: UInt8) {
        guard r.count == 32, s.count == 32, recoveryID <= 3, r.contains(where: { $0 != 0 }),
            s.contains(where: { $0 != 0 }), !Self.halfOrder.lexicographicallyPrecedes(s)
        else { return nil }
        (self.r, self.s, self.recoveryID) = (r, s, recoveryID)
    }

    /// The compressed public key, 33 bytes, whose signature of a digest of 32 bytes it is; nil
    /// where it is nobody's.
    public func publicKey(of digest: [UInt8]) -> [UInt8]? {
        precondition(digest.count == 32, "a digest of 32 bytes")
        let signature = r + s
        var key = [UInt8](repeating: 0, count: 33)
        let isFound = unsafe key.withUnsafeMutableBufferPointer { key in
            unsafe signature.withUnsafeBufferPointer { signature in
                unsafe digest.withUnsafeBufferPointer { digest in
                    unsafe bourse_secp_recover(
                        signature.baseAddress!, Int32(recoveryID), digest.baseAddress!,
                        key.baseAddress!) == 1
                }
            }
        }
        return isFound ? key : nil
    }
}

extension ExtendedPrivateKey {
    /// Signs a digest of 32 bytes: always with the same result (RFC 6979), which was verified with
    /// the public key before it is returned, so that no fault of the machine can show the key.
    public func sign(digest: [UInt8]) throws(KeyError) -> RecoverableSignature {
        precondition(digest.count == 32, "a digest of 32 bytes")
        // What blinds the computation leaves no trace in its result.
        let blind = SecretBytes.random(count: 32)
        var (bytes, recoveryID): ([UInt8], Int32) = ([UInt8](repeating: 0, count: 64), 0)
        let isDone = unsafe bytes.withUnsafeMutableBufferPointer { bytes in
            unsafe digest.withUnsafeBufferPointer { digest in
                unsafe withSigningBytes(blind) { key, blind in
                    unsafe bourse_secp_sign(
                        key, digest.baseAddress!, blind, bytes.baseAddress!, &recoveryID) == 1
                }
            }
        }
        guard isDone, let id = UInt8(exactly: recoveryID),
            let signature = RecoverableSignature(
                r: Array(bytes[..<32]), s: Array(bytes[32...]), recoveryID: id),
            signature.publicKey(of: digest) == publicKey.key
        else { throw .noSignature }
        return signature
    }

    private func withSigningBytes(
        _ blind: SecretBytes, _ body: (UnsafePointer<UInt8>, UnsafePointer<UInt8>) -> Bool
    ) -> Bool {
        unsafe key.withBytes { key in
            unsafe blind.withBytes { blind in
                unsafe body(
                    key.assumingMemoryBound(to: UInt8.self).baseAddress!,
                    blind.assumingMemoryBound(to: UInt8.self).baseAddress!)
            }
        }
    }
}

extension EVMAddress {
    /// The address of a compressed public key, 33 bytes; nil where it is no point of the curve.
    public init?(publicKey: [UInt8]) {
        guard publicKey.count == 33 else { return nil }
        var point = [UInt8](repeating: 0, count: 65)
        let isPoint = unsafe point.withUnsafeMutableBufferPointer { point in
            unsafe publicKey.withUnsafeBufferPointer { key in
                unsafe bourse_secp_point(key.baseAddress!, point.baseAddress!) == 1
            }
        }
        guard isPoint else { return nil }
        // The last 20 bytes of the hash of x and y.
        self.init(bytes: Array(Keccak256.digest(Array(point.dropFirst())).suffix(20)))
    }
}
