// What operators ask of the wallet: a file for each kind of request, which is taken once.

import Configuration
import Logging
import Platform
import Terms

/// The requests of one wallet's directory.
struct OperatorRequests {
    private let bumpFile: String
    private let adoptFile: String
    private let coldFile: String
    private let log: Logger
    private let complaint: Complaint

    init(_ settings: Settings, _ log: Logger) {
        (bumpFile, adoptFile) = (settings.walletd.bumpFile, settings.walletd.adoptFile)
        coldFile = settings.walletd.coldFile
        (self.log, complaint) = (log, Complaint(log))
    }

    /// Whoever asked for these is not there any more, and may have done something else since.
    private static let ageNanosMax: Int64 = 600_000_000_000
    /// With `ColdArrival.nanosMax` less than `boursectl wallet cold import` waits for.
    private static let coldAgeNanosMax: Int64 = 15_000_000_000

    /// The withdrawal whose payment an operator wants replaced, once.
    func takeBump() -> WithdrawalID? {
        guard let words = take(bumpFile), words.count == 1, let number = UInt64(words[0]) else {
            return nil
        }
        log.notice("an operator wants the payment of withdrawal \(number) replaced")
        return WithdrawalID(number)
    }

    /// The transaction of a chain that an operator wants adopted, and the height of its block where
    /// that was named, once.
    func takeAdoption() -> (network: NetworkID, id: TransactionID, height: UInt64?)? {
        guard let parts = take(adoptFile), 2...3 ~= parts.count,
            let network = UInt16(parts[0]), let id = TransactionID(hex: String(parts[1]))
        else { return nil }
        let height = parts.count == 3 ? UInt64(parts[2]) : nil
        guard parts.count == 2 || height != nil else { return nil }
        log.notice("an operator wants 0x\(id.hex) of chain \(network) adopted")
        return (NetworkID(network), id, height)
    }

    /// A signed transaction of a chain that brings coins back from cold storage, once.
    func takeArrival() -> (NetworkID, [UInt8])? {
        // Its bytes are two digits each, between the chain's number and the time.
        let bytesMax = 2 * Limits.transactionBytesMax + 32
        guard
            let parts = take(coldFile, bytesMax: bytesMax, ageNanosMax: Self.coldAgeNanosMax),
            parts.count == 2, let network = UInt16(parts[0]),
            let content = hexBytes(String(parts[1]))
        else { return nil }
        log.notice("an operator brings a transaction of chain \(network) from cold storage")
        return (NetworkID(network), content)
    }

    /// The words of a request without its last one, the time: nanoseconds since 1970. It is taken
    /// away first, so that it is carried out once and none that comes meanwhile is lost; one that
    /// is old is not carried out at all.
    private func take(
        _ path: String, bytesMax: Int = 160, ageNanosMax: Int64 = Self.ageNanosMax
    ) -> [Substring]? {
        let taken = path + ".taken"
        let bytes: [UInt8]
        do throws(SystemError) {
            try Directory.rename(path, to: taken)
            bytes = try File(taken, .read).read(count: bytesMax)
            try Directory.remove(taken)
        } catch {
            if !error.isMissing { complaint.say("\(path) is not taken: \(error)") }
            return nil
        }
        let line = String(decoding: bytes.prefix { $0 != 0x0A && $0 != 0 }, as: UTF8.self)
        let words = line.split(separator: " ")
        guard let time = words.last.flatMap({ Int64($0) }) else {
            log.warning("the request in \(path) does not say when it was made: not carried out")
            return nil
        }
        let (age, overflow) = Clock.realtimeNanos().subtractingReportingOverflow(time)
        guard !overflow, -ageNanosMax...ageNanosMax ~= age else {
            log.warning("the request in \(path) is too old, or of another clock: not carried out")
            return nil
        }
        return Array(words.dropLast())
    }
}
