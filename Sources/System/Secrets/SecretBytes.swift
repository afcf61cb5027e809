// Secret bytes, erased after use.

internal import CCrypto
internal import Platform

/// Secret bytes in memory of their own, overwritten with the last reference. They have no
/// description, so that none gets into a log line.
@safe public final class SecretBytes: @unchecked Sendable {
    // Never written after `init`, so threads may share it.
    private let memory: UnsafeMutableRawBufferPointer

    /// Number of bytes.
    public var count: Int { unsafe memory.count }

    private init(count: Int) {
        unsafe memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
    }

    /// A copy of `bytes`; the caller should overwrite the original.
    public convenience init(_ bytes: UnsafeRawBufferPointer) {
        self.init(count: bytes.count)
        unsafe memory.copyMemory(from: bytes)
    }

    /// A copy of `bytes`.
    public convenience init(_ bytes: [UInt8]) {
        self.init(count: bytes.count)
        unsafe bytes.withUnsafeBytes { unsafe memory.copyMemory(from: $0) }
    }

    /// `count` random bytes.
    public static func random(count: Int) -> SecretBytes {
        let secret = SecretBytes(count: count)
        unsafe SystemRandom.fill(secret.memory)
        return secret
    }

    /// Bytes that `fill` writes; nil if it returns false.
    static func made(count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Bool) -> SecretBytes? {
        let secret = SecretBytes(count: count)
        return unsafe fill(secret.memory) ? secret : nil
    }

    deinit {
        unsafe bourse_cleanse(memory.baseAddress, memory.count)
        unsafe memory.deallocate()
    }

    /// Calls `body` with the bytes, which it must not keep.
    public func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        unsafe body(UnsafeRawBufferPointer(memory))
    }
}

/// Overwrites an array's bytes in place, for secrets that had to pass through one.
public func cleanse(_ bytes: inout [UInt8]) {
    unsafe bytes.withUnsafeMutableBytes { unsafe bourse_cleanse($0.baseAddress, $0.count) }
}
