// Who may submit what.

internal import Journal
package import Link
import Terms
package import Wire

/// What writers may submit: the stateless check before the log.
package enum LinkPolicy {
    /// What becomes of a command.
    enum Verdict {
        /// It goes into the log.
        case taken
        /// It is not well formed, or not one for writers.
        case malformed
        /// It is not one for the connection's role.
        case denied
        /// Its signature is not the one of the key in it, over it and this journal.
        case forged
    }

    private static let placeBytes = Place(
        account: AccountID(1), instrument: InstrumentID(1), side: .buy, type: .limit
    ).payloadBytes().count
    private static let cancelBytes = Cancel(
        account: AccountID(1), instrument: InstrumentID(1)
    ).payloadBytes().count
    private static let amendBytes = Amend(
        account: AccountID(1), instrument: InstrumentID(1), order: OrderID(1)
    ).payloadBytes().count

    /// The refusal of a gateway that is bound to its name and goes by another.
    static func refusal(ofOther writer: Text40) -> LinkRefusal {
        LinkRefusal(
            .access,
            """
            by its certificate this gateway may use the sessions \(writer) to \
            \(writer)#\(LinkProtocol.lanesMax) alone, and submit what its clients may: look at \
            [gatewayd] name in its bourse.toml
            """)
    }

    private static let repair =
        "run it as matchd's user or root, or name its user in [matchd] operator_users"
    private static let operatorRepair =
        "what chains say is the wallet's, whose user [matchd] wallet_users names; a booking is "
        + "`boursectl credit`"

    /// The refusal of a command that is not taken.
    static func refusal(
        _ verdict: Verdict, _ role: LinkRole, _ writer: Text40? = nil
    ) -> LinkRefusal {
        if verdict == .forged {
            return LinkRefusal(
                .access,
                """
                the signature is not of the operator's key, of this command and of this exchange's \
                log: sign it again with the operator's key file
                """)
        }
        guard verdict == .denied else {
            return LinkRefusal(
                .malformed,
                "a command that is not well formed, or not one for writers; are both sides of the "
                    + "same version?")
        }
        if let writer { return refusal(ofOther: writer) }
        return LinkRefusal(
            .access,
            """
            this connection is one of \(role == .operator ? "an" : "a") \(role) and may not \
            submit this: \(role == .operator ? operatorRepair : repair)
            """)
    }

    /// Judges a command by its kind, its layout and the role of who sent it; `writer` is what the
    /// sessions of a gateway are called that is bound to its name. Orders are checked by
    /// their length here and by the engine, which decodes them anyway; all others are decoded.
    @inline(__always)
    static func judge(
        _ entry: LinkEntry, _ payload: UnsafeRawBufferPointer, session: UInt32, own: [UInt32],
        _ role: LinkRole, _ writer: Text40? = nil
    ) -> Verdict {
        guard role >= .gateway else { return .denied }
        guard entry.revision == 0 else { return .malformed }
        let bytes: Int
        switch entry.kind {
        case _ where role == .wallet:
            return unsafe judgeRare(entry, payload, session: session, own: own, role)
        case CommandKind.place.rawValue: bytes = placeBytes
        case CommandKind.cancel.rawValue: bytes = cancelBytes
        case CommandKind.amend.rawValue: bytes = amendBytes
        default: return unsafe judgeRare(entry, payload, session: session, own: own, role, writer)
        }
        return session != 0 && entry.payloadBytes == bytes ? .taken : .malformed
    }

    @inline(never)
    private static func judgeRare(
        _ entry: LinkEntry, _ payload: UnsafeRawBufferPointer, session: UInt32, own: [UInt32],
        _ role: LinkRole, _ writer: Text40? = nil
    ) -> Verdict {
        guard let kind = CommandKind(rawValue: entry.kind) else { return .malformed }
        switch kind {
        case .genesis, .tick, .hashMark, .epochMark, .setRules: return .malformed
        // A record that the running engine has applied cannot be voided: replicas would differ.
        case .voidSequence: return .malformed
        case .openSession, .closeSession: if session != 0 { return .malformed }
        default: if session == 0 { return .malformed }
        }
        guard let command = unsafe Command(kind: kind, payload: payload) else { return .malformed }
        // A writer ends its own session, an operator any.
        if case .closeSession(let close) = command, role > .observer, role < .operator {
            return own.contains(close.session.number) ? .taken : .denied
        }
        if let writer, case .openSession(let open) = command,
            !LinkProtocol.isSession(open.name, of: writer)
        {
            return .denied
        }
        let isAllowed =
            switch role {
            case .observer: false
            case .gateway: isForGateways(command)
            case .wallet: isForWallets(command)
            case .operator: isForOperators(command)
            }
        return isAllowed ? .taken : .denied
    }

    /// Whether a command that was taken is signed by the key that it names, if it is one that is
    /// signed.
    static func isSealed(
        _ entry: LinkEntry, _ payload: UnsafeRawBufferPointer,
        _ journal: (high: UInt64, low: UInt64)
    ) -> Bool {
        unsafe SealCheck.isSound(kind: entry.kind, payload: payload, of: journal)
    }

    /// Whether a connection of this role, whose own sessions are `own`, may submit a command.
    package static func allows(
        _ role: LinkRole, _ payload: some CommandPayload, own: [UInt32] = []
    ) -> Bool {
        let kind = type(of: payload).kind
        let bytes = payload.payloadBytes()
        let entry = LinkEntry(
            number: 1, payloadBytes: bytes.count, kind: kind.rawValue, revision: 0)
        let session: UInt32 = kind == .openSession || kind == .closeSession ? 0 : 1
        return unsafe bytes.withUnsafeBytes {
            unsafe judge(entry, $0, session: session, own: own, role) == .taken
        }
    }

    /// Whose a session of this name is.
    static func role(of name: Text40) -> LinkRole {
        let text = name.description
        if text.hasPrefix(LinkProtocol.operatorPrefix) { return .operator }
        return text.hasPrefix(LinkProtocol.walletPrefix) ? .wallet : .gateway
    }

    /// Whether a connection of this role may submit in a session of a role: in those of its own,
    /// an operator in all but the wallet's.
    static func maySubmit(_ role: LinkRole, in session: LinkRole) -> Bool {
        role == session || role == .operator && session != .wallet
    }

    /// Whether a connection of this role may end a session of a role: an operator any.
    static func mayClose(_ role: LinkRole, _ session: LinkRole) -> Bool {
        role == .operator || role == session
    }

    /// Operators may do anything but say what chains say, which would be money from nowhere; who
    /// asks for a customer's withdrawal says so, and does not approve it.
    static func isForOperators(_ command: Command) -> Bool {
        switch command {
        case .requestWithdrawal(let request): !request.requester.isEmpty
        case .openSession(let session): role(of: session.name) != .wallet
        default: command.kind.authority != .wallet
        }
    }

    /// Whether an operator may not submit a kind of command any more once operators have keys:
    /// orders are customers', and dropping a payment that one operator gives is proposed.
    static func isBarredOnceKeyed(_ kind: CommandKind) -> Bool {
        kind.authority == .trader || kind == .dropTransaction
    }

    /// Whether a command is one that comes from chains, or a wallet's for itself.
    static func isForWallets(_ command: Command) -> Bool {
        switch command {
        case .openSession(let session): role(of: session.name) == .wallet
        case .creditDeposit, .noteDeposit, .signWithdrawals, .settleTransaction,
            .dropTransaction, .stopWithdrawals, .checkBlock:
            true
        default: false
        }
    }

    /// Whether a command is one that traders ask for, or a gateway for itself.
    static func isForGateways(_ command: Command) -> Bool {
        switch command {
        case .place, .cancel, .amend, .cancelReplace: true
        case .assignAddress, .cancelWithdrawal: true
        // No operator asks through a gateway.
        case .requestWithdrawal(let request): request.requester.isEmpty
        // All orders of the venue are the operators'.
        case .massCancel(let cancel): cancel.account.number != 0
        // Nor may a gateway stand in the log, or take over, as an operator or a wallet.
        case .openSession(let session): role(of: session.name) == .gateway
        default: false
        }
    }
}
