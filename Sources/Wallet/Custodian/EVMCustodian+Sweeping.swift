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
            answer = try sweepAgain(account, view, networks, chain)
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
                chain.misdeclared[asset.coin] == nil,
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
        guard let most = gasMax(holding, asset, networks, chain) else {
            chain.sweeping.fail(
                holding,
                "nobody says what gas for \(asset.listed.code) may cost: give the network of the "
                    + "chain's own coin a fee, or name the token in [walletd] sweep_above")
            return nil
        }
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
        // What a token is worth in coins nobody says here: gas that is dear for it waits.
        let need = gasNeed(transaction, native, fee)
        guard need.cost <= most else { return nil }
        if let gift = need.gift {
            return try giveGas(holding, gift, index, fee, account, view, chain)
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

    /// What the gas of a sweep may cost: of a token so many times what withdrawals of native coin
    /// cost customers, and anything where there is no such fee and the owner names the token. Nil:
    /// nobody says so, and whoever sends dust would have the wallet pay for it.
    private func gasMax(
        _ holding: EVMHolding, _ asset: EVMChainAsset, _ networks: [NetworkView],
        _ chain: FollowedEVMChain
    ) -> EVMWord? {
        if holding.coin == .native { return .max }
        guard let native = chain.setup.assets.first(where: { $0.coin == .native }),
            let terms = networks.first(where: { $0.asset == native.id }), terms.fee.units > 0
        else {
            let code = session.replica.engine.asset(asset.id)?.code
            return sweepAbove.contains { $0.asset == code } ? .max : nil
        }
        return
            (try? EVMWord(
                Amount(units: EVMSweeping.feesMax * terms.fee.units), scale: native.scale,
                decimals: native.listed.decimals)) ?? .max
    }

    /// What a sweep costs at most, and what its account lacks for that; nil: nothing. It is given a
    /// quarter more than the gas costs now, so that it need not be given twice, and the transfer
    /// that brings it costs gas as well.
    private func gasNeed(
        _ sweep: EVMTransaction, _ native: EVMWord, _ fee: (most: UInt64, priority: UInt64)
    ) -> (cost: EVMWord, gift: EVMWord?) {
        let cost = EVMWord(sweep.feeMax)
        guard let missing = cost.subtracting(native), missing > .zero else { return (cost, nil) }
        let bringing = EVMWord(UInt128(EVMCeiling.nativeGas.lowerBound) * UInt128(fee.most))
        let most = max(missing, EVMCeiling.gasGift)
        let gift = min(missing.adding(EVMWord(sweep.feeMax / 4)) ?? most, most)
        return (cost.adding(bringing) ?? .max, gift)
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

    /// Raises the fee of the oldest sweep that no block has for long and that can have a higher
    /// one; what keeps others from it is said.
    private func sweepAgain(
        _ account: EVMPayments, _ view: ChainView, _ networks: [NetworkView],
        _ chain: FollowedEVMChain
    ) throws(NodeError) -> (PayoutCondition, String)? {
        let now = Clock.monotonicNanos()
        let slow = account.newestOpen.filter { id, payment in
            account.sweeps[id] != nil && !chain.reader.isInBlock(id)
                && !chain.payouts.elsewhere.contains(id)
                && now - (chain.payouts.firstTimes[id] ?? now) >= Self.patience(account)
        }
        guard !slow.isEmpty, let fee = try chain.node.gasPrices().fee else { return nil }
        for (id, sweep) in slow.sorted(by: { $0.value.sequence < $1.value.sequence }) {
            // Not again at once, whatever comes of it: the others have their turn.
            chain.payouts.firstTimes[id] = now
            guard let index = chain.deposits.watch.addresses.index(of: sweep.signed.sender) else {
                continue
            }
            let holding = EVMHolding(sweep)
            let same = account.sweeps.filter { $0.value.coin == sweep.coin }
            guard same.count <= Limits.replacementsMax else {
                // In the place of the newest the same one would be signed again.
                let cheapest = same.min {
                    $0.value.signed.transaction.feeMax < $1.value.signed.transaction.feeMax
                }
                let name = (cheapest?.key ?? id).hex
                chain.sweeping.fail(
                    holding,
                    "its sweep 0x\(id.hex) waits for a block at its last fee. It is final once "
                        + "blocks take that; for a higher fee, boursectl wallet drop "
                        + "\(name) --force and, while the signer is stopped, bourse-signerd "
                        + "--forget \(name), the cheapest with its nonce")
                continue
            }
            guard let transaction = dearer(sweep, fee) else {
                chain.sweeping.fail(
                    holding,
                    "its sweep 0x\(id.hex) waits for a block at the highest fee that is signed: "
                        + "it is final once blocks take that")
                continue
            }
            let old = sweep.signed.transaction
            var need: (cost: EVMWord, gift: EVMWord?) = (EVMWord(transaction.feeMax), nil)
            if let tip = chain.reader.tip?.block, holding.coin != .native,
                let native = try chain.node.balance(
                    EVMHolding(holding.holder, .native), after: tip)
            {
                need = gasNeed(transaction, native, fee)
            }
            guard isWorth(need.cost, transaction, holding, networks, chain) else {
                chain.sweeping.fail(
                    holding,
                    "its sweep 0x\(id.hex) waits for a block, and is not worth a higher fee than "
                        + "\(old.fee.most) wei per gas")
                continue
            }
            if let gift = need.gift {
                let answer = try giveGas(holding, gift, index, fee, account, view, chain)
                if let answer { return answer }
                continue
            }
            return submitSigned(
                SigningRequest(
                    network: view.network, asset: sweep.asset,
                    sequence: session.replica.engine.sequence, withdrawals: [], replaces: id,
                    transaction: transaction.signingBytes, index: index), chain)
        }
        return nil
    }

    /// Whether what a sweep brings is worth its gas, as for a first one.
    private func isWorth(
        _ cost: EVMWord, _ sweep: EVMTransaction, _ holding: EVMHolding,
        _ networks: [NetworkView], _ chain: FollowedEVMChain
    ) -> Bool {
        if holding.coin == .native {
            return EVMWord(sweep.feeMax * EVMSweeping.share) <= sweep.value
        }
        guard let asset = chain.setup.assets.first(where: { $0.coin == holding.coin }),
            let most = gasMax(holding, asset, networks, chain)
        else { return false }
        return cost <= most
    }

    /// A sweep at a higher fee, which nodes take in place of it; nil: there is none.
    private func dearer(
        _ sweep: EVMOpenPayment, _ fee: (most: UInt64, priority: UInt64)
    ) -> EVMTransaction? {
        let old = sweep.signed.transaction
        guard case .dynamic(let most, let priority) = old.fee else { return nil }
        let next = (
            most: max(fee.most, most.addingClamped(most / 8 + 1)),
            priority: max(fee.priority, priority.addingClamped(priority / 8 + 1))
        )
        // What native coin there was pays for more gas.
        let more = UInt128(old.gasLimit) * UInt128(next.most - min(next.most, most))
        let value = old.data.isEmpty ? old.value.subtracting(EVMWord(more)) ?? .zero : old.value
        guard next.most <= EVMCeiling.feePerGas, next.priority <= EVMCeiling.priorityPerGas else {
            return nil
        }
        return try? EVMTransaction(
            chainID: old.chainID, nonce: old.nonce,
            fee: .dynamic(most: next.most, priority: next.priority), gasLimit: old.gasLimit,
            destination: old.destination, value: value, data: old.data)
    }
}

extension EVMHolding {
    /// What a sweep takes from its account.
    init(_ sweep: EVMOpenPayment) {
        let transaction = sweep.signed.transaction
        self.init(
            sweep.signed.sender,
            transaction.data.isEmpty ? .native : .token(transaction.destination))
    }
}
