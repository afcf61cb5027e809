// What may enter the log.

import Engine
import Link
import Synchronization
import Terms
import Wire

extension Sequencer {
    /// Whether a command may enter the log. What repeats, leaves a gap or comes from a session that
    /// is not open would be refused by the engine; here it takes no room in the log.
    mutating func admit(
        _ caller: Caller, _ header: RequestHeader, _ payload: UnsafeRawBufferPointer
    ) -> Refusal {
        var isGap = false
        if header.session.number != 0 {
            // A caller that may not submit in a session must not learn its numbers: it is unknown
            // to it.
            guard let (last, owner) = lastNumber(header.session),
                LinkPolicy.maySubmit(caller.role, in: owner),
                isSession(header.session, of: header.gateway)
            else { return .sessionUnknown }
            if header.number <= last { return .duplicateCommand }
            isGap = header.number > last + 1
        }
        if header.kind == CommandKind.closeSession.rawValue {
            guard
                case .closeSession(let close) = unsafe Command(
                    kind: .closeSession, payload: payload),
                let view = engine.session(close.session),
                LinkPolicy.mayClose(caller.role, LinkPolicy.role(of: view.name)),
                isSession(close.session, of: header.gateway)
            else { return .sessionUnknown }
        }
        if header.kind == CommandKind.openSession.rawValue, caller.role != .operator,
            unsafe isLastPlace(payload)
        {
            return .tableFull
        }
        if caller.role == .operator, let kind = CommandKind(rawValue: header.kind),
            LinkPolicy.isBarredOnceKeyed(kind), !engine.operatorViews.isEmpty
        {
            return .approvalRequired
        }
        if stages.isBelowReserve.load(ordering: .relaxed) {
            // Before the gap: a writer that would be refused anyway must not renumber first.
            let refusal = unsafe refusalBelowReserve(header.kind, payload, caller.role)
            if refusal != .none { return refusal }
        } else {
            (reserveSpent, reserveOpenings) = (0, 0)
        }
        if isGap { return .sessionGap }
        if let mark, !mark.suspects.isEmpty,
            unsafe mark.refuses(header.session, header.number, header.kind, payload)
        {
            stages.poisoned.advance(to: stages.poisoned.now + 1)
            return .poisoned
        }
        return .none
    }

    /// Whether an opening would take one of the last places, which are reserved for operators: they
    /// must be able to stop gateways that have taken all others.
    private func isLastPlace(_ payload: UnsafeRawBufferPointer) -> Bool {
        guard case .openSession(let open) = unsafe Command(kind: .openSession, payload: payload)
        else { return false }
        let kept = min(8, Int(engine.limits.sessions) / 4)
        return engine.session(name: open.name) == nil
            && engine.sessionCount + kept >= Int(engine.limits.sessions)
    }

    /// Counts a record that went into the log below the disk reserve and ended nothing: there is
    /// room for so many.
    mutating func spendReserve(_ kind: UInt16, _ outcome: Outcome) {
        guard stages.isBelowReserve.load(ordering: .relaxed) else { return }
        switch kind {
        case CommandKind.openSession.rawValue, CommandKind.closeSession.rawValue:
            reserveOpenings += 1
        case CommandKind.massCancel.rawValue: if outcome.id == 0 { reserveSpent += 1 }
        default: break
        }
    }

    /// Whether a session is one of this gateway's, which is bound to its name; 0: it is not bound.
    mutating func isSession(_ session: SessionID, of gateway: UInt32) -> Bool {
        if gateway == 0 || sessions.gateway(of: session) == gateway { return true }
        guard let writer = stages.gateways.writer(gateway), let view = engine.session(session),
            LinkProtocol.isSession(view.name, of: writer)
        else { return false }
        sessions.set(session, gateway: gateway)
        return true
    }

    mutating func lastNumber(_ session: SessionID) -> (number: UInt64, owner: LinkRole)? {
        if let last = sessions.last(session) { return last }
        guard let view = engine.session(session) else { return nil }
        let owner = LinkPolicy.role(of: view.name)
        sessions.set(session, view.lastNumber, owner)
        return (view.lastNumber, owner)
    }

    /// Below the disk reserve only what ends something enters the log: the engine is asked whether
    /// there is anything to end, so that refused cancels do not fill the rest of the disk.
    private func refusalBelowReserve(
        _ kind: UInt16, _ payload: UnsafeRawBufferPointer, _ role: LinkRole
    ) -> Refusal {
        guard let kind = CommandKind(rawValue: kind) else { return .diskReserve }
        switch kind {
        case .cancel, .massCancel, .setKillSwitch, .openSession, .closeSession: break
        default: return .diskReserve
        }
        guard let command = unsafe Command(kind: kind, payload: payload) else { return .malformed }
        switch command {
        case .cancel(let c):
            let refusal = engine.refusal(of: c)
            // Then it is held and checked again.
            return refusal == .instrumentBusy ? .none : refusal
        case .massCancel(let c):
            let isAny =
                c.account.number == 0
                ? engine.openOrderCount > 0 : (engine.account(c.account)?.openOrders ?? 0) > 0
            return isAny && reserveSpent < Self.reserveSpentMax ? .none : .orderUnknown
        case .setKillSwitch(let c):
            let isOn = c.account.number == 0 ? engine.isKilled : engine.account(c.account)?.isKilled
            return isOn == c.isOn ? .diskReserve : .none
        case .openSession, .closeSession:
            // A writer that cancels after a restart needs a session.
            let most = Self.reserveOpeningsMax * (role == .operator ? 2 : 1)
            return reserveOpenings < most ? .none : .diskReserve
        default: return .diskReserve
        }
    }
}
