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
        // Withdrawals come first, and always find nonces that are free. A dropped transfer may
        // still come, unless the next one has its nonce.
        let mayCome = account.dropped.values.contains {
            account.isToCold($0) && $0.nonce != account.nextNonce
        }
        guard approved(view.network).isEmpty, !mayCome,
            !account.payments.values.contains(where: account.isToCold),
            Set(account.payments.values.map(\.nonce)).count < EVMPayouts.openMax
        else { return false }
        for asset in chain.setup.assets where !chain.cold.isResting(asset.id) {
            guard let storage = session.replica.engine.coldStorage(asset.id, view.network) else {
                chain.cold.succeed(asset.id)
                continue
            }
            let answer: (PayoutCondition, String)?
            do throws(NodeError) {
                answer = try move(asset, to: storage, account, view, chain)
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
        _ chain: FollowedEVMChain
    ) -> EVMAddress? {
        var fault: String?
        let address = try? EVMAddress(destination: storage.descriptor)
        if let address {
            if chain.isOwn(address) {
                fault = "is an account of this wallet's own seed"
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

    /// Moves what is too much of an asset; nil: nothing is, or it waits.
    private func move(
        _ asset: EVMChainAsset, to storage: ColdStorageView, _ account: EVMPayments,
        _ view: ChainView, _ chain: FollowedEVMChain
    ) throws(NodeError) -> (PayoutCondition, String)? {
        // Before anything is missing somebody looks at it.
        guard !session.replica.engine.isWithdrawalStopped(asset.id),
            chain.books[asset.id]?.condition.stopsWithdrawals != true,
            let count = chain.count, chain.holdings.block?.id == count.block
        else { return nil }
        // What the log does not have, as what somebody sent to the account itself, stays there.
        let there = min(
            asset.units(chain.holdings.known[EVMHolding(chain.hot, asset.coin)] ?? .zero),
            max(0, account.hotUnits(asset.id, asset.listed, scale: asset.scale)))
        let needed = requested(asset.id, view.network)
        guard there - needed > storage.ceiling.units else {
            chain.cold.succeed(asset.id)
            return nil
        }
        guard let address = coldAddress(asset, storage, account, chain) else { return nil }
        let funds = try EVMFunds(chain, account)
        let have = min(there, asset.units(funds.units(asset.coin))) - needed
        let least = storage.ceiling.units - storage.target.units
        guard have > storage.ceiling.units, let fee = try chain.node.gasPrices().fee,
            let gas = try gas(of: asset, to: address, max(least, 1), chain)
        else { return nil }
        let cost = asset.coin == .native ? nativeUnits(gas, fee.most, asset) : 0
        let amount = have - cost - storage.target.units
        guard amount >= max(least, 1),
            let units = try? EVMWord(
                Amount(units: amount), scale: asset.scale, decimals: asset.listed.decimals)
        else { return nil }
        let (nonce, sent) = (account.nextNonce, try chain.node.transactionCount(of: chain.hot))
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
        return submitSigned(
            SigningRequest(
                network: view.network, asset: asset.id,
                sequence: session.replica.engine.sequence, withdrawals: [],
                transaction: transaction.signingBytes), chain)
    }

    /// What withdrawals will take of an asset that are requested and not approved.
    private func requested(_ asset: AssetID, _ network: NetworkID) -> Int128 {
        var sum: Int128 = 0
        session.replica.engine.forEachWithdrawal { withdrawal in
            guard withdrawal.status == .requested, withdrawal.asset == asset,
                withdrawal.network == network
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

    /// What became of a final transfer to cold storage, by what the account's balance shows. One
    /// that moved nothing is dropped: the log takes it again as a transfer that used its nonce,
    /// and so knows that the coins are where they were. The next one costs gas again, and waits.
    func judge(
        cold id: TransactionID, _ payment: EVMOpenPayment, _ block: BlockID,
        _ chain: FollowedEVMChain
    ) -> ColdOutcome {
        guard let moved = payment.signed.transaction.movement,
            let asset = chain.setup.assets.first(where: { $0.coin == moved.coin })
        else { return .moved }
        let outcome: EVMPaymentOutcome
        do throws(NodeError) {
            let settlement = try EVMSettlement(chain.node, hot: chain.hot, block: block)
            outcome = try settlement.outcome(payment.signed)
        } catch {
            chain.payouts.fail(id, "its node does not say what it moved: \(error)", isSure: false)
            return .unknown
        }
        func say(_ why: String) {
            let text = "its transfer 0x\(id.hex) to cold storage is final: \(why)"
            chain.cold.failAgain(asset.id, text)
            remark("\(chain.setup.chain): \(asset.listed.code): \(text)")
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
        if session.isLed, !chain.cold.imports.isEmpty {
            var later: [[UInt8]] = []
            for bytes in chain.cold.imports {
                // Each one sees what the one before has brought into the log.
                guard let account = coins.account(view.network) else { break }
                do throws(NodeError) {
                    let text = try taken(bytes, account, view, chain)
                    remark("\(view.chain): \(text)")
                } catch { later.append(bytes) }
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
            let cost = signed.transaction.costMax, native >= cost, there >= moved.units
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
