// The durable list of what was signed.
//
//      0  8    magic, "BOURSESG"
//      8  …    frames, see `SignedFrame`: the base, then the entries
//
// An entry is written, synced and covered by the floor before anybody gets what was signed. So a
// write that a crash cut off stands behind the floor, and nobody was given it: it is kept aside.
// Anything else that cannot be read stops the signer. `begin` makes the list, and nothing else.

internal import Journal
internal import Payments
package import Platform
public import Terms

/// How far a list has come.
package struct SignedPosition: Hashable, Comparable, Sendable {
    /// How often it was written anew.
    package var generation: UInt64
    /// Bytes of the file.
    package var bytes: UInt64

    /// A position.
    package init(generation: UInt64, bytes: UInt64) {
        (self.generation, self.bytes) = (generation, bytes)
    }

    /// Orders by time.
    package static func < (a: SignedPosition, b: SignedPosition) -> Bool {
        (a.generation, a.bytes) < (b.generation, b.bytes)
    }
}

/// The list, in memory and on disk. One owner at a time.
public final class SignedList {
    static let magic = Array("BOURSESG".utf8)
    /// Maximum bytes of the file.
    public static var bytesMax: Int { 64 << 20 }

    /// Its files.
    public let place: SignerPlace
    /// What it begins with.
    public private(set) var base: SignedBase
    /// What was signed, in that order.
    public private(set) var entries: [SignedEntry]
    /// Why nothing can be kept any more, until a restart; nil: it can.
    public private(set) var fault: String?
    /// How many bytes were kept aside at the opening: a write that a crash had cut off.
    public let tornBytes: Int

    private var floor: SignedFloor
    private let floorFile: File
    /// The file that takes further entries; nil before it was written anew.
    package var file: File?
    private var bytes: Int
    private var places: [WithdrawalID: [Int]] = [:]
    private var transactions: Set<TransactionID> = []
    /// Transactions that an operator took out of it, see `forget`.
    public let forgotten: Set<TransactionID>

    /// Opens the list that has begun at `place`, and reads all of it. It takes entries once it was
    /// written anew, see `rewrite`. With `mends` it ends what a crash had cut off; without, it
    /// changes nothing.
    public init(_ place: SignerPlace, mends: Bool = true) throws(SignedListError) {
        self.place = place
        let identity = try place.keptIdentity()
        let content = try Self.content(place.listFile, bytesMax: Self.bytesMax, place)
        guard content.starts(with: Self.magic),
            let first = SignedFrame.read(content, at: Self.magic.count),
            let base = SignedBase(first.json)
        else {
            throw .damaged(path: place.listFile, detail: "does not begin as a list of this version")
        }
        guard base.identity == identity else {
            throw .otherIdentity(path: place.listFile, identityFile: place.identityFile)
        }
        guard var floor = SignedFloor(try Self.content(place.floorFile, bytesMax: 4_096, place))
        else { throw .damaged(path: place.floorFile, detail: "is damaged") }
        guard floor.identity == identity else {
            throw .otherIdentity(path: place.floorFile, identityFile: place.identityFile)
        }
        // A crash came between the two files when the list was written anew.
        let isNewer = floor.generation + 1 == base.generation
        guard isNewer || floor.generation == base.generation else {
            throw .damaged(path: place.listFile, detail: "is another copy than signed.floor's")
        }
        let durable = isNewer ? first.end + base.entryBytes : floor.bytes
        let read = try Self.entries(content, from: first.end, durable, place)
        tornBytes = content.count - read.end
        guard base.entryCount <= read.entries.count else {
            throw .damaged(path: place.listFile, detail: "has fewer entries than it began with")
        }
        if tornBytes > 0, mends { try Self.keep(Array(content[read.end...]), place) }
        do throws(SystemError) {
            floorFile = try File(place.floorFile, .write)
            // First of all: were it behind by two, nobody could tell the list from another copy.
            if isNewer, mends {
                try floor.raise(floorFile, generation: base.generation, bytes: read.end)
            }
        } catch { throw .system(error) }
        forgotten = try Self.forgotten(place)
        (self.base, self.floor, entries, bytes) = (base, floor, read.entries, read.end)
        index()
    }

    private static func content(
        _ path: String, bytesMax: Int, _ place: SignerPlace
    ) throws(SignedListError) -> [UInt8] {
        do throws(SystemError) {
            let file = try File(path, .read)
            let size = try file.size()
            // A torn write may stand behind it.
            guard size <= bytesMax + SignedFrame.headBytes + SignedFrame.textBytesMax else {
                throw SystemError.full("read", path)
            }
            return try file.read(count: size)
        } catch {
            if error.isMissing { throw .missing(path: path, identityFile: place.identityFile) }
            throw .system(error)
        }
    }

    /// The entries up to `durable`, all of which have to be there, and one more if it is whole.
    private static func entries(
        _ content: [UInt8], from start: Int, _ durable: Int, _ place: SignerPlace
    ) throws(SignedListError) -> (entries: [SignedEntry], end: Int) {
        guard start <= durable, durable <= content.count else {
            throw .damaged(
                path: place.listFile,
                detail: "has \(content.count) bytes, and \(durable) were made durable")
        }
        var (entries, end): ([SignedEntry], Int) = ([], start)
        while end < durable {
            guard let frame = SignedFrame.read(content, at: end), frame.end <= durable,
                let entry = SignedEntry(frame.json)
            else { throw .damaged(path: place.listFile, detail: "is damaged at byte \(end)") }
            entries.append(entry)
            end = frame.end
        }
        guard end < content.count else { return (entries, end) }
        if let frame = SignedFrame.read(content, at: end), let entry = SignedEntry(frame.json) {
            entries.append(entry)
            end = frame.end
            // After a write whose floor failed nothing more is written.
            guard end == content.count else {
                throw .damaged(path: place.listFile, detail: "goes on behind its last entry")
            }
        } else if content.count - end > SignedFrame.headBytes + SignedFrame.textBytesMax {
            throw .damaged(path: place.listFile, detail: "goes on behind its last entry")
        }
        return (entries, end)
    }

    private static func keep(_ torn: [UInt8], _ place: SignerPlace) throws(SignedListError) {
        do throws(SystemError) { try File.replace(place.tornFile, with: torn) } catch {
            throw .system(error)
        }
    }

    private func index() {
        (places, transactions) = ([:], [])
        for number in entries.indices { index(number) }
    }

    private func index(_ number: Int) {
        let payment = entries[number].payment
        transactions.insert(payment.transaction)
        for id in payment.withdrawals { places[id, default: []].append(number) }
    }

    /// Whether it has a transaction.
    func has(_ transaction: TransactionID) -> Bool { transactions.contains(transaction) }

    /// The entries that pay some of these withdrawals, in the order of their signing.
    public func entries(paying withdrawals: [WithdrawalID]) -> [SignedEntry] {
        Set(withdrawals.flatMap { places[$0] ?? [] }).sorted().map { entries[$0] }
    }

    /// How many entries pay a withdrawal.
    func count(paying withdrawal: WithdrawalID) -> Int { places[withdrawal]?.count ?? 0 }

    /// The last record of the log that the list knows of.
    public var seen: SeenRecord {
        entries.lazy.map(\.seen).reduce(base.seen) { $1.sequence > $0.sequence ? $1 : $0 }
    }

    /// How far the list has come: the more often it was written anew, and then the longer it is,
    /// the later a copy of it is.
    var position: SignedPosition {
        SignedPosition(generation: base.generation, bytes: UInt64(bytes))
    }

    /// Whether an entry has room.
    func hasRoom(for entry: SignedEntry) -> Bool {
        let count = SignedFrame.bytes(entry.json).count
        return count <= SignedFrame.headBytes + SignedFrame.textBytesMax
            && bytes + count <= Self.bytesMax
    }

    /// Adds an entry, and returns once it is durable. False: it may be or not, and nothing more is
    /// kept; `fault` says why.
    public func append(_ entry: SignedEntry) -> Bool {
        let frame = SignedFrame.bytes(entry.json)
        guard fault == nil else { return false }
        guard let file, bytes + frame.count <= Self.bytesMax,
            frame.count <= SignedFrame.headBytes + SignedFrame.textBytesMax
        else {
            fault = "the list is not ready for it"
            return false
        }
        do throws(SystemError) {
            try file.write(frame, at: bytes)
            try file.sync()
            try floor.raise(
                floorFile, generation: base.generation, bytes: bytes + frame.count)
        } catch {
            fault = "\(error)"
            return false
        }
        bytes += frame.count
        entries.append(entry)
        index(entries.count - 1)
        return true
    }

    /// Writes the list anew, with these entries only. False: it stays as it was on the disk, or as
    /// it is to be, and nothing more is kept.
    public func rewrite(_ base: SignedBase, _ entries: [SignedEntry]) -> Bool {
        guard fault == nil else { return false }
        var base = base
        base.identity = self.base.identity
        base.generation = self.base.generation + 1
        let frames = entries.flatMap { SignedFrame.bytes($0.json) }
        (base.entryBytes, base.entryCount) = (frames.count, entries.count)
        let content = Self.magic + SignedFrame.bytes(base.json) + frames
        do throws(SystemError) {
            guard content.count <= Self.bytesMax else {
                throw SystemError.full("write", place.listFile)
            }
            file = try File.replace(place.listFile, with: content, keepsOwner: true)
            try floor.raise(floorFile, generation: base.generation, bytes: content.count)
        } catch {
            fault = "\(error)"
            return false
        }
        (self.base, self.entries, bytes) = (base, entries, content.count)
        index()
        return true
    }
}
