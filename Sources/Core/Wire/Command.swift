// All commands of the log. This file is the schema's table of contents; each type has its payload's
// layout. Layouts are frozen once released: a change is a new kind or revision.

internal import Terms

/// The kinds of command, as raw values in a record's header. Never renumber.
@frozen public enum CommandKind: UInt16, BitwiseCopyable, Sendable, CaseIterable {
    // By the sequencer.
    /// The log's first record: its identity and limits.
    case genesis = 1
    /// A tick of the clock: fires due timers.
    case tick = 2
    /// The running event hash so far; a replica with another hash stops.
    case hashMark = 3
    /// A primary's term begins.
    case epochMark = 4
    /// The engine's rules change.
    case setRules = 5

    // By writers, for their sessions.
    /// A writer's new incarnation.
    case openSession = 10
    /// A writer's end.
    case closeSession = 11

    // By operators.
    /// Creates an asset.
    case setAsset = 20
    /// Creates an instrument or changes its limits.
    case setInstrument = 21
    /// Changes an instrument's state.
    case setInstrumentState = 22
    /// Sets the fees of a tier.
    case setFees = 23
    /// Opens an account.
    case openAccount = 24
    /// Sets an account's limits.
    case setAccountLimits = 25
    /// Sets an account's fee tier.
    case setAccountTier = 26
    /// Sets or clears a kill switch.
    case setKillSwitch = 27
    /// Credits or debits an account against the external account.
    case adjustBalance = 28
    /// Adds an API key.
    case addAPIKey = 29
    /// Revokes an API key.
    case revokeAPIKey = 30
    /// Voids the command at a sequence on every replica.
    case voidSequence = 31
    /// Sets the reference of an instrument's price band until its next trade.
    case setReferencePrice = 32
    /// Moves money between the house's fees and an account.
    case transferFees = 33
    /// Raises the engine limits of every replica.
    case raiseLimits = 34
    /// Sets an account's limits of one order in an instrument.
    case setOrderLimits = 35

    // By traders, through a gateway.
    /// A new order.
    case place = 40
    /// Cancels one order.
    case cancel = 41
    /// Changes one order's price or quantity.
    case amend = 42
    /// Cancels one order and places another in one step.
    case cancelReplace = 43
    /// Cancels many orders.
    case massCancel = 44

    // By the wallet.
    /// Credits a deposit on a chain, once per output.
    case creditDeposit = 50
    /// States what is seen of a deposit before it is credited.
    case noteDeposit = 51
    /// A signed transaction that pays withdrawals.
    case signWithdrawals = 52
    /// A signed transaction is final on its chain.
    case settleTransaction = 53
    /// A signed transaction can never be final.
    case dropTransaction = 54
    /// Stops an asset's withdrawals.
    case stopWithdrawals = 55

    // Custody by operators.
    /// Creates an asset's network or changes its terms.
    case setNetwork = 36
    /// Approves or refuses a withdrawal.
    case decideWithdrawal = 37
    /// Ends a stop of an asset's withdrawals.
    case resumeWithdrawals = 38

    // Custody by traders, through a gateway.
    /// Asks for a withdrawal.
    case requestWithdrawal = 45
    /// Cancels a withdrawal that is not signed.
    case cancelWithdrawal = 46
    /// Assigns an account its deposit address on a chain.
    case assignAddress = 47

    // Chains, by operators and by the wallet.
    /// Says what a chain is, and has it read from a block on.
    case setChain = 39
    /// All deposits of a chain are credited up to a block.
    case checkBlock = 56

    // Operators with keys.
    /// Gives an operator a key and roles.
    case setOperator = 60
    /// Sets how many endorse a proposal.
    case setCustodyPolicy = 61
    /// Proposes a guarded command.
    case propose = 62
    /// Endorses a proposal.
    case endorse = 63
    /// Takes an own proposal back.
    case withdrawProposal = 64
    /// A signed approval or refusal of a withdrawal.
    case signDecision = 65

    // What customers may withdraw, by operators.
    /// Sets how long withdrawals wait after changes.
    case setWithdrawalPolicy = 70
    /// Sets how much of an asset leaves.
    case setWithdrawalLimits = 71
    /// Adds a destination to a customer's address book.
    case addWithdrawalAddress = 72
    /// Removes one.
    case removeWithdrawalAddress = 73
    /// Sets where an asset's coins are kept that the host does not need.
    case setColdStorage = 74
    /// Sets an account's or a tier's own terms of withdrawals.
    case setWithdrawalTerms = 75
}

extension CommandKind {
    /// The version of the engine's rules that brought it: under older ones it is unknown.
    public var rules: UInt32 {
        switch self {
        case .setNetwork, .decideWithdrawal, .resumeWithdrawals, .requestWithdrawal,
            .cancelWithdrawal, .assignAddress, .noteDeposit, .signWithdrawals, .settleTransaction,
            .dropTransaction, .stopWithdrawals, .setChain, .checkBlock:
            2
        case .setOperator, .setCustodyPolicy, .propose, .endorse, .withdrawProposal, .signDecision,
            .setWithdrawalPolicy, .setWithdrawalLimits, .addWithdrawalAddress,
            .removeWithdrawalAddress, .setColdStorage:
            3
        case .setWithdrawalTerms: 4
        default: 1
        }
    }
}

/// A command's payload: its kind and its bytes.
public protocol CommandPayload: Hashable, Sendable {
    /// The kind in the record's header.
    static var kind: CommandKind { get }
    /// Maximum bytes of a whole record of it.
    static var recordBytesMax: Int { get }
    /// Writes the fields in the order of the layout.
    func encode(into writer: inout WireWriter)
    /// Reads the fields; the reader becomes invalid if they are malformed.
    init(from reader: inout WireReader)
}

/// Any command, decoded. The engine's hot path decodes orders by their own types instead.
public enum Command: Hashable, Sendable {
    /// See `Genesis`.
    case genesis(Genesis)
    /// See `Tick`.
    case tick(Tick)
    /// See `HashMark`.
    case hashMark(HashMark)
    /// See `EpochMark`.
    case epochMark(EpochMark)
    /// See `SetRules`.
    case setRules(SetRules)
    /// See `OpenSession`.
    case openSession(OpenSession)
    /// See `CloseSession`.
    case closeSession(CloseSession)
    /// See `SetAsset`.
    case setAsset(SetAsset)
    /// See `SetInstrument`.
    case setInstrument(SetInstrument)
    /// See `SetInstrumentState`.
    case setInstrumentState(SetInstrumentState)
    /// See `SetFees`.
    case setFees(SetFees)
    /// See `OpenAccount`.
    case openAccount(OpenAccount)
    /// See `SetAccountLimits`.
    case setAccountLimits(SetAccountLimits)
    /// See `SetAccountTier`.
    case setAccountTier(SetAccountTier)
    /// See `SetKillSwitch`.
    case setKillSwitch(SetKillSwitch)
    /// See `AdjustBalance`.
    case adjustBalance(AdjustBalance)
    /// See `AddAPIKey`.
    case addAPIKey(AddAPIKey)
    /// See `RevokeAPIKey`.
    case revokeAPIKey(RevokeAPIKey)
    /// See `VoidSequence`.
    case voidSequence(VoidSequence)
    /// See `SetReferencePrice`.
    case setReferencePrice(SetReferencePrice)
    /// See `TransferFees`.
    case transferFees(TransferFees)
    /// See `RaiseLimits`.
    case raiseLimits(RaiseLimits)
    /// See `SetOrderLimits`.
    case setOrderLimits(SetOrderLimits)
    /// See `Place`.
    case place(Place)
    /// See `Cancel`.
    case cancel(Cancel)
    /// See `Amend`.
    case amend(Amend)
    /// See `CancelReplace`.
    case cancelReplace(CancelReplace)
    /// See `MassCancel`.
    case massCancel(MassCancel)
    /// See `CreditDeposit`.
    case creditDeposit(CreditDeposit)
    /// See `SetNetwork`.
    case setNetwork(SetNetwork)
    /// See `DecideWithdrawal`.
    case decideWithdrawal(DecideWithdrawal)
    /// See `ResumeWithdrawals`.
    case resumeWithdrawals(ResumeWithdrawals)
    /// See `RequestWithdrawal`.
    case requestWithdrawal(RequestWithdrawal)
    /// See `CancelWithdrawal`.
    case cancelWithdrawal(CancelWithdrawal)
    /// See `AssignAddress`.
    case assignAddress(AssignAddress)
    /// See `NoteDeposit`.
    case noteDeposit(NoteDeposit)
    /// See `SignWithdrawals`.
    case signWithdrawals(SignWithdrawals)
    /// See `SettleTransaction`.
    case settleTransaction(SettleTransaction)
    /// See `DropTransaction`.
    case dropTransaction(DropTransaction)
    /// See `StopWithdrawals`.
    case stopWithdrawals(StopWithdrawals)
    /// See `SetChain`.
    case setChain(SetChain)
    /// See `CheckBlock`.
    case checkBlock(CheckBlock)
    /// See `SetOperator`.
    case setOperator(SetOperator)
    /// See `SetCustodyPolicy`.
    case setCustodyPolicy(SetCustodyPolicy)
    /// See `Propose`.
    case propose(Propose)
    /// See `Endorse`.
    case endorse(Endorse)
    /// See `WithdrawProposal`.
    case withdrawProposal(WithdrawProposal)
    /// See `SignDecision`.
    case signDecision(SignDecision)
    /// See `SetWithdrawalPolicy`.
    case setWithdrawalPolicy(SetWithdrawalPolicy)
    /// See `SetWithdrawalLimits`.
    case setWithdrawalLimits(SetWithdrawalLimits)
    /// See `AddWithdrawalAddress`.
    case addWithdrawalAddress(AddWithdrawalAddress)
    /// See `RemoveWithdrawalAddress`.
    case removeWithdrawalAddress(RemoveWithdrawalAddress)
    /// See `SetColdStorage`.
    case setColdStorage(SetColdStorage)
    /// See `SetWithdrawalTerms`.
    case setWithdrawalTerms(SetWithdrawalTerms)

    /// The payload.
    public var payload: any CommandPayload {
        switch self {
        case .genesis(let p): p
        case .tick(let p): p
        case .hashMark(let p): p
        case .epochMark(let p): p
        case .setRules(let p): p
        case .openSession(let p): p
        case .closeSession(let p): p
        case .setAsset(let p): p
        case .setInstrument(let p): p
        case .setInstrumentState(let p): p
        case .setFees(let p): p
        case .openAccount(let p): p
        case .setAccountLimits(let p): p
        case .setAccountTier(let p): p
        case .setKillSwitch(let p): p
        case .adjustBalance(let p): p
        case .addAPIKey(let p): p
        case .revokeAPIKey(let p): p
        case .voidSequence(let p): p
        case .setReferencePrice(let p): p
        case .transferFees(let p): p
        case .raiseLimits(let p): p
        case .setOrderLimits(let p): p
        case .place(let p): p
        case .cancel(let p): p
        case .amend(let p): p
        case .cancelReplace(let p): p
        case .massCancel(let p): p
        case .creditDeposit(let p): p
        case .setNetwork(let p): p
        case .decideWithdrawal(let p): p
        case .resumeWithdrawals(let p): p
        case .requestWithdrawal(let p): p
        case .cancelWithdrawal(let p): p
        case .assignAddress(let p): p
        case .noteDeposit(let p): p
        case .signWithdrawals(let p): p
        case .settleTransaction(let p): p
        case .dropTransaction(let p): p
        case .stopWithdrawals(let p): p
        case .setChain(let p): p
        case .checkBlock(let p): p
        case .setOperator(let p): p
        case .setCustodyPolicy(let p): p
        case .propose(let p): p
        case .endorse(let p): p
        case .withdrawProposal(let p): p
        case .signDecision(let p): p
        case .setWithdrawalPolicy(let p): p
        case .setWithdrawalLimits(let p): p
        case .addWithdrawalAddress(let p): p
        case .removeWithdrawalAddress(let p): p
        case .setColdStorage(let p): p
        case .setWithdrawalTerms(let p): p
        }
    }

    /// The command's kind.
    public var kind: CommandKind { type(of: payload).kind }

    /// Decodes a payload of `kind`; nil if it is malformed or has a wrong length.
    public init?(kind: CommandKind, payload bytes: UnsafeRawBufferPointer) {
        var r = unsafe WireReader(bytes)
        switch kind {
        case .genesis: self = .genesis(Genesis(from: &r))
        case .tick: self = .tick(Tick(from: &r))
        case .hashMark: self = .hashMark(HashMark(from: &r))
        case .epochMark: self = .epochMark(EpochMark(from: &r))
        case .setRules: self = .setRules(SetRules(from: &r))
        case .openSession: self = .openSession(OpenSession(from: &r))
        case .closeSession: self = .closeSession(CloseSession(from: &r))
        case .setAsset: self = .setAsset(SetAsset(from: &r))
        case .setInstrument: self = .setInstrument(SetInstrument(from: &r))
        case .setInstrumentState: self = .setInstrumentState(SetInstrumentState(from: &r))
        case .setFees: self = .setFees(SetFees(from: &r))
        case .openAccount: self = .openAccount(OpenAccount(from: &r))
        case .setAccountLimits: self = .setAccountLimits(SetAccountLimits(from: &r))
        case .setAccountTier: self = .setAccountTier(SetAccountTier(from: &r))
        case .setKillSwitch: self = .setKillSwitch(SetKillSwitch(from: &r))
        case .adjustBalance: self = .adjustBalance(AdjustBalance(from: &r))
        case .addAPIKey: self = .addAPIKey(AddAPIKey(from: &r))
        case .revokeAPIKey: self = .revokeAPIKey(RevokeAPIKey(from: &r))
        case .voidSequence: self = .voidSequence(VoidSequence(from: &r))
        case .setReferencePrice: self = .setReferencePrice(SetReferencePrice(from: &r))
        case .transferFees: self = .transferFees(TransferFees(from: &r))
        case .raiseLimits: self = .raiseLimits(RaiseLimits(from: &r))
        case .setOrderLimits: self = .setOrderLimits(SetOrderLimits(from: &r))
        case .place: self = .place(Place(from: &r))
        case .cancel: self = .cancel(Cancel(from: &r))
        case .amend: self = .amend(Amend(from: &r))
        case .cancelReplace: self = .cancelReplace(CancelReplace(from: &r))
        case .massCancel: self = .massCancel(MassCancel(from: &r))
        case .creditDeposit: self = .creditDeposit(CreditDeposit(from: &r))
        case .setNetwork: self = .setNetwork(SetNetwork(from: &r))
        case .decideWithdrawal: self = .decideWithdrawal(DecideWithdrawal(from: &r))
        case .resumeWithdrawals: self = .resumeWithdrawals(ResumeWithdrawals(from: &r))
        case .requestWithdrawal: self = .requestWithdrawal(RequestWithdrawal(from: &r))
        case .cancelWithdrawal: self = .cancelWithdrawal(CancelWithdrawal(from: &r))
        case .assignAddress: self = .assignAddress(AssignAddress(from: &r))
        case .noteDeposit: self = .noteDeposit(NoteDeposit(from: &r))
        case .signWithdrawals: self = .signWithdrawals(SignWithdrawals(from: &r))
        case .settleTransaction: self = .settleTransaction(SettleTransaction(from: &r))
        case .dropTransaction: self = .dropTransaction(DropTransaction(from: &r))
        case .stopWithdrawals: self = .stopWithdrawals(StopWithdrawals(from: &r))
        case .setChain: self = .setChain(SetChain(from: &r))
        case .checkBlock: self = .checkBlock(CheckBlock(from: &r))
        case .setOperator: self = .setOperator(SetOperator(from: &r))
        case .setCustodyPolicy: self = .setCustodyPolicy(SetCustodyPolicy(from: &r))
        case .propose: self = .propose(Propose(from: &r))
        case .endorse: self = .endorse(Endorse(from: &r))
        case .withdrawProposal: self = .withdrawProposal(WithdrawProposal(from: &r))
        case .signDecision: self = .signDecision(SignDecision(from: &r))
        case .setWithdrawalPolicy: self = .setWithdrawalPolicy(SetWithdrawalPolicy(from: &r))
        case .setWithdrawalLimits: self = .setWithdrawalLimits(SetWithdrawalLimits(from: &r))
        case .addWithdrawalAddress: self = .addWithdrawalAddress(AddWithdrawalAddress(from: &r))
        case .removeWithdrawalAddress:
            self = .removeWithdrawalAddress(RemoveWithdrawalAddress(from: &r))
        case .setColdStorage: self = .setColdStorage(SetColdStorage(from: &r))
        case .setWithdrawalTerms: self = .setWithdrawalTerms(SetWithdrawalTerms(from: &r))
        }
        r.finish()
        guard r.isValid else { return nil }
    }
}

extension WireReader {
    /// Checks a payload's end: only zero padding of fewer than 8 bytes may be left.
    public mutating func finish() {
        if remaining >= 8 { invalidate() }
        reserved(max(0, min(remaining, 7)))
    }
}

extension CommandPayload {
    /// What all commands but signed transactions keep to.
    public static var recordBytesMax: Int { Limits.commandBytesMax }

    /// Writes a whole record of this payload, without its CRC; returns its length.
    ///
    /// `bytes` holds at least `recordBytesMax`, aligned to 8.
    public func write(_ header: RecordHeader, to bytes: UnsafeMutableRawBufferPointer) -> Int {
        var writer = unsafe WireWriter(
            UnsafeMutableRawBufferPointer(rebasing: bytes[RecordHeader.size...]))
        encode(into: &writer)
        writer.pad()
        var head = header
        head.kind = Self.kind.rawValue
        head.length = UInt32(RecordHeader.size + writer.offset)
        unsafe head.write(to: bytes)
        return Int(head.length)
    }

    /// The payload's bytes, padded to a multiple of 8.
    public func payloadBytes() -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: Self.recordBytesMax) { buffer, count in
            var writer = unsafe WireWriter(UnsafeMutableRawBufferPointer(buffer))
            encode(into: &writer)
            writer.pad()
            count = writer.offset
        }
    }

    /// A whole record of this payload as bytes, without its CRC.
    public func recordBytes(_ header: RecordHeader) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: Self.recordBytesMax) { buffer, count in
            count = unsafe write(header, to: UnsafeMutableRawBufferPointer(buffer))
        }
    }
}
