// The segments of a journal directory.

internal import Platform

/// One segment by its name.
struct SegmentName: Hashable {
    static let ending = ".seg"
    var firstSequence: UInt64
    var path: String

    init(_ directory: String, _ firstSequence: UInt64) {
        self.firstSequence = firstSequence
        path = Directory.join(directory, NumberedName.name(firstSequence, Self.ending))
    }

    /// All segments of a directory, in order; other files are left out.
    static func list(_ directory: String) throws(JournalError) -> [SegmentName] {
        let names = try onDisk { () throws(SystemError) in try Directory.names(in: directory) }
        return names.compactMap { NumberedName.number($0, ending) }.map { .init(directory, $0) }
    }

    /// Opens it; gives nil, with why, when its header is not valid.
    func open(
        _ mode: File.Mode, identity: JournalIdentity?, why: inout String
    ) throws(JournalError) -> SegmentCursor? {
        let (file, size, block) = try onDisk { () throws(SystemError) in
            let file = try File(path, mode)
            return (
                file, try file.size(), try file.read(count: SegmentHeader.blockBytes)
            )
        }
        switch SegmentHeader.read(block) {
        case .newer(let version):
            throw .newer(file: path, version: version, known: SegmentHeader.version)
        case .invalid(let reason):
            why = reason
            return nil
        case .header(let header):
            if let identity, identity != header.identity {
                throw .foreign(file: path, found: header.identity, expected: identity)
            }
            guard header.firstSequence == firstSequence else {
                throw .damaged(
                    file: path, offset: 32, lastGood: firstSequence - 1,
                    detail: "its name and its header name different first records")
            }
            return SegmentCursor(file: file, header: header, size: size)
        }
    }

    /// Opens it for reading; a header that is not valid is damage.
    func open(identity: JournalIdentity?) throws(JournalError) -> SegmentCursor {
        var why = ""
        if let cursor = try open(.read, identity: identity, why: &why) { return cursor }
        throw .damaged(file: path, offset: 0, lastGood: firstSequence - 1, detail: why)
    }
}
