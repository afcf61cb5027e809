// Sealing secrets in the log: those of API keys.

internal import CCrypto
public import Platform

/// Why a key file could not be used.
public enum SealKeyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A failed system call.
    case system(SystemError)
    /// Others may read or write the file.
    case permissions(path: String, mode: UInt32)
    /// The file is owned by another user.
    case owner(path: String, user: UInt32)
    /// Not an ordinary file of 32 bytes.
    case notAKey(path: String)

    /// What happened and what to do.
    public var description: String {
        switch self {
        case .system(let error): error.description
        case .permissions(let path, let mode):
            "\(path) has mode \(String(mode, radix: 8)) but must be readable by its owner only: "
                + "find out who has read it, then chmod 600"
        case .owner(let path, let user):
            "\(path) belongs to user \(user), not to user \(Host.userID) that this runs as: "
                + "chown it, or run as that user"
        case .notAKey(let path):
            "\(path) is not a key of 32 bytes: put the right file back from its backup; "
                + "with another key no API key secret in the log can be opened"
        }
    }
}

/// The exchange's key for secrets: AES-256-GCM (NIST SP 800-38D) with random nonces.
///
/// A sealed text, safe for 2^32 texts under one key:
///
///      0  u8   version, 1
///      1  12   nonce
///     13  …    ciphertext, as long as the text
///      …  16   tag
public final class SealKey: Sendable {
    /// Bytes that sealing adds.
    public static let overhead = 29
    private static let version: UInt8 = 1
    private let key: SecretBytes

    /// The key of these 32 bytes.
    public init(_ bytes: SecretBytes) {
        precondition(bytes.count == 32, "a key of 32 bytes")
        key = bytes
    }

    /// Reads the key file, which only its owner (this process's user or root) may access.
    public static func load(_ path: String) throws(SealKeyError) -> SealKey {
        let found: (isRegular: Bool, mode: UInt32, owner: UInt32)
        var bytes: [UInt8]
        do throws(SystemError) {
            let file = try File(path, .read)
            found = (try file.isRegular(), try file.permissions(), try file.owner())
            bytes = try file.read(count: 33)
        } catch { throw .system(error) }
        defer { cleanse(&bytes) }
        guard found.isRegular, bytes.count == 32 else { throw .notAKey(path: path) }
        guard found.mode & 0o077 == 0 else { throw .permissions(path: path, mode: found.mode) }
        guard found.owner == Host.userID || found.owner == 0 else {
            throw .owner(path: path, user: found.owner)
        }
        return SealKey(SecretBytes(bytes))
    }

    /// Makes a random key and its file, mode 0600, in a directory made with mode 0700. An existing
    /// file is never replaced: that is an error.
    public static func create(_ path: String) throws(SealKeyError) -> SealKey {
        let bytes = SecretBytes.random(count: 32)
        do throws(SystemError) {
            if let parent = Directory.parent(of: path) { try Directory.create(parent) }
            if Directory.exists(path) {
                throw SystemError(code: 17, operation: "create", path: path)
            }
            var copy = unsafe bytes.withBytes { unsafe [UInt8]($0) }
            defer { cleanse(&copy) }
            // Atomically, so that a crash never leaves a short key behind.
            try File.replace(path, with: copy)
        } catch { throw .system(error) }
        return SealKey(bytes)
    }

    /// Reads the key file, or makes it if there is none.
    public static func loadOrCreate(_ path: String) throws(SealKeyError) -> SealKey {
        Directory.exists(path) ? try load(path) : try create(path)
    }

    /// Seals `text`. `context`, as the API key's id, is authenticated but not included: opening
    /// needs the same, so a sealed text can't be moved to another key.
    public func seal(_ text: SecretBytes, context: [UInt8]) -> [UInt8] {
        var sealed = [UInt8](repeating: 0, count: text.count + Self.overhead)
        let nonce = SystemRandom.bytes(12)
        var tag = [UInt8](repeating: 0, count: 16)
        let result = unsafe key.withBytes { key in
            unsafe text.withBytes { text in
                unsafe sealed.withUnsafeMutableBufferPointer { out in
                    unsafe bourse_aes256gcm_seal(
                        key.assumingMemoryBound(to: UInt8.self).baseAddress!, nonce, context,
                        context.count, text.baseAddress, text.count, out.baseAddress! + 13, &tag)
                }
            }
        }
        precondition(result == 1, "libcrypto seals")
        sealed[0] = Self.version
        sealed.replaceSubrange(1..<13, with: nonce)
        sealed.replaceSubrange((13 + text.count)..., with: tag)
        return sealed
    }

    /// Opens a sealed text; nil if it was changed, or sealed with another key or context.
    public func open(_ sealed: [UInt8], context: [UInt8]) -> SecretBytes? {
        guard sealed.count >= Self.overhead, sealed[0] == Self.version else { return nil }
        let count = sealed.count - Self.overhead
        return unsafe SecretBytes.made(count: count) { text in
            unsafe key.withBytes { key in
                unsafe sealed.withUnsafeBufferPointer { sealed in
                    let base = sealed.baseAddress!
                    return unsafe bourse_aes256gcm_open(
                        key.assumingMemoryBound(to: UInt8.self).baseAddress!, base + 1, context,
                        context.count, base + 13, count, base + 13 + count,
                        text.assumingMemoryBound(to: UInt8.self).baseAddress!) == 1
                }
            }
        }
    }
}
