// Transactions as etcd's JSON gateway takes them, and their answers. Its 64-bit integers are
// strings, its bytes Base64, and it leaves out what is zero, empty or false.

internal import JSON

/// A condition of a transaction; all must hold.
enum EtcdComparison {
    /// The key has this value.
    case equals(key: String, value: String)
    /// The key is there, with a value below this one in the order of bytes.
    case isBelow(key: String, value: String)
    /// The key is not there.
    case isMissing(key: String)

    var json: JSONValue {
        switch self {
        case .equals(let key, let value): Self.comparison(key, "VALUE", "EQUAL", value)
        case .isBelow(let key, let value): Self.comparison(key, "VALUE", "LESS", value)
        case .isMissing(let key):
            ["key": etcdBytes(key), "target": "VERSION", "result": "EQUAL", "version": "0"]
        }
    }

    private static func comparison(
        _ key: String, _ target: String, _ result: String, _ value: String
    ) -> JSONValue {
        [
            "key": etcdBytes(key), "target": .string(target), "result": .string(result),
            "value": etcdBytes(value),
        ]
    }
}

/// An operation of a transaction; they are carried out in order.
enum EtcdOperation {
    case put(key: String, value: String)
    case get(key: String)

    var json: JSONValue {
        switch self {
        case .put(let key, let value):
            ["request_put": ["key": etcdBytes(key), "value": etcdBytes(value)]]
        case .get(let key): ["request_range": ["key": etcdBytes(key)]]
        }
    }
}

/// One transaction: where all comparisons hold, `then` is done, else `otherwise`.
struct EtcdTransaction {
    var comparisons: [EtcdComparison] = []
    var then: [EtcdOperation]
    var otherwise: [EtcdOperation] = []

    var json: JSONValue {
        [
            "compare": .array(comparisons.map(\.json)), "success": .array(then.map(\.json)),
            "failure": .array(otherwise.map(\.json)),
        ]
    }
}

/// The result of a transaction.
struct EtcdOutcome {
    /// Whether all comparisons held.
    let succeeded: Bool
    /// The value that each `get` found, in their order; nil: there is no such key.
    let found: [[UInt8]?]

    /// The outcome of this transaction; nil where the answer is not one to it.
    init?(_ json: JSONValue, of transaction: EtcdTransaction) {
        succeeded = json["succeeded"]?.flag ?? false
        let done = succeeded ? transaction.then : transaction.otherwise
        guard case .array(let answers) = json["responses"] ?? .array([]),
            answers.count == done.count
        else { return nil }
        var found: [[UInt8]?] = []
        for (operation, answer) in zip(done, answers) {
            guard case .get(let key) = operation else {
                guard answer["response_put"] != nil else { return nil }
                continue
            }
            guard let range = answer["response_range"] else { return nil }
            guard let pairs = range["kvs"] else {
                found.append(nil)
                continue
            }
            guard case .array(let list) = pairs, list.count == 1,
                list[0]["key"]?.text == Base64.text(key.utf8),
                let value = Base64.bytes(list[0]["value"]?.text ?? "")
            else { return nil }
            found.append(value)
        }
        self.found = found
    }
}

/// A text as etcd's JSON encodes bytes.
private func etcdBytes(_ text: String) -> JSONValue { .string(Base64.text(text.utf8)) }

extension JSONValue {
    /// A 64-bit integer of etcd: a string; 0 where it is left out.
    static func etcdNumber(_ value: JSONValue?) -> UInt64? {
        guard let value else { return 0 }
        return value.text.flatMap { UInt64($0) }
    }
}
