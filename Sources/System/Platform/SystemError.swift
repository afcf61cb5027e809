// A failed system call, with its object and advice.

internal import Glibc

/// A failed system call. Its description is one line that an operator can act on.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The error's number: errno(3).
    public let code: Int32
    /// The operation, as `write` or `create directory`.
    public let operation: String
    /// The file, directory or address; empty if there is none.
    public let path: String

    /// An error of this number.
    public init(code: Int32, operation: String, path: String) {
        (self.code, self.operation, self.path) = (code, operation, path)
    }

    /// The present errno(3).
    public static func last(_ operation: String, _ path: String = "") -> SystemError {
        SystemError(code: errno, operation: operation, path: path)
    }

    /// A full disk (ENOSPC), detected by this code.
    public static func full(_ operation: String, _ path: String) -> SystemError {
        SystemError(code: ENOSPC, operation: operation, path: path)
    }

    /// A file whose content on the disk differs from what was written (EIO).
    public static func unequal(_ path: String) -> SystemError {
        SystemError(code: EIO, operation: "read back", path: path)
    }

    /// The file or directory does not exist (ENOENT).
    public var isMissing: Bool { code == ENOENT }
    /// A file of that name exists (EEXIST).
    public var exists: Bool { code == EEXIST }
    /// The disk, the quota or the file size limit is full (ENOSPC, EDQUOT, EFBIG).
    public var isFull: Bool { code == ENOSPC || code == EDQUOT || code == EFBIG }
    /// A failed write or sync, after which the disk's content is unknown; not a full disk, unless
    /// only the sync reported it.
    public var isDiskFault: Bool {
        operation.hasPrefix("sync") || (operation == "write" && !isFull)
    }
    /// Nothing there now; try again when the descriptor is ready (EAGAIN).
    public var isWouldBlock: Bool { code == EAGAIN }

    /// The error's text: strerror(3).
    public var reason: String {
        var text = [CChar](repeating: 0, count: 256)
        // The XSI variant or GNU's: both return the text by `strerror`'s pointer.
        _ = unsafe text.withUnsafeMutableBufferPointer { buffer in
            guard let words = unsafe strerror(code) else { return }
            unsafe strncpy(buffer.baseAddress!, words, buffer.count - 1)
        }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// What to do about it; empty if there is no general advice.
    public var advice: String {
        switch code {
        case ENOSPC: "free space on that file system or enlarge it"
        case EDQUOT: "raise the disk quota of this user, then start again"
        case EFBIG: "raise the file size limit (ulimit -f, LimitFSIZE=), then start again"
        case EROFS:
            "the file system is read-only: look for disk errors in the kernel log, remount it "
                + "read-write, then start again"
        case EACCES, EPERM: "check owner and permissions: this runs as user \(getuid())"
        case ENOENT: "create it, or correct the path in the configuration"
        case ENOTDIR: "a part of the path is a file: correct the path in the configuration"
        case EMFILE: "raise the limit of open files (ulimit -n, LimitNOFILE=)"
        case ENFILE: "raise the system's limit of open files (sysctl fs.file-max)"
        case ENOMEM: "free memory or lower the limits in the configuration"
        case EIO: "the disk failed: look into the kernel log and replace it before you continue"
        case EADDRINUSE: "another program listens there: stop it or choose another address"
        case ECONNREFUSED: "nothing listens there: start the daemon first"
        default: ""
        }
    }

    /// `cannot OPERATION PATH: REASON (ADVICE)`
    public var description: String {
        let subject = path.isEmpty ? operation : "\(operation) \(path)"
        let text = "cannot \(subject): \(reason)"
        return advice.isEmpty ? text : "\(text); \(advice)"
    }
}

/// The result of a shim call, or its negative errno as an error.
func checked(
    _ result: Int32, _ operation: String, _ path: String = ""
) throws(SystemError) -> Int32 {
    guard result >= 0 else { throw SystemError(code: -result, operation: operation, path: path) }
    return result
}
