// Brings what customers paid in to the account that pays withdrawals.
//
// Each step is a transfer of the log: the signer signs it, its bytes go into the log, and then the
// node gets them. An address has one open sweep at most, and its next nonce is the one that the log
// says: what was signed and did not get into the log conflicts with the next one. A token needs
// coins for gas at its address; it gets them from the account that pays, once, as long as a
// transfer to it is open. What is there after a final block is swept, and no more than is there
// now.

internal import Addresses
internal import Deposits
internal import EVM
internal import Engine
internal import Follower
internal import Nodes
internal import Payments
internal import Platform
internal import Terms
internal import UTXO

extension EVMCustodian {
    /// Plans a sweep, or what it needs. Returns whether more may be planned at once.
    func sweep(
        _ view: ChainView, _ networks: [NetworkView], _ chain: FollowedEVMChain
    ) throws(CommandSessionError) -> Bool {
        let now = Clock.monotonicNanos()
        guard sweepsDeposits, session.isLed, session.replica.engine.rules >= 3,
            chain.reader.condition == .inStep, chain.payouts.report.condition != .foreign,
            !coins.hasGap, let account = coins.account(view.network),
            now >= chain.sweeping.planTime
        else { return false }
        chain.sweeping.planTime = now + EVMPayouts.retryNanos
        var answer: (PayoutCondition, String)?
        do throws(NodeError) {
            answer = try sweepAgain(account, view, chain)
            if answer == nil { answer = try sweepNext(account, view, networks, chain) }
        } catch { answer = (.waiting, "its node does not say what a sweep needs: \(error)") }
        let isBusy = answer?.0 == .paying
        if isBusy { chain.sweeping.planTime = 0 }
        tell(isBusy ? nil : answer, chain)
        return isBusy
    }

    /// What keeps sweeps from going on, where withdrawals have nothing to say.
    private func tell(_ answer: (PayoutCondition, String)?, _ chain: FollowedEVMChain) {
        guard chain.payouts.report.condition.isSound else { return }
        if let (condition, text) = answer,
            condition == .noSigner || condition == .signerRefuses
                || condition == .logRefuses
        {
            chain.payouts.report.condition = .notSwept
            chain.payouts.report.text = "\(condition.rawValue): \(text)"
        } else if let problem = chain.sweeping.problems.values.min(by: {
            $0.text < $1.text
        }) {
            chain.payouts.report.condition = .notSwept
            chain.payouts.report.text = "\(problem.holder): \(problem.text)"
        }
    }

    /// The next sweep of what the last count has found.
    private func sweepNext(
        _ account: EVMPayments, _ view: ChainView, _ networks: [NetworkView],
        _ chain: FollowedEVMChain
    ) throws(NodeError) -> (PayoutCondition, String)? {
        guard account.sweeps.count < EVMSweeping.openMax, !chain.sweeping.queue.isEmpty else {
            return nil
        }
        let prices = try chain.node.gasPrices()
        // Gas is dear now; nobody waits for a sweep.
        guard let fee = prices.fee else { return nil }
        var tries = 0
        while tries < EVMSweeping.triesMax, let holding = chain.sweeping.next() {
            guard let asset = chain.setup.assets.first(where: { $0.coin == holding.coin }),
                let terms = networks.first(where: { $0.asset == asset.id }),
                let due = chain.holdings.known[holding], due >= threshold(asset, terms),
                !session.replica.engine.isWithdrawalStopped(asset.id),
                !account.sweeps.values.contains(where: { $0.signed.sender == holding.holder })
            else { continue }
            tries += 1
            if let answer = try sweep(
                holding, due, asset, fee, account, view, networks, chain)
            {
                return answer
            }
        }
        return tries == EVMSweeping.triesMax ? (.paying, "") : nil
    }

    /// From which amount on an asset is swept, in its coin's smallest unit.
    private func threshold(_ asset: EVMChainAsset, _ terms: NetworkView) -> EVMWord {
        var units = max(terms.minimum.units, EVMSweeping.feesMin * terms.fee.units, 1)
        let code = session.replica.engine.asset(asset.id)?.code
        if let one = sweepAbove.first(where: { $0.asset == code }),
            case .whole(let set) = one.amount.steps(of: 1, scale: Int(asset.scale))
        {
            units = max(set, 1)
        }
        return
            (try? EVMWord(
                Amount(units: units), scale: asset.scale, decimals: asset.listed.decimals)) ?? .max
    }

    /// Sweeps a holding, or gives its address what gas the sweep needs. Nil: neither, now.
    private func sweep(
        _ holding: EVMHolding, _ due: EVMWord, _ asset: EVMChainAsset,
        _ fee: (most: UInt64, priority: UInt64), _ account: EVMPayments, _ view: ChainView,
        _ networks: [NetworkView], _ chain: FollowedEVMChain
    ) throws(NodeError) -> (PayoutCondition, String)? {
        guard let tip = chain.reader.tip?.block,
            let index = chain.deposits.watch.addresses.index(of: holding.holder)
        else { return nil }
        let (holder, nonce) = (holding.holder, account.nextNonce(of: holding.holder))
        let count = try chain.node.transactionCount(of: holder)
        guard count == nonce else {
            // Its own last one may be in a block that is not final.
            if count > nonce {
                chain.sweeping.fail(
                    holding,
                    "it has sent \(count) transactions, and the log knows of \(nonce): who else "
                        + "has its key? boursectl wallet adopt")
            }
            return nil
        }
        guard let native = try chain.node.balance(EVMHolding(holder, .native), after: tip),
            let there = try chain.node.balance(holding, after: tip)
        else {
            chain.sweeping.fail(holding, "its contract does not say what it has")
            return nil
        }
        let units = min(due, there)
        let planned =
            holding.coin == .native
            ? nativeSweep(units, native, nonce, fee, chain)
            : try tokenSweep(holding, units, asset, nonce, fee, chain)
        guard let transaction = planned else { return nil }
        let cost = EVMWord(transaction.feeMax)
        // What a token is worth in coins nobody says here: gas that is dear for it waits.
        guard holding.coin == .native || cost <= gasMax(networks, chain) else { return nil }
        if let missing = cost.subtracting(native), missing > .zero {
            return try giveGas(holding, missing, index, fee, account, view, chain)
        }
        let answer = submitSigned(
            SigningRequest(
                network: view.network, asset: asset.id,
                sequence: session.replica.engine.sequence, withdrawals: [],
                transaction: transaction.signingBytes, index: index), chain)
        if answer.0 == .paying {
            chain.sweeping.succeed(holding)
            chain.sweeping.rest(holding, for: EVMSweeping.restNanos)
        }
        return answer
    }

    /// What the gas of a token's sweep may cost: so many times what withdrawals of native coin cost
    /// customers.
    private func gasMax(_ networks: [NetworkView], _ chain: FollowedEVMChain) -> EVMWord {
        guard let native = chain.setup.assets.first(where: { $0.coin == .native }),
            let terms = networks.first(where: { $0.asset == native.id }), terms.fee.units > 0
        else { return .max }
        return
            (try? EVMWord(
                Amount(units: EVMSweeping.feesMax * terms.fee.units), scale: native.scale,
                decimals: native.listed.decimals)) ?? .max
    }

    /// A sweep of native coin, without what its gas may cost; nil where that is too much of it.
    private func nativeSweep(
        _ units: EVMWord, _ native: EVMWord, _ nonce: UInt64,
        _ fee: (most: UInt64, priority: UInt64), _ chain: FollowedEVMChain
    ) -> EVMTransaction? {
        let gas = EVMCeiling.nativeGas.lowerBound
        let cost = UInt128(gas) * UInt128(fee.most)
        guard let value = units.subtracting(EVMWord(cost)), value > .zero,
            EVMWord(cost * EVMSweeping.share) <= value
        else { return nil }
        return try? EVMTransaction(
            chainID: chain.setup.network.chainID, nonce: nonce,
            fee: .dynamic(most: fee.most, priority: fee.priority), gasLimit: gas,
            destination: chain.hot, value: value, data: [])
    }

    /// A sweep of a token; nil where its contract does not do it.
    private func tokenSweep(
        _ holding: EVMHolding, _ units: EVMWord, _ asset: EVMChainAsset, _ nonce: UInt64,
        _ fee: (most: UInt64, priority: UInt64), _ chain: FollowedEVMChain
    ) throws(NodeError) -> EVMTransaction? {
        guard units > .zero else { return nil }
        let call = asset.listed.transfer(to: chain.hot, units)
        let bounds = EVMCeiling.gas(holding.coin)
        let gas: UInt64
        do throws(NodeError) {
            gas = try chain.node.gas(
                from: holding.holder, to: call.to, value: .zero, data: call.data,
                most: bounds.upperBound)
        } catch {
            guard case .refused(_, _, let message) = error else { throw error }
            chain.sweeping.fail(
                holding, "its node says that a sweep of \(asset.listed.code) would fail: \(message)"
            )
            return nil
        }
        // What a contract needs may be a little more when it is executed.
        let limit = min(max(gas.addingClamped(gas / 4), bounds.lowerBound), bounds.upperBound)
        guard gas <= limit else {
            chain.sweeping.fail(
                holding, "\(asset.listed.code) needs \(gas) gas, and \(limit) is the most")
            return nil
        }
        return try? EVMTransaction(
            chainID: chain.setup.network.chainID, nonce: nonce,
            fee: .dynamic(most: fee.most, priority: fee.priority), gasLimit: limit,
            destination: call.to, value: .zero, data: call.data)
    }

    /// Gives an address coins for gas, unless a transfer to it is open.
    private func giveGas(
        _ holding: EVMHolding, _ missing: EVMWord, _ index: UInt32,
        _ fee: (most: UInt64, priority: UInt64), _ account: EVMPayments, _ view: ChainView,
        _ chain: FollowedEVMChain
    ) throws(NodeError) -> (PayoutCondition, String)? {
        let isGiven = account.payments.values.contains {
            $0.withdrawals.isEmpty && $0.signed.transaction.destination == holding.holder
        }
        // A dropped one may still come, unless the next one has its nonce.
        let mayCome = account.dropped.values.contains {
            $0.withdrawals.isEmpty && $0.signed.transaction.destination == holding.holder
                && $0.nonce != account.nextNonce
        }
        guard !isGiven, !mayCome else {
            chain.sweeping.rest(holding, for: EVMSweeping.waitNanos)
            return nil
        }
        // Withdrawals come first, and always find nonces that are free.
        let gifts = account.payments.values.filter {
            $0.withdrawals.isEmpty && $0.signed.transaction.destination != chain.hot
        }
        guard missing <= EVMCeiling.gasGift, !chain.payouts.isPayable,
            Set(gifts.map(\.nonce)).count < EVMPayouts.giftsMax,
            Set(account.payments.values.map(\.nonce)).count < EVMPayouts.openMax
        else { return nil }
        let nonce = account.nextNonce
        let count = try chain.node.transactionCount(of: chain.hot)
        guard nonce >= count, count <= account.nonceEnd,
            let transaction = try? EVMTransaction(
                chainID: chain.setup.network.chainID, nonce: nonce,
                fee: .dynamic(most: fee.most, priority: fee.priority),
                gasLimit: EVMCeiling.nativeGas.lowerBound, destination: holding.holder,
                value: missing, data: [])
        else { return nil }
        guard try EVMFunds(chain, account).pays(transaction) else {
            chain.sweeping.fail(
                holding,
                "\(chain.hot) has too little of the chain's coin for the gas of its sweep: send "
                    + "some there", for: EVMSweeping.waitNanos)
            return nil
        }
        let answer = submitSigned(
            SigningRequest(
                network: view.network, asset: chain.transferAsset,
                sequence: session.replica.engine.sequence, withdrawals: [],
                transaction: transaction.signingBytes, index: index), chain)
        if answer.0 == .paying { chain.sweeping.rest(holding, for: EVMSweeping.waitNanos) }
        return answer
    }

    /// Raises the fee of a sweep that no block has for long.
    private func sweepAgain(
        _ account: EVMPayments, _ view: ChainView, _ chain: FollowedEVMChain
    ) throws(NodeError) -> (PayoutCondition, String)? {
        let now = Clock.monotonicNanos()
        let slow = account.newestOpen.filter { id, payment in
            account.sweeps[id] != nil && !chain.reader.isInBlock(id)
                && !chain.payouts.elsewhere.contains(id)
                && now - (chain.payouts.firstTimes[id] ?? now) >= Self.patience(account)
        }
        guard let (id, sweep) = slow.min(by: { $0.value.sequence < $1.value.sequence }),
            case .dynamic(let most, let priority) = sweep.signed.transaction.fee,
            let index = chain.deposits.watch.addresses.index(of: sweep.signed.sender),
            account.sweeps.values.count(where: { $0.coin == sweep.coin }) <= Limits.replacementsMax,
            let fee = try chain.node.gasPrices().fee
        else { return nil }
        // Not again at once, whatever comes of it.
        chain.payouts.firstTimes[id] = now
        let old = sweep.signed.transaction
        let next = (
            most: max(fee.most, most.addingClamped(most / 8 + 1)),
            priority: max(fee.priority, priority.addingClamped(priority / 8 + 1))
        )
        // What native coin there was pays for more gas.
        let more = UInt128(old.gasLimit) * UInt128(next.most - min(next.most, most))
        let value = old.data.isEmpty ? old.value.subtracting(EVMWord(more)) ?? .zero : old.value
        guard next.most <= EVMCeiling.feePerGas, next.priority <= EVMCeiling.priorityPerGas,
            let transaction = try? EVMTransaction(
                chainID: old.chainID, nonce: old.nonce,
                fee: .dynamic(most: next.most, priority: next.priority), gasLimit: old.gasLimit,
                destination: old.destination, value: value, data: old.data)
        else { return nil }
        let holding = EVMHolding(
            sweep.signed.sender, old.data.isEmpty ? .native : .token(old.destination))
        if let tip = chain.reader.tip?.block, !old.data.isEmpty,
            let native = try chain.node.balance(
                EVMHolding(sweep.signed.sender, .native), after: tip),
            let missing = EVMWord(transaction.feeMax).subtracting(native), missing > .zero
        {
            return try giveGas(holding, missing, index, fee, account, view, chain)
        }
        return submitSigned(
            SigningRequest(
                network: view.network, asset: sweep.asset,
                sequence: session.replica.engine.sequence, withdrawals: [], replaces: id,
                transaction: transaction.signingBytes, index: index), chain)
    }
}
