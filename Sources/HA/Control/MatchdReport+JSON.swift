// A report in a line.

public import Failover
public import JSON
internal import Terms

extension MatchdState {
    var text: String {
        switch self {
        case .recovered: "recovered"
        case .following(isConfirmed: true): "following"
        case .following(isConfirmed: false): "unconfirmed"
        case .promised: "promised"
        case .leading: "leading"
        case .sealed: "sealed"
        case .stopped: "stopped"
        }
    }

    init?(text: String) {
        switch text {
        case "recovered": self = .recovered
        case "following": self = .following(isConfirmed: true)
        case "unconfirmed": self = .following(isConfirmed: false)
        case "promised": self = .promised
        case "leading": self = .leading
        case "sealed": self = .sealed
        case "stopped": self = .stopped
        default: return nil
        }
    }
}

extension PeerReport {
    var json: JSONValue {
        [
            "replica": .replica(replica), "echoedAt": .moment(echoedAt),
            "matched": .number(matched), "waitingSince": .moment(waitingSince),
            "promise": .number(promise), "lacksAcknowledged": .bool(lacksAcknowledged),
            "level": level?.json ?? .null,
        ]
    }

    init?(_ json: JSONValue) {
        var isWrong = false
        guard let replica = json["replica"]?.replica, let matched = json["matched"]?.count,
            let promise = json["promise"]?.epoch, let lacks = json["lacksAcknowledged"]?.flag
        else { return nil }
        self.init(
            replica: replica, echoedAt: json.optional("echoedAt", &isWrong, \.moment),
            matched: matched, waitingSince: json.optional("waitingSince", &isWrong, \.moment),
            promise: promise, lacksAcknowledged: lacks,
            level: json.optional("level", &isWrong, LogLevel.init(_:)))
        if isWrong { return nil }
    }
}

extension GatewayReport {
    var json: JSONValue {
        ["name": .string(name), "address": .string(address), "since": .number(since)]
    }

    init?(_ json: JSONValue) {
        guard let name = json["name"]?.text, let address = json["address"]?.text,
            let since = json["since"]?.whole
        else { return nil }
        self.init(name: name, address: address, since: since)
    }
}

extension MatchdReport {
    /// Maximum length of a reason in a line, in bytes.
    private static let reasonMax = 500

    /// As JSON.
    public var json: JSONValue {
        [
            "process": .id(process.number), "ordersRun": .id(ordersRun),
            "ordersDone": .number(ordersDone), "state": .string(state.text),
            "epoch": .number(epoch), "replica": .replica(replica), "promise": .number(promise),
            "cluster": .id(cluster), "end": .number(end), "endEpoch": .number(endEpoch),
            "durable": .number(durable),
            "commitPoint": .number(commitPoint), "oldestWaiting": .moment(oldestWaiting),
            "heardAt": .moment(heardAt), "isHandedOver": .bool(isHandedOver),
            "reason": .orNull(
                reason.map { String(decoding: $0.utf8.prefix(Self.reasonMax), as: UTF8.self) }),
            "epochStart": .number(epochStart), "requirement": .replica(requirement),
            "holdsLease": .bool(holdsLease), "isLinkOpen": .bool(isLinkOpen),
            "isIntakeHeld": .bool(isIntakeHeld), "peer": peer?.json ?? .null,
            "version": .orNull(version), "level": level?.json ?? .null,
            "logLevel": logLevel?.json ?? .null, "gateways": .array(gateways.map(\.json)),
        ]
    }

    /// Reads `json`; nil when a member is missing or of another kind. Unknown members are skipped.
    public init?(_ json: JSONValue) {
        guard let process = json["process"]?.id, let ordersRun = json["ordersRun"]?.id,
            let ordersDone = json["ordersDone"]?.count,
            let state = json["state"]?.text.flatMap(MatchdState.init(text:)),
            let epoch = json["epoch"]?.epoch, let replica = json["replica"]?.replica,
            let promise = json["promise"]?.epoch, let cluster = json["cluster"]?.id,
            let end = json["end"]?.count,
            let endEpoch = json["endEpoch"]?.epoch, let durable = json["durable"]?.count,
            let commitPoint = json["commitPoint"]?.count,
            let isHandedOver = json["isHandedOver"]?.flag,
            let epochStart = json["epochStart"]?.count, let holdsLease = json["holdsLease"]?.flag,
            let isLinkOpen = json["isLinkOpen"]?.flag,
            let isIntakeHeld = json["isIntakeHeld"]?.flag
        else { return nil }
        self.init(
            process: ProcessNumber(process), state: state, epoch: epoch, replica: replica,
            promise: promise, end: end, endEpoch: endEpoch, durable: durable,
            commitPoint: commitPoint)
        var isWrong = false
        (self.ordersRun, self.ordersDone) = (ordersRun, ordersDone)
        self.cluster = cluster
        oldestWaiting = json.optional("oldestWaiting", &isWrong, \.moment)
        heardAt = json.optional("heardAt", &isWrong, \.moment)
        self.isHandedOver = isHandedOver
        reason = json.optional("reason", &isWrong, \.text)
        self.epochStart = epochStart
        requirement = json.optional("requirement", &isWrong, \.replica)
        (self.holdsLease, self.isLinkOpen) = (holdsLease, isLinkOpen)
        self.isIntakeHeld = isIntakeHeld
        peer = json.optional("peer", &isWrong, PeerReport.init(_:))
        version = json.optional("version", &isWrong, \.text)
        level = json.optional("level", &isWrong, LogLevel.init(_:))
        logLevel = json.optional("logLevel", &isWrong, LogLevel.init(_:))
        // An earlier version has none.
        gateways = json.optional("gateways", &isWrong) { $0.rows(GatewayReport.init(_:)) } ?? []
        if isWrong { return nil }
    }
}
