// Random bytes from the kernel, fit for keys.

internal import CLinux

/// The kernel's random generator: getrandom(2).
public enum SystemRandom {
    /// Fills `bytes`. Stops the process if the kernel has no generator.
    public static func fill(_ bytes: UnsafeMutableRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        let result = unsafe bourse_random(base, bytes.count)
        precondition(result == 0, "the kernel gives random bytes")
    }

    /// `count` random bytes.
    public static func bytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        unsafe bytes.withUnsafeMutableBytes { unsafe fill($0) }
        return bytes
    }

    /// A random number.
    public static func number() -> UInt64 {
        var value: UInt64 = 0
        unsafe withUnsafeMutableBytes(of: &value) { unsafe fill($0) }
        return value
    }
}
