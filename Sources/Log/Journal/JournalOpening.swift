// Beginning a journal, and opening it at start-up, complete or not at all.

internal import Platform
public import Terms
internal import Wire

/// A journal opened for appending.
public struct OpenedJournal: Sendable {
    /// Its content.
    public var recovered: RecoveredJournal
    /// Which replica it is.
    public var replica: ReplicaFile
    /// Missing guards of a complete journal: lines for people.
    public var notes: [String]
}

/// The result of `Journal.begin`.
public enum JournalBeginning: Hashable, Sendable {
    /// A new journal was begun.
    case begun(JournalIdentity)
    /// It existed, unchanged.
    case unchanged(JournalIdentity)
    /// It existed; missing guards were made: names of files.
    case completed(JournalIdentity, files: [String])
}

extension Journal {
    /// Opens the journal of this place. Refuses while a fault is latched, and if the journal was
    /// never begun, is missing, is another's, or ends before a durable record. Finishes a noted
    /// cut, then recovers it from the newest snapshots on, or all of it with `scansAll`. This
    /// process must hold the state's lock.
    public static func open(
        _ place: JournalPlace, snapshots: SnapshotStore, scansAll: Bool = false,
        progress: (Int, Int) -> Void = { _, _ in }
    ) throws(JournalError) -> OpenedJournal {
        if let fault = place.latched() { throw .latched(file: fault.file, detail: fault.detail) }
        var replica = try check(place, snapshots)
        let scanFrom = scansAll ? 1 : try scanStart(snapshots)
        let floor = try place.latching { () throws(JournalError) in
            try finishCut(place, snapshots, &replica)
            return try DurableFloor.read(place.floorFile, identity: replica.identity)
        }
        guard let floor else { throw .replica(file: place.floorFile, detail: "is missing") }
        let recovered = try place.latching { () throws(JournalError) in
            try recover(
                directory: place.directory, identity: replica.identity, scanFrom: scanFrom,
                floor: floor, progress: progress)
        }
        guard !recovered.isEmpty || recovered.firstSequence > 1 else {
            throw .lost(directory: place.directory, identity: replica.identity)
        }
        guard recovered.firstSequence <= replica.first else {
            throw .beginningMissing(
                directory: place.directory, first: replica.first, last: recovered.firstSequence - 1)
        }
        var notes: [String] = []
        if let file = place.identityFile, !Directory.exists(file) {
            notes.append("\(file) is missing: `boursectl init` makes it anew")
        }
        return OpenedJournal(recovered: recovered, replica: replica, notes: notes)
    }

    /// The last record known to have been durable here, or 0.
    public static func floor(_ place: JournalPlace) throws(JournalError) -> UInt64 {
        try DurableFloor.readIfWhole(place.floorFile, identity: nil) ?? 0
    }

    /// Checks that the guards agree on the journal.
    private static func check(
        _ place: JournalPlace, _ snapshots: SnapshotStore
    ) throws(JournalError) -> ReplicaFile {
        let kept = try place.keptIdentity()
        let replica = try ReplicaFile(place.replicaFile)
        guard try !segments(place).isEmpty else {
            let hasMore = Directory.exists(place.floorFile)
            let hasSnapshots = try !snapshots.sequences().isEmpty
            guard kept != nil || replica != nil || hasMore || hasSnapshots else {
                throw .notBegun(directory: place.directory)
            }
            throw .lost(directory: place.directory, identity: kept ?? replica?.identity)
        }
        guard let replica else { throw .replica(file: place.replicaFile, detail: "is missing") }
        if let kept, kept != replica.identity {
            throw .foreign(file: place.replicaFile, found: replica.identity, expected: kept)
        }
        return replica
    }

    static func hasSegments(_ place: JournalPlace) throws(JournalError) -> Bool {
        try !segments(place).isEmpty
    }

    private static func segments(_ place: JournalPlace) throws(JournalError) -> [SegmentName] {
        guard Directory.exists(place.directory) else { return [] }
        return try SegmentName.list(place.directory)
    }

    /// Begins the journal of this place with its first record, or finds it begun; the only
    /// operation that begins one. Completes an interrupted beginning, and restores the identity
    /// outside the volume. Throws `lost` or `behind` if one was begun and is missing or incomplete,
    /// `replica` if the guards are missing or damaged, and `latched` while a disk fault is latched.
    ///
    /// A journal with only its first record is begun again if that has other limits or the segment
    /// another size. `isNew` gives up the previous journal: its remains are moved to `cut/`.
    public static func begin(
        _ place: JournalPlace, limits: EngineLimits, snapshots: SnapshotStore,
        options: JournalOptions, isNew: Bool = false
    ) throws(JournalError) -> JournalBeginning {
        if isNew {
            try giveUp(place, snapshots)
        } else if let fault = place.latched() {
            throw .latched(file: fault.file, detail: fault.detail)
        } else if try !segments(place).isEmpty {
            let floor = try floor(place)
            let found = try inspect(directory: place.directory, scanFrom: .max, floor: floor)
            if let identity = found.identity, !found.isEmpty || found.firstSequence > 1 {
                guard try isToBeBegunAgain(place, found, floor, limits, snapshots, options) else {
                    return try complete(place, found, identity, snapshots)
                }
                try giveUp(place, snapshots)
            } else {
                try checkNeverBegun(place, snapshots)
            }
        } else {
            try checkNeverBegun(place, snapshots)
        }
        let recovered = try recover(directory: place.directory)
        let replica = ReplicaFile(identity: recovered.identity ?? .random(), promise: 1)
        let writer = try JournalWriter(
            recovered: recovered, identity: replica.identity, replica: replica.replica,
            options: options)
        // Filled with zeros like any other: else each sync writes metadata as well.
        _ = try writer.prepareNext()
        try writer.appendGenesis(limits)
        // In this order: whatever is missing after a crash is made by the next call.
        try replica.store(place.replicaFile)
        _ = try DurableFloor(place.floorFile, identity: replica.identity, sequence: 1)
        try place.keep(replica.identity)
        return .begun(replica.identity)
    }

    /// Checks that no guard exists. Guards are made only once the first record is durable: if there
    /// is one, records are lost.
    static func checkNeverBegun(
        _ place: JournalPlace, _ snapshots: SnapshotStore
    ) throws(JournalError) {
        let (kept, replica) = (try place.keptIdentity(), try ReplicaFile(place.replicaFile))
        let hasSnapshots = try !snapshots.sequences().isEmpty
        guard kept == nil, replica == nil, !hasSnapshots, !Directory.exists(place.floorFile) else {
            throw .lost(directory: place.directory, identity: kept ?? replica?.identity)
        }
    }

    /// Whether the journal has only its first record, never had more by its guards, and differs
    /// from what is wanted now.
    private static func isToBeBegunAgain(
        _ place: JournalPlace, _ found: RecoveredJournal, _ floor: UInt64,
        _ limits: EngineLimits, _ snapshots: SnapshotStore, _ options: JournalOptions
    ) throws(JournalError) -> Bool {
        guard found.lastSequence == 1, let genesis = found.genesis else { return false }
        guard try (snapshots.sequences().first ?? 1) == 1 else { return false }
        let (kept, replica) = (try place.keptIdentity(), try ReplicaFile(place.replicaFile))
        let isHalfBegun = floor == 0 && kept == nil && replica == nil
        guard floor == 1 || isHalfBegun else { return false }
        let size = try segments(place).first?.open(identity: nil).size
        return genesis.limits != limits || size != options.segmentBytes
    }

    /// Moves a journal's remains away, newest first and the guards last: while a guard is left, no
    /// call mistakes the remains for a whole journal or for none.
    private static func giveUp(
        _ place: JournalPlace, _ snapshots: SnapshotStore
    ) throws(JournalError) {
        let suffix = ".given-up-\(Clock.realtimeNanos())"
        let cuts = CutFile(place.directory)
        for segment in try segments(place).reversed() {
            try cuts.take(segment.path, name: segment.name)
        }
        try snapshots.setAside(after: 0)
        let guards = [place.replicaFile, place.identityFile, place.floorFile].compactMap { $0 }
        for path in guards where Directory.exists(path) {
            try onDisk { () throws(SystemError) in
                try Directory.rename(path, to: path + suffix)
            }
        }
    }

    /// Begins a learner's journal after another replica's snapshot: its first record will be the
    /// next one. The directory must hold no segment.
    public static func begin(
        _ place: JournalPlace, after snapshot: SnapshotInfo, replica: ReplicaFile,
        options: JournalOptions
    ) throws(JournalError) -> RecoveredJournal {
        guard try segments(place).isEmpty else {
            throw .refused(
                sequence: snapshot.sequence + 1, detail: "\(place.directory) holds a journal")
        }
        try onDisk { () throws(SystemError) in
            try Directory.create(place.directory)
            let name = SegmentName(place.directory, snapshot.sequence + 1)
            let header = SegmentHeader(
                identity: snapshot.identity, prior: snapshot.point,
                priorTimestamp: snapshot.timestamp, fileBytes: options.segmentBytes,
                replica: replica.replica)
            // Removes prepared segments too, which the writer makes again.
            let aside = Directory.join(place.directory, "ready-now")
            try File.replace(name.path, aside: aside) { file throws(SystemError) in
                try file.allocate(offset: 0, count: options.segmentBytes)
                try file.write(header.block())
            }
        }
        var own = replica
        own.first = snapshot.sequence + 1
        try own.store(place.replicaFile)
        _ = try DurableFloor(
            place.floorFile, identity: snapshot.identity, sequence: snapshot.sequence)
        try place.keep(snapshot.identity)
        return try recover(directory: place.directory, scanFrom: snapshot.sequence)
    }
}

extension JournalWriter {
    /// Writes the first record of an empty journal.
    fileprivate func appendGenesis(_ limits: EngineLimits) throws(JournalError) {
        let header = RecordHeader(
            sequence: 1, timestamp: Clock.realtimeNanos(), epoch: 1, kind: .genesis)
        let key = JournalIdentity.random()
        var record = Genesis(
            limits: limits, journalHigh: identity.high, journalLow: identity.low,
            hashKeyHigh: key.high, hashKeyLow: key.low
        ).recordBytes(header)
        unsafe record.withUnsafeMutableBytes { unsafe CRC32C.seal(record: $0) }
        try appendFirst(record)
    }

    /// Writes a whole first record, durably.
    func appendFirst(_ record: [UInt8]) throws(JournalError) {
        var failure: JournalError?
        unsafe record.withUnsafeBytes { bytes in
            do throws(JournalError) {
                try unsafe append(bytes)
                try sync()
            } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
