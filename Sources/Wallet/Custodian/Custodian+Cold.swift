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

    /// How long it waits until the chain can take it, whatever holds it up. Its operator agreed to
    /// what it does now, not to what it does some day.
    static let nanosMax: Int64 = 20_000_000_000
}

extension Custodian {
    /// Takes a signed transaction that brings coins of a chain back from cold storage. One waits
    /// for each chain, the first; what became of it is in the chain's report.
    public func bringFromCold(_ bytes: [UInt8], on network: NetworkID) {
        guard let chain = chains[network] else { return }
        guard let first = arrivals[network] else {
            arrivals[network] = ColdArrival(bytes: bytes, time: Clock.monotonicNanos())
            return
        }
        guard first.bytes != bytes, let known = coins.coins(network) else { return }
        chain.cold.answer = .init(
            transaction: Self.id(bytes, known), isTaken: false,
            text: "another one is being looked at: import it again")
    }

    private static func id(_ bytes: [UInt8], _ known: ChainCoins) -> TransactionID {
        let transaction = try? UTXOTransaction(
            bytes, on: known.network, bytesMax: Limits.transactionBytesMax)
        return transaction?.id ?? .none
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
        var obstacle: String? =
            !session.isLed
            ? "another host leads: give it to that one"
            : isInStep ? nil : "the chain is not in step: \(chain.reader.text)"
        let isOld = Clock.monotonicNanos() - arrival.time >= ColdArrival.nanosMax
        if obstacle != nil, !isOld {
            if !session.isLed { greetLeader() }
            return
        }
        arrivals[view.network] = nil
        let id = Self.id(arrival.bytes, known)
        if isOld, obstacle == nil { obstacle = "the wallet was held up for long: import it again" }
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
        let reader = chain.reader
        let spend: ColdSpend
        do throws(ColdSpendError) {
            let named = engine.engine.coldStorage(terms.asset, terms.network)?.descriptor
            spend = try known.coldSpend(bytes, named: named) { reader.isInBlock($0) }
        } catch { return (false, "\(error)") }
        if let obstacle = Self.obstacle(spend, id, chain) { return (false, obstacle) }
        let outcome = try submit(
            SignWithdrawals(
                asset: terms.asset, network: terms.network, transaction: id,
                replaces: spend.replaces ?? .none, withdrawals: [], bytes: bytes))
        switch outcome.refusal {
        case .none:
            if let known = coins.coins(terms.network) {
                chain.payouts.broadcast(known.payments, chain.node) { reader.isInBlock($0) }
                chain.cold.take(known)
            }
            return (true, "it is in the log, and given to the node until a block has it")
        case .referenceDuplicate: return (true, "the log had it before")
        case .sessionUnknown:
            return (false, "another wallet wrote meanwhile: import it again")
        case .tableFull:
            return (false, "too many transfers are open: import it again once one is final")
        default: return (false, "the log refuses it: \(outcome.refusal)")
        }
    }

    /// Why the chain cannot take a transaction: what it spends is spent, by another one.
    private static func obstacle(
        _ spend: ColdSpend, _ id: TransactionID, _ chain: FollowedChain<Node>
    ) -> String? {
        do throws(NodeError) {
            for input in spend.transaction.inputs {
                let coin = input.outPoint
                if try chain.node.unspent(coin.transaction, coin.output) != nil { continue }
                // Or by itself: then its own outputs are there.
                for index in spend.transaction.outputs.indices {
                    if try chain.node.unspent(id, UInt32(index)) != nil { return nil }
                }
                return
                    "by its node, \(coin.transaction.hex):\(coin.output) is spent by another "
                    + "transaction: see on the chain whom that one pays, and who has the keys"
            }
            return nil
        } catch {
            return "its node does not say whether its coins are there: \(error); import it again"
        }
    }
}
