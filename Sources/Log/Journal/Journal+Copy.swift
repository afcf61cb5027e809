// A journal's first record, which every replica of it begins with.

internal import Platform
internal import Wire

extension Journal {
    /// The first record of the journal in `directory`, whole, for a host that is to have a copy.
    /// Throws `noSnapshot` where the journal does not begin with it any more.
    public static func firstRecord(_ directory: String) throws(JournalError) -> [UInt8] {
        let reader = JournalReader(directory: directory, from: 1, isLive: true)
        var record: [UInt8] = []
        _ = try unsafe reader.next(upTo: 1) { unsafe record.append(contentsOf: $0) }
        guard genesis(record) != nil else { throw .noSnapshot(directory: directory, first: 2) }
        return record
    }

    /// Begins this place's journal as a copy of another host's, whose first record is `record`; the
    /// rest comes by replication. Repeats what was interrupted. Throws `refused` for what is no first
    /// record, `foreign` where another journal was begun here, and as `begin` where guards are
    /// missing. The state must be locked by this process.
    public static func begin(
        _ place: JournalPlace, copying record: [UInt8], snapshots: SnapshotStore,
        options: JournalOptions
    ) throws(JournalError) -> JournalBeginning {
        guard let genesis = genesis(record) else {
            throw .refused(sequence: 1, detail: "it is no journal's first record")
        }
        let identity = JournalIdentity(high: genesis.journalHigh, low: genesis.journalLow)
        if let fault = place.latched() { throw .latched(file: fault.file, detail: fault.detail) }
        if try hasSegments(place) {
            let found = try inspect(
                directory: place.directory, scanFrom: .max, floor: try floor(place))
            if let own = found.identity, !found.isEmpty {
                guard own == identity else {
                    throw .foreign(file: place.directory, found: own, expected: identity)
                }
                return try complete(place, found, identity, snapshots)
            }
        }
        try checkNeverBegun(place, snapshots)
        let recovered = try recover(directory: place.directory)
        let replica = ReplicaFile(identity: identity, promise: 1)
        let writer = try JournalWriter(
            recovered: recovered, identity: identity, replica: replica.replica, options: options)
        _ = try writer.prepareNext()
        try writer.appendFirst(record)
        try replica.store(place.replicaFile)
        _ = try DurableFloor(place.floorFile, identity: identity, sequence: 1)
        try place.keep(identity)
        return .begun(identity)
    }

    private static func genesis(_ record: [UInt8]) -> Genesis? {
        unsafe record.withUnsafeBytes { raw in
            guard let header = unsafe RecordHeader(raw), header.sequence == 1,
                Int(header.length) == raw.count, header.length >= RecordHeader.size,
                header.kind == CommandKind.genesis.rawValue,
                unsafe CRC32C.record(raw) == header.crc,
                case .genesis(let genesis)? = unsafe Command(
                    kind: .genesis,
                    payload: UnsafeRawBufferPointer(rebasing: raw[RecordHeader.size...]))
            else { return nil }
            return genesis
        }
    }
}
