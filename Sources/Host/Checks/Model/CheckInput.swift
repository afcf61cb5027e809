// The input of a round of checks, and the findings that follow from a value, a rate or a verdict.

public import AgentAPI
import HelperAPI

/// The input of a round of checks.
public struct CheckInput: Sendable {
    /// What was read now.
    public var now: Observation
    /// What was read in the last round; nil in the first. Rates are the difference.
    public var before: Observation?
    /// What the owner declared.
    public var plan: HostPlan

    /// An input of these.
    public init(now: Observation, before: Observation?, plan: HostPlan) {
        (self.now, self.before, self.plan) = (now, before, plan)
    }

    /// The thresholds of a kind as configured.
    public func thresholds(_ kind: CheckKind) -> Thresholds {
        plan.thresholds[kind.name] ?? kind.thresholds
    }

    /// A finding whose state follows from its value.
    public func finding(
        _ kind: CheckKind, _ subject: String = "", value: Int64, _ text: String, source: String,
        fix: Fix? = nil
    ) -> Finding {
        let state = kind.state(of: value, by: thresholds(kind))
        return Finding(
            kind, subject, state, value: value, text, source: source, fix: state == .ok ? nil : fix)
    }

    /// The finding where the source is missing or cannot be parsed.
    public func unknown(
        _ kind: CheckKind, _ subject: String = "", source: String, _ text: String? = nil
    ) -> Finding {
        let isThere = now.text(source) != nil || now.names(source) != nil
        let why = isThere ? "cannot be parsed" : "is missing"
        return Finding(kind, subject, .unknown, text ?? "\(source) \(why)", source: source)
    }

    /// Nanoseconds between the two observations; nil at first.
    public var elapsedNanos: Int64? {
        guard let before, now.time > before.time else { return nil }
        return now.time - before.time
    }

    /// A finding of a counter's rate over `seconds`, rounded up: one event is never 0.
    public func rate(
        _ kind: CheckKind, _ subject: String = "", over seconds: Int64 = 1, source: String,
        fix: Fix? = nil, of counter: (Observation) -> Int64?, _ text: (Int64) -> String
    ) -> Finding {
        rate(
            kind, subject, over: seconds, source: source, fix: fix,
            from: before.flatMap(counter), to: counter(now), text)
    }

    /// The same, from the counts.
    public func rate(
        _ kind: CheckKind, _ subject: String = "", over seconds: Int64 = 1, source: String,
        fix: Fix? = nil, from old: Int64?, to new: Int64?, _ text: (Int64) -> String
    ) -> Finding {
        switch growth(from: old, to: new) {
        case .unreadable: return unknown(kind, subject, source: source)
        case .first:
            return unknown(kind, subject, source: source, "\(source) was read once: no rate yet")
        case .by(let count):
            guard let elapsedNanos else { return unknown(kind, subject, source: source) }
            let elapsed = Int128(elapsedNanos)
            let value = (Int128(count) * Int128(seconds) * 1_000_000_000 + elapsed - 1) / elapsed
            let whole = Int64(clamping: value)
            return finding(kind, subject, value: whole, text(whole), source: source, fix: fix)
        }
    }

    /// How a counter changed since the last round.
    public enum Growth: Hashable, Sendable {
        /// It cannot be read now.
        case unreadable
        /// There is nothing to compare with: it is read for the first time, or it was reset.
        case first
        /// It grew by this much.
        case by(Int64)
    }

    /// The growth of a counter since the last round.
    public func growth(_ counter: (Observation) -> Int64?) -> Growth {
        growth(from: before.flatMap(counter), to: counter(now))
    }

    /// The same, from the counts.
    public func growth(from old: Int64?, to new: Int64?) -> Growth {
        guard let new, new >= 0 else { return .unreadable }
        guard elapsedNanos != nil, let old, old >= 0, old <= new else { return .first }
        return .by(new - old)
    }
}

extension CheckInput {
    /// The sources of `isVirtual`.
    static let virtualSources = [
        "/sys/devices/system/clocksource/clocksource0/available_clocksource",
        "/sys/class/dmi/id/sys_vendor",
    ]

    /// Whether a hypervisor runs this host: it offers its clock, or made the board.
    var isVirtual: Bool {
        let clocks = now.text(Self.virtualSources[0])?.words ?? []
        let maker = now.text(Self.virtualSources[1])?.trimming ?? ""
        return clocks.contains { $0.hasPrefix("kvm") || $0.hasPrefix("hyperv") || $0 == "xen" }
            || ["QEMU", "VMware, Inc.", "Xen", "innotek GmbH"].contains(maker)
    }

    /// The CPUs that are left beside those of hot threads; nil when there are none, or the online
    /// ones cannot be read.
    var housekeeping: CPUSet? {
        guard let all = now.onlineCPUs?.subtracting(plan.hotCPUs), !all.isEmpty else { return nil }
        return all
    }

    /// A finding of a file that holds one number.
    func number(
        _ kind: CheckKind, _ subject: String = "", at path: String, fix: Fix? = nil,
        _ text: (Int64) -> String
    ) -> Finding {
        guard let value = now.number(path), value >= 0 else {
            return unknown(kind, subject, source: path)
        }
        return finding(kind, subject, value: value, text(value), source: path, fix: fix)
    }

    /// A finding without a value: right or wrong.
    func verdict(
        _ kind: CheckKind, _ subject: String = "", isRight: Bool, wrong: CheckState = .warning,
        _ text: String, source: String, fix: Fix? = nil
    ) -> Finding {
        Finding(
            kind, subject, isRight ? .ok : wrong, text, source: source, fix: isRight ? nil : fix)
    }
}

/// `once`, `3 times`.
func times(_ count: Int64) -> String { count == 1 ? "once" : "\(count) times" }

/// `1 page`, `3 pages`.
func some(_ count: Int64, _ word: String) -> String { "\(count) \(word)\(count == 1 ? "" : "s")" }
