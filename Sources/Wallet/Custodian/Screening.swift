// Which withdrawals the owner's screening service releases.

package import Engine
public import Nodes
public import Platform
internal import Synchronization
package import Terms

/// Asks the service about each withdrawal before its payment is planned, on a thread of its own, so
/// that a slow service holds nothing else up. Nothing goes out that it has not released lately.
public final class Screening: Sendable {
    /// How long a release counts: lists of sanctions change.
    static let releaseNanos: Int64 = 600_000_000_000
    /// How long it rests until a withdrawal that is held is asked about again.
    static let holdNanos: Int64 = 60_000_000_000
    /// How long it rests after an answer that decides nothing.
    static let unclearNanos: Int64 = 10_000_000_000
    /// How long the service rests when it gave no answer: longer each time.
    static let absenceNanos: ClosedRange<Int64> = 1_000_000_000...60_000_000_000

    fileprivate struct State {
        var questions: [ScreeningQuestion] = []
        /// Those of `questions`, and the one that is being asked.
        var asked: Set<WithdrawalID> = []
        var answers: [WithdrawalID: Answer] = [:]
        var absence: (until: Int64, rest: Int64, why: String)?
    }

    fileprivate struct Answer {
        let chain: Text40
        let until: Int64
        /// Why it is held; nil: it is released.
        let why: String?
    }

    private let screen: any WithdrawalScreen & Sendable
    private let state = Mutex(State())
    private let bell = Parking()

    /// What this service releases. Its thread runs as long as the process.
    public init(_ screen: some WithdrawalScreen & Sendable) throws(SystemError) {
        self.screen = screen
        _ = try PinnedThread.start(name: "screening") { [self] in askForEver() }
    }

    /// Forgets all answers: ids of another log are others.
    public func forget() { state.withLock { $0 = State() } }

    /// What is released of withdrawals.
    package struct Verdict {
        /// What may go out now.
        package var released: Set<WithdrawalID> = []
        /// Why something does not; nil: all is released, or is only just being asked about.
        package var problem: (PayoutCondition, String)?
    }

    /// What is released of the withdrawals that wait on a chain; the others are asked about. `now`
    /// is monotonic.
    package func verdict(
        _ waiting: Set<WithdrawalID>, _ engine: borrowing Engine, chain: Text40, now: Int64
    ) -> Verdict {
        let known = state.withLock { state in
            state.answers = state.answers.filter {
                $0.value.until > now && ($0.value.chain != chain || waiting.contains($0.key))
            }
            return (answers: state.answers, asked: state.asked, absence: state.absence)
        }
        var verdict = Verdict()
        var questions: [ScreeningQuestion] = []
        for id in waiting.sorted() {
            if let answer = known.answers[id] {
                guard let why = answer.why else {
                    verdict.released.insert(id)
                    continue
                }
                verdict.problem = verdict.problem ?? (.held, why)
            } else if !known.asked.contains(id),
                let question = engine.screeningQuestion(id, chain: chain)
            {
                questions.append(question)
            }
        }
        if let absence = known.absence, verdict.released.count < waiting.count {
            verdict.problem = (.noScreening, absence.why)
        }
        if !questions.isEmpty {
            state.withLock { state in
                // As many as can be open at once: each is here once.
                state.questions += questions
                state.asked.formUnion(questions.map { WithdrawalID($0.withdrawal) })
            }
            bell.unpark()
        }
        return verdict
    }

    private func askForEver() {
        while true {
            let now = Clock.monotonicNanos()
            let (question, rest): (ScreeningQuestion?, Int64) = state.withLock { state in
                if let absence = state.absence, absence.until > now {
                    return (nil, absence.until - now)
                }
                return state.questions.isEmpty ? (nil, -1) : (state.questions.removeFirst(), 0)
            }
            guard let question else {
                bell.park(timeoutNanos: rest)
                continue
            }
            let answer = screen.answer(question)
            state.withLock { $0.take(answer, to: question, Clock.monotonicNanos()) }
        }
    }
}

extension Screening.State {
    fileprivate mutating func take(
        _ answer: ScreeningAnswer, to question: ScreeningQuestion, _ now: Int64
    ) {
        let id = WithdrawalID(question.withdrawal)
        // It was forgotten meanwhile.
        guard asked.remove(id) != nil, let chain = Text40(question.network) else { return }
        func hold(_ why: String, _ nanos: Int64) {
            answers[id] = Screening.Answer(chain: chain, until: now + nanos, why: why)
        }
        let name = "withdrawal \(question.withdrawal)"
        let wayOut = "to end it: boursectl wallet refuse \(question.withdrawal)"
        if case .absent(let text) = answer {
            let range = Screening.absenceNanos
            let rest = min(absence.map { 2 * $0.rest } ?? range.lowerBound, range.upperBound)
            absence = (
                now + rest, rest,
                "nothing new goes out: the screening service does not answer: "
                    + "\(text)"
            )
            return
        }
        absence = nil
        switch answer {
        case .releases:
            answers[id] = Screening.Answer(
                chain: chain, until: now + Screening.releaseNanos, why: nil)
        case .holds(let text):
            hold(
                "\(name) is held by the screening service: \(text). It is asked again; \(wayOut)",
                Screening.holdNanos)
        case .unclear(let text):
            hold(
                "\(name) is held: the screening service does not decide about it: \(text). It is "
                    + "asked again; \(wayOut)", Screening.unclearNanos)
        case .absent: break
        }
    }
}

extension Engine {
    /// What the service is told; nil: it is not open any more.
    fileprivate borrowing func screeningQuestion(
        _ id: WithdrawalID, chain: Text40
    ) -> ScreeningQuestion? {
        guard let withdrawal = withdrawal(id), let account = account(withdrawal.account),
            let asset = asset(withdrawal.asset)
        else { return nil }
        return ScreeningQuestion(
            withdrawal: id.number, account: "\(account.name)", asset: "\(asset.code)",
            network: "\(chain)", address: "\(withdrawal.address)", tag: "\(withdrawal.tag)",
            amount: withdrawal.amount, decimals: asset.scale,
            requester: "\(withdrawal.requester)")
    }
}
