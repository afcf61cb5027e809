// API secrets, opened when they are first needed.

import Engine
import Logging
import Secrets
import SpotAPI
import Terms

/// Checks signatures. Opened secrets stay in memory up to a bound, and are dropped when their key
/// changes.
final class KeyRing {
    private let file: String
    private let log: Logger
    private var sealKey: SealKey?
    private var opened: [Text64: SecretBytes] = [:]
    private var lastFault = ""

    /// Maximum number of opened secrets.
    private static var openedMax: Int { 16_384 }

    /// A ring whose seal key is in `file`; it is read when it is first needed.
    init(file: String, log: Logger) { (self.file, self.log) = (file, log) }

    /// The text of `payload` that the owner of `key` signed; nil: none. Throws 500 when the secret
    /// can't be opened.
    func signedText(_ payload: SignedPayload, by key: APIKeyView) throws(APIError) -> [UInt8]? {
        switch key.algorithm {
        case .hmacSHA256:
            guard let code = hexBytes(payload.signature) else { return nil }
            let secret = try secret(of: key)
            return payload.candidates.first { HMACSHA256.isValid(code, key: secret, $0) }
        case .ed25519:
            guard let signature = Base64.bytes(payload.signature) else { return nil }
            return payload.candidates.first {
                Ed25519.isValid(signature, publicKey: key.sealedSecret, $0)
            }
        case .rsa: return nil
        }
    }

    /// Drops a key's secret.
    func forget(_ keyID: Text64) { opened[keyID] = nil }

    private func secret(of key: APIKeyView) throws(APIError) -> SecretBytes {
        if let secret = opened[key.keyID] { return secret }
        let seal = try loadSealKey()
        guard let secret = seal.open(key.sealedSecret, context: Array(key.keyID.description.utf8))
        else {
            note("a secret in the log was sealed with another key than \(file): restore it")
            throw .internalFault
        }
        if opened.count >= Self.openedMax { opened.removeAll() }
        opened[key.keyID] = secret
        return secret
    }

    private func loadSealKey() throws(APIError) -> SealKey {
        if let sealKey { return sealKey }
        do throws(SealKeyError) {
            let key = try SealKey.load(file)
            sealKey = key
            return key
        } catch {
            note("API secrets can't be opened: \(error)")
            throw .internalFault
        }
    }

    /// Logs an error once, until a different one occurs.
    private func note(_ fault: String) {
        guard fault != lastFault else { return }
        lastFault = fault
        log.error("\(fault)")
    }
}
