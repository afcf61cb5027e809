// The updater's and combiner's parts of BIP174.

public import Keys

extension PSBT {
    /// Adds what a signer needs of an input: the output that it spends, and the key that does, with
    /// its origin. Taproot outputs have no scripts (BIP86).
    public mutating func updateInput(
        _ index: Int, spent: UTXOTransaction.TransactionOutput, key: ExtendedPublicKey,
        origin: KeyOrigin
    ) throws(PSBTError) {
        guard inputs.indices.contains(index) else { throw .noSuchPlace(index) }
        guard let kind = SpendKind(script: spent.script) else { throw .notOurs(input: index) }
        guard kind.script(of: key) == spent.script else { throw .scriptMismatch(input: index) }
        var value: [UInt8] = []
        spent.write(to: &value)
        inputs[index].set(PSBTType.TransactionInput.spentOutput, to: value)
        switch kind {
        case .publicKeyHash:
            inputs[index].set(PSBTType.TransactionInput.origin, key.key, to: origin.bytes)
        case .taproot:
            let x = Array(key.key.dropFirst())
            inputs[index].set(PSBTType.TransactionInput.taprootOrigin, x, to: [0] + origin.bytes)
            inputs[index].set(PSBTType.TransactionInput.taprootKey, to: x)
        }
    }

    /// Adds the transaction that an input spends from, which proves its amount to a signer.
    public mutating func updateInput(
        _ index: Int, previous: UTXOTransaction
    ) throws(PSBTError) {
        guard inputs.indices.contains(index) else { throw .noSuchPlace(index) }
        let outPoint = transaction.inputs[index].outPoint
        guard previous.id == outPoint.transaction,
            Int(outPoint.output) < previous.outputs.count
        else { throw .spentMismatch(input: index) }
        inputs[index].set(PSBTType.TransactionInput.previousTransaction, to: previous.bytes)
    }

    /// Adds the key of an output, so that a signer knows it as change.
    public mutating func updateOutput(
        _ index: Int, key: ExtendedPublicKey, origin: KeyOrigin
    ) throws(PSBTError) {
        guard outputs.indices.contains(index) else { throw .noSuchPlace(index) }
        let script = transaction.outputs[index].script
        guard let kind = SpendKind(script: script), kind.script(of: key) == script else {
            throw .field(.output, type: PSBTType.TransactionOutput.origin)
        }
        switch kind {
        case .publicKeyHash:
            outputs[index].set(PSBTType.TransactionOutput.origin, key.key, to: origin.bytes)
        case .taproot:
            let x = Array(key.key.dropFirst())
            outputs[index].set(PSBTType.TransactionOutput.taprootKey, to: x)
            outputs[index].set(PSBTType.TransactionOutput.taprootOrigin, x, to: [0] + origin.bytes)
        }
    }

    /// Whether an output pays to a key of a tree, as its first origin there says and its script
    /// proves.
    public func isChange(_ index: Int, of master: ExtendedPrivateKey) throws(PSBTError) -> Bool {
        guard outputs.indices.contains(index) else { throw .noSuchPlace(index) }
        guard let kind = SpendKind(script: transaction.outputs[index].script) else { return false }
        let origins =
            switch kind {
            case .publicKeyHash:
                outputs[index].all(PSBTType.TransactionOutput.origin).map { KeyOrigin($0.value) }
            case .taproot:
                outputs[index].all(PSBTType.TransactionOutput.taprootOrigin)
                    .map { PSBTFields.taprootOrigin($0.value)?.origin }
            }
        let fingerprint = master.publicKey.fingerprint
        guard let own = origins.first(where: { $0?.fingerprint == fingerprint }), let own,
            let key = master.descendant(at: own)
        else { return false }
        return kind.script(of: key.publicKey) == transaction.outputs[index].script
    }

    /// The combiner's part: all records of both, which must be of one transaction.
    public func combined(with other: PSBT) throws(PSBTError) -> PSBT {
        guard transaction == other.transaction else { throw .otherTransaction }
        let signatures: Set = [
            PSBTType.TransactionInput.signature, PSBTType.TransactionInput.taprootSignature,
            PSBTType.TransactionInput.taprootScriptSignature,
            PSBTType.TransactionInput.finalWitness,
        ]
        var combined = self
        combined.global = try global.merged(other.global, mayDiffer: [])
        for index in inputs.indices {
            combined.inputs[index] = try inputs[index].merged(
                other.inputs[index], mayDiffer: signatures)
        }
        for index in outputs.indices {
            combined.outputs[index] = try outputs[index].merged(
                other.outputs[index], mayDiffer: [])
        }
        return combined
    }
}

extension ExtendedPrivateKey {
    /// More steps than any path of BIP44 and its kin has; each costs a point of the curve.
    static let pathMax = 10

    /// The descendant at an origin; nil where it is of another tree.
    func descendant(at origin: KeyOrigin) -> ExtendedPrivateKey? {
        guard origin.fingerprint == publicKey.fingerprint, origin.path.count <= Self.pathMax else {
            return nil
        }
        return try? descendant(along: origin.path)
    }
}
