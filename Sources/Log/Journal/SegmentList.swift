// The segments of a journal directory.

internal import Platform

/// One segment by its name.
struct SegmentName: Hashable {
    static let ending = ".seg"
    var firstSequence: UInt64
    var path: String

    /// Its name in the directory.
    var name: String { NumberedName.name(firstSequence, Self.ending) }

    init(_ directory: String, _ firstSequence: UInt64) {
        self.firstSequence = firstSequence
        path = Directory.join(directory, NumberedName.name(firstSequence, Self.ending))
    }

    /// All segments of a directory, in order; other files are left out.
    static func list(_ directory: String) throws(JournalError) -> [SegmentName] {
        let names = try onDisk { () throws(SystemError) in try Directory.names(in: directory) }
        return names.compactMap { NumberedName.number($0, ending) }.map { .init(directory, $0) }
    }

    /// Opens it for reading. Its header was durable before it had its name, so one that is not
    /// valid is damage, and so is another length than the header says. `anySize`: a file of another
    /// length is opened as well, for what is good in it.
    func open(
        identity: JournalIdentity?, anySize: Bool = false
    ) throws(JournalError) -> SegmentCursor {
        let (file, size, block) = try onDisk { () throws(SystemError) in
            let file = try File(path, .read)
            return (file, try file.size(), try file.read(count: SegmentHeader.blockBytes))
        }
        func damaged(_ offset: Int, _ detail: String) -> JournalError {
            .damaged(file: path, offset: offset, lastGood: firstSequence - 1, detail: detail)
        }
        switch SegmentHeader.read(block) {
        case .other(let version):
            throw .newer(file: path, version: version, known: SegmentHeader.version)
        case .invalid(let reason): throw damaged(0, reason)
        case .header(let header):
            if let identity, identity != header.identity {
                throw .foreign(file: path, found: header.identity, expected: identity)
            }
            guard header.firstSequence == firstSequence else {
                throw damaged(32, "its name and its header name different first records")
            }
            guard header.formatLevel <= Journal.formatLevel else {
                throw .newer(file: path, version: header.formatLevel, known: Journal.formatLevel)
            }
            guard anySize || size == header.fileBytes else {
                throw damaged(
                    min(size, header.fileBytes),
                    "it has \(size) bytes, and its header says \(header.fileBytes)")
            }
            return SegmentCursor(file: file, header: header)
        }
    }
}
