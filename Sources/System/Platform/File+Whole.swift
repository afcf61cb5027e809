// Whole files: read to the end, and replaced atomically.

internal import Glibc

extension File {
    /// The bytes of a descriptor from its position to the end, also of a pipe. Stops after one more
    /// than `bytesMax`, which means too many. `path` is for messages.
    public static func readToEnd(
        _ descriptor: Int32, path: String, bytesMax: Int
    ) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while bytes.count <= bytesMax {
            let count = retryingInterrupts {
                unsafe Glibc.read(descriptor, &chunk, chunk.count)
            }
            guard count >= 0 else { throw .last("read", path) }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return bytes
    }

    /// The text of a file whose size is not known before it was read, as of those that the kernel
    /// makes below /proc and /sys; bytes that are not UTF-8 are replaced. Nil: it is longer than
    /// `bytesMax`.
    public static func text(of path: String, bytesMax: Int) throws(SystemError) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { throw .last("open", path) }
        defer { _ = close(descriptor) }
        // Most are short; what they hold beyond a page comes in further pieces.
        var bytes: [UInt8] = []
        var size = 4_096
        while true {
            var chunk = [UInt8](repeating: 0, count: size)
            let count = retryingInterrupts { unsafe Glibc.read(descriptor, &chunk, chunk.count) }
            guard count >= 0 else { throw .last("read", path) }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            guard bytes.count + count <= bytesMax else { return nil }
            if bytes.isEmpty {
                bytes = count == size ? chunk : Array(chunk[..<count])
            } else {
                bytes += chunk[..<count]
            }
            size = min(size * 4, 65_536)
        }
    }

    /// Replaces the file at `path` atomically: `fill` writes a temporary file, which is made
    /// durable and renamed, and the name is made durable. After an error the old file remains, and
    /// the temporary one is removed.
    ///
    /// `mode` has its permission bits. With `keepsOwner` it keeps the old file's owner: an
    /// operator's tool may run as root, and the daemon has to read it. `aside` is the temporary
    /// file, by default `path.new`; a leftover of a crash is removed, and a link there is not
    /// followed. Returns the file, open for writing.
    @discardableResult public static func replace(
        _ path: String, mode: UInt32 = 0o600, keepsOwner: Bool = false, aside: String? = nil,
        fill: (File) throws(SystemError) -> Void
    ) throws(SystemError) -> File {
        let aside = aside ?? path + ".new"
        _ = unsafe unlink(aside)
        let file = try File(aside, .createNew)
        do throws(SystemError) {
            if keepsOwner, let old = try? File(path, .read) { try file.setOwner(like: old) }
            try file.setPermissions(mode)
            try fill(file)
            try file.sync()
            try Directory.rename(aside, to: path)
            return file
        } catch {
            _ = unsafe unlink(aside)
            throw error
        }
    }

    /// Replaces the file at `path` by one with these bytes.
    @discardableResult public static func replace(
        _ path: String, with bytes: [UInt8], mode: UInt32 = 0o600, keepsOwner: Bool = false,
        aside: String? = nil
    ) throws(SystemError) -> File {
        try replace(path, mode: mode, keepsOwner: keepsOwner, aside: aside) {
            file throws(SystemError) in try file.write(bytes)
        }
    }

    /// Makes the file at `path`, mode 0600: whole or not at all, and durable when this returns. An
    /// existing file is never replaced (EEXIST).
    public static func create(_ path: String, with bytes: [UInt8]) throws(SystemError) {
        let aside = "\(path).new.\(getpid())"
        _ = unsafe unlink(aside)
        do throws(SystemError) {
            let file = try File(aside, .createNew)
            try file.setPermissions(0o600)
            try file.write(bytes)
            try file.sync()
            try Directory.place(aside, at: path)
        } catch {
            _ = unsafe unlink(aside)
            throw error
        }
    }

    /// Replaces a small file as `replace` does, mode and owner kept, and on a full disk as well:
    /// the bytes go into its spare, `path.spare`, in place, and the two exchange their names. The
    /// file that was replaced is the next spare; so the first two calls take space, and later ones
    /// none while the bytes fit into the spare's blocks. Whoever opened the file before may read
    /// what a later call writes.
    public static func exchange(_ path: String, with bytes: [UInt8]) throws(SystemError) {
        let old: File
        do throws(SystemError) { old = try File(path, .read) } catch {
            guard error.isMissing else { throw error }
            try replace(path, with: bytes)
            return
        }
        // Where a crash cut off the last exchange, the spare may be the file itself after a power
        // cut: it is written only once the names are durable.
        try Directory.sync(Directory.parent(of: path) ?? ".")
        let name = path + ".spare"
        let spare = try spare(name)
        // A daemon's file is its own from now on, whoever copied it there.
        if geteuid() == 0 { try spare.setOwner(like: old) }
        try spare.setPermissions(old.permissions())
        try spare.write(bytes)
        try spare.truncate(to: bytes.count)
        try spare.sync()
        try Directory.exchange(name, with: path)
    }

    /// The spare there is, or a new one: of another user, no ordinary file, a link, or with another
    /// name as well, as a copy by hard links has it, it is none.
    private static func spare(_ path: String) throws(SystemError) -> File {
        if let file = try? File(path, .writeNoLink), try file.isRegular(), try file.hasOneName() {
            return file
        }
        _ = unsafe unlink(path)
        return try File(path, .createNew)
    }
}
