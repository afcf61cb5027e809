// Chains: RULES.md, "Custody".

internal import Terms
internal import Wire

extension Engine {
    mutating func setChain(_ c: SetChain) -> Outcome {
        if !areTermsValid(c) { return .refused(.termsInvalid) }
        let number = c.network.number
        if isElsewhere(c) { return .refused(.referenceDuplicate) }
        if let known = custody.chains[number] {
            let isSame = known.chain == c.chain && known.key == c.key
            if !isSame, !(custody.addresses[number] ?? []).isEmpty {
                return .refused(.stateInvalid)
            }
        } else if custody.chains.count >= Limits.networksMax {
            return .refused(.tableFull)
        }
        custody.chains[number] = ChainView(c, record: sequence)
        events.append(.chainChanged(c.network))
        return Outcome(id: UInt64(number))
    }

    /// Whether another number has the chain with this key: each would credit its outputs once.
    func isElsewhere(_ c: SetChain) -> Bool {
        custody.chains.contains {
            $0.key != c.network.number && $0.value.chain == c.chain && $0.value.key == c.key
        }
    }

    /// Whether a chain can be this.
    func areTermsValid(_ c: SetChain) -> Bool {
        c.network.number > 0 && !c.chain.isEmpty && !c.key.isEmpty
            && 1...Limits.blockMax ~= c.firstBlock
    }

    mutating func setColdStorage(_ c: SetColdStorage) -> Outcome {
        let key = NetworkKey(asset: c.asset.number, network: c.network.number)
        if custody.networks[key] == nil { return .refused(.networkUnknown) }
        if !c.descriptor.isEmpty, !areTermsValid(c) { return .refused(.termsInvalid) }
        custody.cold[key] = c.descriptor.isEmpty ? nil : ColdStorageView(c)
        events.append(.coldStorageChanged(c.asset, c.network))
        return Outcome(id: UInt64(c.network.number))
    }

    /// Whether cold storage can be this.
    func areTermsValid(_ c: SetColdStorage) -> Bool {
        !c.descriptor.isEmpty && c.ceiling > .zero && c.ceiling.units <= Limits.amountUnitsMax
            && 0...c.ceiling.units ~= c.target.units
    }

    mutating func checkBlock(_ c: CheckBlock) -> Outcome {
        guard let chain = custody.chains[c.network.number] else {
            return .refused(.networkUnknown)
        }
        if c.block == .none || c.height > Limits.blockMax { return .refused(.termsInvalid) }
        // It was read as the chain was set before.
        if c.chainRecord != chain.record { return .refused(.stateInvalid) }
        // Deposits to an address that the wallet did not know of may be in its blocks.
        if c.height < chain.nextBlock
            || Int(c.addresses) < custody.addresses[c.network.number]?.count ?? 0
            || c.stage == .final && c.height < chain.finalHeight
            || c.height == chain.finalHeight && c.block != chain.finalBlock
        {
            return .refused(.stateInvalid)
        }
        custody.chains[c.network.number]?.check(c.height, c.block, c.stage)
        events.append(.blockChecked(c.network, c.stage, height: c.height, c.block))
        return Outcome(id: UInt64(c.network.number))
    }
}
