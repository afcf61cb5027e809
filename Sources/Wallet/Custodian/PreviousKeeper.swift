// The transactions that payments spend from, as the node has them: the signer wants them as proof.
//
// They are asked for by the block that has them, as a node needs no index of transactions then. A
// pruned node has them for as long as it has the block: of such a node those of all coins are kept
// in files of their own, each named as its transaction, whose hash it is.

internal import Addresses
internal import Nodes
internal import Payments
internal import Platform
internal import Terms
internal import UTXO

/// What is known of the coins beside the log. All of it comes again after a restart.
struct PreviousKeeper {
    /// Maximum bytes that are kept, so that many payments from one transaction ask once.
    static let bytesMax = 32 << 20
    /// Maximum coins of which it is remembered what is wrong.
    static let faultsMax = 1_000
    /// Transactions that one look asks a pruned node for.
    static let sweepMax = 8

    /// The folder of the files; nil: there are none.
    var folder: String?
    /// The files that are there; nil: not known yet.
    private var files: Set<TransactionID>?
    /// Coins that this round found no transaction for.
    private var missed: Set<OutPoint> = []
    /// How many coins and payments there were when all coins had their files, and when that is
    /// looked at again, monotonic.
    private var swept: (coins: Int, payments: Int, until: Int64) = (0, 0, 0)
    /// How long nothing is looked at while there are as many.
    static let sweepNanos: Int64 = 60_000_000_000

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
        if let file = read(id, on: coins.network) {
            note(place, nil)
            keep(id, file)
            return file
        }
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

    // MARK: Of a pruned node

    private func path(_ id: TransactionID) -> String? {
        folder.map { Directory.join($0, id.hex) }
    }

    private func read(_ id: TransactionID, on network: UTXONetwork) -> [UInt8]? {
        guard let path = path(id),
            let bytes = try? File(path, .read).read(count: PreviousTransactions.bytesMax)
        else { return nil }
        return UTXOTransaction.withoutWitness(bytes, of: id, on: network)
    }

    /// Keeps the transactions of coins that have none on the disk yet, a few at a time, and removes
    /// those of coins that are no more.
    mutating func sweep(_ coins: ChainCoins, _ node: some PaymentNode) throws(NodeError) {
        let now = Clock.monotonicNanos()
        let isSame = (coins.coins.count, coins.payments.count) == (swept.coins, swept.payments)
        guard let folder, !isSame || now >= swept.until else { return }
        do throws(SystemError) { try sweepFiles(coins, folder) } catch {
            throw .unreachable("what it may forget is not kept: \(error)")
        }
        var count = 0
        for place in coins.coins.keys.sorted()
        where files?.contains(place.transaction) == false && !missed.contains(place)
            && coins.payments[place.transaction] == nil
        {
            // The others have their turn at the next look.
            if count == Self.sweepMax { return }
            count += 1
            guard let output = try node.unspent(place.transaction, place.output),
                let bytes = try transaction(of: place, output, coins, node),
                let path = path(place.transaction)
            else {
                missed.insert(place)
                continue
            }
            do throws(SystemError) { try File.replace(path, with: bytes) } catch {
                throw .unreachable("what it may forget is not kept: \(error)")
            }
            files?.insert(place.transaction)
        }
        missed = []
        swept = (coins.coins.count, coins.payments.count, now + Self.sweepNanos)
    }

    private mutating func sweepFiles(
        _ coins: ChainCoins, _ folder: String
    ) throws(SystemError) {
        if files == nil {
            try Directory.create(folder)
            files = Set(try Directory.names(in: folder).compactMap { TransactionID(hex: $0) })
        }
        let wanted = Set(coins.coins.keys.map(\.transaction))
        for id in files ?? [] where !wanted.contains(id) {
            if let path = path(id) { try Directory.remove(path) }
            files?.remove(id)
        }
    }
}
