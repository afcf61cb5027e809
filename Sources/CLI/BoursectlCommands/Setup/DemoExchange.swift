// The example exchange that `demo` sets up.

import ArgumentParser
import Configuration
import Engine
import Presentation
import Terms
import Wire

/// The example exchange. Each step checks whether it is done already, so that the next run
/// completes an interrupted one.
struct DemoExchange {
    let session: OperatorSession
    let settings: Settings
    let audit: Audit
    private(set) var keys: DemoKeys

    /// A market of the demo.
    struct DemoMarket {
        let symbol: String
        let base: String
        let lot: String
        let priceMax: String
    }

    static let assets = ["BTC", "ETH", "USDT"]
    static let markets = [
        DemoMarket(symbol: "BTCUSDT", base: "BTC", lot: "0.00001", priceMax: "1000000"),
        DemoMarket(symbol: "ETHUSDT", base: "ETH", lot: "0.0001", priceMax: "100000"),
    ]
    static let funds = [("BTC", "1000"), ("ETH", "10000"), ("USDT", "100000000")]

    init(session: OperatorSession, settings: Settings, name: Text40) throws(CommandError) {
        (self.session, self.settings) = (session, settings)
        audit = Audit(operatorName: name, reason: "demo")
        keys = try DemoKeys.load(settings)
    }

    /// Makes what is missing.
    mutating func setUp() throws {
        for code in Self.assets where !isAsset(code) {
            try session.submit(SetAsset(code: Text16(code) ?? Text16(), scale: 8, audit: audit))
        }
        for market in Self.markets where !isMarket(market.symbol) { try add(market) }
        if session.replica.engine.fees(tier: 0, instrument: InstrumentID(0)) == nil {
            let rate = FeeRate(e8: 100_000)
            try session.submit(SetFees(tier: 0, maker: rate, taker: rate, audit: audit))
        }
        for index in keys.accounts.indices {
            let account = try open(keys.accounts[index].name)
            try fund(index, account)
            try addKey(index, account)
        }
    }

    private func isAsset(_ code: String) -> Bool {
        Text16(code).flatMap { session.replica.engine.asset(code: $0) } != nil
    }

    private func isMarket(_ symbol: String) -> Bool {
        Text16(symbol).flatMap { session.replica.engine.instrument(symbol: $0) } != nil
    }

    private func add(_ market: DemoMarket) throws {
        let arguments = [
            market.symbol, "--base", market.base, "--quote", "USDT", "--tick", "0.01", "--lot",
            market.lot, "--notional-min", "5", "--price-max", market.priceMax, "--qty-max", "9000",
            "--operator", "\(audit.operatorName)", "--reason", audit.reason,
        ]
        try session.submit(InstrumentAddCommand.parse(arguments).command(session.replica))
    }

    private func open(_ name: String) throws -> AccountView {
        guard let text = Text40(name) else { preconditionFailure("a plain name") }
        if let account = session.replica.engine.account(name: text) { return account }
        try session.submit(OpenAccount(name: text, audit: audit))
        return try session.replica.account(name)
    }

    /// Credits the funds once: not where the keys' file notes that it was done, and no asset
    /// that the account holds already.
    private mutating func fund(_ index: Int, _ account: AccountView) throws {
        guard !keys.accounts[index].isFunded else { return }
        for (code, amount) in Self.funds {
            let asset = try session.replica.asset(code)
            guard session.replica.engine.balance(account.id, asset.id) == Balance(),
                let number = DecimalNumber(amount)
            else { continue }
            try session.submit(
                AdjustBalance(
                    account: account.id, asset: asset.id, amount: asset.amount(number),
                    reference: Text64("demo \(account.id.number) \(code)") ?? Text64(),
                    audit: audit))
        }
        keys.accounts[index].isFunded = true
        try keys.save(settings)
    }

    private func addKey(_ index: Int, _ account: AccountView) throws {
        let key = try APIKey(keyID: keys.accounts[index].keyID, secret: keys.accounts[index].secret)
        guard session.replica.engine.apiKey(key.text) == nil else { return }
        try session.submit(
            AddAPIKey(
                account: account.id, permissions: [.read, .trade], algorithm: .hmacSHA256,
                keyID: key.text, sealedSecret: key.sealed(settings), audit: audit))
    }
}
