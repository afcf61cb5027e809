// PSBTs of cold storage: what its signers need, and the witnesses of several signers' scripts.

public import Addresses
internal import Keys
internal import Secrets

extension PSBT {
    /// Adds what the signers of cold storage need of an input that spends an output of it: that
    /// output, the keys with their origins, and the script of several. Of an address nothing more
    /// is known than the output.
    public mutating func updateInput(
        _ index: Int, spent: UTXOTransaction.TransactionOutput, of storage: ColdDescriptor,
        at place: UInt32
    ) throws(PSBTError) {
        guard inputs.indices.contains(index) else { throw .noSuchPlace(index) }
        guard (try? storage.script(place)) == spent.script else {
            throw .scriptMismatch(input: index)
        }
        var value: [UInt8] = []
        spent.write(to: &value)
        inputs[index].set(PSBTType.TransactionInput.spentOutput, to: value)
        guard let (keys, script) = storage.signers(place) else { throw .key(input: index) }
        for (key, origin) in keys {
            inputs[index].set(PSBTType.TransactionInput.origin, key, to: origin.bytes)
        }
        if let script { inputs[index].set(PSBTType.TransactionInput.witnessScript, to: script) }
    }

    /// Adds the keys of an output that goes back to cold storage, so that its signers know it as
    /// their own.
    public mutating func updateOutput(
        _ index: Int, of storage: ColdDescriptor, at place: UInt32
    ) throws(PSBTError) {
        guard outputs.indices.contains(index) else { throw .noSuchPlace(index) }
        guard (try? storage.script(place)) == transaction.outputs[index].script,
            let (keys, script) = storage.signers(place)
        else { throw .field(.output, type: PSBTType.TransactionOutput.origin) }
        for (key, origin) in keys {
            outputs[index].set(PSBTType.TransactionOutput.origin, key, to: origin.bytes)
        }
        if let script { outputs[index].set(PSBTType.TransactionOutput.witnessScript, to: script) }
    }

    /// Adds the extended keys of a storage of several, which some devices want before they sign
    /// (BIP174, `PSBT_GLOBAL_XPUB`): those whose origin says all steps.
    public mutating func updateKeys(of storage: ColdDescriptor) {
        guard storage.isMultisig else { return }
        for key in storage.keys {
            let text = key.account.text(isTest: storage.network.isTest)
            guard let origin = key.origin, origin.path.count == Int(key.account.depth),
                let bytes = Base58Check.bytes(text)
            else { continue }
            global.set(PSBTType.Global.extendedKey, bytes, to: origin.bytes)
        }
    }

    /// Leaves out signatures that are not valid, which would stand in the place of valid ones once
    /// it is combined with others. What it does not say enough of stays as it is.
    public mutating func leaveOutInvalidSignatures(on network: UTXONetwork) {
        guard let spent = try? allSpent(on: network),
            let hashes = SignatureHashes(transaction, spending: spent)
        else { return }
        for index in inputs.indices {
            let script = spent[index].script
            let hash: [UInt8]
            if SpendKind(script: script) == .publicKeyHash {
                hash = hashes.publicKeyHash(index, Array(script.dropFirst(2)))
            } else if let own = inputs[index].value(PSBTType.TransactionInput.witnessScript) {
                hash = hashes.witnessScript(index, own)
            } else {
                continue
            }
            inputs[index].keep { record in
                record.type != PSBTType.TransactionInput.signature || record.data.count != 33
                    || record.value.isSignature(of: hash, by: record.data)
            }
        }
    }

    /// The witness of an input that spends the hash of a script of several keys: as many of their
    /// signatures as it takes, which are verified, in the order of the keys.
    func multisigWitness(
        _ index: Int, _ spent: [UInt8], _ hashes: SignatureHashes
    ) throws(PSBTError) -> [[UInt8]] {
        let map = inputs[index]
        guard case .witness(version: 0, let program)? = UTXODestination(script: spent),
            program.count == 32, let bytes = map.value(PSBTType.TransactionInput.witnessScript),
            SHA256.digest(bytes) == program, let script = MultisigScript(bytes)
        else { throw .notOurs(input: index) }
        let type = map.value(PSBTType.TransactionInput.hashType)
        guard type == nil || type == [SignatureHashes.all, 0, 0, 0] else {
            throw .hashType(input: index)
        }
        let hash = hashes.witnessScript(index, bytes)
        var signatures: [[UInt8]] = []
        for key in script.keys where signatures.count < script.threshold {
            // One that is not valid is none: enough others may follow.
            guard let signature = map.value(PSBTType.TransactionInput.signature, key),
                signature.isSignature(of: hash, by: key)
            else { continue }
            signatures.append(signature)
        }
        guard signatures.count == script.threshold else {
            throw .tooFewSignatures(
                input: index, count: signatures.count, needed: script.threshold)
        }
        return [[]] + signatures + [bytes]
    }
}

extension ColdDescriptor {
    /// The keys of an index with their origins, and the script of several; nil where one cannot be
    /// derived.
    fileprivate func signers(
        _ index: UInt32
    ) -> (keys: [(key: [UInt8], origin: KeyOrigin)], script: [UInt8]?)? {
        var all: [(key: [UInt8], origin: KeyOrigin)] = []
        for key in keys {
            guard let own = try? key.key(index), let origin = key.origin(index) else { return nil }
            all.append((own, origin))
        }
        guard isMultisig else { return (all, nil) }
        return (try? witnessScript(index)).map { (all, $0) }
    }
}

extension [UInt8] {
    /// Whether it is a signature with SIGHASH_ALL behind it.
    func isSignature(of hash: [UInt8], by key: [UInt8]) -> Bool {
        last == SignatureHashes.all
            && CurveSignature.isECDSA(Array(dropLast()), of: hash, by: key)
    }
}

extension UTXOTransaction {
    /// Whether the witness of each input is one that lets it spend its output: by one key, or by
    /// several of a script of `MultisigScript`. Nil: it is; else the first that is not. `spent` are
    /// the outputs, in the order of the inputs.
    ///
    /// Only what wallets of these kinds make is taken, and of all of the transaction: another
    /// witness may be valid as well.
    public func unsignedInput(spending spent: [TransactionOutput]) -> Int? {
        guard let hashes = SignatureHashes(self, spending: spent) else { return 0 }
        return inputs.indices.first { !isSigned($0, spent[$0].script, hashes) }
    }

    private func isSigned(_ index: Int, _ spent: [UInt8], _ hashes: SignatureHashes) -> Bool {
        let input = inputs[index]
        let witness = input.witness
        guard input.scriptSig.isEmpty, let last = witness.last,
            case .witness(let version, let program)? = UTXODestination(script: spent)
        else { return false }
        if version == 1 {
            return witness.count == 1
                && CurveSignature.isSchnorr(last, of: hashes.taprootKey(index), by: program)
        }
        if program.count == 20 {
            return witness.count == 2 && last.count == 33 && Hash160.digest(last) == program
                && witness[0].isSignature(of: hashes.publicKeyHash(index, program), by: last)
        }
        guard SHA256.digest(last) == program, let script = MultisigScript(last),
            witness.count == script.threshold + 2, witness[0].isEmpty
        else { return false }
        let hash = hashes.witnessScript(index, last)
        var keys = script.keys[...]
        for signature in witness[1...script.threshold] {
            guard let place = keys.firstIndex(where: { signature.isSignature(of: hash, by: $0) })
            else { return false }
            keys = keys[(place + 1)...]
        }
        return true
    }
}
