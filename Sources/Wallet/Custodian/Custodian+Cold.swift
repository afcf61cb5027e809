// Brings coins back from cold storage, by transactions that its own devices have signed.
//
// Such a transaction is in the log before the node gets it, as each payment is: from then on it is
// a transfer like any other, given to the node until a block has it, and settled with its fee.

internal import Deposits
internal import Engine
internal import Follower
internal import Nodes
internal import Payments
internal import Platform
public import Terms
internal import UTXO
internal import Wire

/// A signed transaction that an operator brings from cold storage.
struct ColdArrival {
    let bytes: [UInt8]
    /// When it came, monotonic.
    let time: Int64

    /// How long it waits until the chain can take it. Its operator agreed to what it does now, not
    /// to what it does some day.
    static let nanosMax: Int64 = 20_000_000_000
}

extension Custodian {
    /// Takes a signed transaction that brings coins of a chain back from cold storage. One waits
    /// for each chain; what became of it is in the chain's report.
    public func bringFromCold(_ bytes: [UInt8], on network: NetworkID) {
        guard arrivals[network] != nil || arrivals.count < Limits.networksMax else { return }
        arrivals[network] = ColdArrival(bytes: bytes, time: Clock.monotonicNanos())
    }

    /// Says what is in cold storage, and brings what waits for the chain into the log.
    func lookAtCold(
        _ view: ChainView, _ terms: NetworkView, _ chain: FollowedChain<Node>
    ) throws(CommandSessionError) {
        guard let known = coins.coins(view.network) else { return }
        let isInStep = chain.reader.condition == .inStep
        if chain.coldChanges != known.changes || chain.coldSequence != coins.sequence {
            (chain.coldChanges, chain.coldSequence) = (known.changes, coins.sequence)
            chain.cold.take(known)
        }
        if !known.storages.isEmpty, isInStep,
            let rate = try? chain.payouts.feeRate(chain.node).perKilobyte
        {
            chain.cold.feePerKilobyte = max(rate, PaymentProposal.feePerKilobyteMin)
        }
        guard let arrival = arrivals[view.network] else { return }
        let obstacle: String? =
            !session.isLed
            ? "another host leads: give it to that one"
            : isInStep ? nil : "the chain is not in step: \(chain.reader.text)"
        if obstacle != nil, Clock.monotonicNanos() - arrival.time < ColdArrival.nanosMax {
            if !session.isLed { greetLeader() }
            return
        }
        arrivals[view.network] = nil
        let id =
            (try? UTXOTransaction(
                arrival.bytes, on: known.network, bytesMax: Limits.transactionBytesMax))?.id
            ?? .none
        if let obstacle {
            chain.cold.answer = .init(transaction: id, isTaken: false, text: obstacle)
            return
        }
        do throws(CommandSessionError) {
            let (isTaken, text) = try bring(arrival.bytes, id, terms, known, chain)
            chain.cold.answer = .init(transaction: id, isTaken: isTaken, text: text)
        } catch {
            chain.cold.answer = .init(
                transaction: id, isTaken: false,
                text: "the log does not answer, and may have it: import it again, which does it "
                    + "no second time")
            throw error
        }
    }

    /// Checks a transaction, and brings it into the log and then to the node; whether the log has
    /// it, and what to say.
    private func bring(
        _ bytes: [UInt8], _ id: TransactionID, _ terms: NetworkView, _ known: ChainCoins,
        _ chain: FollowedChain<Node>
    ) throws(CommandSessionError) -> (Bool, String) {
        let engine = session.replica
        if engine.engine.payment(id) != nil {
            return (true, "the log has it already: it is given to the node until a block has it")
        }
        do throws(ColdSpendError) {
            let named = engine.engine.coldStorage(terms.asset, terms.network)?.descriptor
            _ = try known.coldSpend(bytes, named: named)
        } catch { return (false, "\(error)") }
        let outcome = try submit(
            SignWithdrawals(
                asset: terms.asset, network: terms.network, transaction: id, replaces: .none,
                withdrawals: [], bytes: bytes))
        switch outcome.refusal {
        case .none:
            let reader = chain.reader
            if let known = coins.coins(terms.network) {
                chain.payouts.broadcast(known.payments, chain.node) { reader.isInBlock($0) }
                chain.cold.take(known)
            }
            return (true, "it is in the log, and given to the node until a block has it")
        case .referenceDuplicate: return (true, "the log had it before")
        case .sessionUnknown:
            return (false, "another wallet wrote meanwhile: import it again")
        default: return (false, "the log refuses it: \(outcome.refusal)")
        }
    }
}
