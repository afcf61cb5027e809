// The cluster document as JSON.

public import JSON
internal import Terms

extension ClusterDocument {
    /// Reads what `json` gives; nil for anything else.
    public init?(_ json: JSONValue) {
        guard let host = json["host"]?.text, let role = json["role"]?.text,
            let epoch = json["epoch"]?.whole.flatMap(UInt32.init(exactly:)),
            let sentence = json["sentence"]?.text,
            let inSync = json["inSync"]?.rows({ $0.text }),
            let floor = json["floor"]?.count,
            let isPaused = json["paused"]?.flag, let isPeerOut = json["peerOut"]?.flag,
            let changes = json["changes"]?.rows(ClusterChange.init)
        else { return nil }
        (self.host, self.role, self.epoch, self.sentence) = (host, role, epoch, sentence)
        (self.inSync, self.floor, self.changes) = (inSync, floor, changes)
        (self.isPaused, self.isPeerOut) = (isPaused, isPeerOut)
        (watchdog, isBarred) = (json["watchdog"]?.text, json["barred"]?.flag ?? false)
        peer = json["peer"]?.text
        primary = json["primary"]?.text
        recordEpoch = json["recordEpoch"]?.whole.flatMap(UInt32.init(exactly:))
        record = json["record"]?.text
        setChangedAt = json["setChanged"]?.whole
        atRiskRecords = json["atRiskRecords"]?.count
        etcd = json["etcd"]?.rows(ClusterArbiter.init) ?? []
        gateways = json["gateways"]?.rows(ClusterGateway.init) ?? []
        removedGateways = json["removedGateways"]?.rows(RemovedGateway.init)
        primaryChanges = json["primaryChanges"]?.rows(ClusterHandover.init) ?? []
        serviceAddress = json["serviceAddress"]?.text
        isServiceHere = json["serviceHere"]?.flag
        lagRecords = json["lagRecords"]?.count
        lagNanos = json["lagNanos"]?.whole
        end = json["end"]?.count
        endEpoch = json["endEpoch"]?.whole.flatMap(UInt32.init(exactly:))
        released = json["released"]?.count
        replica = json["replica"]?.text
        etcdCluster = json["etcdCluster"]?.text
        process = json["process"]?.count
        version = json["version"]?.text
        level = json["level"].flatMap(LogLevel.init(cluster:))
        logLevel = json["logLevel"].flatMap(LogLevel.init(cluster:))
        etcdFault = json["etcdFault"]?.text
        matchdFault = json["matchdFault"]?.text
        isPeerReachable = json["peerAgent"]?["reachable"]?.flag
        peerSince = json["peerAgent"]?["since"]?.whole
        peerFault = json["peerAgent"]?["fault"]?.text
        peerDocumentTime = json["peerAgent"]?["documentTime"]?.whole
        if let peer = json["peerAgent"]?["document"].flatMap(ClusterDocument.init(_:)) {
            peerDocuments = [peer]
        }
    }
}

extension LogLevel {
    /// Reads what `json` gives; nil for anything else.
    fileprivate init?(cluster json: JSONValue) {
        guard let format = json["format"]?.whole.flatMap(UInt32.init(exactly:)),
            let rules = json["rules"]?.whole.flatMap(UInt32.init(exactly:))
        else { return nil }
        self.init(format: format, rules: rules)
    }
}

extension ClusterHandover {
    /// Reads what `json` gives; nil for anything else.
    init?(_ json: JSONValue) {
        guard let number = json["number"]?.whole.flatMap(UInt32.init(exactly:)),
            let time = json["time"]?.whole, let to = json["to"]?.text,
            let epoch = json["epoch"]?.whole.flatMap(UInt32.init(exactly:))
        else { return nil }
        (self.number, self.time, self.to, self.epoch) = (number, time, to, epoch)
        (from, cause, why) = (json["from"]?.text, json["cause"]?.text, json["why"]?.text)
        pauseNanos = json["pauseNanos"]?.whole
    }
}

extension ClusterArbiter {
    /// Reads what `json` gives; nil for anything else.
    init?(_ json: JSONValue) {
        guard let name = json["name"]?.text, let leads = json["leads"]?.flag,
            let since = json["since"]?.whole
        else { return nil }
        (self.name, self.leads, self.since) = (name, leads, since)
        fault = json["fault"]?.text
    }
}

extension ClusterGateway {
    /// Reads what `json` gives; nil for anything else.
    init?(_ json: JSONValue) {
        guard let name = json["name"]?.text, let address = json["address"]?.text,
            let since = json["since"]?.whole
        else { return nil }
        (self.name, self.address, self.since) = (name, address, since)
    }
}

extension RemovedGateway {
    /// Reads what `json` gives; nil for anything else.
    init?(_ json: JSONValue) {
        guard let name = json["name"]?.text, let time = json["time"]?.whole else { return nil }
        (self.name, self.time) = (name, time)
    }
}

extension ClusterChange {
    /// Reads what `json` gives; nil for anything else.
    init?(_ json: JSONValue) {
        guard let time = json["time"]?.whole,
            let epoch = json["epoch"]?.whole.flatMap(UInt32.init(exactly:)),
            let what = json["what"]?.text, let why = json["why"]?.text
        else { return nil }
        (self.time, self.epoch, self.what, self.why) = (time, epoch, what, why)
    }
}
