// Small files that operators own: configuration, customers' secrets, demo keys.

import Glibc
import Platform

/// Small text files.
enum TextFile {
    /// Maximum size of such a file.
    static let bytesMax = 1 << 20

    /// The text of a file; nil where it does not exist.
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

    /// All of standard input.
    static func readStandardInput() throws(CommandError) -> String {
        let name = "standard input"
        let bytes = try CommandError.wrapping { () throws(SystemError) in
            try File.readToEnd(STDIN_FILENO, path: name, bytesMax: bytesMax)
        }
        return try text(bytes, name)
    }

    private static func text(_ bytes: [UInt8], _ name: String) throws(CommandError) -> String {
        guard bytes.count <= bytesMax else { throw CommandError("\(name) is too large") }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandError("\(name) is not UTF-8 text")
        }
        return text
    }

    /// Replaces a file, whole or not at all, and on disk when this returns.
    static func write(_ text: String, to path: String, mode: UInt32 = 0o600) throws(CommandError) {
        try CommandError.wrapping { () throws(SystemError) in
            // Two operators may write one file at a time.
            let aside = "\(path).new.\(getpid())"
            try File.replace(path, with: Array(text.utf8), mode: mode, aside: aside)
        }
    }

    /// Replaces a file by one that another program has written, as `write` does.
    static func replace(
        _ path: String, by made: String, mode: UInt32 = 0o600
    ) throws(CommandError) {
        try CommandError.wrapping { () throws(SystemError) in
            let file = try File(made, .write)
            try file.setPermissions(mode)
            try file.sync()
            try Directory.rename(made, to: path)
        }
    }
}
