// The signer's, finalizer's and extractor's parts of BIP174.

public import Addresses
public import Keys

extension PSBT {
    /// The output that an input spends; nil where it is not there.
    public func spent(_ index: Int, on network: UTXONetwork) throws(PSBTError)
        -> UTXOTransaction.TransactionOutput?
    {
        guard inputs.indices.contains(index) else { throw .noSuchPlace(index) }
        let outPoint = transaction.inputs[index].outPoint
        let single = inputs[index].value(PSBTType.TransactionInput.spentOutput)
            .flatMap { PSBTFields.output($0, on: network) }
        guard let value = inputs[index].value(PSBTType.TransactionInput.previousTransaction) else {
            return single
        }
        guard let previous = PSBTFields.previous(value, of: outPoint, on: network) else {
            throw .spentMismatch(input: index)
        }
        let output = previous.outputs[Int(outPoint.output)]
        guard single == nil || single == output else { throw .spentMismatch(input: index) }
        return output
    }

    /// All outputs that are spent, in the order of the inputs.
    func allSpent(on network: UTXONetwork) throws(PSBTError) -> [UTXOTransaction.TransactionOutput]
    {
        var all: [UTXOTransaction.TransactionOutput] = []
        for index in inputs.indices {
            guard let output = try spent(index, on: network) else {
                throw .spentMissing(input: index)
            }
            all.append(output)
        }
        return all
    }

    /// What its inputs spend above what its outputs pay, in base units; an amount of witness
    /// version 0 is only what the PSBT says, unless the previous transaction is there.
    public func fee(on network: UTXONetwork) throws(PSBTError) -> Int64 {
        guard let spent = network.sum(try allSpent(on: network).lazy.map(\.amount)),
            let paid = network.sum(transaction.outputs.lazy.map(\.amount))
        else { throw .malformed(.amount) }
        return spent - paid
    }

    private func hashes(_ spent: [UTXOTransaction.TransactionOutput]) throws(PSBTError)
        -> SignatureHashes
    {
        guard let hashes = SignatureHashes(transaction, spending: spent) else {
            throw .spentMissing(input: spent.count)
        }
        return hashes
    }

    /// Signs every input by its key under `master`, all or none. Each must have an origin in that
    /// tree, the key derived there must be the one that the origin is of, and the script that is
    /// spent must be that key's. `skipsOthers` leaves inputs alone that have no such origin, for
    /// transactions of several owners. What is final stays.
    ///
    /// Signatures are of the whole transaction: SIGHASH_ALL for ECDSA, SIGHASH_DEFAULT for Schnorr,
    /// which takes 32 bytes of `random` beside its key. They commit to the amounts of their own
    /// inputs (BIP143), and Schnorr's to all.
    ///
    /// - Returns: how many inputs it signed.
    public mutating func sign(
        with master: ExtendedPrivateKey, on network: UTXONetwork, random: [UInt8],
        skipsOthers: Bool = false
    ) throws(PSBTError) -> Int {
        let spent = try allSpent(on: network)
        let hashes = try hashes(spent)
        var (signed, count) = (inputs, 0)
        for index in inputs.indices where !isFinal(index) {
            guard let (kind, key) = try ownKey(index, spent[index].script, master) else {
                if skipsOthers { continue }
                throw .notOurs(input: index)
            }
            do {
                switch kind {
                case .publicKeyHash:
                    let hash = hashes.publicKeyHash(index, Array(spent[index].script.dropFirst(2)))
                    signed[index].set(
                        PSBTType.TransactionInput.signature, key.publicKey,
                        to: try key.ecdsa(hash) + [SignatureHashes.all])
                case .taproot:
                    let hash = hashes.taprootKey(index)
                    signed[index].set(
                        PSBTType.TransactionInput.taprootSignature,
                        to: try key.taproot(hash, random: random))
                }
            } catch {
                throw .key(input: index)
            }
            count += 1
        }
        inputs = signed
        return count
    }

    /// The key that signs an input; nil where no origin is in the tree of `master`.
    private func ownKey(
        _ index: Int, _ script: [UInt8], _ master: ExtendedPrivateKey
    ) throws(PSBTError) -> (SpendKind, SigningKey)? {
        guard let kind = SpendKind(script: script) else { return nil }
        let map = inputs[index]
        // The x of the key, and its origin; of a Taproot key only as the internal one.
        let origins: [(x: [UInt8], origin: KeyOrigin?)] =
            switch kind {
            case .publicKeyHash:
                map.all(PSBTType.TransactionInput.origin)
                    .map { (Array($0.data.dropFirst().prefix(32)), KeyOrigin($0.value)) }
            case .taproot:
                map.all(PSBTType.TransactionInput.taprootOrigin)
                    .filter { $0.data == map.value(PSBTType.TransactionInput.taprootKey) }
                    .map { ($0.data, PSBTFields.taprootOrigin($0.value)?.origin) }
            }
        for (x, origin) in origins {
            guard let origin, origin.fingerprint == master.publicKey.fingerprint else { continue }
            guard let own = master.descendant(at: origin), own.publicKey.key.dropFirst() == x[...],
                kind.script(of: own.publicKey) == script
            else { throw .scriptMismatch(input: index) }
            guard hashTypeIsDefault(map, kind) else { throw .hashType(input: index) }
            return (kind, own.signingKey)
        }
        return nil
    }

    private func hashTypeIsDefault(_ map: PSBTMap, _ kind: SpendKind) -> Bool {
        guard let type = map.value(PSBTType.TransactionInput.hashType) else { return true }
        return type == (kind == .taproot ? [0, 0, 0, 0] : [SignatureHashes.all, 0, 0, 0])
    }

    private func isFinal(_ index: Int) -> Bool {
        inputs[index].value(PSBTType.TransactionInput.finalScript) != nil
            || inputs[index].value(PSBTType.TransactionInput.finalWitness) != nil
    }

    /// The finalizer's part: makes the witness of every input from its signature, which it
    /// verifies. Only what is spent and unknown records stay. All inputs or none.
    public mutating func finalize(on network: UTXONetwork) throws(PSBTError) {
        let spent = try allSpent(on: network)
        let hashes = try hashes(spent)
        var finished = inputs
        for index in inputs.indices where !isFinal(index) {
            let witness = try witness(index, spent[index].script, hashes)
            finished[index].keep { record in
                [
                    PSBTType.TransactionInput.previousTransaction,
                    PSBTType.TransactionInput.spentOutput,
                ]
                .contains(record.type) || record.type > PSBTType.TransactionInput.taprootRoot
            }
            finished[index].set(
                PSBTType.TransactionInput.finalWitness, to: UTXOTransaction.witnessBytes(witness))
        }
        inputs = finished
    }

    private func witness(
        _ index: Int, _ script: [UInt8], _ hashes: SignatureHashes
    ) throws(PSBTError) -> [[UInt8]] {
        let map = inputs[index]
        guard let kind = SpendKind(script: script) else {
            return try multisigWitness(index, script, hashes)
        }
        guard hashTypeIsDefault(map, kind) else { throw .hashType(input: index) }
        let program = Array(script.dropFirst(2))
        switch kind {
        case .publicKeyHash:
            let hash = hashes.publicKeyHash(index, program)
            for record in map.all(PSBTType.TransactionInput.signature)
            where record.data.count == 33 && Hash160.digest(record.data) == program {
                guard record.value.last == SignatureHashes.all,
                    CurveSignature.isECDSA(
                        Array(record.value.dropLast()), of: hash, by: record.data)
                else { throw .notSigned(input: index) }
                return [record.value, record.data]
            }
        case .taproot:
            if let signature = map.value(PSBTType.TransactionInput.taprootSignature),
                CurveSignature.isSchnorr(signature, of: hashes.taprootKey(index), by: program)
            {
                return [signature]
            }
        }
        throw .notSigned(input: index)
    }

    /// The extractor's part: the transaction with its scripts and witnesses, which must all be
    /// final.
    public func extracted() throws(PSBTError) -> UTXOTransaction {
        var transaction = transaction
        for index in inputs.indices {
            guard isFinal(index) else { throw .notFinal(input: index) }
            transaction.inputs[index].scriptSig =
                inputs[index].value(PSBTType.TransactionInput.finalScript) ?? []
            let witness = inputs[index].value(PSBTType.TransactionInput.finalWitness)
            transaction.inputs[index].witness = witness.flatMap { PSBTFields.witness($0) } ?? []
        }
        return transaction
    }
}
