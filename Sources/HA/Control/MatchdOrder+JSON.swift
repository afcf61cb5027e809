// An order in a line.

public import Failover
public import JSON

extension MatchdAction {
    /// The name and what belongs to it.
    fileprivate var members: [JSONValue.Member] {
        switch self {
        case .follow(let renewsReplica, let isConfirmed, let forced):
            [
                .init("action", "follow"), .init("renewsReplica", .bool(renewsReplica)),
                .init("isConfirmed", .bool(isConfirmed)),
                .init("forced", forced?.json ?? .null),
            ]
        case .belong(let cluster):
            [.init("action", "belong"), .init("cluster", .id(cluster))]
        case .promise: [.init("action", "promise")]
        case .lead(let terms):
            [
                .init("action", "lead"), .init("attempt", terms.attempt.json),
                .init("requirement", .replica(terms.requirement)),
                .init("cause", .string(terms.cause.text)),
                .init("forced", terms.forced?.json ?? .null),
            ]
        case .require(let replica):
            [.init("action", "require"), .init("requirement", .replica(replica))]
        case .raise(let from, let attempt):
            [
                .init("action", "raise"), .init("from", .number(from)),
                .init("attempt", attempt.json),
            ]
        case .openLink: [.init("action", "openLink")]
        case .holdIntake: [.init("action", "holdIntake")]
        case .resumeIntake: [.init("action", "resumeIntake")]
        case .seal: [.init("action", "seal")]
        case .end: [.init("action", "end")]
        }
    }

    fileprivate init?(_ json: JSONValue) {
        var isWrong = false
        let forced = json.optional("forced", &isWrong, ForcedStart.init(_:))
        let requirement = json.optional("requirement", &isWrong, \.replica)
        if isWrong { return nil }
        switch json["action"]?.text {
        case "follow":
            guard let renews = json["renewsReplica"]?.flag,
                let isConfirmed = json["isConfirmed"]?.flag
            else { return nil }
            self = .follow(renewsReplica: renews, isConfirmed: isConfirmed, forced: forced)
        case "belong":
            guard let cluster = json["cluster"]?.id else { return nil }
            self = .belong(to: cluster)
        case "promise": self = .promise
        case "lead":
            guard let attempt = json["attempt"].flatMap(SwapAttempt.init(_:)),
                let cause = json["cause"]?.text.flatMap(ClaimCause.init(text:))
            else { return nil }
            self = .lead(
                LeadTerms(
                    attempt: attempt, requirement: requirement, cause: cause, forced: forced))
        case "require": self = .require(requirement)
        case "raise":
            guard let from = json["from"]?.epoch,
                let attempt = json["attempt"].flatMap(SwapAttempt.init(_:))
            else { return nil }
            self = .raise(from: from, attempt: attempt)
        case "openLink": self = .openLink
        case "holdIntake": self = .holdIntake
        case "resumeIntake": self = .resumeIntake
        case "seal": self = .seal
        case "end": self = .end
        default: return nil
        }
    }
}

extension MatchdOrder {
    /// As JSON.
    public var json: JSONValue {
        .object(
            [
                .init("run", .id(run)), .init("number", .number(number)),
                .init("process", .id(process.number)), .init("epoch", .number(epoch)),
            ] + action.members)
    }

    /// Reads `json`; nil for anything but an order that this version knows.
    public init?(_ json: JSONValue) {
        guard let run = json["run"]?.id, let number = json["number"]?.count,
            let process = json["process"]?.id, let epoch = json["epoch"]?.epoch,
            let action = MatchdAction(json)
        else { return nil }
        self.init(
            run: run, number: number, process: ProcessNumber(process), epoch: epoch, action: action)
    }
}
