// What the wallet's daemon sees of chains.

import JSON
import Platform
import Terms

/// What the wallet's daemon sees of a chain, which the log does not say.
struct SeenChain {
    /// How it stands in words, and what to do.
    let text: String
    /// The same for programs.
    let json: JSONValue
}

/// The file in which bourse-walletd says how the chains stand.
struct SeenChains {
    /// By the chain's number; nil: nothing is known.
    let chains: [NetworkID: SeenChain]?
    /// Why nothing is known, or what is known is old.
    let warning: String?

    /// Maximum bytes of the file.
    private static var bytesMax: Int { 1 << 20 }
    /// The file is written each second.
    private static var ageNanosMax: Int64 { 15_000_000_000 }

    init(_ path: String) {
        let away = "bourse-walletd does not run here: deposits wait"
        guard let file = try? File(path, .read), let size = try? file.size(),
            let bytes = try? file.read(count: min(size, Self.bytesMax)),
            let json = JSONValue(parsing: bytes), let time = json["time"]?.whole,
            case .array(let rows)? = json["chains"]
        else {
            (chains, warning) = (nil, away)
            return
        }
        let age = Clock.realtimeNanos() - time
        let isConnected = json["isConnected"]?.flag ?? false
        warning =
            age > Self.ageNanosMax
            ? away : isConnected ? nil : "bourse-walletd has no connection to matchd: deposits wait"
        var found: [NetworkID: SeenChain] = [:]
        for row in rows {
            guard let number = row["network"]?.count.flatMap(UInt16.init(exactly:)),
                let condition = row["condition"]?.text, let text = row["text"]?.text
            else { continue }
            let pending = row["pending"]?.count ?? 0
            found[NetworkID(number)] = SeenChain(
                text: "\(condition): \(text)"
                    + (pending > 0 ? "; \(pending) deposits wait for confirmations" : ""),
                json: row)
        }
        chains = age > Self.ageNanosMax ? nil : found
    }
}
