// Where the signer goes on after a restart: the log's state as it has followed it itself. It takes
// no snapshot of anybody else's; without this file it reads the log from its first record.
//
//      0  8    magic, "BOURSEFS"
//      8  u64  the journal, high
//     16  u64  the journal, low
//     24  u64  the list's generation
//     32  u64  bytes of the list
//     40  u64  bytes of the engine's snapshot
//     48  …    that snapshot
//      …  …    `CoinTable.saved`, with the log's hash
//    -32  32   SHA-256 of all before

package import Engine
package import Journal
package import Payments
package import Platform
internal import Secrets

/// A state of the log, and how far the list had come then.
package struct FollowedState {
    static let magic = Array("BOURSEFS".utf8)
    static let (headBytes, hashBytes) = (48, 32)
    /// Maximum bytes of the file.
    static let bytesMax = 4 << 30

    /// The log's journal.
    package let journal: JournalIdentity
    /// How far the list had come: one that has not come so far is an older copy.
    package let list: SignedPosition
    /// What `Engine.writeSnapshot` gave.
    package let engine: [UInt8]
    /// The coins at the same record.
    package let coins: CoinTable

    /// Writes a state in the place of the one before, whole or not at all, and durable when this
    /// returns. O(state).
    package static func save(
        _ engine: borrowing Engine, _ coins: CoinTable, of journal: JournalIdentity,
        _ list: SignedPosition, _ path: String
    ) throws(SystemError) {
        var content = magic
        for value in [journal.high, journal.low, list.generation, list.bytes, 0] {
            content += SignedFrame.bytes(value, 8)
        }
        unsafe engine.writeSnapshot { unsafe content.append(contentsOf: $0) }
        let count = SignedFrame.bytes(UInt64(content.count - headBytes), 8)
        content.replaceSubrange(headBytes - 8..<headBytes, with: count)
        content += coins.saved
        content += SHA256.digest(content)
        try File.replace(path, with: content)
    }

    /// Reads the state at `path`; nil where there is none, or no whole one.
    package init?(_ path: String) {
        guard let file = try? File(path, .read), let size = try? file.size(),
            Self.headBytes + Self.hashBytes...Self.bytesMax ~= size,
            let content = try? file.read(count: size), content.count == size,
            content.starts(with: Self.magic)
        else { return nil }
        let end = size - Self.hashBytes
        let hash = unsafe content.withUnsafeBytes {
            unsafe SHA256.digest(UnsafeRawBufferPointer(rebasing: $0[..<end]))
        }
        let count = SignedFrame.integer(content, 40, 8)
        guard Array(content[end...]) == hash, count <= UInt64(end - Self.headBytes),
            let coins = CoinTable(
                saved: Array(content[Self.headBytes + Int(count)..<end]), keepsBytes: false),
            !coins.hasGap
        else { return nil }
        journal = JournalIdentity(
            high: SignedFrame.integer(content, 8, 8), low: SignedFrame.integer(content, 16, 8))
        list = SignedPosition(
            generation: SignedFrame.integer(content, 24, 8),
            bytes: SignedFrame.integer(content, 32, 8))
        engine = Array(content[Self.headBytes..<Self.headBytes + Int(count)])
        self.coins = coins
    }
}
