// The snapshot of a process that stops.

public import Engine
public import Platform

extension SnapshotStore {
    /// Writes a snapshot of an engine at the end of its journal, so that the next start has nothing
    /// to replay, and removes the oldest but `keep`. Returns nil if it is left out: some of the
    /// journal is not `released`, which no snapshot may show; another process is writing one; or
    /// there is one of this record.
    public func writeLast(
        _ engine: borrowing Engine, _ writer: JournalWriter, released: UInt64, keep: Int,
        keepFree: Int, work: WorkProgress
    ) throws(JournalError) -> SnapshotInfo? {
        let last = writer.last
        guard last.sequence == engine.sequence, released == engine.sequence,
            try !sequences().contains(engine.sequence),
            let turn = try? StateLock(directory: directory, name: "writer.lock")
        else { return nil }
        defer { _ = turn }
        let info = try write(
            engine, identity: writer.identity, recordCRC: last.crc, keepFree: keepFree, work: work)
        try prune(keep: keep)
        return info
    }
}
