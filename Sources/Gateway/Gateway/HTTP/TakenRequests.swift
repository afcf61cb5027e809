// Signed requests that were taken, so that none has an effect twice.

import Secrets
package import SpotAPI
package import Terms

/// Remembers signed requests until their windows have ended: who records one, or a proxy that sends
/// it again, could place an order twice. The signature covers neither method nor path, so one that
/// only read is remembered as well: sent to another endpoint it could cancel. What was signed
/// before this process began may have been taken by the one before it. Another gateway of the
/// exchange knows nothing of them. Times are milliseconds since 1970.
package struct TakenRequests {
    /// The first half of a SHA-256 over the key and the text that was signed.
    private struct Mark: Hashable {
        let high: UInt64
        let low: UInt64

        func hash(into hasher: inout Hasher) { hasher.combine(low) }
    }

    /// Maximum number of requests of a generation, and of one key's.
    private let countMax: Int
    private let countOfKeyMax: Int
    /// Those taken since `begin`, and those of the time before, the last of whose windows ends
    /// before another generation begins.
    private var taken: Set<Mark> = []
    private var before: Set<Mark> = []
    private var countOfKeys: [Text64: Int] = [:]
    private var begin: Int64
    /// When this process began.
    private var start: Int64

    /// Longer than any window that is still open: a timestamp may be a second ahead.
    private static var generation: Int64 { RequestTime.recvWindowMax + 1_000 }

    /// A table that begins at `start`.
    package init(countMax: Int, start: Int64) {
        (self.countMax, countOfKeyMax) = (countMax, max(1, countMax / 2))
        (self.start, begin) = (start, start)
    }

    /// Takes the request that `keyID` signed as `text` at `time`. One that `changes` something is
    /// refused where it was taken before, or may have been: throws -1007, as its sender cannot know
    /// what became of it, and -1008 when there is no room.
    package mutating func take(
        _ text: [UInt8], of keyID: Text64, signedAt time: Int64, now: Int64, changes: Bool
    ) throws(APIError) {
        // The clock was set back: the windows of what came before are not open yet.
        start = min(start, now)
        if now - begin >= Self.generation || now < begin - Self.generation {
            before = now - begin >= 2 * Self.generation ? [] : taken
            taken.removeAll(keepingCapacity: taken.count * 4 > taken.capacity)
            countOfKeys.removeAll()
            begin = now
        }
        guard time >= start || !changes else { throw .timeout }
        let digest = SHA256.digest(Array(keyID.description.utf8) + [0] + text)
        let mark = Mark(high: Self.word(digest[0..<8]), low: Self.word(digest[8..<16]))
        if taken.contains(mark) || before.contains(mark) {
            guard !changes else { throw .timeout }
            return
        }
        let count = countOfKeys[keyID, default: 0]
        guard taken.count < countMax, count < countOfKeyMax else { throw .overloaded }
        countOfKeys[keyID] = count + 1
        taken.insert(mark)
    }

    private static func word(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}
