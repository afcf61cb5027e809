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

    /// The withdrawal whose payment an operator wants replaced, once.
    func takeBump() -> WithdrawalID? {
        guard let number = take(bumpFile).flatMap({ UInt64($0) }) else { return nil }
        log.notice("an operator wants the payment of withdrawal \(number) replaced")
        return WithdrawalID(number)
    }

    /// The transaction of a chain that an operator wants adopted, and the height of its block where
    /// that was named, once.
    func takeAdoption() -> (network: NetworkID, id: TransactionID, height: UInt64?)? {
        guard let parts = take(adoptFile)?.split(separator: " "), 2...3 ~= parts.count,
            let network = UInt16(parts[0]), let id = TransactionID(hex: String(parts[1]))
        else { return nil }
        let height = parts.count == 3 ? UInt64(parts[2]) : nil
        guard parts.count == 2 || height != nil else { return nil }
        log.notice("an operator wants 0x\(id.hex) of chain \(network) adopted")
        return (NetworkID(network), id, height)
    }

    /// A signed transaction of a chain that brings coins back from cold storage, once.
    func takeArrival() -> (NetworkID, [UInt8])? {
        // Its bytes are two digits each, behind the chain's number.
        let bytesMax = 2 * Limits.transactionBytesMax + 16
        guard let parts = take(coldFile, bytesMax: bytesMax)?.split(separator: " "),
            parts.count == 2, let network = UInt16(parts[0]),
            let content = hexBytes(String(parts[1]))
        else { return nil }
        log.notice("an operator brings a transaction of chain \(network) from cold storage")
        return (NetworkID(network), content)
    }

    /// The first line of a request, which is removed: it would be carried out again each second.
    private func take(_ path: String, bytesMax: Int = 128) -> String? {
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try File(path, .read).read(count: bytesMax) } catch {
            if !error.isMissing { complaint.say("\(path) cannot be read: \(error)") }
            return nil
        }
        do throws(SystemError) { try Directory.remove(path) } catch {
            complaint.say("\(path) is not taken: \(error)")
            return nil
        }
        return String(decoding: bytes.prefix { $0 != 0x0A && $0 != 0 }, as: UTF8.self)
    }
}
