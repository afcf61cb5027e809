// Changes that the agent makes on its host, and the requests for them.

public import JSON

/// A change that the agent made.
public struct HostChange: Hashable, Sendable {
    /// Its number, from 1.
    public var id: Int64
    /// When, in nanoseconds since 1970.
    public var time: Int64
    /// The request that made it.
    public var line: String
    /// The request that undoes it; nil where there is nothing to undo.
    public var undo: String?
    /// Who asked for it: an operator, a user's number, or `agent`.
    public var by: String
    /// Whether it was undone.
    public var isUndone = false

    /// A change that was not undone.
    public init(id: Int64, time: Int64, line: String, undo: String?, by: String) {
        (self.id, self.time, self.line, self.undo, self.by) = (id, time, line, undo, by)
    }

    /// As JSON.
    public var json: JSONValue {
        [
            "id": .number(id), "time": .number(time), "line": .string(line),
            "undo": .orNull(undo), "by": .string(by), "undone": .bool(isUndone),
        ]
    }

    /// Reads `json`; nil when a member is missing or of another kind.
    public init?(_ json: JSONValue) {
        guard let id = json["id"]?.whole, let time = json["time"]?.whole,
            let line = json["line"]?.text, let by = json["by"]?.text,
            let isUndone = json["undone"]?.flag
        else { return nil }
        self.init(id: id, time: time, line: line, undo: json["undo"]?.text, by: by)
        self.isUndone = isUndone
    }
}

/// The outcome of one request: also the reply to POST /v1/undo.
public struct ChangeResult: Hashable, Sendable {
    /// The request.
    public var line: String
    /// Whether it was carried out.
    public var isDone: Bool
    /// The helper's reply, or why it was not asked.
    public var answer: String
    /// The request that undoes it.
    public var undo: String?

    /// An outcome of these.
    public init(line: String, isDone: Bool, answer: String, undo: String? = nil) {
        (self.line, self.isDone, self.answer, self.undo) = (line, isDone, answer, undo)
    }

    /// As JSON.
    public var json: JSONValue {
        [
            "line": .string(line), "ok": .bool(isDone), "answer": .string(answer),
            "undo": .orNull(undo),
        ]
    }

    /// Reads `json`; nil when a member is missing or of another kind.
    public init?(_ json: JSONValue) {
        guard let line = json["line"]?.text, let isDone = json["ok"]?.flag,
            let answer = json["answer"]?.text
        else { return nil }
        self.init(line: line, isDone: isDone, answer: answer, undo: json["undo"]?.text)
    }
}

/// The reply to POST /v1/fix.
public struct FixReply: Hashable, Sendable {
    /// The helper's requests that repair the check.
    public var requests: [String]
    /// What came of those that were carried out.
    public var results: [ChangeResult]
    /// Why nothing is done; nil where it is done, or would be.
    public var refused: String?

    /// A reply of these.
    public init(requests: [String], results: [ChangeResult], refused: String?) {
        (self.requests, self.results, self.refused) = (requests, results, refused)
    }

    /// As JSON.
    public var json: JSONValue {
        [
            "requests": .strings(requests), "results": .array(results.map(\.json)),
            "refused": .orNull(refused),
        ]
    }

    /// Reads `json`; nil when a member is missing or of another kind.
    public init?(_ json: JSONValue) {
        guard let requests = json["requests"]?.texts,
            let results = json["results"]?.rows(ChangeResult.init)
        else { return nil }
        self.init(requests: requests, results: results, refused: json["refused"]?.text)
    }
}

/// The body of POST /v1/fix.
public struct FixRequest: Hashable, Sendable {
    /// The check's name.
    public var name: String
    /// Whether to repair it; else the reply only says how.
    public var applies: Bool
    /// Who asks, for the list of changes; nil: the peer's user.
    public var by: String?

    /// A request of these.
    public init(name: String, applies: Bool, by: String?) {
        (self.name, self.applies, self.by) = (name, applies, by)
    }

    /// As JSON.
    public var json: JSONValue {
        ["name": .string(name), "apply": .bool(applies), "operator": .orNull(by)]
    }

    /// Reads `json`; nil when a member is missing or of another kind.
    public init?(_ json: JSONValue) {
        guard let name = json["name"]?.text, let applies = json["apply"]?.flag else { return nil }
        self.init(name: name, applies: applies, by: json["operator"]?.text)
    }
}

/// The body of POST /v1/undo.
public struct UndoRequest: Hashable, Sendable {
    /// The change's number.
    public var id: Int64
    /// Who asks, for the list of changes; nil: the peer's user.
    public var by: String?

    /// A request of these.
    public init(id: Int64, by: String?) { (self.id, self.by) = (id, by) }

    /// As JSON.
    public var json: JSONValue { ["id": .number(id), "operator": .orNull(by)] }

    /// Reads `json`; nil when a member is missing or of another kind.
    public init?(_ json: JSONValue) {
        guard let id = json["id"]?.whole else { return nil }
        self.init(id: id, by: json["operator"]?.text)
    }
}
