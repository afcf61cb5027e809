// The transactions that payments spend from, as the node has them: the signer wants them as proof.
//
// They are asked for by the block that has them, as a node needs no index of transactions for that;
// a pruned node has them for as long as it has the block.

internal import Addresses
internal import Nodes
internal import Payments
internal import Terms
internal import UTXO

/// What is known of the coins beside the log. All of it comes again after a restart.
struct PreviousKeeper {
    /// Maximum bytes that are kept, so that many payments from one transaction ask once.
    static let bytesMax = 32 << 20
    /// Maximum coins of which it is remembered what is wrong.
    static let faultsMax = 1_000

    private var kept: [TransactionID: [UInt8]] = [:]
    private var bytes = 0
    /// What is wrong with a coin, in words: it is not spent.
    private(set) var faults: [OutPoint: String] = [:]

    /// Notes what is wrong with a coin; nil: nothing.
    mutating func note(_ place: OutPoint, _ fault: String?) {
        guard let fault else {
            faults[place] = nil
            return
        }
        if faults.count < Self.faultsMax || faults[place] != nil { faults[place] = fault }
    }

    /// Forgets what was wrong with coins that are no more.
    mutating func forgetOthers(_ coins: ChainCoins) {
        if !faults.isEmpty { faults = faults.filter { coins.coins[$0.key] != nil } }
    }

    /// The transaction of a coin, without witnesses; nil where the coin cannot be spent, which is
    /// noted then.
    mutating func transaction(
        of place: OutPoint, _ output: UnspentOutput, _ coins: ChainCoins, _ node: some PaymentNode
    ) throws(NodeError) -> [UInt8]? {
        let id = place.transaction
        let name = "\(id.hex):\(place.output)"
        // What the node says of the coin alone; the signer reads the transaction itself.
        let said = UTXOTransaction.TransactionOutput(amount: output.units, script: output.script)
        if let difference = coins.difference(place, from: said) {
            note(place, difference)
            return nil
        }
        if let known = kept[id] { return known }
        let found: [UInt8]?
        if let open = coins.payments[id] {
            found = open.bytes
        } else {
            found = try node.transaction(id, of: output)
        }
        guard let found else {
            note(
                place,
                "its node has pruned the block of the coin \(name), whose transaction the signer "
                    + "wants to see: name a node that has it in [walletd] nodes")
            return nil
        }
        guard let stripped = UTXOTransaction.withoutWitness(found, of: id, on: coins.network)
        else { throw .malformed(method: "getrawtransaction", "is not \(id.hex)") }
        note(place, nil)
        keep(id, stripped)
        return stripped
    }

    private mutating func keep(_ id: TransactionID, _ stripped: [UInt8]) {
        if bytes + stripped.count > Self.bytesMax { (kept, bytes) = ([:], 0) }
        kept[id] = stripped
        bytes += stripped.count
    }
}
