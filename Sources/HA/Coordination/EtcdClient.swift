// The record and the floor in etcd 3.4, through its JSON gateway. A request gets a definite answer
// or none; without one it may still be carried out later.
//
// Every decision is a transaction that may write: it goes through the log of etcd's members, so it
// needs a majority and sees all that came before. There are no leases, watches,
// deletes, revisions or plain reads.

internal import Control
public import Failover
internal import JSON
internal import NIOSSL
public import Requests
internal import Synchronization

/// How etcd is reached.
public struct EtcdSettings: Hashable, Sendable {
    /// The members; this host's own first.
    public var endpoints: [HTTPEndpoint]
    /// What https needs.
    public var certificates: EtcdCertificates?
    /// What all keys begin with.
    public var prefix = "/bourse/"
    /// How long a member has to answer before the next one is asked, ms.
    public var endpointMillis: Int64 = 200

    /// These members, all else by default.
    public init(
        endpoints: [HTTPEndpoint], certificates: EtcdCertificates? = nil
    ) {
        self.endpoints = endpoints
        self.certificates = certificates
    }

    /// The record's key.
    public var recordKey: String { prefix + "record" }
    /// The floor's key.
    public var floorKey: String { prefix + "floor" }
    /// The key that a host's readings write.
    func readingKey(_ host: HostName) -> String { prefix + "reading/" + host.text }
}

/// What became of a transaction that compares and writes.
public enum EtcdAnswer: Hashable, Sendable {
    /// It wrote, this time or when it was sent before.
    case done
    /// The record has this value. This request wrote nothing, and will not; the same one, sent
    /// before, may have written a value that was replaced since.
    case notDone(ClusterRecord)
    /// Unknown: it may have written, or may still write.
    case unknown(EtcdError)

    /// The answer without the reason.
    public var swapAnswer: SwapAnswer {
        switch self {
        case .done: .done
        case .notDone(let record): .notDone(record)
        case .unknown: .unknown
        }
    }
}

/// Record and floor, as one transaction read them.
public struct EtcdReading: Hashable, Sendable {
    /// The record; nil: there is none.
    public let record: ClusterRecord?
    /// The floor; 0 where there is no record.
    public let floor: UInt64
    /// The cluster id of the etcd that was read.
    public let cluster: UInt64

    /// That reading.
    public init(record: ClusterRecord?, floor: UInt64, cluster: UInt64) {
        (self.record, self.floor, self.cluster) = (record, floor, cluster)
    }
}

/// A client of one etcd. Any task may use it; an operation ends within `endpointMillis` for each
/// member.
public final class EtcdClient: Sendable {
    /// How etcd is reached.
    public let settings: EtcdSettings
    private let transport: HTTPPost
    /// Maximum size of an answer.
    private static let answerBytesMax = 65_536
    /// The member that answered last: it is asked first.
    private let first = Atomic<Int>(0)
    /// The id of this host's etcd cluster; 0: not known, and any cluster's answer counts.
    private let expected = Atomic<UInt64>(0)

    /// A client. Reads the certificates, and connects to nothing yet.
    public init(_ settings: EtcdSettings) throws(EtcdError) {
        guard !settings.endpoints.isEmpty, settings.endpoints.count <= 16 else {
            throw .settings("it needs 1 to 16 endpoints")
        }
        if settings.endpoints.contains(where: \.isSecure), settings.certificates == nil {
            throw .settings("https needs certificates")
        }
        self.settings = settings
        transport = HTTPPost(
            bodyBytesMax: Self.answerBytesMax, context: try settings.certificates?.context())
    }

    /// From now on only answers of the etcd cluster of this id count, or of one whose record says
    /// that it was made in its place; 0: any.
    public func expect(_ cluster: UInt64) { expected.store(cluster, ordering: .relaxed) }

    // MARK: Record and floor

    /// Puts the swap's value where the record has the whole value that it compares. Sent again
    /// after it was done, it is done.
    public func swap(_ swap: RecordSwap) async -> EtcdAnswer {
        var puts = [EtcdOperation.put(key: settings.recordKey, value: swap.value.text)]
        if let floor = swap.floor {
            puts.append(.put(key: settings.floorKey, value: FloorText.text(floor)))
        }
        let answer = await write(
            EtcdTransaction(
                comparisons: [.equals(key: settings.recordKey, value: swap.compared.text)],
                then: puts, otherwise: [.get(key: settings.recordKey)]))
        return answer == .notDone(swap.value) ? .done : answer
    }

    /// Puts the floor if the record has this value and the floor is no higher, so that a late
    /// request does not lower it: texts of one length compare as their numbers.
    public func put(_ floor: FloorPut) async -> EtcdAnswer {
        await write(
            EtcdTransaction(
                comparisons: [
                    .equals(key: settings.recordKey, value: floor.compared.text),
                    .isBelow(key: settings.floorKey, value: FloorText.above(floor.sequence)),
                ],
                then: [.put(key: settings.floorKey, value: FloorText.text(floor.sequence))],
                otherwise: [.get(key: settings.recordKey)]))
    }

    /// Writes the first record of an etcd, with its floor, where there is neither. Sent again after
    /// it was done, it is done. The record's attempt must be fresh: a swap for an earlier etcd may
    /// compare no value of this one.
    public func create(_ record: ClusterRecord, floor: UInt64) async -> EtcdAnswer {
        let answer = await write(
            EtcdTransaction(
                comparisons: [
                    .isMissing(key: settings.recordKey), .isMissing(key: settings.floorKey),
                ],
                then: [
                    .put(key: settings.recordKey, value: record.text),
                    .put(key: settings.floorKey, value: FloorText.text(floor)),
                ],
                otherwise: [.get(key: settings.recordKey)]))
        return answer == .notDone(record) ? .done : answer
    }

    /// Reads record and floor in one transaction, which also writes a key of `host`: what it reads
    /// is the newest, of a majority.
    public func read(by host: HostName, number: UInt64) async throws(EtcdError) -> EtcdReading {
        let (outcome, cluster) = try await run(
            EtcdTransaction(then: [
                .put(key: settings.readingKey(host), value: String(number)),
                .get(key: settings.recordKey), .get(key: settings.floorKey),
            ]))
        switch (outcome.found[0], outcome.found[1]) {
        case (nil, nil): return EtcdReading(record: nil, floor: 0, cluster: cluster)
        case (let record?, let floor?):
            return EtcdReading(
                record: try self.record(record), floor: try self.floor(floor), cluster: cluster)
        default: throw .noRecord
        }
    }

    private func write(_ transaction: EtcdTransaction) async -> EtcdAnswer {
        do throws(EtcdError) {
            let outcome = try await run(transaction).outcome
            if outcome.succeeded { return .done }
            guard let text = outcome.found[0] else { return .unknown(.noRecord) }
            return .notDone(try record(text))
        } catch {
            return .unknown(error)
        }
    }

    private func record(_ text: [UInt8]) throws(EtcdError) -> ClusterRecord {
        do throws(RecordError) {
            return try ClusterRecord(parsing: text)
        } catch {
            throw .value(key: settings.recordKey, error)
        }
    }

    private func floor(_ text: [UInt8]) throws(EtcdError) -> UInt64 {
        do throws(RecordError) {
            return try FloorText.parse(text)
        } catch {
            throw .value(key: settings.floorKey, error)
        }
    }

    // MARK: Members

    /// The members, as one that answers lists them: to show, not to decide on.
    public func members() async throws(EtcdError) -> [EtcdMember] {
        try await ask("/v3/cluster/member/list", "{}") { json in
            json["members"]?.rows(EtcdMember.init)
        }.answer
    }

    /// How one member is: to show, not to decide on.
    public func status(of endpoint: HTTPEndpoint) async throws(EtcdError) -> EtcdMemberStatus {
        let result = await post(endpoint, "/v3/maintenance/status", "{}", EtcdMemberStatus.init)
        switch result {
        case .success(let status): return status.answer
        case .failure(let failure): throw .unreachable([failure.why])
        }
    }

    // MARK: Requests

    private func run(
        _ transaction: EtcdTransaction
    ) async throws(EtcdError) -> (outcome: EtcdOutcome, cluster: UInt64) {
        let expected = expected.load(ordering: .relaxed)
        let reply = try await ask(
            "/v3/kv/txn", transaction.json.compact, of: expected,
            accepts: { $0.found.contains { Self.replaced($0) == expected } }
        ) { json in EtcdOutcome(json, of: transaction) }
        return (reply.answer, reply.cluster)
    }

    /// The etcd cluster in whose place the one with this value as its record was made.
    private static func replaced(_ value: [UInt8]?) -> UInt64? {
        value.flatMap { try? ClusterRecord(parsing: $0) }?.replaces
    }

    /// An answer, and the id of the etcd cluster that gave it.
    private struct EtcdReply<Answer> {
        let answer: Answer
        let cluster: UInt64
    }

    /// Asks the members in turn until one of the cluster `expected` answers, 0: of any; `read`
    /// returns nil for what is no answer. Where only another cluster answers, it counts if
    /// `accepts` is true of it.
    private func ask<Answer>(
        _ path: String, _ body: String, of expected: UInt64 = 0,
        accepts: (Answer) -> Bool = { _ in true }, _ read: (JSONValue) -> Answer?
    ) async throws(EtcdError) -> EtcdReply<Answer> {
        let begin = first.load(ordering: .relaxed)
        var reasons: [String] = []
        var elsewhere: EtcdReply<Answer>?
        for turn in settings.endpoints.indices {
            let index = (begin + turn) % settings.endpoints.count
            switch await post(settings.endpoints[index], path, body, read) {
            case .success(let reply) where expected == 0 || reply.cluster == expected:
                first.store(index, ordering: .relaxed)
                return reply
            case .success(let reply): elsewhere = reply
            case .failure(let failure): reasons.append(failure.why)
            }
        }
        guard let elsewhere else { throw .unreachable(reasons) }
        guard accepts(elsewhere.answer) else {
            throw .otherCluster(expected: expected, found: elsewhere.cluster)
        }
        return elsewhere
    }

    /// Why one member gave no answer.
    private struct EndpointError: Error { let why: String }

    private func post<Answer>(
        _ endpoint: HTTPEndpoint, _ path: String, _ body: String, _ read: (JSONValue) -> Answer?
    ) async -> Result<EtcdReply<Answer>, EndpointError> {
        func failure(_ why: String) -> Result<EtcdReply<Answer>, EndpointError> {
            .failure(EndpointError(why: "\(endpoint): \(why)"))
        }
        let response: PostResponse
        do {
            response = try await transport.post(
                endpoint, path, body, milliseconds: settings.endpointMillis)
        } catch { return failure("\(error)") }
        let json = JSONValue(parsing: response.body)
        guard response.status == 200 else {
            let why = json?["message"]?.text ?? json?["error"]?.text ?? "no reason"
            return failure("status \(response.status), \(why.prefix(200))")
        }
        guard let json, let id = JSONValue.etcdNumber(json["header"]?["cluster_id"]), id > 0 else {
            return failure("its answer is not etcd's")
        }
        guard let answer = read(json) else {
            return failure("its answer is not one to the request")
        }
        return .success(EtcdReply(answer: answer, cluster: id))
    }
}
