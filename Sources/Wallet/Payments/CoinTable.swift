// The coins of the wallet's UTXO chains, as the log says.
//
// A coin is the output of a credited deposit, the change of a signed payment, or what a transfer
// brought to cold storage; it is the wallet's until a payment that spends it is settled. All come
// from the log alone, so the wallet and the signer know the same coins without asking a node, and
// each other even less.

internal import Addresses
public import Engine
internal import Secrets
public import Terms
internal import UTXO
public import Wire

/// The coins of all chains. Given every record of the log, in order, behind the engine.
public struct CoinTable: Sendable {
    /// Maximum coins of all chains together; further ones are not spent.
    public static let coinsMax = 1 << 20

    /// The last record seen; 0: none.
    public internal(set) var sequence: UInt64 = 0
    /// Its CRC.
    public internal(set) var crc: UInt32 = 0
    /// The hash of all records up to that one, which names this log and no other: of each record
    /// SHA-256 of the hash before it and of the record's bytes; 32 zeros before the first.
    public internal(set) var hash = [UInt8](repeating: 0, count: 32)
    /// The epoch of the last record.
    public internal(set) var epoch: UInt32 = 0
    /// The replica id of the host that leads in that epoch, as the log says; 0: none is named.
    public internal(set) var leader: UInt128 = 0
    /// Whether records were missed: the coins are not all, and nothing may be planned with them.
    public internal(set) var hasGap = false
    /// What settlements were booked to cost beyond the fees of their transactions, by asset: the
    /// ledger says that so much is gone, and no chain took it.
    public internal(set) var overcharged: [AssetID: Int128] = [:]
    var chains: [NetworkID: ChainCoins] = [:]
    var accounts: [NetworkID: EVMPayments] = [:]
    /// Whether open payments keep their bytes: whoever broadcasts them needs them, and a signer
    /// does not. They are up to 400 MB.
    let keepsBytes: Bool

    /// A table before the log's first record.
    public init(keepsBytes: Bool = true) { self.keepsBytes = keepsBytes }

    /// The coins of a chain; nil where the log names none of this number that the wallet knows.
    public func coins(_ network: NetworkID) -> ChainCoins? { chains[network] }

    /// The payments of an EVM chain; nil where the log names none of this number that the wallet
    /// knows.
    public func account(_ network: NetworkID) -> EVMPayments? { accounts[network] }

    /// How many coins there are.
    public var count: Int { chains.values.reduce(0) { $0 + $1.coins.count + $1.cold.count } }

    /// Takes a record that `engine` has just applied. Those seen already are passed over.
    public mutating func see(
        _ header: RecordHeader, _ record: UnsafeRawBufferPointer, _ outcome: Outcome,
        _ engine: borrowing Engine
    ) {
        if header.sequence == sequence + 1 {
            var bytes = hash
            unsafe bytes.append(contentsOf: record)
            hash = SHA256.digest(bytes)
        }
        var command: Command?
        if let kind = CommandKind(rawValue: header.kind), Self.kinds.contains(kind) {
            let payload = unsafe UnsafeRawBufferPointer(rebasing: record[RecordHeader.size...])
            command = unsafe Command(kind: kind, payload: payload)
        } else {
            // What operators proposed is in the record of the last endorsement.
            command = engine.appliedProposal
        }
        see(header, command, outcome, engine)
    }

    /// Takes a record whose command is decoded; nil: one that concerns no coin.
    package mutating func see(
        _ header: RecordHeader, _ command: Command?, _ outcome: Outcome,
        _ engine: borrowing Engine
    ) {
        guard header.sequence > sequence else { return }
        if header.sequence > sequence + 1 { hasGap = true }
        (sequence, crc, epoch) = (header.sequence, header.crc, header.epoch)
        guard outcome.refusal == .none, let command else { return }
        switch command {
        case .epochMark(let c): leader = UInt128(c.replicaHigh) << 64 | UInt128(c.replicaLow)
        case .setChain(let c):
            set(c, engine)
            accounts[c.network]?.learnCold(c.network, engine)
        case .setColdStorage(let c):
            if !c.descriptor.isEmpty {
                let owners = engine.addressees(c.network)
                chains[c.network]?.name(storage: c.descriptor, owners: owners)
            }
            accounts[c.network]?.learnCold(c.network, engine)
        case .creditDeposit(let c): credit(c, engine)
        case .signWithdrawals(let c):
            chains[c.network]?.sign(
                c, at: header.sequence, header.timestamp, keepsBytes: keepsBytes)
            let amounts = c.withdrawals.compactMap { engine.withdrawal($0)?.amount.units }
            accounts[c.network]?.sign(c, amounts.reduce(0, +), at: header.sequence)
        case .settleTransaction(let c):
            charge(c, engine)
            for network in chains.keys { chains[network]?.settle(c.transaction) }
            for network in accounts.keys { accounts[network]?.settle(c) }
        case .dropTransaction(let c):
            for network in chains.keys { chains[network]?.drop(c.transaction) }
            for network in accounts.keys { accounts[network]?.drop(c.transaction) }
        default: break
        }
    }

    private static let kinds: Set<CommandKind> = [
        .epochMark, .setChain, .creditDeposit, .signWithdrawals, .settleTransaction,
        .dropTransaction, .setColdStorage,
    ]

    /// Compares what a settlement is booked to cost with the transaction's fee, which its own bytes
    /// say. Of an EVM chain these say what it is at most, and the receipt, which the log lacks,
    /// what it was.
    private mutating func charge(_ c: SettleTransaction, _ engine: borrowing Engine) {
        let payment = chains.values.lazy.compactMap { $0.payments[c.transaction] }.first
        var fee = payment.map { $0.asset == c.costAsset ? Int128($0.credibleFee) : 0 } ?? 0
        for (network, account) in accounts {
            guard let open = account.payments[c.transaction] ?? account.sweeps[c.transaction],
                engine.network(c.costAsset, network) != nil,
                let scale = engine.asset(c.costAsset)?.scale
            else { continue }
            var most = open.feeMax(scale: scale)
            // A sweep may be of anybody's account: the wallet signs none that costs more.
            if account.payments[c.transaction] == nil {
                most = min(most, EVMOpenPayment.sweepFeeMax(scale: scale))
            }
            fee = max(fee, most)
        }
        let excess = c.cost.units - fee
        guard excess > 0 else { return }
        let (sum, isOver) = (overcharged[c.costAsset] ?? 0).addingReportingOverflow(excess)
        overcharged[c.costAsset] = isOver ? .max : sum
    }

    private mutating func set(_ c: SetChain, _ engine: borrowing Engine) {
        let account = accounts[c.network]
        if account?.chain != c.chain || account?.key != c.key {
            accounts[c.network] = EVMPayments(chain: c.chain, key: c.key)
        }
        let known = chains[c.network]
        if let known, known.chain == c.chain, known.key == c.key { return }
        // The engine allows another chain or key only while it has no address.
        chains[c.network] = UTXONetwork.named("\(c.chain)").map {
            ChainCoins(chain: c.chain, key: c.key, network: $0)
        }
        // What was named before the chain was.
        var named: [String] = []
        engine.forEachColdStorage { if $0.network == c.network { named.append($0.descriptor) } }
        let owners = engine.addressees(c.network)
        for text in named { chains[c.network]?.name(storage: text, owners: owners) }
    }

    private mutating func credit(_ c: CreditDeposit, _ engine: borrowing Engine) {
        accounts[c.network]?.credit(c)
        // What was credited by hand to an account without an address is no output of ours.
        guard let index = engine.addressIndex(c.account, c.network), count < Self.coinsMax,
            let most = chains[c.network]?.network.maximumMoney,
            let amount = Int64(exactly: c.amount.units), 1...most ~= amount
        else { return }
        let place = OutPoint(
            TransactionID(high: c.transactionHigh, low: c.transactionLow), c.output)
        // What a transfer brought to cold storage is there, whoever gets credit for it.
        if chains[c.network]?.isCold(place) == true { return }
        chains[c.network]?.coins[place] = WalletCoin(
            amount: amount, place: CoinPlace(branch: .deposits, index: index))
    }
}
