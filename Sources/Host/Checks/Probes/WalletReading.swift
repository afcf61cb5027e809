// The file in which bourse-walletd reports its chains (`[walletd] status`), written each second.

internal import JSON

/// What bourse-walletd last wrote. Members that are not known here are skipped.
package struct WalletReading: Hashable, Sendable {
    /// A chain, as walletd last saw it.
    package struct Chain: Hashable, Sendable {
        /// Its number in the log.
        package var network: UInt16
        /// Which chain it is, as `litecoin`.
        package var name: String
        /// The asset that comes in by it; empty: none.
        package var asset: String
        /// How it stands, in a word or two as `node syncing`.
        package var condition: String
        /// Whether deposits come in.
        package var isSound: Bool
        /// The same in one line, and what to do; it may be cut.
        package var text: String
        /// Where its node's chain ends, and the last block read; nil: not known.
        package var tip, read: Int64?
        /// The last block whose deposits are all credited; 0: none.
        package var credited: Int64
        /// Deposits that are seen and not credited.
        package var pending: Int64
        /// Its withdrawals; nil: a walletd that pays none reports none.
        package var payouts: Payouts?
        /// Ledger and chain, compared; nil: a walletd that does not compare reports nothing.
        package var books: Books?
        /// The hot and cold coins of each of its assets; of one that has no cold storage too.
        package var bands: [Band]
        /// What tells it from all others of the file: its name, or its name and number.
        package var subject: String
    }

    /// The withdrawals of a chain, as walletd last saw them.
    package struct Payouts: Hashable, Sendable {
        /// How they stand, in a word or two as `no signer`.
        package var condition: String
        /// Whether nobody has to do something.
        package var isSound: Bool
        /// The same in one line, and what to do; it may be cut.
        package var text: String
        /// Withdrawals that are approved and not signed, and payments that are signed and not
        /// final.
        package var approved, open: Int64
        /// What can be spent now, and what there is on the chain, in base units of the asset.
        package var free, total: Int64
    }

    /// Ledger and chain of a chain's asset, as walletd last compared them.
    package struct Books: Hashable, Sendable {
        /// How they compare, in a word or two as `coins vanished`.
        package var condition: String
        /// Whether nobody has to do something.
        package var isSound: Bool
        /// The same in one line, and what to do; it may be cut.
        package var text: String
    }

    /// The coins of an asset, hot and cold.
    package struct Band: Hashable, Sendable {
        /// The asset's code.
        package var asset: String
        /// What is in cold storage, above what hot coins are too many, and what is kept then, in
        /// base units; nil: not known, or above 64 bits.
        package var cold, ceiling, target: Int64?
        /// Whether there is cold storage to keep to.
        package var hasCeiling: Bool
        /// What is hot in percent of the ceiling; nil: not known, or there is none.
        package var hotPercent: Int64?
        /// Whether it is below half the target.
        package var isLow: Bool
        /// What is to be known of it; nil: nothing.
        package var remark: String?
    }

    /// When it was written, in nanoseconds since 1970.
    package var time: Int64
    /// Whether walletd has a connection to matchd, and all that is released there.
    package var isConnected: Bool
    /// The chains of the log, each once.
    package var chains: [Chain]

    /// Maximum bytes that are kept of a text.
    static var textBytesMax: Int { 300 }
    /// Maximum assets of a chain that are kept, as many as the log has.
    fileprivate static var bandsMax: Int { 256 }
    /// Maximum bytes of a name, as the log has them.
    private static var nameBytesMax: Int { 40 }

    /// Reads the file; nil where it is not what walletd writes.
    package init?(_ text: String) {
        guard let json = JSONValue(parsing: text.utf8), let time = json["time"]?.whole,
            let isConnected = json["isConnected"]?.flag,
            let chains = json["chains"]?.rows(Chain.init),
            Set(chains.map(\.network)).count == chains.count
        else { return nil }
        (self.time, self.isConnected, self.chains) = (time, isConnected, chains)
        let counts = Dictionary(chains.map { ($0.name, 1) }, uniquingKeysWith: +)
        for index in chains.indices where counts[chains[index].name] != 1 {
            self.chains[index].subject = "\(chains[index].name)/\(chains[index].network)"
        }
    }

    /// How old it is in seconds, below 0 where it is of a time to come; nil: the time is not known.
    func ageSeconds(_ realtimeNanos: Int64?) -> Int64? {
        realtimeNanos.map { Int64(clamping: (Int128($0) - Int128(time)) / 1_000_000_000) }
    }

    /// Whether it says how the chains stand now.
    func isCurrent(_ realtimeNanos: Int64?) -> Bool {
        ageSeconds(realtimeNanos).map { -10..<60 ~= $0 } ?? false
    }

    /// One line of at most `textBytesMax` bytes.
    fileprivate static func line(_ text: String) -> String {
        var line = ""
        for scalar in text.unicodeScalars {
            let isControl =
                scalar.value < 0x20 || 0x7F...0x9F ~= scalar.value
                || 0x2028...0x2029 ~= scalar.value
            guard line.utf8.count < textBytesMax else { return line + "…" }
            line.unicodeScalars.append(isControl ? " " : scalar)
        }
        return line
    }

    /// Whether a text may be how something stands.
    fileprivate static func isCondition(_ text: String) -> Bool {
        text.utf8.count <= 40 && text.utf8.allSatisfy { 0x20...0x7E ~= $0 }
    }

    /// Whether a text may be a name.
    fileprivate static func isName(_ text: String) -> Bool {
        text.utf8.count <= nameBytesMax && text.utf8.allSatisfy { 0x21...0x7E ~= $0 }
    }
}

extension WalletReading.Chain {
    fileprivate init?(_ json: JSONValue) {
        guard let network = json["network"]?.count.flatMap(UInt16.init(exactly:)),
            let name = json["chain"]?.text, !name.isEmpty, WalletReading.isName(name),
            let asset = json["asset"]?.text, WalletReading.isName(asset),
            let condition = json["condition"]?.text, WalletReading.isCondition(condition),
            let isSound = json["isSound"]?.flag, let text = json["text"]?.text,
            let credited = json["credited"]?.count, let pending = json["pending"]?.count
        else { return nil }
        let payouts = json["payouts"].map(WalletReading.Payouts.init)
        if let payouts, payouts == nil { return nil }
        let books = json["books"].map(WalletReading.Books.init)
        if let books, books == nil { return nil }
        // Of a chain of several assets `books` are those that stand worst.
        let all = json["assetBooks"]?.rows { row -> WalletReading.Band? in
            guard let code = row["asset"]?.text, let books = row["books"] else { return nil }
            return WalletReading.Band(code, books)
        }
        let own = json["books"].flatMap { WalletReading.Band(asset, $0) }
        let bands = (all ?? []).isEmpty ? own.map { [$0] } ?? [] : all ?? []
        guard Set(bands.map(\.asset)).count == bands.count else { return nil }
        func height(_ member: String) -> Int64? { json[member]?.count.map { Int64(clamping: $0) } }
        self.init(
            network: network, name: name, asset: asset, condition: condition, isSound: isSound,
            text: WalletReading.line(text), tip: height("tip"), read: height("read"),
            credited: Int64(clamping: credited), pending: Int64(clamping: pending),
            payouts: payouts ?? nil, books: books ?? nil,
            bands: Array(bands.prefix(WalletReading.bandsMax)), subject: name)
    }
}

extension WalletReading.Payouts {
    fileprivate init?(_ json: JSONValue) {
        guard let condition = json["condition"]?.text, WalletReading.isCondition(condition),
            let isSound = json["isSound"]?.flag, let text = json["text"]?.text,
            let approved = json["approved"]?.count, let open = json["open"]?.count,
            let free = json["free"]?.count, let total = json["total"]?.count
        else { return nil }
        self.init(
            condition: condition, isSound: isSound, text: WalletReading.line(text),
            approved: Int64(clamping: approved), open: Int64(clamping: open),
            free: Int64(clamping: free), total: Int64(clamping: total))
    }
}

extension WalletReading.Books {
    fileprivate init?(_ json: JSONValue) {
        guard let condition = json["condition"]?.text, WalletReading.isCondition(condition),
            let isSound = json["isSound"]?.flag, let text = json["text"]?.text
        else { return nil }
        self.init(condition: condition, isSound: isSound, text: WalletReading.line(text))
    }
}

extension WalletReading.Band {
    fileprivate init?(_ asset: String, _ books: JSONValue) {
        guard !asset.isEmpty, WalletReading.isName(asset) else { return nil }
        func units(_ member: String) -> Int64? { books[member]?.text.flatMap { Int64($0) } }
        self.init(
            asset: asset, cold: units("cold"), ceiling: units("ceiling"), target: units("target"),
            hasCeiling: books["ceiling"]?.text != nil,
            hotPercent: books["hotPercent"]?.count.map { Int64(clamping: $0) },
            isLow: books["isHotLow"]?.flag ?? false,
            remark: books["remark"]?.text.map(WalletReading.line))
    }
}

extension Observation {
    /// What walletd last wrote; nil where there is no such file, or it is something else.
    func wallet(_ plan: HostPlan) -> WalletReading? {
        plan.wallet.flatMap(text).flatMap(WalletReading.init)
    }
}
