// Files as wholes: read to their end, and replaced so that a reader sees the old or the new one.

internal import Glibc

extension File {
    /// What a descriptor gives until its end, from where it stands: of a pipe as well. Stops behind
    /// `bytesMax`, so that more than these mean too many. `path` is for messages.
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

    /// Replaces the file at `path` as a whole: `fill` writes one beside it, which is made durable
    /// and takes the name, and the name is made durable. After an error the old one is still there,
    /// and the one beside it is removed.
    ///
    /// `mode` are its permission bits. Where `keepsOwner`, it belongs to whom the old one did: an
    /// operator's tool may run as root, and the daemon has to read it. `aside` is the file beside
    /// it, `path.new` where it is not given; what stands there, as a crash leaves it, is
    /// removed, and a link that somebody puts there is not followed. Returns the file, open for
    /// writing.
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

    /// Replaces the file at `path` by one of these bytes.
    @discardableResult public static func replace(
        _ path: String, with bytes: [UInt8], mode: UInt32 = 0o600, keepsOwner: Bool = false,
        aside: String? = nil
    ) throws(SystemError) -> File {
        try replace(path, mode: mode, keepsOwner: keepsOwner, aside: aside) {
            file throws(SystemError) in try file.write(bytes)
        }
    }
}
