// Small files that operators own: configuration, customers' secrets, demo keys.

import Glibc
import Platform

/// Small text files.
enum TextFile {
    /// The most bytes of such a file.
    static let bytesMax = 1 << 20

    /// The text of a file; nil when there is none.
    static func read(_ path: String) throws(CommandError) -> String? {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try File(path, .read).read(count: bytesMax + 1)
        } catch {
            if error.isMissing { return nil }
            throw CommandError(error)
        }
        return try text(bytes, path)
    }

    /// All that standard input gives.
    static func readStandardInput() throws(CommandError) -> String {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while bytes.count <= bytesMax {
            let count = unsafe Glibc.read(STDIN_FILENO, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return try text(bytes, "standard input")
    }

    private static func text(_ bytes: [UInt8], _ name: String) throws(CommandError) -> String {
        guard bytes.count <= bytesMax else { throw CommandError("\(name) is too large") }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandError("\(name) is no UTF-8 text")
        }
        return text
    }

    /// Replaces a file, whole or not at all, and on disk when this returns.
    static func write(_ text: String, to path: String, mode: UInt32 = 0o600) throws(CommandError) {
        let aside = "\(path).new.\(getpid())"
        do throws(SystemError) {
            do throws(SystemError) {
                let file = try File(aside, .replace)
                try file.write(Array(text.utf8))
                try file.setPermissions(mode)
                try file.sync()
                try Directory.rename(aside, to: path)
            } catch {
                try? Directory.remove(aside)
                throw error
            }
        } catch {
            throw CommandError(error)
        }
    }
}
