// The cluster document as JSON: what the agent serves at /v1/cluster, and what it sends to the
// peer's. Times are nanoseconds since 1970, those of removed gateways seconds.

public import JSON
internal import Terms

extension ClusterDocument {
    /// As JSON; what is not known is null. The peer's part is only in what has one.
    public var json: JSONValue {
        guard case .object(let own) = place, case .object(let log) = journal,
            case .object(let rest) = parts
        else { preconditionFailure("each part is an object") }
        let peer = isPeerReachable.map { [JSONValue.Member("peerAgent", peerPart($0))] } ?? []
        return .object(own + log + rest + peer)
    }

    /// Its role, and the record.
    private var place: JSONValue {
        [
            "host": .string(host), "peer": .orNull(peer), "role": .string(role),
            "epoch": .number(epoch), "sentence": .string(sentence), "primary": .orNull(primary),
            "inSync": .strings(inSync), "recordEpoch": .orNull(recordEpoch.map { Int64($0) }),
            "floor": .number(floor), "record": .orNull(record),
            "etcdCluster": .orNull(etcdCluster), "setChanged": .orNull(setChangedAt),
        ]
    }

    /// matchd and its journal.
    private var journal: JSONValue {
        [
            "lagRecords": .orNull(lagRecords.map { Int64(clamping: $0) }),
            "lagNanos": .orNull(lagNanos), "muteNanos": .orNull(muteNanos),
            "end": .orNull(end.map { Int64(clamping: $0) }),
            "endEpoch": .orNull(endEpoch.map { Int64($0) }),
            "atRiskRecords": .orNull(atRiskRecords.map { Int64(clamping: $0) }),
            "process": .orNull(process.map { Int64(clamping: $0) }),
            "version": .orNull(version), "level": level?.json ?? .null,
            "logLevel": logLevel?.json ?? .null, "replica": .orNull(replica),
            "released": .orNull(released.map { Int64(clamping: $0) }),
        ]
    }

    private var parts: JSONValue {
        [
            "paused": .bool(isPaused), "pauseOrderedAt": .orNull(pauseOrderedAt),
            "peerOut": .bool(isPeerOut), "watchdog": .orNull(watchdog), "barred": .bool(isBarred),
            "etcdFault": .orNull(etcdFault), "matchdFault": .orNull(matchdFault),
            "gateways": .array(gateways.map(\.json)),
            "primaryChanges": .array(primaryChanges.map(\.json)),
            "changes": .array(changes.map(\.json)), "etcd": .array(etcd.map(\.json)),
            "serviceAddress": .orNull(serviceAddress),
            "serviceHere": isServiceHere.map { .bool($0) } ?? .null,
            "removedGateways": removedGateways.map { .array($0.map(\.json)) } ?? .null,
        ]
    }

    private func peerPart(_ isReachable: Bool) -> JSONValue {
        [
            "reachable": .bool(isReachable), "since": .orNull(peerSince),
            "fault": .orNull(peerFault), "documentTime": .orNull(peerDocumentTime),
            "reapedEpoch": .orNull(peerReapedEpoch.map { Int64($0) }),
            "document": peerDocument?.json ?? .null,
        ]
    }

    /// Reads what `json` gives; nil for anything else. Of older agents some members are missing.
    public init?(_ json: JSONValue) {
        guard let host = json["host"]?.text, let role = json["role"]?.text,
            let epoch = json["epoch"]?.number32, let sentence = json["sentence"]?.text,
            let inSync = json["inSync"]?.texts, let floor = json["floor"]?.count,
            let isPaused = json["paused"]?.flag, let isPeerOut = json["peerOut"]?.flag,
            let changes = json["changes"]?.rows(ClusterChange.init)
        else { return nil }
        self.init(host: host, role: role, epoch: epoch, sentence: sentence)
        (self.inSync, self.floor, self.changes) = (inSync, floor, changes)
        (self.isPaused, self.isPeerOut) = (isPaused, isPeerOut)
        readPlace(json)
        readJournal(json)
        if let peer = json["peerAgent"] { readPeer(peer) }
    }

    private mutating func readPlace(_ json: JSONValue) {
        pauseOrderedAt = json["pauseOrderedAt"]?.whole
        (watchdog, isBarred) = (json["watchdog"]?.text, json["barred"]?.flag ?? false)
        (peer, primary) = (json["peer"]?.text, json["primary"]?.text)
        (recordEpoch, record) = (json["recordEpoch"]?.number32, json["record"]?.text)
        (setChangedAt, etcdCluster) = (json["setChanged"]?.whole, json["etcdCluster"]?.text)
        etcd = json["etcd"]?.rows(ClusterArbiter.init) ?? []
        gateways = json["gateways"]?.rows(ClusterGateway.init) ?? []
        removedGateways = json["removedGateways"]?.rows(RemovedGateway.init)
        primaryChanges = json["primaryChanges"]?.rows(ClusterHandover.init) ?? []
        serviceAddress = json["serviceAddress"]?.text
        isServiceHere = json["serviceHere"]?.flag
        (etcdFault, matchdFault) = (json["etcdFault"]?.text, json["matchdFault"]?.text)
    }

    private mutating func readJournal(_ json: JSONValue) {
        (lagRecords, lagNanos) = (json["lagRecords"]?.count, json["lagNanos"]?.whole)
        (muteNanos, atRiskRecords) = (json["muteNanos"]?.whole, json["atRiskRecords"]?.count)
        (end, endEpoch) = (json["end"]?.count, json["endEpoch"]?.number32)
        (released, replica) = (json["released"]?.count, json["replica"]?.text)
        (process, version) = (json["process"]?.count, json["version"]?.text)
        level = json["level"].flatMap(LogLevel.init(cluster:))
        logLevel = json["logLevel"].flatMap(LogLevel.init(cluster:))
    }

    /// Reads the peer's part, the member `peerAgent`.
    public mutating func readPeer(_ json: JSONValue) {
        isPeerReachable = json["reachable"]?.flag
        (peerSince, peerFault) = (json["since"]?.whole, json["fault"]?.text)
        peerReapedEpoch = json["reapedEpoch"]?.number32
        peerDocumentTime = json["documentTime"]?.whole
        peerDocument = json["document"].flatMap(ClusterDocument.init(_:))
    }
}

extension JSONValue {
    /// A whole number of 32 bits without a sign, or nil.
    fileprivate var number32: UInt32? { whole.flatMap(UInt32.init(exactly:)) }
}

extension LogLevel {
    fileprivate var json: JSONValue { ["format": .number(format), "rules": .number(rules)] }

    /// Reads what `json` gives; nil for anything else.
    fileprivate init?(cluster json: JSONValue) {
        guard let format = json["format"]?.number32,
            let rules = json["rules"]?.number32
        else { return nil }
        self.init(format: format, rules: rules)
    }
}

extension ClusterHandover {
    var json: JSONValue {
        [
            "number": .number(number), "time": .number(time), "from": .orNull(from),
            "to": .string(to), "epoch": .number(epoch), "cause": .orNull(cause),
            "why": .orNull(why), "proof": .orNull(proof), "pauseNanos": .orNull(pauseNanos),
        ]
    }

    /// Reads what `json` gives; nil for anything else.
    init?(_ json: JSONValue) {
        guard let number = json["number"]?.number32,
            let time = json["time"]?.whole, let to = json["to"]?.text,
            let epoch = json["epoch"]?.number32
        else { return nil }
        self.init(number: number, time: time, to: to, epoch: epoch)
        (from, cause, why) = (json["from"]?.text, json["cause"]?.text, json["why"]?.text)
        (proof, pauseNanos) = (json["proof"]?.text, json["pauseNanos"]?.whole)
    }
}

extension ClusterArbiter {
    var json: JSONValue {
        [
            "name": .string(name), "leads": .bool(leads), "fault": .orNull(fault),
            "since": .number(since),
        ]
    }

    /// Reads what `json` gives; nil for anything else.
    init?(_ json: JSONValue) {
        guard let name = json["name"]?.text, let leads = json["leads"]?.flag,
            let since = json["since"]?.whole
        else { return nil }
        self.init(name: name, leads: leads, fault: json["fault"]?.text, since: since)
    }
}

extension ClusterGateway {
    var json: JSONValue {
        ["name": .string(name), "address": .string(address), "since": .number(since)]
    }

    /// Reads what `json` gives; nil for anything else.
    init?(_ json: JSONValue) {
        guard let name = json["name"]?.text, let address = json["address"]?.text,
            let since = json["since"]?.whole
        else { return nil }
        self.init(name: name, address: address, since: since)
    }
}

extension RemovedGateway {
    var json: JSONValue { ["name": .string(name), "time": .number(time)] }

    /// Reads what `json` gives; nil for anything else.
    init?(_ json: JSONValue) {
        guard let name = json["name"]?.text, let time = json["time"]?.whole else { return nil }
        self.init(name: name, time: time)
    }
}

extension ClusterChange {
    var json: JSONValue {
        [
            "time": .number(time), "epoch": .number(epoch), "what": .string(what),
            "why": .string(why),
        ]
    }

    /// Reads what `json` gives; nil for anything else.
    init?(_ json: JSONValue) {
        guard let time = json["time"]?.whole,
            let epoch = json["epoch"]?.number32,
            let what = json["what"]?.text, let why = json["why"]?.text
        else { return nil }
        self.init(time: time, epoch: epoch, what: what, why: why)
    }
}
