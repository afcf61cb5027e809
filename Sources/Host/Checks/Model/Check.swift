// What a check is, and what it finds.

public import AgentAPI
public import HelperAPI

/// One kind of check: what holds for every subject it is made of.
public struct CheckKind: Hashable, Sendable {
    /// Its number in BOURSE-MIB and in configurations; never given to another kind.
    public let number: Int
    /// `group.name`, as `cpu.thread-affinity`.
    public let name: String
    /// What its value counts, as `percent`, `per-second`, `microseconds`; empty: it has no value.
    public let unit: String
    /// Where it turns, unless the configuration says otherwise.
    public let thresholds: Thresholds
    /// Whether small values are the bad ones, as with the spare blocks of a disk.
    public let isWorseBelow: Bool
    /// Why it matters, one or two sentences.
    public let why: String

    /// A kind of these.
    public init(
        _ number: Int, _ name: String, unit: String = "", warning: Int64? = nil,
        critical: Int64? = nil, isWorseBelow: Bool = false, why: String
    ) {
        (self.number, self.name, self.unit) = (number, name, unit)
        thresholds = Thresholds(warning: warning, critical: critical)
        (self.isWorseBelow, self.why) = (isWorseBelow, why)
    }

    /// What a value means by these thresholds.
    public func state(of value: Int64, by thresholds: Thresholds) -> CheckState {
        func reaches(_ mark: Int64?) -> Bool {
            guard let mark else { return false }
            return isWorseBelow ? value <= mark : value >= mark
        }
        return reaches(thresholds.critical)
            ? .critical : reaches(thresholds.warning) ? .warning : .ok
    }
}

/// What can be done about a finding.
public enum Fix: Hashable, Sendable {
    /// The helper can do it while everything runs, and undo it: its requests, in order, of which
    /// none needs another one.
    case change([HelperRequest])
    /// A person has to: the exact change, one line each.
    case advice([String])
}

/// What a check found of one subject.
public struct Finding: Hashable, Sendable {
    /// The kind of check.
    public var kind: CheckKind
    /// What was looked at, as `cpu2`, `eth0/rx-3` or `nvme0n1`; empty: the host itself.
    public var subject: String
    /// How it is.
    public var state: CheckState
    /// Its value in the kind's unit, if it has one.
    public var value: Int64?
    /// What was found, in one sentence.
    public var text: String
    /// Where it was read: a path, or the name of a call.
    public var source: String
    /// What can be done about it, unless nothing can or needs to be.
    public var fix: Fix?

    /// A finding of these.
    public init(
        _ kind: CheckKind, _ subject: String = "", _ state: CheckState, value: Int64? = nil,
        _ text: String, source: String, fix: Fix? = nil
    ) {
        (self.kind, self.subject, self.state) = (kind, subject, state)
        (self.value, self.text, self.source, self.fix) = (value, text, source, fix)
    }

    /// `kind/subject`, or the kind alone: what operators name it by.
    public var name: String { subject.isEmpty ? kind.name : "\(kind.name)/\(subject)" }
}

/// A set of checks that are made together.
public struct CheckGroup: Sendable {
    /// Its name, the first part of its kinds' names or a part of it.
    public let name: String
    /// Seconds between two rounds.
    public let seconds: Int
    /// The kinds it makes.
    public let kinds: [CheckKind]
    /// What must be read for it: see `Observation`.
    public let sources: [String]
    /// The checks themselves. Pure: the same input gives the same findings in the same order.
    public let run: @Sendable (CheckInput) -> [Finding]

    /// A group of these.
    public init(
        _ name: String, seconds: Int, kinds: [CheckKind], sources: [String],
        run: @escaping @Sendable (CheckInput) -> [Finding]
    ) {
        (self.name, self.seconds) = (name, seconds)
        (self.kinds, self.sources, self.run) = (kinds, sources, run)
    }
}
