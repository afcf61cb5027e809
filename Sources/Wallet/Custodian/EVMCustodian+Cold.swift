// Moves what the account that pays has too much of to cold storage, and takes what comes back.
//
// To cold storage goes a transfer of the account that pays, as gas for a customer's address does:
// the signer signs it, the log has it, and then the node gets it. It goes only while no withdrawal
// waits, and one is open at a time. Too much is what is there after a final block and after the
// node's last one, less what open payments may take and what is requested. What comes back is
// signed where the keys of cold storage are; the log has it as a transfer of its sender, as a
// sweep, before the node gets it.

internal import Addresses
internal import Deposits
internal import EVM
internal import Engine
internal import Follower
internal import Nodes
internal import Payments
internal import Platform
public import Terms
internal import UTXO
internal import Wire

/// What became of a transfer to cold storage that is final.
enum ColdOutcome {
    /// It moved something.
    case moved
    /// It moved nothing but its gas.
    case nothing
    /// The node does not say.
    case unknown
}

extension EVMCustodian {
    // MARK: To cold storage

    /// Plans a transfer of what is too much. Returns whether more may be planned at once.
    func moveToCold(
        _ view: ChainView, _ chain: FollowedEVMChain
    ) throws(CommandSessionError) -> Bool {
        let now = Clock.monotonicNanos()
        guard session.isLed, session.replica.engine.rules >= 3,
            chain.reader.condition == .inStep, chain.payouts.report.condition != .foreign,
            !coins.hasGap, let account = coins.account(view.network)
        else { return false }
        defer { tellCold(view, chain) }
        guard now >= chain.cold.planTime else { return false }
        chain.cold.planTime = now + EVMPayouts.retryNanos
        // Withdrawals come first, and always find nonces that are free: those that can be paid. A
        // dropped transfer may still come, unless the next one has its nonce.
        if chain.payouts.isPayable {
            let since = chain.cold.payableTime ?? now
            chain.cold.payableTime = since
            if now - since >= EVMColdMoves.payableNanos { tellWait(view, account, chain) }
            return false
        }
        chain.cold.payableTime = nil
        let mayCome = account.dropped.values.contains {
            account.isToCold($0) && $0.nonce != account.nextNonce
        }
        guard !mayCome,
            !account.payments.values.contains(where: account.isToCold),
            Set(account.payments.values.map(\.nonce)).count < EVMPayouts.openMax
        else { return false }
        var facts: EVMColdFacts?
        let assets = chain.setup.assets
        for _ in assets where Clock.monotonicNanos() - now < Self.lookNanosMax {
            // Whatever time there is, each has its turn.
            let asset = assets[chain.cold.turn % assets.count]
            chain.cold.turn = (chain.cold.turn + 1) % assets.count
            if chain.cold.isResting(asset.id) { continue }
            guard let storage = session.replica.engine.coldStorage(asset.id, view.network) else {
                chain.cold.succeed(asset.id)
                continue
            }
            let answer: (PayoutCondition, String)?
            do throws(NodeError) {
                answer = try move(asset, to: storage, account, view, chain, &facts)
            } catch {
                chain.cold.fail(
                    asset.id, "its node does not say what a transfer needs: \(error)",
                    for: EVMPayouts.retryNanos)
                continue
            }
            switch answer {
            case nil: break
            case (.paying, let text)? where text == Self.signedText:
                chain.cold.succeed(asset.id)
                chain.cold.planTime = 0
                return true
            case (.paying, _)?: break
            case (let condition, let text)?:
                chain.cold.fail(asset.id, "\(condition.rawValue): \(text)")
            }
        }
        return false
    }

    /// Says of what is too much that withdrawals keep it from going, which take long.
    private func tellWait(_ view: ChainView, _ account: EVMPayments, _ chain: FollowedEVMChain) {
        for asset in chain.setup.assets {
            guard let storage = session.replica.engine.coldStorage(asset.id, view.network),
                excess(asset, storage, account, view, chain) != nil
            else { continue }
            chain.cold.fail(
                asset.id, "withdrawals that can be paid have waited for minutes, and come first",
                for: 0)
        }
    }

    /// What the account has of an asset at the last counted block, by the log as well, and what of
    /// that withdrawals will take; nil: it is not above the ceiling.
    private func excess(
        _ asset: EVMChainAsset, _ storage: ColdStorageView, _ account: EVMPayments,
        _ view: ChainView, _ chain: FollowedEVMChain
    ) -> (there: Int128, needed: Int128)? {
        // What the log does not have, as what somebody sent to the account itself, stays there.
        let there = min(
            asset.units(chain.holdings.known[EVMHolding(chain.hot, asset.coin)] ?? .zero),
            max(0, account.hotUnits(asset.id, asset.listed, scale: asset.scale)))
        let needed = needed(asset.id, view.network)
        return there - needed > storage.ceiling.units ? (there, needed) : nil
    }

    /// What keeps coins from cold storage, where withdrawals have nothing to say.
    private func tellCold(_ view: ChainView, _ chain: FollowedEVMChain) {
        guard chain.payouts.report.condition.isSound else { return }
        for asset in chain.setup.assets {
            guard let problem = chain.cold.problems[asset.id] else { continue }
            chain.payouts.report.condition = .notMoved
            chain.payouts.report.text = "\(asset.listed.code): \(problem)"
            return
        }
    }

    /// The address that an asset's coins may go to now; nil: there is none, which is said.
    private func coldAddress(
        _ asset: EVMChainAsset, _ storage: ColdStorageView, _ account: EVMPayments,
        _ view: ChainView, _ chain: FollowedEVMChain
    ) -> EVMAddress? {
        var fault: String?
        let address = try? EVMAddress(destination: storage.descriptor)
        if let address {
            if chain.isOwn(address) {
                fault = "is an account of this wallet's own seed"
            } else if let other = otherNumber(that: address, is: chain, view.network) {
                fault =
                    "is an account of the same chain's number \(other.number): its coins would "
                    + "count twice"
            } else if list.assets.contains(where: { $0.coin == .token(address) }) {
                fault = "is a contract of [walletd] assets"
            } else if !account.cold.contains(address) {
                fault = "is more than the \(EVMPayments.coldMax) addresses that are watched"
            }
        } else {
            fault = "is no address of the chain"
        }
        guard let words = fault else { return address }
        chain.cold.fail(
            asset.id, "its cold storage \(storage.descriptor.prefix(64)) \(words)")
        return nil
    }

    /// The number under which the log has the same chain once more, where an address is an account
    /// of the wallet's or cold storage.
    private func otherNumber(
        that address: EVMAddress, is chain: FollowedEVMChain, _ network: NetworkID
    ) -> NetworkID? {
        chains.first { number, other in
            number != network && other.setup.network == chain.setup.network
                && (other.isOwn(address)
                    || coins.account(number)?.cold.contains(address) == true)
        }?.key
    }

    /// Moves what is too much of an asset; nil: nothing is, or it waits.
    private func move(
        _ asset: EVMChainAsset, to storage: ColdStorageView, _ account: EVMPayments,
        _ view: ChainView, _ chain: FollowedEVMChain, _ known: inout EVMColdFacts?
    ) throws(NodeError) -> (PayoutCondition, String)? {
        // Before anything is missing somebody looks at it.
        guard !session.replica.engine.isWithdrawalStopped(asset.id),
            chain.books[asset.id]?.condition.stopsWithdrawals != true,
            let count = chain.count, chain.holdings.block?.id == count.block
        else { return nil }
        guard let (there, needed) = excess(asset, storage, account, view, chain) else {
            chain.cold.succeed(asset.id)
            return nil
        }
        guard let address = coldAddress(asset, storage, account, view, chain) else { return nil }
        let facts = if let known { known } else { try EVMColdFacts(chain, account) }
        known = facts
        let funds = facts.funds
        let have = min(there, asset.units(funds.units(asset.coin))) - needed
        let least = storage.ceiling.units - storage.target.units
        guard have > storage.ceiling.units, let fee = facts.fee,
            let gas = try gas(of: asset, to: address, max(least, 1), chain)
        else { return nil }
        let cost = asset.coin == .native ? nativeUnits(gas, fee.most, asset) : 0
        let all = have - cost - storage.target.units
        // Of what the signer's limit has no room for at once, a part.
        let amount = max(all >> chain.cold.halvings(asset.id), least, 1)
        guard all >= amount,
            let units = try? EVMWord(
                Amount(units: amount), scale: asset.scale, decimals: asset.listed.decimals)
        else { return nil }
        let (nonce, sent) = (account.nextNonce, facts.sent)
        let due = asset.listed.transfer(to: address, units)
        guard nonce >= sent, sent <= account.nonceEnd,
            let transaction = try? EVMTransaction(
                chainID: account.network.chainID, nonce: nonce,
                fee: .dynamic(most: fee.most, priority: fee.priority), gasLimit: gas,
                destination: due.to, value: due.value, data: due.data)
        else { return nil }
        guard funds.pays(transaction) else {
            return (
                .short,
                "\(chain.hot) has too little of the chain's coin for its gas: send some there"
            )
        }
        let answer = submitSigned(
            SigningRequest(
                network: view.network, asset: asset.id,
                sequence: session.replica.engine.sequence, withdrawals: [],
                transaction: transaction.signingBytes), chain)
        guard answer.0 == .signerRefuses, answer.1.hasPrefix(SigningRefusal.limit.rawValue) else {
            return answer
        }
        chain.cold.halve(asset.id)
        if amount > max(least, 1) { return answer }
        return (
            answer.0,
            answer.1 + ". It is the least that goes at once, what the ceiling is above the target: "
                + "lower the ceiling, raise the limit, or name the address in [signerd] cold"
        )
    }

    /// What withdrawals will take of an asset that are requested or approved.
    private func needed(_ asset: AssetID, _ network: NetworkID) -> Int128 {
        var sum: Int128 = 0
        session.replica.engine.forEachWithdrawal { withdrawal in
            guard withdrawal.status == .requested || withdrawal.status == .approved,
                withdrawal.asset == asset, withdrawal.network == network
            else { return }
            let (next, isOver) = sum.addingReportingOverflow(withdrawal.amount.units)
            sum = isOver ? .max : next
        }
        return min(sum, Limits.amountUnitsMax)
    }

    /// The gas of a transfer to cold storage; nil: it would fail, which is said.
    private func gas(
        of asset: EVMChainAsset, to address: EVMAddress, _ least: Int128,
        _ chain: FollowedEVMChain
    ) throws(NodeError) -> UInt64? {
        guard
            let units = try? EVMWord(
                Amount(units: least), scale: asset.scale, decimals: asset.listed.decimals)
        else { return nil }
        let bounds = EVMCeiling.gas(asset.coin)
        let due = asset.listed.transfer(to: address, units)
        let gas: UInt64
        do throws(NodeError) {
            gas = try chain.node.gas(
                from: chain.hot, to: due.to, value: due.value, data: due.data,
                most: bounds.upperBound)
        } catch {
            guard case .refused(_, _, let message) = error else { throw error }
            chain.cold.fail(
                asset.id, "its node says that a transfer to cold storage would fail: \(message)")
            return nil
        }
        // What a contract needs may be a little more when it is executed.
        let wished = gas <= bounds.lowerBound ? bounds.lowerBound : gas.addingClamped(gas / 4)
        guard gas <= bounds.upperBound else {
            chain.cold.fail(asset.id, "it needs \(gas) gas, and \(bounds.upperBound) is the most")
            return nil
        }
        return min(wished, bounds.upperBound)
    }

    /// What so much gas costs at most, in units of the chain's own coin, rounded up.
    private func nativeUnits(_ gas: UInt64, _ price: UInt64, _ asset: EVMChainAsset) -> Int128 {
        asset.units(EVMWord(UInt128(gas) * UInt128(price))) + 1
    }

    /// What became of a final transfer to or from cold storage. One that moved nothing is dropped:
    /// the log takes it again as a transfer that used its nonce, and so knows that the coins are
    /// where they were.
    func judge(
        cold id: TransactionID, _ payment: EVMOpenPayment,
        _ place: (block: BlockID, height: UInt64), _ account: EVMPayments,
        _ chain: FollowedEVMChain
    ) -> ColdOutcome {
        // It is settled at a later look, and is the same then.
        if let known = chain.cold.outcomes[id] { return known }
        let outcome =
            account.isToCold(payment)
            ? judge(toCold: id, payment, place, chain)
            : judge(byReceipt: id, place.block, chain)
        if outcome != .unknown { chain.cold.remember(id, outcome) }
        return outcome
    }

    /// What became of a transfer by its receipt alone.
    private func judge(
        byReceipt id: TransactionID, _ block: BlockID, _ chain: FollowedEVMChain
    ) -> ColdOutcome {
        do throws(NodeError) {
            return try chain.node.receipt(id, in: block).isSuccess ? .moved : .nothing
        } catch {
            chain.payouts.fail(id, "its node does not say what it moved: \(error)", isSure: false)
            return .unknown
        }
    }

    /// Blocks behind the node's last one of which it may keep no balances any more.
    private static var prunedBlocks: UInt64 { 100 }

    /// What became of a transfer to cold storage, by what the account's balance shows; by the
    /// receipt where the node has no balance of so old a block. The next one costs gas again, and
    /// waits.
    private func judge(
        toCold id: TransactionID, _ payment: EVMOpenPayment,
        _ place: (block: BlockID, height: UInt64), _ chain: FollowedEVMChain
    ) -> ColdOutcome {
        guard let moved = payment.signed.transaction.movement,
            let asset = chain.setup.assets.first(where: { $0.coin == moved.coin })
        else { return .moved }
        func say(_ why: String) {
            let text = "its transfer 0x\(id.hex) to cold storage is final: \(why)"
            chain.cold.failAgain(asset.id, text)
            remark("\(chain.setup.chain): \(asset.listed.code): \(text)")
        }
        let outcome: EVMPaymentOutcome
        do throws(NodeError) {
            let settlement = try EVMSettlement(chain.node, hot: chain.hot, block: place.block)
            outcome = try settlement.outcome(payment.signed)
        } catch {
            if case .refused = error, let tip = chain.reader.tip?.height,
                tip >= place.height.addingClamped(Self.prunedBlocks)
            {
                let outcome = judge(byReceipt: id, place.block, chain)
                if outcome == .nothing { say("it was reverted, or ran out of gas") }
                return outcome
            }
            chain.payouts.fail(id, "its node does not say what it moved: \(error)", isSure: false)
            return .unknown
        }
        switch outcome {
        case .paid:
            chain.cold.bring(asset.id)
            return .moved
        case .failed(_, let why):
            say(why)
            return .nothing
        case .unclear(let why):
            // What is missing by then the books say.
            say(why)
            return .moved
        }
    }

    // MARK: From cold storage

    /// Whether a chain of this number is an EVM chain that is followed.
    public func follows(_ network: NetworkID) -> Bool { chains[network] != nil }

    /// Takes a signed transfer from cold storage to the account that pays.
    public func importCold(_ bytes: [UInt8], on network: NetworkID) {
        guard let chain = chains[network] else {
            return remark("\(network.number) is no EVM chain that is followed: nothing is imported")
        }
        guard chain.cold.imports.count < EVMColdMoves.importsMax else {
            return remark("\(chain.setup.chain): too many transfers wait to be imported")
        }
        chain.cold.imports.append(bytes)
    }

    /// Brings what operators brought into the log, and looks at the accounts of cold storage.
    func followCold(_ view: ChainView, _ chain: FollowedEVMChain) throws(CommandSessionError) {
        guard let account = coins.account(view.network), !coins.hasGap else { return }
        chain.learn(cold: account.cold)
        guard chain.reader.condition == .inStep else { return }
        if !session.isLed, !chain.cold.imports.isEmpty {
            chain.cold.imports = []
            remark(
                "\(view.chain): a transfer from cold storage is not taken: another host leads: "
                    + "import it there")
        }
        if !chain.cold.imports.isEmpty {
            var later: [[UInt8]] = []
            for bytes in chain.cold.imports {
                // Each one sees what the one before has brought into the log.
                guard let account = coins.account(view.network) else { break }
                do throws(NodeError) {
                    let text = try taken(bytes, account, view, chain)
                    remark("\(view.chain): \(text)")
                    chain.cold.saidWait = nil
                } catch {
                    later.append(bytes)
                    if chain.cold.saidWait == "\(error)" { continue }
                    chain.cold.saidWait = "\(error)"
                    remark(
                        "\(view.chain): a transfer from cold storage is not taken yet, and is lost "
                            + "where bourse-walletd restarts: \(error)")
                }
            }
            chain.cold.imports = later
            chain.cold.tip = nil
        }
        guard let tip = chain.reader.tip?.block, tip != chain.cold.tip else { return }
        do throws(NodeError) {
            chain.cold.accounts = try coldAccounts(view, chain)
            chain.cold.tip = tip
        } catch { return }
    }

    /// Brings one transfer into the log; what became of it.
    private func taken(
        _ bytes: [UInt8], _ account: EVMPayments, _ view: ChainView, _ chain: FollowedEVMChain
    ) throws(NodeError) -> String {
        let transfer: ColdEVMTransfer
        do throws(ColdEVMTransferError) {
            transfer = try ColdEVMTransfer(
                bytes, on: account.network, hot: chain.hot, cold: account.cold,
                assets: chain.setup.assets.map(\.listed))
        } catch { return "a transfer from cold storage is not taken: \(error)" }
        let (signed, moved) = (transfer.signed, transfer.movement)
        let name = "0x\(signed.id.hex) from cold storage"
        if account.open[signed.id] != nil { return "\(name) is in the log already" }
        guard session.replica.engine.rules >= 3,
            let asset = chain.setup.assets.first(where: { $0.coin == moved.coin })
        else { return "\(name) is not taken: the log cannot have such transfers yet" }
        let (sender, nonce) = (signed.sender, signed.transaction.nonce)
        let other = account.sweeps.first {
            $0.value.coin == OutPoint(sender, nonce: nonce)
        }
        if let other {
            return "\(name) is not taken: 0x\(other.key.hex) is in the log and has its nonce "
                + "\(nonce): boursectl wallet drop, once that one can never be in a block"
        }
        let next = try nextNonce(of: sender, account, chain)
        guard nonce == next else {
            return "\(name) is not taken: its nonce is \(nonce), and \(next) is the next one of "
                + "\(sender)"
                + (nonce < next ? ". If it is in a block: boursectl wallet adopt" : "")
        }
        guard let tip = chain.reader.tip?.block,
            let native = try chain.node.balance(EVMHolding(sender, .native), after: tip),
            let there = try chain.node.balance(EVMHolding(sender, moved.coin), after: tip),
            let cost = signed.transaction.costMax.flatMap({
                taken(.native, from: sender, account, chain).adding($0)
            }), native >= cost,
            let units = taken(moved.coin, from: sender, account, chain).adding(moved.units),
            moved.coin == .native || there >= units
        else {
            return "\(name) is not taken: \(sender) has too little for what it moves and its gas"
        }
        let refusal: Refusal
        do throws(CommandSessionError) {
            refusal = try submit(
                SignWithdrawals(
                    asset: asset.id, network: view.network, transaction: signed.id,
                    replaces: .none, withdrawals: [], bytes: bytes))
        } catch { throw .unreachable("the log takes nothing now: \(error)") }
        switch refusal {
        case .none:
            return "\(name) is in the log: \(moved.units) of \(asset.listed.code), in its smallest "
                + "unit, go from \(sender) to \(chain.hot)"
        case .referenceDuplicate: return "\(name) is in the log already"
        default: return "\(name) is not taken: the log refuses it: \(refusal)"
        }
    }

    /// What open transactions of an account that no block has may take of a coin.
    private func taken(
        _ coin: EVMCoin, from sender: EVMAddress, _ account: EVMPayments,
        _ chain: FollowedEVMChain
    ) -> EVMWord {
        var sum = EVMWord.zero
        for (id, sweep) in account.sweeps
        where sweep.signed.sender == sender && !chain.reader.isInBlock(id) {
            let transaction = sweep.signed.transaction
            let moved = transaction.movement.flatMap { $0.coin == coin ? $0.units : nil }
            let most = coin == .native ? transaction.costMax ?? .max : moved ?? .zero
            sum = sum.adding(most) ?? .max
        }
        return sum
    }

    /// The nonce of the next transaction of an account of cold storage: behind those that the node
    /// has in blocks, and those that the log has.
    private func nextNonce(
        of sender: EVMAddress, _ account: EVMPayments, _ chain: FollowedEVMChain
    ) throws(NodeError) -> UInt64 {
        let open = account.sweeps.values.filter { $0.signed.sender == sender }
            .map { $0.nonce.addingClamped(1) }
        return max(try chain.node.transactionCount(of: sender), open.max() ?? 0)
    }

    /// The accounts of the cold storage that the log has now.
    private func coldAccounts(
        _ view: ChainView, _ chain: FollowedEVMChain
    ) throws(NodeError) -> [ColdAccountReport] {
        var found: [(code: String, address: EVMAddress)] = []
        for asset in chain.setup.assets {
            guard let storage = session.replica.engine.coldStorage(asset.id, view.network),
                let address = EVMAddress(storage.descriptor),
                let account = coins.account(view.network),
                account.cold.contains(address)
            else { continue }
            found.append((asset.listed.code, address))
        }
        guard !found.isEmpty, let account = coins.account(view.network) else { return [] }
        let fee = try chain.node.gasPrices().fee
        var reports: [ColdAccountReport] = []
        for (code, address) in found {
            reports.append(
                ColdAccountReport(
                    asset: code, address: "\(address)",
                    nonce: try nextNonce(of: address, account, chain),
                    fee: fee.flatMap { Int64(exactly: $0.most) },
                    priority: fee.flatMap { Int64(exactly: $0.priority) }))
        }
        return reports
    }
}
