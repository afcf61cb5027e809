// The files that reveal a journal's loss, and their renewal.

internal import Platform

/// The result of renewing a journal's guards.
public struct RenewedGuards: Hashable, Sendable {
    /// The last record of the journal that they guard now.
    public var last: UInt64
    /// The files made.
    public var made: [String]
    /// The new paths of damaged ones.
    public var kept: [String]
}

extension Journal {
    /// Number of damaged copies kept per guard.
    static let damagedCopiesMax = 4

    /// Completes an interrupted beginning of a journal, the only files made without a request: the
    /// identity outside the volume, which the replica file also holds, and all guards of a journal
    /// that was never used.
    static func complete(
        _ place: JournalPlace, _ found: RecoveredJournal, _ identity: JournalIdentity,
        _ snapshots: SnapshotStore
    ) throws(JournalError) -> JournalBeginning {
        let kept = try place.keptIdentity()
        let replica = try ReplicaFile(place.replicaFile)
        let floor = try DurableFloor.read(place.floorFile, identity: identity)
        let hasSnapshots = try !snapshots.sequences().isEmpty
        if kept != nil || hasSnapshots || found.lastSequence > 1 {
            for (isMissing, file) in [
                (replica == nil, place.replicaFile), (floor == nil, place.floorFile),
            ] where isMissing { throw .replica(file: file, detail: "is missing") }
        }
        let made = try makeGuards(
            place, found, identity, kept: kept, replica: replica, floor: floor)
        return made.isEmpty ? .unchanged(identity) : .completed(identity, files: made)
    }

    /// Renews a journal's missing or damaged guards, for an operator who knows that the journal is
    /// complete: only its own end shows that now. Without its replica file this is a new replica.
    /// Damaged files are kept aside, the newest few of each. `confirm` is called with the last
    /// record before any change. Throws `foreign` for guards of another journal, and the journal's
    /// own faults. This process must hold the state's lock.
    public static func renewGuards(
        _ place: JournalPlace, confirm: (UInt64) throws -> Void,
        progress: (Int, Int) -> Void = { _, _ in }
    ) throws -> RenewedGuards {
        if let fault = place.latched() {
            throw JournalError.latched(file: fault.file, detail: fault.detail)
        }
        let found = try inspect(
            directory: place.directory, floor: try floor(place), progress: progress)
        guard let identity = found.identity, !found.isEmpty || found.firstSequence > 1 else {
            throw JournalError.lost(directory: place.directory, identity: nil)
        }
        var damaged: [String] = []
        let replica = try unlessDamaged(&damaged) { () throws(JournalError) in
            try ReplicaFile(place.replicaFile)
        }
        let floor = try unlessDamaged(&damaged) { () throws(JournalError) in
            try DurableFloor.read(place.floorFile, identity: identity)
        }
        let kept = try unlessDamaged(&damaged) { () throws(JournalError) in try place.keptIdentity()
        }
        try check(place, identity, kept: kept, replica: replica)
        guard replica == nil || floor == nil || kept == nil && place.identityFile != nil else {
            return RenewedGuards(last: found.lastSequence, made: [], kept: [])
        }
        try confirm(found.lastSequence)
        let moved = try damaged.map { try setAside($0) }
        let made = try makeGuards(
            place, found, identity, kept: kept, replica: replica, floor: floor)
        return RenewedGuards(last: found.lastSequence, made: made, kept: moved)
    }

    private static func makeGuards(
        _ place: JournalPlace, _ found: RecoveredJournal, _ identity: JournalIdentity,
        kept: JournalIdentity?, replica: ReplicaFile?, floor: UInt64?
    ) throws(JournalError) -> [String] {
        try check(place, identity, kept: kept, replica: replica)
        var made: [String] = []
        if replica == nil {
            try ReplicaFile(
                identity: identity, promise: found.lastEpoch, first: found.firstSequence
            ).store(place.replicaFile)
            made.append(place.replicaFile)
        }
        if floor == nil {
            _ = try DurableFloor(place.floorFile, identity: identity, sequence: found.lastSequence)
            made.append(place.floorFile)
        }
        if let file = place.identityFile, kept == nil {
            try place.keep(identity)
            made.append(file)
        }
        return made
    }

    /// Checks that the existing guards are this journal's.
    private static func check(
        _ place: JournalPlace, _ identity: JournalIdentity, kept: JournalIdentity?,
        replica: ReplicaFile?
    ) throws(JournalError) {
        if let replica, replica.identity != identity {
            throw .foreign(file: place.replicaFile, found: replica.identity, expected: identity)
        }
        if let kept, kept != identity {
            throw .foreign(file: place.directory, found: identity, expected: kept)
        }
    }

    /// The result of `read`, or nil for a damaged file, which is noted.
    private static func unlessDamaged<R>(
        _ damaged: inout [String], _ read: () throws(JournalError) -> R?
    ) throws(JournalError) -> R? {
        do throws(JournalError) { return try read() } catch {
            guard case .replica(let file, _) = error else { throw error }
            damaged.append(file)
            return nil
        }
    }

    /// Moves a damaged guard away, and removes the oldest earlier ones.
    private static func setAside(_ path: String) throws(JournalError) -> String {
        let target = "\(path).damaged-\(Clock.realtimeNanos())"
        try onDisk { () throws(SystemError) in
            let parent = Directory.parent(of: path) ?? "."
            try Directory.rename(path, to: target)
            let before = try Directory.names(in: parent)
                .map { Directory.join(parent, $0) }
                .filter { $0.hasPrefix("\(path).damaged-") }.sorted()
            for old in before.dropLast(damagedCopiesMax) { try Directory.remove(old) }
        }
        return target
    }
}
