// Scanning a journal at start-up.

internal import Platform
internal import Terms
public import Wire

extension Journal {
    /// Scans and checks the journal, and cuts off an incomplete last write, so that the rest is
    /// durable; the cut bytes are kept in `cut/`. Every record from the segment of `scanFrom` on is
    /// checked; of earlier segments only the headers. Linear in the bytes scanned, about 1 GB/s.
    ///
    /// An empty directory is an empty journal. Throws, with nothing changed, for damage before the
    /// end, missing or foreign segments (of another journal than `identity`, if given) and newer
    /// formats: it never guesses. `floor`: a record known to have been durable, or 0; a journal
    /// that ends before it has lost records.
    ///
    /// `progress` often gets the bytes scanned and their total.
    public static func recover(
        directory: String, identity: JournalIdentity? = nil, scanFrom: UInt64 = 1,
        floor: UInt64 = 0, progress: (Int, Int) -> Void = { _, _ in }
    ) throws(JournalError) -> RecoveredJournal {
        var scan = Scan(directory, identity: identity, floor: floor, repairs: true)
        return try scan.run(from: scanFrom, progress)
    }

    /// The same without any change: what `recover` would find and cut. What `progress` throws ends
    /// it.
    public static func inspect(
        directory: String, identity: JournalIdentity? = nil, scanFrom: UInt64 = 1,
        floor: UInt64 = 0, progress: (Int, Int) throws(JournalError) -> Void = { _, _ in }
    ) throws(JournalError) -> RecoveredJournal {
        var scan = Scan(directory, identity: identity, floor: floor, repairs: false)
        return try scan.run(from: scanFrom, progress)
    }
}

/// One scan of a journal.
private struct Scan {
    let directory: String
    /// The expected journal, if known.
    let expected: JournalIdentity?
    let floor: UInt64
    let repairs: Bool
    var journal: RecoveredJournal
    var bytesAll = 0
    var bytesBefore = 0

    init(_ directory: String, identity: JournalIdentity?, floor: UInt64, repairs: Bool) {
        self.directory = directory
        expected = identity
        (self.floor, self.repairs) = (floor, repairs)
        journal = RecoveredJournal(directory: directory)
        journal.isRepaired = repairs
    }

    mutating func run(
        from scanFrom: UInt64, _ progress: (Int, Int) throws(JournalError) -> Void
    ) throws(JournalError) -> RecoveredJournal {
        let segments = try SegmentName.list(directory)
        journal.segmentCount = segments.count
        journal.firstSequence = segments.first?.firstSequence ?? 0
        let from = segments.lastIndex { $0.firstSequence <= scanFrom } ?? 0
        journal.scannedFrom = segments.isEmpty ? 1 : segments[from].firstSequence
        // One is open at a time: there may be more segments than a process may open.
        for (index, segment) in segments.enumerated() {
            let cursor = try open(segment)
            journal.identity = cursor.header.identity
            journal.replica = cursor.header.replica
            if index == 0 { journal.last = cursor.header.prior }
            if index >= from { bytesAll += cursor.size }
        }
        // Before the check of the floor: another exchange's journal does not lack records.
        if let expected, let found = journal.identity, found != expected {
            throw .foreign(file: directory, found: found, expected: expected)
        }
        for index in from..<max(from, segments.count) {
            let cursor = try open(segments[index])
            if index > from { try check(cursor, isBehind: journal.last) }
            let flaw = try walk(cursor, progress)
            if index + 1 < segments.count {
                try check(cursor, flaw, isFollowedBy: segments[index + 1].firstSequence)
            } else {
                try finish(cursor, segments[index], flaw, progress)
            }
            bytesBefore += cursor.size
        }
        guard journal.lastSequence >= floor else {
            throw .behind(directory: directory, floor: floor, lastGood: journal.lastSequence)
        }
        try Journal.checkGenesis(&journal, segments)
        return journal
    }

    /// Opens a segment. If its header is wrong, the readable records here and in the segments
    /// around it are reported as good.
    private func open(_ segment: SegmentName) throws(JournalError) -> SegmentCursor {
        do throws(JournalError) { return try segment.open(identity: journal.identity) } catch {
            guard case .damaged(let file, let offset, _, let detail) = error else { throw error }
            throw .damaged(
                file: file, offset: offset,
                lastGood: Journal.lastGood(directory: directory, identity: journal.identity),
                detail: detail)
        }
    }

    /// Skips good items; returns the item that ended them, nil for zero bytes or the file's end.
    private mutating func walk(
        _ cursor: SegmentCursor, _ progress: (Int, Int) throws(JournalError) -> Void
    ) throws(JournalError) -> Flaw? {
        var isMarked = false
        let start = cursor.offset
        defer {
            journal.bytesScanned += cursor.offset - start
            journal.last = cursor.expected.prior
            journal.lastTimestamp = cursor.expected.timestamp
            journal.commitPoint = max(journal.commitPoint, cursor.commitPoint)
            journal.endIsMarked = isMarked
        }
        while true {
            try progress(bytesBefore + cursor.offset, bytesAll)
            switch try onDisk({ () throws(SystemError) in
                try cursor.step(upTo: .max, bytesMax: .max)
            }) {
            case .run(let run):
                isMarked = false
                unsafe Records.forEach(run) { header, record in unsafe journal.note(header, record)
                }
            case .mark: isMarked = true
            case .end: return nil
            case .bad(let flaw): return flaw
            case .held: preconditionFailure("no record is behind the highest sequence")
            }
        }
    }

    /// A segment's header must name the previous segment's last record.
    private func check(_ cursor: SegmentCursor, isBehind last: LogPoint) throws(JournalError) {
        let header = cursor.header
        guard header.prior != last || header.priorTimestamp != journal.lastTimestamp else { return }
        throw .damaged(
            file: cursor.file.path, offset: 40, lastGood: last.sequence,
            detail: "its header names another record before it than the segment before ends with")
    }

    /// A segment with successors must end where the next begins.
    private func check(
        _ cursor: SegmentCursor, _ flaw: Flaw?, isFollowedBy next: UInt64
    ) throws(JournalError) {
        let expected = cursor.expected
        if expected.sequence == next { return }
        if flaw == nil, expected.sequence < next {
            let tail = try cursor.search()
            if tail.record == nil, tail.mark == nil {
                throw .missing(directory: directory, first: expected.sequence, last: next - 1)
            }
        }
        throw .damaged(
            file: cursor.file.path, offset: cursor.offset, lastGood: min(expected.last, next - 1),
            detail: flaw?.words ?? "records \(expected.sequence) to \(next - 1) should follow")
    }

    /// The newest segment's end: clean, torn by the last write, or damaged.
    private mutating func finish(
        _ cursor: SegmentCursor, _ segment: SegmentName, _ flaw: Flaw?,
        _ progress: (Int, Int) throws(JournalError) -> Void
    ) throws(JournalError) {
        journal.end = (segment, cursor.offset)
        let (before, all) = (bytesBefore, bytesAll)
        let tail = try cursor.search { try? progress(before + $0, all) }
        guard let first = tail.firstByte, let last = tail.lastByte else {
            return try makeDurable(cursor, segment, zeroing: nil)
        }
        // An interrupted write does not leave a whole record in the wrong place either.
        let isWhole = flaw?.isWhole == true
        if isWhole || tail.damage != nil || cursor.expected.sequence <= floor {
            let words = flaw?.words ?? "nothing was written there"
            let reason = isWhole ? nil : tail.damage ?? "record \(floor) had been durable"
            throw .damaged(
                file: segment.path, offset: cursor.offset, lastGood: cursor.expected.last,
                detail: reason.map { "\(words); \($0)" } ?? words)
        }
        journal.cut = TornTail(
            file: segment.path, sequence: cursor.expected.sequence, offset: cursor.offset,
            bytes: last + 1 - min(first, cursor.offset))
        try makeDurable(cursor, segment, zeroing: cursor.offset..<last + 1)
    }

    /// The bytes read may be only in memory: syncs them, and the zeros over a torn tail, so that
    /// neither can change.
    private func makeDurable(
        _ cursor: SegmentCursor, _ segment: SegmentName, zeroing range: Range<Int>?
    ) throws(JournalError) {
        guard repairs else { return }
        if let range {
            try CutFile(directory).keep(
                cursor, range, sequence: cursor.expected.sequence,
                epoch: cursor.expected.prior.epoch,
                reason: "the last write was not finished: a part of record "
                    + "\(cursor.expected.sequence) was never written")
        }
        let directory = directory
        try onDisk { () throws(SystemError) in
            let file = try File(segment.path, .write)
            if let range {
                try file.write([UInt8](repeating: 0, count: range.count), at: range.lowerBound)
            }
            try file.sync()
            try Directory.sync(directory)
        }
    }
}

extension Journal {
    /// The last readable record: whole records without a gap from the first segment on. Segments of
    /// another journal, branch or place are skipped, and a length other than the header's is
    /// accepted. For messages about a refused journal, and for continuing with the rest. 0 if
    /// nothing is readable; linear in the bytes.
    public static func lastGood(directory: String, identity: JournalIdentity?) -> UInt64 {
        let segments = (try? SegmentName.list(directory)) ?? []
        var found: SegmentCursor?
        for segment in segments {
            let next = found?.expected.sequence ?? segments[0].firstSequence
            let identity = found?.header.identity ?? identity
            guard segment.firstSequence == next,
                let cursor = try? segment.open(identity: identity, anySize: true),
                cursor.expected == found?.expected ?? cursor.expected
            else { continue }
            try? cursor.pass(to: .max)
            found = cursor
        }
        return found?.expected.last ?? 0
    }

    /// Checks that the first record, if read, names the segments' journal.
    static func checkGenesis(
        _ journal: inout RecoveredJournal, _ segments: [SegmentName]
    ) throws(JournalError) {
        guard journal.firstSequence == 1, !journal.isEmpty, let first = segments.first
        else {
            return
        }
        let genesis = try readGenesis(first, journal.identity)
        let named = JournalIdentity(high: genesis.journalHigh, low: genesis.journalLow)
        if let identity = journal.identity, identity != named {
            throw .foreign(file: first.path, found: named, expected: identity)
        }
        if genesis.format > Genesis.currentFormat {
            throw .newer(file: first.path, version: genesis.format, known: Genesis.currentFormat)
        }
        journal.genesis = genesis
    }

    static func readGenesis(
        _ segment: SegmentName, _ identity: JournalIdentity?
    ) throws(JournalError) -> Genesis {
        let cursor = try segment.open(identity: identity)
        while true {
            switch try onDisk({ () throws(SystemError) in try cursor.step(upTo: 1, bytesMax: 1) }) {
            case .run(let record):
                if let genesis = unsafe Genesis(record: record) { return genesis }
                throw .genesis(file: segment.path, detail: "it is no genesis record")
            case .mark: continue
            case .end, .bad, .held:
                throw .genesis(file: segment.path, detail: "it is not whole")
            }
        }
    }
}

extension RecoveredJournal {
    /// Collects what start-up needs of a record.
    mutating func note(_ header: RecordHeader, _ record: UnsafeRawBufferPointer) {
        unsafe voided.note(header, record)
        switch header.kind {
        case CommandKind.epochMark.rawValue, CommandKind.setRules.rawValue:
            let payload = unsafe UnsafeRawBufferPointer(rebasing: record[RecordHeader.size...])
            guard let kind = CommandKind(rawValue: header.kind) else { return }
            switch unsafe Command(kind: kind, payload: payload) {
            case .epochMark(let mark): level.format = max(level.format, mark.formatLevel)
            case .setRules(let set): level.rules = max(level.rules, set.version)
            default: break
            }
        default: break
        }
    }
}

/// Whole records back to back.
public enum Records {
    /// Calls `body` with each record and its header. The bytes were checked before.
    @inlinable public static func forEach(
        _ run: UnsafeRawBufferPointer, _ body: (RecordHeader, UnsafeRawBufferPointer) -> Void
    ) {
        var offset = 0
        while offset < run.count {
            let remainder = unsafe UnsafeRawBufferPointer(rebasing: run[offset...])
            guard let header = unsafe RecordHeader(remainder), header.length >= RecordHeader.size,
                Int(header.length) <= remainder.count
            else { preconditionFailure("a run holds whole records") }
            unsafe body(header, UnsafeRawBufferPointer(rebasing: remainder[0..<Int(header.length)]))
            offset += Int(header.length)
        }
    }
}
