// Cutting records off the end of a journal, as a primary's log requires or an operator accepts.

internal import Engine
internal import Platform

extension Journal {
    /// Cuts all records after `last` of a whole journal. The intent is noted first, so that the
    /// next process finishes an interrupted cut.
    static func cut(
        _ place: JournalPlace, after last: UInt64, snapshots: SnapshotStore?, reason: String
    ) throws(JournalError) {
        guard var replica = try ReplicaFile(place.replicaFile) else {
            throw .replica(file: place.replicaFile, detail: "is missing")
        }
        guard let first = try point(place, last + 1) else { return }
        replica.cut = first
        try replica.store(place.replicaFile)
        try lowerFloor(place, replica.identity, to: last)
        try snapshots?.setAside(after: last)
        try cutOff(place.directory, replica.identity, after: last, reason)
        replica.cut = nil
        try replica.store(place.replicaFile)
    }

    /// Finishes a noted cut. Its first record is removed last, with all others after it: if another
    /// record, or none, is in its place, the cut is done.
    static func finishCut(
        _ place: JournalPlace, _ snapshots: SnapshotStore, _ replica: inout ReplicaFile
    ) throws(JournalError) {
        guard let first = replica.cut else { return }
        if try point(place, first.sequence) == first {
            try lowerFloor(place, replica.identity, to: first.sequence - 1)
            try snapshots.setAside(after: first.sequence - 1)
            try cutOff(
                place.directory, replica.identity, after: first.sequence - 1,
                "a cut from record \(first) on, begun by an earlier process")
        }
        replica.cut = nil
        try replica.store(place.replicaFile)
    }

    /// Continues with the records up to `last`: everything after it, damaged or not, is moved to
    /// `cut/`, snapshots of later records are set aside, and the floor is lowered. For operators,
    /// who thereby lose records acknowledged after it. This process must hold the state's lock. Can
    /// be repeated after an interruption.
    public static func acceptLoss(
        _ place: JournalPlace, after last: UInt64, snapshots: SnapshotStore, reason: String
    ) throws(JournalError) -> RecoveredJournal {
        guard let replica = try ReplicaFile(place.replicaFile) else {
            throw .replica(file: place.replicaFile, detail: "is missing")
        }
        if let fault = place.latched() { throw .latched(file: fault.file, detail: fault.detail) }
        return try place.latching { () throws(JournalError) in
            try cutOff(place.directory, replica.identity, after: last, reason)
            try snapshots.setAside(after: last)
            let recovered = try recover(directory: place.directory)
            try lowerFloor(place, replica.identity, to: recovered.lastSequence)
            return recovered
        }
    }

    /// Continues without the records before `first`, with which the journal begins: a snapshot has
    /// to replace them. For operators; this process must hold the state's lock.
    public static func acceptLoss(
        _ place: JournalPlace, before first: UInt64, snapshots: SnapshotStore
    ) throws(JournalError) -> RecoveredJournal {
        guard var replica = try ReplicaFile(place.replicaFile) else {
            throw .replica(file: place.replicaFile, detail: "is missing")
        }
        let found = try inspect(
            directory: place.directory,
            floor: try DurableFloor.readIfWhole(place.floorFile, identity: replica.identity) ?? 0)
        guard found.firstSequence == first else {
            throw .missing(
                directory: place.directory, first: first, last: max(found.firstSequence, 1) - 1)
        }
        // Not only for a whole one: replaying from it meets the log's hash marks.
        let engine = try restore(found, snapshots: snapshots)
        guard engine.sequence == found.lastSequence else {
            throw .noSnapshot(directory: place.directory, first: first)
        }
        replica.first = first
        try replica.store(place.replicaFile)
        return found
    }

    /// The record of a sequence, or nil.
    package static func point(
        _ place: JournalPlace, _ sequence: UInt64
    ) throws(JournalError) -> LogPoint? {
        guard
            let segment = try SegmentName.list(place.directory).last(where: {
                $0.firstSequence <= sequence
            })
        else { return nil }
        let cursor = try segment.open(identity: nil)
        try cursor.pass(to: sequence - 1)
        guard cursor.expected.sequence == sequence else { return nil }
        while true {
            switch try onDisk({ () throws(SystemError) in
                try cursor.step(upTo: sequence, bytesMax: 1)
            }) {
            case .run: return cursor.expected.prior
            case .mark: continue
            case .end, .bad, .held: return nil
            }
        }
    }

    private static func lowerFloor(
        _ place: JournalPlace, _ identity: JournalIdentity, to sequence: UInt64
    ) throws(JournalError) {
        _ = try DurableFloor(place.floorFile, identity: identity, sequence: sequence)
    }

    /// Removes later segments, the newest first; then zeroes the segment, its first cut record last
    /// of all. Nothing is changed if there is no good record `last`, or a segment is another
    /// journal's.
    private static func cutOff(
        _ directory: String, _ identity: JournalIdentity, after last: UInt64, _ reason: String
    ) throws(JournalError) {
        var segments: [SegmentName] = []
        // Foreign files are set aside unchanged.
        var going: [SegmentName] = []
        for segment in try SegmentName.list(directory) {
            do throws(JournalError) {
                _ = try segment.open(identity: identity, anySize: true)
                segments.append(segment)
            } catch {
                guard case .damaged = error else { throw error }
                going.append(segment)
            }
        }
        guard let index = segments.lastIndex(where: { $0.firstSequence <= last }) else {
            throw .missing(
                directory: directory, first: last, last: (segments.first?.firstSequence ?? 1) - 1)
        }
        let cursor = try segments[index].open(identity: identity, anySize: true)
        try cursor.pass(to: last)
        guard cursor.expected.last == last else {
            throw .damaged(
                file: segments[index].path, offset: cursor.offset, lastGood: cursor.expected.last,
                detail: "there is no good record \(last)")
        }
        let cuts = CutFile(directory)
        going += segments[(index + 1)...]
        for segment in going.sorted(by: { $0.firstSequence > $1.firstSequence }) {
            try cuts.take(segment.path, name: segment.name)
        }
        for segment in segments[..<index] {
            let earlier = try segment.open(identity: identity, anySize: true)
            let size = try onDisk { () throws(SystemError) in try earlier.file.size() }
            try cuts.keep(
                earlier, earlier.size..<max(size, earlier.size), sequence: last + 1,
                epoch: cursor.expected.prior.epoch, reason: reason)
            try setSize(segment, earlier.size)
        }
        let start = cursor.offset
        let size = try onDisk { () throws(SystemError) in try cursor.file.size() }
        let written = try cursor.search().lastByte.map { $0 + 1 }
        guard let end = size > cursor.size ? size : written else {
            return try setSize(segments[index], cursor.size)
        }
        try cuts.keep(
            cursor, start..<end, sequence: last + 1, epoch: cursor.expected.prior.epoch,
            reason: reason)
        // A record's last bytes may be zero, and are then not in the cut file.
        let first = min(end, start + (try cursor.nextRecordBytes()))
        try onDisk { () throws(SystemError) in
            let file = try File(segments[index].path, .write)
            try file.zero(first..<end)
            try file.sync()
            try file.zero(start..<first)
            try file.sync()
        }
        try setSize(segments[index], cursor.size)
    }

    /// Sets a segment's length to that of its header.
    private static func setSize(_ segment: SegmentName, _ size: Int) throws(JournalError) {
        try onDisk { () throws(SystemError) in
            let file = try File(segment.path, .write)
            guard try file.size() != size else { return }
            try file.truncate(to: size)
            try file.sync()
        }
    }
}

extension SegmentCursor {
    /// Skips the records up to `sequence`, and the marks behind it.
    func pass(to sequence: UInt64) throws(JournalError) {
        while true {
            switch try onDisk({ () throws(SystemError) in
                try step(upTo: sequence, bytesMax: .max)
            }) {
            case .run, .mark: continue
            case .held, .end, .bad: return
            }
        }
    }

    /// Bytes of the good record here, or 0.
    fileprivate func nextRecordBytes() throws(JournalError) -> Int {
        let found = try onDisk { () throws(SystemError) -> Step in try step(upTo: .max, bytesMax: 1)
        }
        guard case .run(let record) = found else { return 0 }
        return record.count
    }
}

extension File {
    /// Zeroes a range, from its end backwards.
    fileprivate func zero(_ range: Range<Int>) throws(SystemError) {
        let zeros = [UInt8](repeating: 0, count: min(range.count, 1 << 20))
        var end = range.upperBound
        while end > range.lowerBound {
            let count = min(zeros.count, end - range.lowerBound)
            try write(Array(zeros[..<count]), at: end - count)
            end -= count
        }
    }
}
