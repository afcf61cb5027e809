// The snapshots of a state directory.

public import Engine
public import Platform

/// A snapshot's engine and header.
public struct LoadedSnapshot: ~Copyable {
    /// The engine at that sequence.
    public var engine: Engine
    /// The header.
    public let info: SnapshotInfo

    /// The engine.
    public consuming func takeEngine() -> Engine { engine }
}

/// The snapshots of a state directory. Several processes may write and read them.
public struct SnapshotStore: Sendable {
    private static let ending = ".snap"
    private static let asideEnding = ".new"
    /// The directory.
    public let directory: String

    /// The snapshots in `directory`, which must exist.
    public init(directory: String) { self.directory = directory }

    /// Writes the engine's state to a temporary file, renamed once it is durable.
    ///
    /// Only for durable and released records. `recordCRC` is that of the engine's last record;
    /// `commitPoint` is the last record known to be released, by default the engine's last. Refuses
    /// if fewer than `keepFree` bytes would be left on the disk. O(state); about 1 GB/s.
    public func write(
        _ engine: borrowing Engine, identity: JournalIdentity, recordCRC: UInt32,
        commitPoint: UInt64? = nil, keepFree: Int = 0, work: WorkProgress? = nil
    ) throws(JournalError) -> SnapshotInfo {
        let path = path(engine.sequence)
        // Not by `File.replace`: two daemons may write the same sequence at a stop, so each has a
        // file of its own and locks it; an unlocked one is a leftover.
        let aside = path + ".\(Host.processID)" + Self.asideEnding
        do throws(JournalError) {
            var body = try SnapshotBody(aside, directory: directory, keepFree: keepFree)
            work?.begin("writing a snapshot", unit: "bytes", from: 0, to: 0)
            unsafe engine.writeSnapshot {
                unsafe body.add($0)
                work?.advance(to: UInt64(body.count))
            }
            try body.flush()
            let info = SnapshotInfo(
                path: path, identity: identity, sequence: engine.sequence,
                timestamp: engine.timestamp, epoch: engine.epoch, recordCRC: recordCRC,
                commitPoint: commitPoint ?? engine.sequence, eventHash: engine.eventHash,
                stateHash: engine.stateHash(), bodyBytes: body.count, bodyCRC: body.crc)
            let file = body.file
            try onDisk { () throws(SystemError) in
                try file.write(info.header())
                try file.sync()
                try Directory.rename(aside, to: path)
            }
            return info
        } catch {
            try? Directory.remove(aside)
            throw error
        }
    }

    /// The sequences with a file, newest first. Contents are not read.
    public func sequences() throws(JournalError) -> [UInt64] {
        guard Directory.exists(directory) else { return [] }
        let names = try onDisk { () throws(SystemError) in try Directory.names(in: directory) }
        return names.compactMap { NumberedName.number($0, Self.ending) }.reversed()
    }

    /// The file of a sequence.
    public func path(_ sequence: UInt64) -> String {
        Directory.join(directory, NumberedName.name(sequence, Self.ending))
    }

    /// The newest whole snapshot of this journal at or before `atMost`, with its engine, or nil.
    /// `report` gets a line about each skipped one.
    ///
    /// With `journal`, a snapshot counts only if its record is the journal's at that sequence. A
    /// record of another term means a branch that was cut: skipped; one of the same term is a
    /// fault.
    public func newestValid(
        atMost: UInt64 = .max, identity: JournalIdentity?, journal: RecoveredJournal? = nil,
        report: (String) -> Void
    ) throws(JournalError) -> LoadedSnapshot? {
        for sequence in try sequences() where sequence <= atMost {
            let path = path(sequence)
            do throws(JournalError) {
                let loaded = try load(sequence, identity: identity)
                if let own = try journal?.point(sequence), own != loaded.info.point {
                    guard own.epoch != loaded.info.epoch else {
                        throw .forked(file: path, sequence: sequence)
                    }
                    throw .snapshot(
                        file: path,
                        detail: "it is of record \(loaded.info.point), and the journal has "
                            + "\(own): that branch was cut")
                }
                return loaded
            } catch {
                switch error {
                // A newer format means that the operator went back to an older version.
                case .newer, .forked: throw error
                default: report(error.description)
                }
            }
        }
        return nil
    }

    /// Renames the snapshots of later sequences out of use: `<name>.aside-<ns>`.
    public func setAside(after last: UInt64) throws(JournalError) {
        guard Directory.exists(directory) else { return }
        for sequence in try sequences() where sequence > last {
            let path = path(sequence)
            try onDisk { () throws(SystemError) in
                try Directory.rename(path, to: path + ".aside-\(Clock.realtimeNanos())")
            }
        }
    }

    /// The newest snapshot at or before `atMost` with whole header and body, without its engine.
    public func newest(
        atMost: UInt64 = .max, identity: JournalIdentity?
    ) throws(JournalError) -> (info: SnapshotInfo, body: [UInt8])? {
        for sequence in try sequences() where sequence <= atMost {
            do throws(JournalError) {
                let bytes = try read(sequence)
                let info = try SnapshotInfo(bytes, path: path(sequence), identity: identity)
                return (info, Array(bytes[SnapshotInfo.headerBytes...]))
            } catch { continue }
        }
        return nil
    }

    /// The snapshot of a sequence, with its engine.
    public func load(
        _ sequence: UInt64, identity: JournalIdentity?
    ) throws(JournalError) -> LoadedSnapshot {
        let path = path(sequence)
        let loaded = try Self.decode(try read(sequence), path: path, identity: identity)
        guard loaded.info.sequence == sequence else {
            throw .snapshot(file: path, detail: "its name and its header differ")
        }
        return loaded
    }

    /// The engine in the bytes of a snapshot file, fully checked: header, body, state hash. It
    /// keeps no events. `path` is for messages.
    public static func decode(
        _ bytes: [UInt8], path: String, identity: JournalIdentity?
    ) throws(JournalError) -> LoadedSnapshot {
        let info = try SnapshotInfo(bytes, path: path, identity: identity)
        var made: Engine?
        unsafe bytes.withUnsafeBytes { raw in
            unsafe made = Engine(
                snapshot: UnsafeRawBufferPointer(rebasing: raw[SnapshotInfo.headerBytes...]),
                keepsEvents: false)
        }
        guard let engine = made.take() else {
            throw .snapshot(file: path, detail: "this version cannot read its body")
        }
        guard engine.sequence == info.sequence, engine.eventHash == info.eventHash,
            engine.stateHash() == info.stateHash
        else { throw .snapshot(file: path, detail: "its state's hash is not its header's") }
        return LoadedSnapshot(engine: engine, info: info)
    }

    /// Removes all but the newest `keep` files, and the leftovers of dead writers.
    public func prune(keep: Int) throws(JournalError) {
        precondition(keep >= 1, "at least one snapshot is kept")
        for sequence in try sequences().dropFirst(keep) {
            let path = path(sequence)
            try onDisk { () throws(SystemError) in try Directory.remove(path) }
        }
        try removeUnfinished()
    }

    /// Removes the leftovers of dead writers.
    public func removeUnfinished() throws(JournalError) {
        let directory = directory
        try onDisk { () throws(SystemError) in
            for name in try Directory.names(in: directory) where name.hasSuffix(Self.asideEnding) {
                let path = Directory.join(directory, name)
                // A file being written is locked by its writer.
                if try File(path, .write).tryLock() { try Directory.remove(path) }
            }
        }
    }

    private func read(_ sequence: UInt64) throws(JournalError) -> [UInt8] {
        let path = path(sequence)
        return try onDisk { () throws(SystemError) in
            let file = try File(path, .read)
            return try file.read(count: try file.size())
        }
    }
}
