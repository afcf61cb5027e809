// Runs of records that came from a peer, or are sent to one.

internal import Journal
internal import Terms
internal import Wire

/// What is wrong with records that came from a peer.
enum RecordFlaw: Hashable {
    case length
    case checksum(UInt64)
    case sequence(UInt64)
    case order(UInt64)
    case epoch(UInt64)

    /// The reason, for the log.
    var words: String {
        switch self {
        case .length: "a record is not whole"
        case .checksum(let sequence): "the checksum of record \(sequence) is wrong"
        case .sequence(let sequence): "record \(sequence) does not follow the one before"
        case .order(let sequence): "time or epoch of record \(sequence) are before the last one's"
        case .epoch(let sequence): "the epoch of record \(sequence) rises without an EPOCH record"
        }
    }
}

/// The end of a run of records.
struct RecordRun: Hashable {
    /// The last record.
    var last: LogPoint
    /// Its time.
    var timestamp: Int64

    /// Advances over `records`; returns why they do not follow, or nil. O(bytes): checks each
    /// record's checksum.
    mutating func check(_ records: UnsafeRawBufferPointer, epochMax: UInt32) -> RecordFlaw? {
        var offset = 0
        while offset < records.count {
            let remainder = unsafe UnsafeRawBufferPointer(rebasing: records[offset...])
            guard let header = unsafe RecordHeader(remainder) else { return .length }
            let length = Int(header.length)
            guard length >= RecordHeader.size, length <= Limits.recordBytesMax, length & 7 == 0,
                length <= remainder.count
            else { return .length }
            let sequence = header.sequence
            guard last.sequence < .max, sequence == last.sequence + 1 else {
                return .sequence(sequence)
            }
            let record = unsafe UnsafeRawBufferPointer(rebasing: remainder[..<length])
            guard unsafe CRC32C.record(record) == header.crc else { return .checksum(sequence) }
            guard header.timestamp >= timestamp, header.epoch >= last.epoch,
                header.epoch <= epochMax
            else { return .order(sequence) }
            guard
                header.epoch == last.epoch || header.kind == CommandKind.epochMark.rawValue
                    || sequence == 1
            else { return .epoch(sequence) }
            last = LogPoint(header)
            timestamp = header.timestamp
            offset += length
        }
        return nil
    }

    /// The points of whole records of this host's own journal.
    static func points(_ records: UnsafeRawBufferPointer, _ body: (LogPoint) -> Void) {
        var offset = 0
        while offset < records.count {
            let remainder = unsafe UnsafeRawBufferPointer(rebasing: records[offset...])
            guard let header = unsafe RecordHeader(remainder) else {
                preconditionFailure("a journal gives whole records")
            }
            body(LogPoint(header))
            offset += Int(header.length)
        }
    }
}
