// What a list is worth of the limits, and how an operator takes something out of it.

internal import JSON
internal import Journal
internal import Payments
internal import Platform
public import Terms

extension SignedList {
    /// What its entries have used of the limits, up to the last of them.
    func meter(_ limit: (Text40) -> SpendingLimit?) -> SpendingMeter {
        var meter = SpendingMeter(time: base.time, used: base.used)
        for entry in entries.dropFirst(base.entryCount) {
            let refill = limit(entry.chain)?.units?.refill ?? 0
            meter.replay(entry.chain, entry.counted, at: entry.time, refill: refill)
            if let token = entry.token {
                let refill = limit(token.limit)?.units?.refill ?? 0
                meter.replay(token.limit, token.counted, at: entry.time, refill: refill)
            }
        }
        return meter
    }

    /// What the list begins with once it is written anew with what `meter` has used.
    func nextBase(
        _ meter: inout SpendingMeter, _ seen: SeenRecord, _ journal: JournalIdentity?,
        _ limit: (Text40) -> SpendingLimit?
    ) -> SignedBase {
        var base = SignedBase(identity: self.base.identity)
        (base.journal, base.seen, base.time) = (journal, seen, meter.time)
        for chain in meter.chains {
            let used = meter.used(chain, refill: limit(chain)?.units?.refill ?? 0)
            if used > 0 { base.used[chain] = used }
        }
        return base
    }

    /// The transactions that operators took out of a list.
    static func forgotten(_ place: SignerPlace) throws(SignedListError) -> Set<TransactionID> {
        guard Directory.exists(place.forgottenFile) else { return [] }
        let content: [UInt8]
        do throws(SystemError) {
            content = try File(place.forgottenFile, .read).read(count: bytesMax)
        } catch { throw .system(error) }
        var all: Set<TransactionID> = []
        for line in content.split(separator: UInt8(ascii: "\n")) {
            guard let entry = JSONValue(parsing: line).flatMap({ SignedEntry($0) }) else {
                throw .damaged(path: place.forgottenFile, detail: "has a line that is no entry")
            }
            all.insert(entry.payment.transaction)
        }
        return all
    }

    /// The entry of a transaction; nil: it has none.
    public func entry(of transaction: TransactionID) -> SignedEntry? {
        entries.first { $0.payment.transaction == transaction }
    }

    /// Takes the entry of a transaction out of the list: it binds nothing any more, and what it
    /// pays may be signed again from other coins. So only an operator knows that it can never be
    /// final: it is for a signer that does not run. What it has used of the limits stays used. The
    /// entry is kept beside the list first.
    public func forget(
        _ transaction: TransactionID, limits: [SpendingLimit]
    ) throws(SignedListError) {
        guard let entry = entry(of: transaction) else {
            throw .unknown(transaction, path: place.listFile)
        }
        let byChain = Dictionary(limits.map { ($0.chain, $0) }, uniquingKeysWith: { a, _ in a })
        do throws(SystemError) {
            let before =
                Directory.exists(place.forgottenFile)
                ? try File(place.forgottenFile, .read).read(count: Self.bytesMax) : []
            guard before.count < Self.bytesMax - SignedFrame.textBytesMax else {
                throw SystemError.full("write", place.forgottenFile)
            }
            try File.replace(
                place.forgottenFile, with: before + Array((entry.json.compact + "\n").utf8),
                keepsOwner: true)
        } catch { throw .system(error) }
        var meter = meter { byChain[$0] }
        let next = nextBase(&meter, seen, base.journal) { byChain[$0] }
        guard rewrite(next, entries.filter { $0.payment.transaction != transaction }) else {
            throw .notWritten(path: place.listFile, fault ?? "")
        }
    }
}
