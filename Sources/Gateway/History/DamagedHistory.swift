// A damaged history file: marked, and set aside when it is opened next.

import Glibc

/// The copies and the note beside a history file.
enum DamagedHistory {
    /// Number of copies kept, the newest as `FILE.damaged-1`.
    static var copiesMax: Int { 2 }
    /// Suffixes of a database's files.
    private static var parts: [String] { ["", "-wal", "-shm"] }

    private static func notePath(_ file: String) -> String { file + ".damaged" }

    /// Marks the file as damaged for the next opening: it may look intact then.
    static func note(_ file: String, _ text: String) {
        let bytes = Array("\(text.prefix(1_000))\n".utf8)
        let flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC
        let descriptor = unsafe open(notePath(file), flags, 0o600)
        guard descriptor >= 0 else { return }
        _ = unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
        close(descriptor)
    }

    /// The mark's text, or nil.
    static func noted(_ file: String) -> String? {
        let descriptor = unsafe open(notePath(file), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = unsafe read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)).prefix { $0 != 0x0A }, as: UTF8.self)
    }

    /// Moves the file and its parts away, and shifts earlier copies by one; the oldest is deleted.
    /// Returns the new name.
    static func setAside(_ file: String) throws(HistoryError) -> String {
        func copy(_ number: Int) -> String { "\(file).damaged-\(number)" }
        for part in parts {
            for number in (1...copiesMax).reversed() {
                unsafe unlink(copy(number) + part)
                if number > 1 { _ = unsafe rename(copy(number - 1) + part, copy(number) + part) }
            }
            guard unsafe rename(file + part, copy(1) + part) == 0 || errno == ENOENT else {
                throw .database(
                    file: file,
                    text: unsafe "cannot be moved away: \(String(cString: strerror(errno)))")
            }
        }
        unsafe unlink(notePath(file))
        return copy(1)
    }
}
