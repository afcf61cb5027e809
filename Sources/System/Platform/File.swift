// A file by its descriptor. Transfers are complete: a short count is continued or an error.

internal import CLinux
internal import Glibc

/// An open file; closed when the last reference goes. Safe to use from several threads.
public final class File: Sendable {
    /// Its descriptor.
    public let descriptor: Int32
    /// The path that it was opened by, for messages.
    public let path: String

    /// How a file is opened.
    public enum Mode: Sendable {
        /// For reading; it must exist.
        case read
        /// For reading and writing; it must exist.
        case write
        /// The same; a symbolic link is not followed.
        case writeNoLink
        /// For reading and writing; made with mode 0600 if it does not exist.
        case create
        /// For reading and writing; made with mode 0600, and it must not exist.
        case createNew
        /// For reading and writing; made with mode 0600, or emptied.
        case replace
    }

    /// Opens the file at `path`.
    public init(_ path: String, _ mode: Mode) throws(SystemError) {
        let flags: Int32 =
            switch mode {
            case .read: O_RDONLY
            case .write: O_RDWR
            case .writeNoLink: O_RDWR | O_NOFOLLOW
            case .create: O_RDWR | O_CREAT
            case .createNew: O_RDWR | O_CREAT | O_EXCL
            case .replace: O_RDWR | O_CREAT | O_TRUNC
            }
        let fd = retryingInterrupts { unsafe open(path, flags | O_CLOEXEC, 0o600) }
        guard fd >= 0 else { throw .last("open", path) }
        descriptor = fd
        self.path = path
    }

    /// Takes over a descriptor.
    public init(descriptor: Int32, path: String) {
        precondition(descriptor >= 0, "an open descriptor")
        (self.descriptor, self.path) = (descriptor, path)
    }

    deinit { _ = close(descriptor) }

    /// The file's length in bytes.
    public func size() throws(SystemError) -> Int { Int(try status().st_size) }

    /// Permission bits, as 0o600.
    public func permissions() throws(SystemError) -> UInt32 { try status().st_mode & 0o7777 }

    /// Sets permission bits (fchmod(2)).
    public func setPermissions(_ mode: UInt32) throws(SystemError) {
        guard fchmod(descriptor, mode) == 0 else { throw .last("set the mode of", path) }
    }

    /// The user that owns it.
    public func owner() throws(SystemError) -> UInt32 { try status().st_uid }

    /// Sets the owner and group of another file (fchown(2)), where they differ. Throws EPERM
    /// without the right to do so.
    public func setOwner(like other: File) throws(SystemError) {
        let (own, wanted) = (try status(), try other.status())
        guard own.st_uid != wanted.st_uid || own.st_gid != wanted.st_gid else { return }
        try setOwner(wanted.st_uid, group: wanted.st_gid)
    }

    /// Sets owner and group (fchown(2)).
    public func setOwner(_ user: UInt32, group: UInt32) throws(SystemError) {
        guard fchown(descriptor, user, group) == 0 else { throw .last("set the owner of", path) }
    }

    /// Whether it is an ordinary file, not a device, directory or pipe.
    public func isRegular() throws(SystemError) -> Bool { try status().st_mode & S_IFMT == S_IFREG }

    /// Whether no other name is a link to it.
    public func hasOneName() throws(SystemError) -> Bool { try status().st_nlink == 1 }

    private func status() throws(SystemError) -> stat {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw .last("look at", path) }
        return status
    }

    /// Reads from `offset` until `bytes` is full or the file ends; returns the number of bytes.
    public func read(
        into bytes: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        var done = 0
        while done < bytes.count {
            let n = retryingInterrupts {
                unsafe pread(
                    descriptor, bytes.baseAddress! + done, bytes.count - done, offset + done)
            }
            guard n >= 0 else { throw .last("read", path) }
            if n == 0 { break }
            done += n
        }
        return done
    }

    /// The bytes from `offset`, at most `count`.
    public func read(count: Int, at offset: Int = 0) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var failure: SystemError?
        var n = 0
        unsafe bytes.withUnsafeMutableBytes { buffer in
            do throws(SystemError) { n = try unsafe read(into: buffer, at: offset) } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        if n < count { bytes.removeLast(count - n) }
        return bytes
    }

    /// Writes all of `bytes` at `offset`.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            let n = retryingInterrupts {
                unsafe pwrite(
                    descriptor, bytes.baseAddress! + done, bytes.count - done, offset + done)
            }
            guard n >= 0 else { throw .last("write", path) }
            // The kernel writes at least a byte or fails; zero would loop for ever.
            if n == 0 { throw SystemError(code: EIO, operation: "write", path: path) }
            done += n
        }
    }

    /// Writes two pieces back to back at `offset`.
    public func write(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer, at offset: Int
    ) throws(SystemError) {
        let n = unsafe Int(
            bourse_write_two(
                descriptor, first.baseAddress, first.count, second.baseAddress, second.count,
                Int64(offset)))
        if n < 0 { throw SystemError(code: Int32(-n), operation: "write", path: path) }
        if n < first.count {
            unsafe try write(UnsafeRawBufferPointer(rebasing: first[n...]), at: offset + n)
            unsafe try write(second, at: offset + first.count)
        } else if n < first.count + second.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: second[(n - first.count)...])
            unsafe try write(rest, at: offset + n)
        }
    }

    /// Writes all of `bytes` at `offset`.
    public func write(_ bytes: [UInt8], at offset: Int = 0) throws(SystemError) {
        var failure: SystemError?
        unsafe bytes.withUnsafeBytes { buffer in
            do throws(SystemError) { try unsafe write(buffer, at: offset) } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// Writes a value to a kernel file by one write(2): it accepts the whole value or none, and
    /// some of these files have no offsets.
    public func set(_ value: [UInt8]) throws(SystemError) {
        let n = retryingInterrupts { unsafe Glibc.write(descriptor, value, value.count) }
        if n < 0 { throw .last("write", path) }
        if n != value.count { throw SystemError(code: EIO, operation: "write", path: path) }
    }

    /// Makes written data durable (fdatasync(2)). After an error the disk's content is unknown:
    /// never retry on the same file, as the kernel reports a lost page only once.
    public func syncData() throws(SystemError) {
        _ = try checked(bourse_sync_data(descriptor), "sync", path)
    }

    /// Makes data and metadata durable (fsync(2)); errors as with `syncData`.
    public func sync() throws(SystemError) {
        guard fsync(descriptor) == 0 else { throw .last("sync", path) }
    }

    /// Drops the file's clean pages, so that the next read reads the disk (POSIX_FADV_DONTNEED).
    public func dropCache() throws(SystemError) {
        let code = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
        guard code == 0 else { throw SystemError(code: code, operation: "drop", path: path) }
    }

    /// Opens the file at `path` for reading past the page cache (O_DIRECT); nil if its file system
    /// can't. Offsets, counts and addresses are multiples of 4096.
    public static func direct(_ path: String) throws(SystemError) -> File? {
        let fd = unsafe bourse_open_direct(path)
        if fd == -EINVAL { return nil }
        return File(descriptor: try checked(fd, "open", path), path: path)
    }

    /// Allocates disk space for `count` bytes from `offset`, lengthening the file.
    public func allocate(offset: Int, count: Int) throws(SystemError) {
        let result = bourse_allocate(descriptor, 0, Int64(offset), Int64(count))
        // File systems without the call (some network ones) allocate on write.
        if result == -EOPNOTSUPP { return try truncate(to: offset + count) }
        _ = try checked(result, "take \(count) bytes for", path)
    }

    /// Truncates or lengthens the file.
    public func truncate(to size: Int) throws(SystemError) {
        guard ftruncate(descriptor, size) == 0 else { throw .last("resize", path) }
    }

    /// Takes the file's lock (flock(2)) for this process, if it is free.
    public func tryLock() throws(SystemError) -> Bool {
        if retryingInterrupts({ flock(descriptor, LOCK_EX | LOCK_NB) }) == 0 { return true }
        guard errno == EWOULDBLOCK else { throw .last("lock", path) }
        return false
    }
}
