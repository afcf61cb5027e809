// Goal: hot coins are watched for each asset of a chain by its own numbers; only what is far below
// the target is an alarm, and one that is not counted at the moment ends none.

import AgentAPI
import Checks
import Testing

@Suite struct HotCheckTests {
    /// What is found of hot coins where walletd says this of bitcoin's books, and of its assets'.
    private func found(
        _ books: String, assets: String? = nil, role: String = "primary"
    ) -> [String: CheckState] {
        var machine = Machine.metal
        let path = "/run/bourse-wallet/wallet.json"
        let own = #""books":{"condition":"balanced","isSound":true,"text":"""#
        let all = assets.map { #","assetBooks":[\#($0)]"# } ?? ""
        var text = machine.now[path] ?? ""
        let begin = text.firstRange(of: own)?.lowerBound ?? text.endIndex
        let end = text[begin...].firstIndex(of: "}") ?? text.endIndex
        text.replaceSubrange(begin...end, with: "\(own)\(books)}\(all)")
        machine.now[path] = text
        machine.now["/probe/exchange"] = machine.now["/probe/exchange"]?
            .replacing("role primary", with: "role \(role)")
        let hot = machine.findings.filter { $0.name.hasPrefix("wallet.hot") }
        return Dictionary(hot.map { ($0.name, $0.state) }, uniquingKeysWith: { $1 })
    }

    private static func band(_ percent: String, isLow: Bool = false) -> String {
        #","ceiling":"90","target":"40","hotPercent":\#(percent),"isHotLow":\#(isLow)"#
    }

    @Test func `only what is far below the target is an alarm`() {
        let name = "wallet.hot/bitcoin/BTC"
        #expect(found(Self.band("101")) == [name: .ok], "walletd moves them")
        #expect(found(Self.band("9", isLow: true)) == [name: .warning])
        #expect(found(Self.band("9", isLow: true), role: "standby") == [name: .ok])
        #expect(found(Self.band("null")) == [name: .unknown], "an alarm stands meanwhile")
        #expect(found("") == [:], "there is no cold storage")
        let huge = String(repeating: "9", count: 38)
        #expect(found(#","ceiling":"\#(huge)","hotPercent":\#(huge)"#) == [name: .unknown])
    }

    @Test func `each asset of a chain has its own`() {
        let coin = #"{"asset":"ETH","books":{}}"#
        let token = #"{"asset":"USDT","books":{"x":1\#(Self.band("20", isLow: true))}}"#
        // The chain's are those of the asset that stands worst.
        let all = found(Self.band("20", isLow: true), assets: "\(coin),\(token)")
        #expect(all == ["wallet.hot/bitcoin/USDT": .warning])
    }
}
