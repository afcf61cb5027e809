// The coins on disk, a cache: without it the log is read from its start.
//
//      0  8    magic, "BOURSECN"
//      8  u64  the journal, high
//     16  u64  the journal, low
//     24  u32  CRC32C of bytes 8 ..< 24 and of all from 28 on
//     28  …    `CoinTable.saved`

internal import Journal
internal import Payments
internal import Platform

enum SavedCoins {
    static let magic = Array("BOURSECN".utf8)
    static let headBytes = 28
    static let bytesMax = 1 << 30

    static func save(
        _ coins: CoinTable, of journal: JournalIdentity, _ path: String
    ) throws(SystemError) {
        let key = SignedFrame.bytes(journal.high, 8) + SignedFrame.bytes(journal.low, 8)
        let saved = coins.saved
        let crc = SignedFrame.bytes(UInt64(SignedFrame.crc(key + saved)), 4)
        try File.replace(path, with: magic + key + crc + saved)
    }

    /// The coins of this journal; nil: there are none that can be used.
    static func load(_ path: String, of journal: JournalIdentity) -> CoinTable? {
        guard let file = try? File(path, .read), let size = try? file.size(),
            headBytes...bytesMax ~= size, let content = try? file.read(count: size),
            content.count == size, content.starts(with: magic)
        else { return nil }
        let (key, saved) = (Array(content[8..<24]), Array(content[headBytes...]))
        guard SignedFrame.integer(content, 24, 4) == UInt64(SignedFrame.crc(key + saved)),
            SignedFrame.integer(key, 0, 8) == journal.high,
            SignedFrame.integer(key, 8, 8) == journal.low
        else { return nil }
        return CoinTable(saved: saved)
    }
}
