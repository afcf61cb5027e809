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
    private static var bytesMax: Int { 4 << 20 }
    /// The file is written each second.
    private static var ageNanosMax: Int64 { 15_000_000_000 }

    init(_ path: String) {
        let bytes: [UInt8]
        do throws(SystemError) {
            let file = try File(path, .read)
            bytes = try file.read(count: min(try file.size(), Self.bytesMax))
        } catch {
            (chains, warning) = (nil, "bourse-walletd does not run here (\(error)): deposits wait")
            return
        }
        guard let json = JSONValue(parsing: bytes), let time = json["time"]?.whole,
            case .array(let rows)? = json["chains"]
        else {
            (chains, warning) = (
                nil, "\(path) is not what bourse-walletd writes: deposits may wait"
            )
            return
        }
        let (age, overflow) = Clock.realtimeNanos().subtractingReportingOverflow(time)
        let isOld = overflow || !(-Self.ageNanosMax...Self.ageNanosMax ~= age)
        let isConnected = json["isConnected"]?.flag ?? false
        warning =
            isOld
            ? "bourse-walletd last said so \(max(0, age) / 1_000_000_000) s ago: it does not run, "
                + "or a node holds it up; deposits wait"
            : isConnected ? nil : "bourse-walletd has no connection to matchd: deposits wait"
        var found: [NetworkID: SeenChain] = [:]
        for row in rows {
            guard let number = row["network"]?.count.flatMap(UInt16.init(exactly:)),
                let condition = row["condition"]?.text, let text = row["text"]?.text
            else { continue }
            let pending = row["pending"]?.count ?? 0
            found[NetworkID(number)] = SeenChain(
                text: "\(condition): \(text)"
                    + (pending > 0 ? "; \(pending) deposits wait for confirmations" : "")
                    + (row["payouts"].map(Self.payouts) ?? "") + Self.remarks(row),
                json: row)
        }
        chains = found
    }

    /// What is to be known of hot and cold coins; empty: nothing.
    private static func remarks(_ row: JSONValue) -> String {
        let hot = row["books"]?["remark"]?.text.map { "; hot coins are \($0)" } ?? ""
        guard let moved = row["payouts"]?["remark"]?.text, !moved.isEmpty else { return hot }
        return "\(hot); \(moved)"
    }

    /// How the withdrawals stand, where there is something to say.
    private static func payouts(_ json: JSONValue) -> String {
        let waiting = (json["approved"]?.count ?? 0) + (json["open"]?.count ?? 0)
        guard let condition = json["condition"]?.text, let text = json["text"]?.text,
            waiting > 0 || json["isSound"]?.flag == false
        else { return "" }
        return "; withdrawals: \(condition)\(text.isEmpty ? "" : ": ")\(text)"
    }
}
