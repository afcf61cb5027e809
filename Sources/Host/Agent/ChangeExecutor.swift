// Changes of the host: made by the root helper, within the policy, recorded with their undo.

public import AgentAPI
public import Checks
internal import DequeModule
public import HelperAPI
import JSON
public import Platform
internal import Synchronization

/// What the agent may change.
public struct ChangePolicy: Hashable, Sendable {
    /// The helper's verbs that it may use.
    public var allowed: Set<String>
    /// Whether it uses them by itself.
    public var isAutomatic: Bool

    /// A policy of these.
    public init(allowed: Set<String> = [], isAutomatic: Bool = false) {
        (self.allowed, self.isAutomatic) = (allowed, isAutomatic)
    }

    /// Why requests may not be carried out; nil where they may.
    public func refusal(of requests: [HelperRequest]) -> String? {
        let denied = Set(requests.map(\.verb)).subtracting(allowed).sorted()
        guard !denied.isEmpty else { return nil }
        return "[agent] allow in bourse.toml does not have \(denied.joined(separator: ", "))"
    }
}

/// Carries out changes, one after the other, on a thread of its own.
public final class ChangeExecutor: Sendable {
    /// Changes that are kept.
    public static var changesMax: Int { 1_000 }
    /// Maximum number of waiting requests.
    static var waitingMax: Int { 64 }
    /// Nanoseconds before an automatic change is repeated: whatever undoes it must be found by a
    /// person, not fought.
    static var pauseNanos: Int64 { 600_000_000_000 }
    /// Maximum number of times that an automatic change is made in the life of the process.
    static var triesMax: Int { 3 }

    /// What the agent may change.
    public let policy: ChangePolicy
    private let helper: HelperClient
    private let kept = Mutex<[HostChange]>([])
    private let waiting = Mutex<Deque<@Sendable (borrowing Work) -> Void>>([])
    private let wake = Parking()
    private let tries = Mutex<[String: (time: Int64, count: Int)]>([:])
    /// Lines of the file that were damaged when it was opened.
    public let damaged: Int
    private let lastFault = Mutex<SystemError?>(nil)

    /// What only the thread uses.
    // Sendable, as it is given away once, before that thread begins.
    final class Work: @unchecked Sendable {
        let log: LineLog
        init(_ log: LineLog) { self.log = log }
    }

    /// An executor that records changes in the file at `path`, created if missing.
    public init(_ path: String, helper: String, policy: ChangePolicy) throws(SystemError) {
        self.helper = HelperClient(socket: helper)
        self.policy = policy
        var changes: [HostChange] = []
        let log = try LineLog(path, linesMax: 2 * Self.changesMax) { line in
            guard let change = JSONValue(parsing: line.utf8).flatMap(HostChange.init) else {
                return
            }
            if let index = changes.firstIndex(where: { $0.id == change.id }) {
                changes[index] = change
            } else {
                changes.append(change)
            }
        }
        damaged = log.damaged
        kept.withLock { $0 = changes.suffix(Self.changesMax) }
        let work = Work(log)
        _ = try PinnedThread.start(name: "executor") { [self] in
            while true {
                wake.park()
                while let next = waiting.withLock({ $0.popFirst() }) { next(work) }
            }
        }
    }

    /// Why the last change is not on disk; nil: it is.
    public var fault: SystemError? { lastFault.withLock { $0 } }

    /// The changes that were made, oldest first.
    public var changes: [HostChange] { kept.withLock { $0 } }

    /// Carries out requests in their order. One that fails, as an interrupt that cannot be moved,
    /// keeps none of the others from being done; a helper that does not answer ends it. `done` is
    /// called from the thread; false: too much is waiting.
    public func carryOut(
        _ requests: [HelperRequest], by user: String,
        done: @escaping @Sendable ([ChangeResult]) -> Void
    ) -> Bool {
        enqueue { [self] work in
            var results: [ChangeResult] = []
            if let refusal = policy.refusal(of: requests) {
                return done(
                    requests.map {
                        ChangeResult(line: $0.line, isDone: false, answer: "refused \(refusal)")
                    })
            }
            for request in requests {
                let (result, isAnswered) = carryOut(request, by: user, work)
                results.append(result)
                if !isAnswered { break }
            }
            done(results)
        }
    }

    /// Takes back a change, whatever the policy is by now. `done` is called from the thread, with
    /// nil where there is no such change that can be taken back; false: too much is waiting.
    public func undo(
        _ id: Int64, by user: String, done: @escaping @Sendable (ChangeResult?) -> Void
    ) -> Bool {
        enqueue { [self] work in
            guard let change = changes.first(where: { $0.id == id }), !change.isUndone,
                let request = change.undo.flatMap({ HelperRequest($0) })
            else { return done(nil) }
            let (result, _) = carryOut(request, by: user, work)
            if result.isDone {
                var undone = change
                undone.isUndone = true
                note(undone, work)
            }
            done(result)
        }
    }

    /// Carries out by itself what the policy allows of these findings.
    public func repair(_ findings: [Finding]) {
        guard policy.isAutomatic else { return }
        let now = Clock.monotonicNanos()
        for finding in findings where finding.state.isAlarm {
            guard case .change(let requests) = finding.fix, policy.refusal(of: requests) == nil
            else { continue }
            let isTime = tries.withLock { tries in
                let old = tries[finding.name] ?? (now - Self.pauseNanos, 0)
                guard old.count < Self.triesMax, now - old.time >= Self.pauseNanos,
                    tries.count < AlarmTable.entriesMax
                else { return false }
                tries[finding.name] = (now, old.count + 1)
                return true
            }
            if isTime { _ = carryOut(requests, by: "agent") { _ in } }
        }
    }

    private func enqueue(_ work: @escaping @Sendable (borrowing Work) -> Void) -> Bool {
        let isTaken = waiting.withLock { waiting in
            guard waiting.count < Self.waitingMax else { return false }
            waiting.append(work)
            return true
        }
        wake.unpark()
        return isTaken
    }

    /// What came of a request, and whether the helper answered.
    private func carryOut(
        _ request: HelperRequest, by user: String, _ work: borrowing Work
    ) -> (ChangeResult, Bool) {
        do throws(HelperClientError) {
            let undo: String?
            let isChanged: Bool
            if case .unit(let verb, let name) = request {
                let done = try UnitControl.run(verb, name)
                (undo, isChanged) = (done.undo?.line, done.isChanged)
            } else {
                undo = HelperRequest(try helper.ask(request).first)?.line
                isChanged = undo != nil
            }
            let id = (changes.last?.id ?? 0) + 1
            note(
                HostChange(
                    id: id, time: Clock.realtimeNanos(), line: request.line, undo: undo, by: user),
                work)
            let answer = isChanged ? "done, as change \(id)" : "no change"
            return (
                ChangeResult(line: request.line, isDone: true, answer: answer, undo: undo), true
            )
        } catch {
            return (
                ChangeResult(line: request.line, isDone: false, answer: "\(error)"), error.isAnswer
            )
        }
    }

    /// Keeps a change, new or changed. Where the disk does not take it, it is known until the
    /// process ends; the helper's own log has it as well.
    private func note(_ change: HostChange, _ work: borrowing Work) {
        let all = kept.withLock { kept in
            if let index = kept.firstIndex(where: { $0.id == change.id }) {
                kept[index] = change
            } else {
                kept.append(change)
                if kept.count > Self.changesMax { kept.removeFirst() }
            }
            return kept
        }
        // After an error what is in the file is not known: all of it is written.
        var result = fault
        if result == nil, !work.log.isFull {
            do throws(SystemError) {
                return try work.log.append([change.json.compact])
            } catch { result = error }
        }
        do throws(SystemError) {
            try work.log.replace(all.map(\.json.compact))
            result = nil
        } catch { result = error }
        lastFault.withLock { [result] in $0 = result }
    }
}
