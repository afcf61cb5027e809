// All maxima on which the formats and the arithmetic rely.

/// Fixed limits of values. They keep each product and sum of the engine within its type.
public enum Limits {
    /// Highest price in ticks: 2^48.
    @inlinable public static var priceTicksMax: Int64 { 1 << 48 }
    /// Highest quantity of one order in lots: 2^60.
    @inlinable public static var quantityLotsMax: Int64 { 1 << 60 }
    /// Highest sum of one asset over all accounts, in smallest units: 2^120.
    @inlinable public static var amountUnitsMax: Int128 { 1 << 120 }
    /// Highest fee rate, 10⁻⁸ each: one tenth.
    @inlinable public static var feeRateMax: Int32 { 10_000_000 }
    /// Maximum decimals of an asset.
    @inlinable public static var scaleMax: UInt8 { 18 }
    /// Maximum visible slices of an iceberg order (Binance filter ICEBERG_PARTS).
    @inlinable public static var icebergPartsMax: Int64 { 100 }
    /// Maximum bytes of a client order id.
    @inlinable public static var clOrdIDBytesMax: Int { 36 }
    /// Maximum bytes of a record in the log, header included: room for a signed transaction of many
    /// inputs.
    @inlinable public static var recordBytesMax: Int { 131_072 }
    /// Maximum bytes of a record that this version writes, signed transactions excluded.
    @inlinable public static var commandBytesMax: Int { 4_096 }
    /// Maximum pending mass cancels. Kill switches do not count: an account has at most one.
    @inlinable public static var massCancelsMax: Int { 64 }
    /// Nanoseconds of the log's clock after which an unused operator's session is closed if the
    /// table is full: one hour.
    @inlinable public static var sessionIdleNanos: Int64 { 3_600_000_000_000 }
    /// Maximum sequences that operators may void over the life of a log.
    @inlinable public static var voidsMax: Int { 1_024 }
    /// Maximum networks of assets: pairs of an asset and a chain.
    @inlinable public static var networksMax: Int { 256 }
    /// Maximum bytes of a chain's public key, as text.
    @inlinable public static var chainKeyBytesMax: Int { 128 }
    /// Maximum bytes of a descriptor of cold storage: the keys of five signers, with their origins.
    @inlinable public static var coldKeyBytesMax: Int { 1_024 }
    /// The highest block that a chain can have: nodes tell heights as JSON numbers.
    @inlinable public static var blockMax: UInt64 { 1 << 53 }
    /// Maximum deposit addresses: pairs of an account and a chain.
    @inlinable public static var addressesMax: Int { 1 << 20 }
    /// Maximum open withdrawals.
    @inlinable public static var withdrawalsMax: Int { 16_384 }
    /// Maximum open withdrawals of one account.
    @inlinable public static var withdrawalsOfAccountMax: Int { 64 }
    /// Maximum destinations in all address books.
    @inlinable public static var bookEntriesMax: Int { 65_536 }
    /// Maximum destinations in the address book of one account.
    @inlinable public static var bookEntriesOfAccountMax: Int { 64 }
    /// Maximum rows of limits of withdrawals: an account, or all, and an asset.
    @inlinable public static var withdrawalLimitsMax: Int { 16_384 }
    /// Maximum rows of terms of withdrawals: an account or a tier, an asset and a chain.
    @inlinable public static var withdrawalTermsMax: Int { 16_384 }
    /// Maximum accounts and assets whose withdrawals of a month are counted.
    @inlinable public static var withdrawalCountsMax: Int { 65_536 }
    /// Maximum seconds that a policy makes withdrawals wait: 90 days.
    @inlinable public static var withdrawalWaitMax: UInt32 { 90 * 86_400 }
    /// Maximum approvals that a withdrawal can need.
    @inlinable public static var approvalsMax: UInt8 { 8 }
    /// Maximum transactions that are signed and not settled.
    @inlinable public static var transactionsMax: Int { 4_096 }
    /// Maximum of these that pay no withdrawal, so that there is room for those that do.
    @inlinable public static var transfersMax: Int { 1_024 }
    /// Maximum transactions that replace a first one and are not settled.
    @inlinable public static var replacementsMax: Int { 15 }
    /// Maximum withdrawals that one transaction pays.
    @inlinable public static var payeesMax: Int { 200 }
    /// Maximum names of operators with a key, those included whose roles were taken away.
    @inlinable public static var operatorsMax: Int { 256 }
    /// Maximum open proposals.
    @inlinable public static var proposalsMax: Int { 64 }
    /// Maximum open proposals of one operator.
    @inlinable public static var proposalsOfOperatorMax: Int { 16 }
    /// Maximum bytes of a proposed command.
    @inlinable public static var proposedBytesMax: Int { 2_048 }
    /// How long a proposal may wait, on the log's clock: seven days.
    @inlinable public static var proposalNanosMax: Int64 { 7 * 86_400_000_000_000 }
    /// How long a signature of an endorsement, a decision or a proposal that nobody has to endorse
    /// may wait, on the log's clock: one hour.
    @inlinable public static var signatureNanosMax: Int64 { 3_600_000_000_000 }
    /// How many heads of the audit chain back a signed command may have seen.
    @inlinable public static var auditHeadsMax: Int { 256 }
    /// How many older heads it may have seen: of each minute with a command of operators the one
    /// before it. So nobody makes others' signatures old within an hour, however much is done.
    @inlinable public static var auditMarksMax: Int { 64 }
    /// Nanoseconds of the log's clock between two of them: one minute.
    @inlinable public static var auditMarkNanos: Int64 { 60_000_000_000 }
    /// Maximum bytes of a signed transaction.
    @inlinable public static var transactionBytesMax: Int { 100_000 }
    /// Maximum bytes of a sealed API key secret.
    @inlinable public static var sealedSecretBytesMax: Int { 1024 }
    /// Maximum bytes of an operator's reason.
    @inlinable public static var reasonBytesMax: Int { 256 }
}

/// The sizes of an engine's tables; memory is reserved at start and never exceeds them.
///
/// All replicas must have the same limits, so they are in snapshots and the journal's first record.
@frozen public struct EngineLimits: Hashable, BitwiseCopyable, Sendable {
    /// Assets, at most 65,535.
    public var assets: UInt32
    /// Instruments, at most 65,535.
    public var instruments: UInt32
    /// Customer accounts.
    public var accounts: UInt32
    /// Open orders over all instruments, at most 2^24 − 1.
    public var openOrders: UInt32
    /// API keys.
    public var apiKeys: UInt32
    /// Sessions of writers.
    public var sessions: UInt32
    /// Fee tiers.
    public var feeTiers: UInt32
    /// Rows of order limits: one per account (or the default) and instrument.
    public var orderLimits: UInt32
    /// Remembered references of bookings, outputs of deposits, customers' own ids of withdrawals
    /// and transactions that settled some; none counts twice.
    public var references: UInt32
    /// Maximum steps of one turn: trades, preventions, triggers and ends. Ticks continue the rest.
    public var turnSteps: UInt32

    /// These limits.
    public init(
        assets: UInt32, instruments: UInt32, accounts: UInt32, openOrders: UInt32,
        apiKeys: UInt32, sessions: UInt32, feeTiers: UInt32, orderLimits: UInt32,
        references: UInt32, turnSteps: UInt32
    ) {
        (self.assets, self.instruments, self.accounts) = (assets, instruments, accounts)
        (self.openOrders, self.apiKeys, self.sessions) = (openOrders, apiKeys, sessions)
        (self.feeTiers, self.orderLimits) = (feeTiers, orderLimits)
        (self.references, self.turnSteps) = (references, turnSteps)
    }

    /// The defaults.
    public static var standard: EngineLimits {
        EngineLimits(
            assets: 64, instruments: 1_024, accounts: 100_000, openOrders: 1_000_000,
            apiKeys: 200_000, sessions: 256, feeTiers: 32, orderLimits: 100_000,
            references: 4_000_000, turnSteps: 256)
    }

    /// Small limits for tests.
    public static var small: EngineLimits {
        EngineLimits(
            assets: 8, instruments: 8, accounts: 64, openOrders: 4_096, apiKeys: 64, sessions: 16,
            feeTiers: 8, orderLimits: 64, references: 1_024, turnSteps: 512)
    }
}

extension EngineLimits {
    /// Whether an engine can be made with these limits, which may come from a damaged file or an
    /// operator.
    public var isReasonable: Bool {
        let million: UInt32 = 1 << 20
        return assets >= 1 && assets < 65_535 && instruments >= 1 && instruments < 65_535
            && accounts >= 1 && accounts <= million && openOrders >= 1 && openOrders < 1 << 24
            && apiKeys <= million && sessions >= 1 && sessions <= 65_536 && feeTiers >= 1
            && feeTiers <= 1_024 && orderLimits <= million && references <= 1 << 28
            && turnSteps >= 1 && turnSteps <= 65_536 && UInt64(accounts) * UInt64(assets) <= 1 << 31
    }

    /// Whether none of these limits is below the other's.
    public func covers(_ other: EngineLimits) -> Bool {
        assets >= other.assets && instruments >= other.instruments && accounts >= other.accounts
            && openOrders >= other.openOrders && apiKeys >= other.apiKeys
            && sessions >= other.sessions && feeTiers >= other.feeTiers
            && orderLimits >= other.orderLimits && references >= other.references
            && turnSteps >= other.turnSteps
    }
}
