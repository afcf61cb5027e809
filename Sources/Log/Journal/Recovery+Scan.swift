// Reading a journal through at start-up.

internal import Platform
internal import Terms
public import Wire

extension Journal {
    /// Reads the journal through, checks it, and cuts off what the last write left unfinished, so
    /// that what remains is durable. Every record from the segment of `scanFrom` on is checked; of
    /// earlier segments only the headers. Linear in the bytes scanned, about 1 GB a second.
    ///
    /// An empty directory gives an empty journal. Throws, and has changed nothing then, for damage
    /// before the end, missing or foreign segments and newer formats: it never guesses.
    ///
    /// `progress` gets the segments scanned and how many there are to scan.
    public static func recover(
        directory: String, scanFrom: UInt64 = 1, progress: (Int, Int) -> Void = { _, _ in }
    ) throws(JournalError) -> RecoveredJournal {
        try scan(directory, scanFrom, repairs: true, progress)
    }

    /// The same without changing anything: what `recover` would find, and would cut.
    public static func inspect(
        directory: String, scanFrom: UInt64 = 1, progress: (Int, Int) -> Void = { _, _ in }
    ) throws(JournalError) -> RecoveredJournal {
        try scan(directory, scanFrom, repairs: false, progress)
    }

    private static func scan(
        _ directory: String, _ scanFrom: UInt64, repairs: Bool, _ progress: (Int, Int) -> Void
    ) throws(JournalError) -> RecoveredJournal {
        var segments = try SegmentName.list(directory)
        var journal = RecoveredJournal(directory: directory)
        journal.isRepaired = repairs
        let unbegun = try unbegunSegment(segments)
        if unbegun != nil { segments.removeLast() }
        journal.segmentCount = segments.count
        journal.firstSequence = segments.first?.firstSequence ?? 0
        let from = segments.lastIndex { $0.firstSequence <= scanFrom } ?? 0
        journal.scannedFrom = segments.isEmpty ? 1 : segments[from].firstSequence
        for (index, segment) in segments.enumerated() {
            let cursor = try open(segment, &journal)
            guard index >= from else { continue }
            progress(index - from, segments.count - from)
            let flaw = try walk(cursor, &journal)
            if index + 1 < segments.count {
                try check(cursor, flaw, isFollowedBy: segments[index + 1].firstSequence, directory)
            } else {
                try finish(cursor, segment, flaw, repairs: repairs, &journal)
            }
        }
        if let unbegun { try drop(unbegun, repairs: repairs, &journal) }
        try checkGenesis(&journal, segments)
        return journal
    }

    /// The newest segment, if the process that began it died before its header was whole.
    private static func unbegunSegment(
        _ segments: [SegmentName]
    ) throws(JournalError) -> SegmentName? {
        guard let last = segments.last else { return nil }
        var why = ""
        if try last.open(.read, identity: nil, why: &why) != nil { return nil }
        let tail = try onDisk { () throws(SystemError) in
            let file = try File(last.path, .read)
            return try TailSearch(
                file, size: try file.size(), from: SegmentHeader.blockBytes - 8,
                sequence: last.firstSequence)
        }
        guard tail.record == nil, tail.mark == nil else {
            throw .damaged(
                file: last.path, offset: 0, lastGood: last.firstSequence - 1, detail: why)
        }
        return last
    }

    private static func open(
        _ segment: SegmentName, _ journal: inout RecoveredJournal
    ) throws(JournalError) -> SegmentCursor {
        let cursor = try segment.open(identity: journal.identity)
        journal.identity = cursor.header.identity
        return cursor
    }

    /// Passes over all good items; gives what ended them, nil for zero bytes or the file's end.
    private static func walk(
        _ cursor: SegmentCursor, _ journal: inout RecoveredJournal
    ) throws(JournalError) -> Flaw? {
        var isMarked = false
        let start = cursor.offset
        defer {
            journal.bytesScanned += cursor.offset - start
            journal.lastSequence = cursor.expected.last
            journal.lastTimestamp = cursor.expected.timestamp
            journal.lastEpoch = cursor.expected.epoch
            journal.endIsMarked = isMarked
        }
        while true {
            switch try onDisk({ () throws(SystemError) in
                try cursor.step(upTo: .max, bytesMax: .max)
            }) {
            case .run(let run):
                isMarked = false
                unsafe Records.forEach(run) { header, record in
                    unsafe journal.note(header, record)
                }
            case .mark: isMarked = true
            case .end: return nil
            case .bad(let flaw): return flaw
            case .held: preconditionFailure("no record is behind the highest sequence")
            }
        }
    }

    /// A segment that others follow must end where the next begins.
    private static func check(
        _ cursor: SegmentCursor, _ flaw: Flaw?, isFollowedBy next: UInt64, _ directory: String
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
    private static func finish(
        _ cursor: SegmentCursor, _ segment: SegmentName, _ flaw: Flaw?, repairs: Bool,
        _ journal: inout RecoveredJournal
    ) throws(JournalError) {
        journal.end = (segment, cursor.offset)
        let tail = try cursor.search()
        guard let first = tail.firstByte, let last = tail.lastByte else {
            return try makeDurable(segment, zeroing: nil, repairs)
        }
        // Nor is a whole record in the wrong place what an interrupted write leaves behind.
        if flaw?.isWhole == true || tail.isDamage {
            let behind = tail.record ?? tail.mark
            let later = behind.map {
                "; record \($0.sequence) behind it at byte \($0.offset) is good"
            }
            throw .damaged(
                file: segment.path, offset: cursor.offset, lastGood: cursor.expected.last,
                detail: (flaw?.words ?? "nothing was written there") + (later ?? ""))
        }
        journal.cut = TornTail(
            file: segment.path, sequence: cursor.expected.sequence, offset: cursor.offset,
            bytes: last + 1 - min(first, cursor.offset))
        try makeDurable(segment, zeroing: cursor.offset..<last + 1, repairs)
    }

    /// What was read may so far be in memory only: sync it, and with it the zeros over a torn tail,
    /// so that neither can change any more.
    private static func makeDurable(
        _ segment: SegmentName, zeroing range: Range<Int>?, _ repairs: Bool
    ) throws(JournalError) {
        guard repairs else { return }
        try onDisk { () throws(SystemError) in
            let file = try File(segment.path, .write)
            if let range {
                try file.write([UInt8](repeating: 0, count: range.count), at: range.lowerBound)
            }
            try file.sync()
        }
    }

    private static func drop(
        _ unbegun: SegmentName, repairs: Bool, _ journal: inout RecoveredJournal
    ) throws(JournalError) {
        if journal.segmentCount > 0, journal.lastSequence + 1 != unbegun.firstSequence {
            throw .missing(
                directory: journal.directory, first: journal.lastSequence + 1,
                last: unbegun.firstSequence - 1)
        }
        if journal.segmentCount == 0, unbegun.firstSequence != 1 {
            throw .missing(
                directory: journal.directory, first: 1, last: unbegun.firstSequence - 1)
        }
        journal.cut =
            journal.cut
            ?? TornTail(
                file: unbegun.path, sequence: unbegun.firstSequence, offset: 0,
                bytes: SegmentHeader.blockBytes)
        guard repairs else { return }
        try onDisk { () throws(SystemError) in try Directory.remove(unbegun.path) }
    }

    /// The first record, where it was read, names the same journal as the segments do.
    private static func checkGenesis(
        _ journal: inout RecoveredJournal, _ segments: [SegmentName]
    ) throws(JournalError) {
        guard journal.firstSequence == 1, journal.lastSequence > 0, let first = segments.first
        else {
            return
        }
        let genesis = try readGenesis(first, journal.identity)
        let named = JournalIdentity(high: genesis.journalHigh, low: genesis.journalLow)
        if let identity = journal.identity, identity != named {
            throw .foreign(file: first.path, found: named, expected: identity)
        }
        if genesis.format > Genesis.currentFormat {
            throw .newer(
                file: first.path, version: genesis.format, known: Genesis.currentFormat)
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
                let payload = unsafe UnsafeRawBufferPointer(rebasing: record[RecordHeader.size...])
                if let header = unsafe RecordHeader(record),
                    header.kind == CommandKind.genesis.rawValue,
                    case .genesis(let genesis) = unsafe Command(kind: .genesis, payload: payload)
                {
                    return genesis
                }
                throw .genesis(file: segment.path, detail: "it is no genesis record")
            case .mark: continue
            case .end, .bad, .held:
                throw .genesis(file: segment.path, detail: "it is not whole")
            }
        }
    }
}

extension RecoveredJournal {
    /// Takes what start-up needs to know of a record.
    mutating func note(_ header: RecordHeader, _ record: UnsafeRawBufferPointer) {
        unsafe voided.note(header, record)
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
            let rest = unsafe UnsafeRawBufferPointer(rebasing: run[offset...])
            guard let header = unsafe RecordHeader(rest), header.length >= RecordHeader.size,
                Int(header.length) <= rest.count
            else { preconditionFailure("a run holds whole records") }
            unsafe body(header, UnsafeRawBufferPointer(rebasing: rest[0..<Int(header.length)]))
            offset += Int(header.length)
        }
    }
}
