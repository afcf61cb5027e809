// Words of custody.

/// A withdrawal's status. Raw values are in snapshots and the event hash: append, never renumber.
@frozen public enum WithdrawalStatus: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    /// It waits for operators' approvals; its money is held.
    case requested = 0
    /// It may be paid.
    case approved = 1
    /// A signed transaction pays it, which anybody may broadcast.
    case signed = 2
    /// Paid, and final on its chain. It is no longer open.
    case settled = 3
    /// An operator refused it. It is no longer open; its money was released.
    case refused = 4
    /// Its owner cancelled it. It is no longer open; its money was released.
    case canceled = 5
}

/// What the wallet knows of a deposit that is not credited.
@frozen public enum DepositStatus: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    /// It is in a block, or waits for one.
    case pending = 0
    /// A reorganisation of the chain took it away.
    case gone = 1
}

/// How far the deposits of a final block are. Raw values are in the log and the event hash.
@frozen public enum CheckStage: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    /// All deposits up to the block are credited.
    case credited = 0
    /// The block's deposits are about to be credited.
    case final = 1
}
