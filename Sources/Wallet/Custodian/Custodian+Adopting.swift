// Takes into the log what the chain has of the wallet's and the log does not, at an operator's
// word: a payment that was dropped and is final all the same, or one of an older log.
//
// It has to be signed by the wallet's keys for every coin that it spends. What it pays is booked as
// paid where its withdrawals still wait, whichever payment they wait for; where nobody waits for it
// any more it is a transfer that pays nobody, and what it moved is missing in the books until
// operators book it. Its coins are gone from then on, and its change is a coin again.

internal import Addresses
internal import Deposits
internal import Engine
internal import Follower
internal import Nodes
internal import Payments
internal import Platform
public import Terms
internal import UTXO
internal import Wire

/// A transaction that an operator wants adopted.
struct WantedAdoption {
    /// The height of its block, as the operator says; nil: that in which it was seen.
    var height: UInt64?
    /// What the log needs first, in words; nil: nothing.
    var wait: String?
}

extension Custodian {
    /// Transactions of a chain that may be waited for to be adopted.
    static var adoptingMax: Int { 16 }
    /// Maximum remarks that are kept until they are taken.
    static var remarksMax: Int { 64 }

    /// Whether it follows a chain of this number.
    public func follows(_ network: NetworkID) -> Bool { chains[network] != nil }

    /// Has a transaction of the wallet's that the log does not have taken into it, once it is final
    /// in the block of `height`, or in the one in which it was seen to spend the wallet's coins.
    public func adopt(_ transaction: TransactionID, on network: NetworkID, at height: UInt64?) {
        guard let chain = chains[network] else {
            return remark("\(network.number) is no chain that is followed: nothing is adopted")
        }
        guard chain.adopting.count < Self.adoptingMax || chain.adopting[transaction] != nil else {
            return remark("\(chain.chain): too many transactions wait to be adopted")
        }
        chain.adopting[transaction] = WantedAdoption(height: height)
    }

    /// What an operator should know of adoptions, since the last call: at most `remarksMax`.
    public func takeRemarks() -> [String] {
        defer { remarks = [] }
        return remarks
    }

    private func remark(_ text: String) {
        if remarks.count < Self.remarksMax { remarks.append(text) }
    }

    /// Adopts what is wanted, as far as it is final.
    func adopt(
        _ view: ChainView, _ terms: NetworkView, _ chain: FollowedChain<Node>
    ) throws(CommandSessionError) {
        guard !chain.adopting.isEmpty, session.isLed, chain.reader.condition == .inStep else {
            return
        }
        for (id, wanted) in chain.adopting.sorted(by: { $0.key < $1.key }) {
            switch try adopted(id, wanted, terms, chain) {
            case .success(.later): break
            case .success(.waits(let text)): chain.adopting[id]?.wait = text
            case .success(.done(let text)):
                chain.adopting[id] = nil
                remark("\(view.chain): \(id.hex) is adopted: \(text)")
            case .failure(let error):
                chain.adopting[id] = nil
                remark("\(view.chain): \(id.hex) is not adopted: \(error.text)")
            }
        }
    }

    /// Adopts one transaction, or says why not.
    private func adopted(
        _ id: TransactionID, _ wanted: WantedAdoption, _ terms: NetworkView,
        _ chain: FollowedChain<Node>
    ) throws(CommandSessionError) -> Result<AdoptionStep, ChainSetupError> {
        func refused(_ text: String) -> Result<AdoptionStep, ChainSetupError> {
            .failure(ChainSetupError(text: text))
        }
        guard let known = coins.coins(terms.network), let tip = chain.reader.tip,
            let read = chain.reader.height
        else { return .success(.later) }
        guard session.replica.engine.rules >= 3 else {
            return refused("the log's rules have no transfers yet")
        }
        guard known.payments[id] == nil else { return refused("the log has it as open") }
        let seen = chain.watch.vanished.values.compactMap(\.spend).first { $0.transaction == id }
        guard let height = wanted.height ?? seen?.height else {
            return refused(
                "no block that was read since the start has it: name its block with --block")
        }
        // Nobody adopts what a reorganisation may take out again.
        guard height <= read, read - height + 1 >= UInt64(terms.confirmations),
            read <= tip.height
        else { return .success(.later) }
        let bytes: [UInt8]
        do throws(NodeError) {
            let place = UnspentOutput(
                units: 0, script: [], confirmations: tip.height - height + 1, bestBlock: tip.block)
            guard let found = try chain.node.transaction(id, of: place) else {
                return refused("its node has pruned block \(height)")
            }
            bytes = found
        } catch {
            guard case .refused(_, _, let message) = error else { return .success(.later) }
            return refused("its node does not have it in block \(height): \(message)")
        }
        let purpose: AdoptedPayment
        switch self.purpose(bytes, terms, known) {
        case .failure(let error): return .failure(error)
        case .success(let found): purpose = found
        }
        guard known.signatures(bytes, of: id, paying: purpose.withdrawals) != nil else {
            return refused(
                "it spends what is not the wallet's by the log, or is not signed by its keys alone")
        }
        // Each try is a record.
        if purpose.replaces == .none, !purpose.withdrawals.isEmpty,
            let refusal = session.replica.engine.refusal(ofPaying: terms)
        {
            return .success(
                .waits(
                    "\(id.hex) is final and pays withdrawals \(Self.text(purpose.withdrawals)), "
                        + "which must not be refused or paid otherwise: \(refusal). Once they go "
                        + "on it is adopted: boursectl wallet resume"))
        }
        let outcome = try submit(
            SignWithdrawals(
                asset: terms.asset, network: terms.network, transaction: id,
                replaces: purpose.replaces, withdrawals: purpose.withdrawals, bytes: bytes))
        switch outcome.refusal {
        case .none, .referenceDuplicate: break
        case .withdrawalsStopped, .accountKilled, .venueKilled: return .success(.later)
        default: return refused("the log refuses it: \(outcome.refusal)")
        }
        let settled = try settle(id, height, terms)
        guard settled == .none else { return refused("the log does not settle it: \(settled)") }
        return .success(
            .done(
                purpose.withdrawals.isEmpty
                    ? "it pays nobody who waits, so what it moved is missing until it is booked"
                    : "withdrawals \(Self.text(purpose.withdrawals)) are paid"))
    }

    private static func text(_ ids: [WithdrawalID]) -> String {
        ids.map { "\($0.number)" }.joined(separator: ", ")
    }

    /// What a transaction is adopted as. One that pays open withdrawals pays them: as a transfer of
    /// nobody it would leave them to be paid once more.
    private func purpose(
        _ bytes: [UInt8], _ terms: NetworkView, _ known: ChainCoins
    ) -> Result<AdoptedPayment, ChainSetupError> {
        guard
            let transaction = try? UTXOTransaction(
                bytes, on: known.network, bytesMax: Limits.transactionBytesMax)
        else { return .failure(ChainSetupError(text: "it is too large for the log")) }
        func pays(_ ids: [WithdrawalID]) -> Bool {
            known.pays(bytes, ids, of: terms.asset, terms.network, session.replica.engine)
        }
        // Another payment was signed for the same since; it can never be final any more.
        for (other, payment) in known.payments.sorted(by: { $0.value.sequence > $1.value.sequence })
        where !payment.withdrawals.isEmpty && pays(payment.withdrawals) {
            return .success(AdoptedPayment(replaces: other, withdrawals: payment.withdrawals))
        }
        var open: [WithdrawalView] = []
        session.replica.engine.forEachWithdrawal {
            if $0.network == terms.network, $0.asset == terms.asset { open.append($0) }
        }
        open.sort { $0.id < $1.id }
        var found: [WithdrawalView] = []
        for output in transaction.outputs {
            let place = open.firstIndex { withdrawal in
                let script = try? UTXODestination("\(withdrawal.address)", on: known.network).script
                return script == output.script
                    && withdrawal.amount.units == Int128(output.amount)
            }
            if let place { found.append(open.remove(at: place)) }
        }
        let ids = found.map(\.id).sorted()
        guard !ids.isEmpty else {
            return .success(AdoptedPayment(replaces: .none, withdrawals: []))
        }
        guard found.allSatisfy({ $0.status == .approved }), ids.count <= Limits.payeesMax, pays(ids)
        else {
            return .failure(
                ChainSetupError(
                    text: "it pays what withdrawals \(Self.text(ids)) ask for, and they are not "
                        + "approved, or it pays others beside them: refuse those that it has paid, "
                        + "so that they are not paid again, or approve them; then adopt it"))
        }
        return .success(AdoptedPayment(replaces: .none, withdrawals: ids))
    }
}

/// What became of a wanted adoption at one look.
private enum AdoptionStep {
    /// It is looked at again.
    case later
    /// The log does not take it yet; what it needs.
    case waits(String)
    /// It is in the log, and settled.
    case done(String)
}

/// What a transaction that the log does not have is taken into it as.
private struct AdoptedPayment {
    let replaces: TransactionID
    let withdrawals: [WithdrawalID]
}
