// What signatures sign: BIP143 for witness version 0, BIP341 for Taproot's key path.

internal import Keys
internal import Secrets

/// The hashes that the signatures of a transaction's inputs are of. What all inputs share is
/// computed once, so n inputs cost O(n).
public struct SignatureHashes: Sendable {
    private let transaction: UTXOTransaction
    private let spent: [UTXOTransaction.TransactionOutput]
    private let segWit: (outPoints: [UInt8], sequences: [UInt8], outputs: [UInt8])
    private let taproot: [UInt8]

    /// Of a transaction and the outputs that its inputs spend, in their order; nil where these are
    /// more or fewer.
    public init?(
        _ transaction: UTXOTransaction, spending spent: [UTXOTransaction.TransactionOutput]
    ) {
        guard spent.count == transaction.inputs.count else { return nil }
        (self.transaction, self.spent) = (transaction, spent)
        let (inputs, outputs) = (transaction.inputs, transaction.outputs)
        func hash(_ fill: (inout [UInt8]) -> Void) -> [UInt8] {
            var bytes: [UInt8] = []
            fill(&bytes)
            return SHA256.digest(bytes)
        }
        let outPoints = hash { bytes in for input in inputs { bytes += input.outPoint.bytes } }
        let sequences = hash { bytes in
            for input in inputs { bytes.append(integer: input.sequence) }
        }
        let paid = hash { bytes in for output in outputs { output.write(to: &bytes) } }
        let amounts = hash { bytes in for output in spent { bytes.append(integer: output.amount) } }
        let scripts = hash { bytes in for output in spent { bytes.append(string: output.script) } }
        segWit = (SHA256.digest(outPoints), SHA256.digest(sequences), SHA256.digest(paid))
        taproot = outPoints + amounts + scripts + sequences + paid
    }

    /// What ECDSA signs for an input that spends the hash of a public key (20 bytes): BIP143 with
    /// SIGHASH_ALL. `input` is an index of the inputs.
    public func publicKeyHash(_ input: Int, _ keyHash: [UInt8]) -> [UInt8] {
        witnessScript(input, [0x76, 0xA9, 20] + keyHash + [0x88, 0xAC])
    }

    /// The same for an input that spends the hash of a witness script, which has no
    /// `CODESEPARATOR`.
    public func witnessScript(_ input: Int, _ script: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(integer: transaction.version)
        bytes += segWit.outPoints + segWit.sequences
        bytes += transaction.inputs[input].outPoint.bytes
        bytes.append(string: script)
        bytes.append(integer: spent[input].amount)
        bytes.append(integer: transaction.inputs[input].sequence)
        bytes += segWit.outputs
        bytes.append(integer: transaction.lockTime)
        bytes.append(integer: UInt32(Self.all))
        return SHA256.digest(SHA256.digest(bytes))
    }

    /// What Schnorr signs for an input that spends a Taproot output by its key: BIP341 with
    /// SIGHASH_DEFAULT and without annex. `input` is an index of the inputs.
    public func taprootKey(_ input: Int) -> [UInt8] {
        // The epoch, and the type of the hash.
        var bytes: [UInt8] = [0, 0]
        bytes.append(integer: transaction.version)
        bytes.append(integer: transaction.lockTime)
        bytes += taproot
        // No script, no annex.
        bytes.append(0)
        bytes.append(integer: UInt32(input))
        return TaggedHash.digest("TapSighash", bytes)
    }

    /// SIGHASH_ALL: all inputs and all outputs.
    public static let all: UInt8 = 1
}
