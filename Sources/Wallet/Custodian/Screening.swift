// Which withdrawals the owner's screening service lets out.

internal import Engine
public import Nodes
internal import Platform
internal import Terms
internal import Wire

/// Asks the service of each withdrawal before its payment is planned. What it let out stays so
/// while walletd runs; what it holds is asked again, and nothing goes out while it is away.
public final class Screening {
    /// Questions of one look at a chain: each takes up to `ScreeningClient.answerMilliseconds`.
    static let questionsMax = 8
    /// How long what it holds rests until it is asked again.
    static let holdNanos: Int64 = 60_000_000_000
    /// How long the service rests when it gave no answer.
    static let absenceNanos: Int64 = 3_000_000_000
    /// Answers that are remembered: all withdrawals that can be open.
    static let answersMax = Int(Limits.withdrawalsMax)

    private let screen: any WithdrawalScreen
    private var passed: Set<WithdrawalID> = []
    private var held: [WithdrawalID: (until: Int64, why: String)] = [:]
    private var absence: (until: Int64, why: String)?

    /// What this service lets out.
    public init(_ screen: some WithdrawalScreen) { self.screen = screen }

    /// Which of the withdrawals that wait on a chain are held back now, and why the first is. `now`
    /// is monotonic.
    func held(
        _ waiting: Set<WithdrawalID>, _ engine: borrowing Engine, chain: Text40, now: Int64
    ) -> (Set<WithdrawalID>, String?) {
        if passed.count + held.count > Self.answersMax {
            // Of withdrawals that ended: they are asked once more, which harms nothing.
            (passed, held) = ([], [:])
        }
        var questions = 0
        var back: Set<WithdrawalID> = []
        var reason: String?
        for id in waiting.sorted() where !passed.contains(id) {
            let why: String
            if let known = held[id], known.until > now {
                why = known.why
            } else if let absence, absence.until > now {
                why = absence.why
            } else if questions == Self.questionsMax {
                why = "withdrawal \(id.number) has not been screened yet"
            } else if let question = engine.screeningQuestion(id, chain: chain) {
                questions += 1
                switch screen.answer(question) {
                case .passes:
                    held[id] = nil
                    passed.insert(id)
                    continue
                case .holds(let text):
                    why =
                        "withdrawal \(id.number) is held by the screening service: \(text). It is "
                        + "asked again; to end it: boursectl wallet refuse \(id.number)"
                    held[id] = (now + Self.holdNanos, why)
                case .absent(let text):
                    // It may have taken its time.
                    why = "nothing goes out: the screening service does not answer: \(text)"
                    absence = (Clock.monotonicNanos() + Self.absenceNanos, why)
                }
            } else {
                continue
            }
            back.insert(id)
            reason = reason ?? why
        }
        return (back, reason)
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
