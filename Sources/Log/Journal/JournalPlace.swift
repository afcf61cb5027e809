// The places of a journal and of its guards, the files that reveal its loss.
//
//   journal/*.seg           the segments; the directory may be a volume of its own
//   journal/cut/            what was cut off, with its reason
//   STATE/replica           which replica of which journal this is; see `ReplicaFile`
//   STATE/floor             the last durable record; see `DurableFloor`
//   STATE/clock             when an operator last confirmed the host's clock
//   STATE/journal.fault     a failed write or sync that was not cleared; also in RUNTIME
//   CONFIGURATION/journal.id   the journal's identity, beside bourse.toml

internal import Platform
public import Terms
internal import Wire

/// The files of one journal and its guards.
public struct JournalPlace: Hashable, Sendable {
    /// The directory of the segments.
    public var directory: String
    /// The state directory.
    public var state: String
    /// The replica file.
    public var replicaFile: String { Directory.join(state, "replica") }
    /// The file of the last durable record.
    public var floorFile: String { Directory.join(state, "floor") }
    /// The file of the journal's identity outside its volume, or nil.
    public var identityFile: String?
    /// The files of a latched fault: all are written, and any one counts.
    public var faultFiles: [String]

    /// The place of a journal in `directory`. `state` is not on the journal's own volume, if any;
    /// `runtime` outlives a process but not a boot; the identity is beside the file
    /// `configuration`.
    public init(
        directory: String, state: String, runtime: String? = nil, configuration: String? = nil
    ) {
        (self.directory, self.state) = (directory, state)
        identityFile = configuration.map {
            Directory.join(Directory.parent(of: $0) ?? ".", "journal.id")
        }
        // The runtime directory is in memory: it is writable when the disk is not.
        faultFiles = [runtime, state].compactMap { $0 }.map {
            Directory.join($0, "journal.fault")
        }
    }

    // MARK: Faults

    /// Notes that a write or a sync failed. Failures to write the note are ignored: the exit status
    /// reports the fault as well. In place: on a full disk half a note is better than none, as the
    /// file's existence counts.
    public func latch(_ detail: String) {
        let text = Array("\(detail)\n".utf8)
        for path in faultFiles {
            do throws(SystemError) {
                let file = try File(path, .replace)
                try file.write(text)
                try file.sync()
                try Directory.sync(Directory.parent(of: path) ?? ".")
            } catch { continue }
        }
    }

    /// The latched fault: a file, and what happened. A note whose own write failed may hold
    /// anything, and still counts.
    public func latched() -> (file: String, detail: String)? {
        let notes = faultFiles.filter { Directory.exists($0) }
        for path in notes {
            let bytes = (try? File(path, .read).read(count: 2048)) ?? []
            let line = bytes.prefix { $0 != 0x0A }
            guard !line.isEmpty, line.count < bytes.count,
                line.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }),
                let text = String(validating: line, as: UTF8.self)
            else { continue }
            return (path, text)
        }
        return notes.first.map { ($0, "the fault is not described") }
    }

    /// Removes the notes of a fault.
    func unlatch() throws(JournalError) {
        for path in faultFiles where Directory.exists(path) {
            try onDisk { () throws(SystemError) in
                try Directory.remove(path)
                // Else a power cut would restore the fault after the journal continued.
                if let parent = Directory.parent(of: path) { try Directory.sync(parent) }
            }
        }
    }

    /// Runs `body`, which writes to the journal, and latches disk faults.
    func latching<R>(_ body: () throws(JournalError) -> R) throws(JournalError) -> R {
        do throws(JournalError) { return try body() } catch {
            if case .system(let reason) = error, reason.isDiskFault { latch("\(reason)") }
            throw error
        }
    }

    // MARK: The clock

    private var clockFile: String { Directory.join(state, "clock") }

    /// Notes that the host's clock is right at this moment, nanoseconds since 1970.
    public func acceptClock(_ host: Int64) throws(JournalError) {
        try onDisk { () throws(SystemError) in
            try File.replace(clockFile, with: Array("\(host)\n".utf8), keepsOwner: true)
        }
    }

    /// Whether an operator confirmed a clock that was at most `nanos` behind this one.
    public func hasAcceptedClock(_ host: Int64, within nanos: Int64) -> Bool {
        guard let bytes = try? File(clockFile, .read).read(count: 32),
            let said = Int64(String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self))
        else { return false }
        let (ago, isOver) = host.subtractingReportingOverflow(said)
        return !isOver && ago >= 0 && ago <= nanos
    }

    // MARK: Identity

    /// The identity outside the volume, or nil. An invalid file is a fault.
    func keptIdentity() throws(JournalError) -> JournalIdentity? {
        guard let identityFile else { return nil }
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try File(identityFile, .read).read(count: 64) } catch {
            if error.isMissing { return nil }
            throw .system(error)
        }
        let text = String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self)
        guard let identity = JournalIdentity(text) else {
            throw .replica(file: identityFile, detail: "does not hold a journal's identity")
        }
        return identity
    }

    /// Stores the identity outside the volume.
    func keep(_ identity: JournalIdentity) throws(JournalError) {
        guard let identityFile else { return }
        try onDisk { () throws(SystemError) in
            try File.replace(
                identityFile, with: Array("\(identity)\n".utf8), mode: 0o644, keepsOwner: true)
        }
    }
}

extension JournalIdentity {
    /// The identity of 32 hexadecimal digits.
    public init?(_ text: String) {
        guard text.utf8.count == 32, let high = UInt64(text.prefix(16), radix: 16),
            let low = UInt64(text.suffix(16), radix: 16), !text.contains("+"), !text.contains("-")
        else { return nil }
        self.init(high: high, low: low)
    }
}

// MARK: - The replica file

/// Which replica of which journal this host has, and what it has promised.
///
///      0  8    magic, "BOURSER1"
///      8  u32  version of this layout: 1
///     12  u32  bytes of the file: 128
///     16  u64  journal identity, high
///     24  u64  journal identity, low
///     32  u64  replica id, high
///     40  u64  replica id, low
///     48  u32  promise: no lower epoch is followed
///     52  u32  zero
///     56  u64  etcd's cluster id; 0: none
///     64  u64  cut intent: the first record of a cut; 0: none
///     72  u32  that record's epoch
///     76  u32  that record's CRC32C
///     80  u64  the journal's first record: earlier ones were never here, or were given up
///     88  36   zero
///    124  u32  CRC32C of bytes 0 ..< 124
///
/// Replaced atomically, on a full disk as well: `replica.spare` is the one before, of no meaning.
public struct ReplicaFile: Hashable, Sendable {
    /// Which journal.
    public var identity: JournalIdentity
    /// The replica; new for each journal directory.
    public var replica: ReplicaID
    /// The promise: no lower epoch is followed.
    public var promise: UInt32
    /// etcd's cluster id; 0: none.
    public var cluster: UInt64
    /// The journal's first record: 1, or the one after a learner's first snapshot.
    public var first: UInt64
    /// The first record of a cut in progress. While that record exists, the cut is not done.
    public var cut: LogPoint?

    static let bytes = 128
    static let magic: UInt64 = 0x3152_4553_5255_4F42
    static let version: UInt32 = 1

    /// A new replica of this journal.
    public init(
        identity: JournalIdentity, replica: ReplicaID = .random(), promise: UInt32 = 0,
        cluster: UInt64 = 0, first: UInt64 = 1, cut: LogPoint? = nil
    ) {
        (self.identity, self.replica, self.promise) = (identity, replica, promise)
        (self.cluster, self.first, self.cut) = (cluster, first, cut)
    }

    /// Reads it; nil if there is none. Throws `replica` for a damaged one.
    public init?(_ path: String) throws(JournalError) {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try File(path, .read).read(count: Self.bytes + 1)
        } catch {
            if error.isMissing { return nil }
            throw .system(error)
        }
        let isWhole = unsafe bytes.withUnsafeBytes { raw in
            unsafe raw.count == Self.bytes && TrailingCRC.holds(raw, Self.bytes - 4)
        }
        guard isWhole else { throw .replica(file: path, detail: "is damaged") }
        let parsed: (magic: UInt64, version: UInt32, file: ReplicaFile) =
            unsafe bytes.withUnsafeBytes { raw in
                var r = unsafe WireReader(raw)
                let (magic, version): (UInt64, UInt32) = (r.integer(), r.integer())
                _ = r.integer(UInt32.self)
                let identity = JournalIdentity(high: r.integer(), low: r.integer())
                let replica = ReplicaID(high: r.integer(), low: r.integer())
                let promise: UInt32 = r.integer()
                _ = r.integer(UInt32.self)
                let cluster: UInt64 = r.integer()
                let cut = LogPoint(sequence: r.integer(), epoch: r.integer(), crc: r.integer())
                let first: UInt64 = r.integer()
                return (
                    magic, version,
                    ReplicaFile(
                        identity: identity, replica: replica, promise: promise, cluster: cluster,
                        first: first, cut: cut.sequence == 0 ? nil : cut)
                )
            }
        guard parsed.magic == Self.magic else {
            throw .replica(file: path, detail: "is not a replica file")
        }
        guard parsed.version == Self.version else {
            throw .newer(file: path, version: parsed.version, known: Self.version)
        }
        self = parsed.file
    }

    /// Makes it durable under its name.
    public func store(_ path: String) throws(JournalError) {
        var bytes = [UInt8](repeating: 0, count: Self.bytes)
        unsafe bytes.withUnsafeMutableBytes { raw in
            var w = unsafe WireWriter(raw)
            w.integer(Self.magic)
            w.integer(Self.version)
            w.integer(UInt32(Self.bytes))
            w.integer(identity.high)
            w.integer(identity.low)
            w.integer(replica.high)
            w.integer(replica.low)
            w.integer(promise)
            w.integer(UInt32(0))
            w.integer(cluster)
            w.integer(cut?.sequence ?? 0)
            w.integer(cut?.epoch ?? 0)
            w.integer(cut?.crc ?? 0)
            w.integer(first)
            unsafe TrailingCRC.seal(raw, Self.bytes - 4)
        }
        let content = bytes
        try onDisk { () throws(SystemError) in try File.exchange(path, with: content) }
    }
}
