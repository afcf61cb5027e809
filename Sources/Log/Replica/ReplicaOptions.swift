// The options and parts of a process of a pair.

public import Failover
public import Journal
public import Pipeline
public import Platform
public import Replication

/// Where orders come from, and where the peer is.
public struct ReplicaOptions: Sendable {
    /// The control socket's path. Who may connect: root, this process's user and `agentUsers`.
    public var socket: String
    /// The user ids that may send orders as well.
    public var agentUsers: [UInt32]
    /// This host as a primary: where it listens for its peer.
    public var primary: ReplicationOptions
    /// This host as a standby: where its peer listens.
    public var standby: ReplicationOptions
    /// The gateways on hosts of their own that are connected, as reports show them.
    public var gateways: @Sendable () -> [GatewayReport]

    /// These options.
    public init(
        socket: String, agentUsers: [UInt32], primary: ReplicationOptions,
        standby: ReplicationOptions, gateways: @escaping @Sendable () -> [GatewayReport] = { [] }
    ) {
        self.socket = socket
        self.agentUsers = agentUsers
        self.primary = primary
        self.standby = standby
        self.gateways = gateways
    }
}

/// The parts that a process of a pair works on.
public struct ReplicaParts: Sendable {
    /// The running pipeline, which follows.
    public var pipeline: Pipeline
    /// Which peer its gate requires.
    public var set: InSyncSet
    /// Its journal's writer; the pipeline appends.
    public var writer: JournalWriter
    /// Where the journal is.
    public var place: JournalPlace
    /// Reads the journal.
    public var history: JournalHistory
    /// Where the journal ended when the process started.
    public var last: LogPoint
    /// That record's time.
    public var lastTimestamp: Int64
    /// The last record that was known to be released then.
    public var released: UInt64
    /// The format that the log used then.
    public var format: UInt32

    /// These parts.
    public init(
        pipeline: Pipeline, set: InSyncSet, writer: JournalWriter, place: JournalPlace,
        history: JournalHistory, last: LogPoint, lastTimestamp: Int64, released: UInt64,
        format: UInt32
    ) {
        self.pipeline = pipeline
        self.set = set
        self.writer = writer
        self.place = place
        self.history = history
        self.last = last
        self.lastTimestamp = lastTimestamp
        (self.released, self.format) = (released, format)
    }
}

extension ProcessNumber {
    /// The number of this process: one above the last in `file`, durable before it is used, on a
    /// full disk as well. Where there is no file, or no number in it, it starts at the time in
    /// seconds, which is above any number counted so far.
    public static func next(_ file: String) throws(SystemError) -> ProcessNumber {
        var bytes: [UInt8] = []
        do throws(SystemError) { bytes = try File(file, .read).read(count: 32) } catch {
            guard error.isMissing else { throw error }
        }
        let end = bytes.firstIndex(of: 0x0A)  // without which digits may be missing
        let counted = end.flatMap { UInt64(String(decoding: bytes[..<$0], as: UTF8.self)) }
        let last = counted ?? UInt64(max(0, Clock.realtimeNanos() / 1_000_000_000))
        let (number, isOver) = last.addingReportingOverflow(1)
        guard !isOver, number < UInt64(Int64.max) else {
            throw SystemError(code: 34, operation: "count up", path: file)  // ERANGE
        }
        // The first process makes the file's spare for the next one.
        if bytes.isEmpty { try File.exchange(file, with: Array("\(last)\n".utf8)) }
        try File.exchange(file, with: Array("\(number)\n".utf8))
        return ProcessNumber(number)
    }
}
