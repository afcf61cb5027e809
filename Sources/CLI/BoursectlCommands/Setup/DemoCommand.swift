// demo

import ArgumentParser
import Configuration
import Engine
import JSON
import Presentation
import Terms
import Wire

struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sets up example markets and two funded accounts with API keys.",
        discussion: """
            For trying things out: assets BTC, ETH and USDT, markets BTCUSDT and ETHUSDT, fees of \
            0.1 %, accounts demo1 and demo2 with 1,000 BTC, 10,000 ETH and 100,000,000 USDT each. \
            Their keys are kept in secrets/demo-keys.json in the state directory, so that a second \
            run shows the same ones; it funds nothing again. Not for an exchange with customers.

            JSON: {"api", "accounts": [{"account", "keyID", "secret"}], "markets": [symbol]}
            """)

    @OptionGroup var common: Common
    @OptionGroup var who: Operator

    func run() throws {
        let settings = try common.settings()
        let desk = try Exchange(settings: settings).desk(who)
        var demo = try DemoExchange(desk: desk, settings: settings, name: who.text())
        try demo.setUp()
        let api = "http://\(settings.gatewayd.listen)"
        common.out.give(
            [
                "api": .string(api),
                "accounts": .array(
                    demo.keys.accounts.map {
                        [
                            "account": .string($0.name), "keyID": .string($0.keyID),
                            "secret": .string($0.secret),
                        ]
                    }),
                "markets": .array(DemoExchange.markets.map { .string($0.symbol) }),
            ], text: text(api, demo.keys))
    }

    private func text(_ api: String, _ keys: DemoKeys) -> [String] {
        var table = Table([.words("ACCOUNT"), .words("API KEY"), .words("SECRET")])
        for account in keys.accounts { table.add([account.name, account.keyID, account.secret]) }
        guard let first = keys.accounts.first else { return [] }
        return ["Demo accounts on \(api)", ""] + table.lines(common.out.ink) + [
            "", "Try:", "  curl '\(api)/api/v3/depth?symbol=BTCUSDT'", "",
            "or with ccxt (python3 -m pip install ccxt):", "  import ccxt",
            "  x = ccxt.binance({'apiKey': '\(first.keyID)',",
            "                    'secret': '\(first.secret)'})",
            "  for name, url in x.urls['api'].items():",
            "      if isinstance(url, str):",
            "          url = url.replace('https://api.binance.com', '\(api)')",
            "          x.urls['api'][name] = url",
            "  for name in ('fapiPublic', 'dapiPublic'):",
            "      x.urls['api'][name] = f'\(api)/{name[:4]}/v1'",
            "  x.create_order('BTC/USDT', 'limit', 'buy', 0.1, 60000)",
        ]
    }
}

/// The example exchange. Each step looks whether it is done, so that a run that was cut off is
/// finished by the next.
struct DemoExchange {
    let desk: Desk
    let settings: Settings
    let audit: Audit
    private(set) var keys: DemoKeys

    /// A market of the demo.
    struct Market {
        let symbol: String
        let base: String
        let lot: String
        let priceMax: String
    }

    static let assets = ["BTC", "ETH", "USDT"]
    static let markets = [
        Market(symbol: "BTCUSDT", base: "BTC", lot: "0.00001", priceMax: "1000000"),
        Market(symbol: "ETHUSDT", base: "ETH", lot: "0.0001", priceMax: "100000"),
    ]
    static let funds = [("BTC", "1000"), ("ETH", "10000"), ("USDT", "100000000")]

    init(desk: Desk, settings: Settings, name: Text40) throws(Failure) {
        self.desk = desk
        self.settings = settings
        audit = Audit(operatorName: name, reason: "demo")
        keys = try DemoKeys.load(settings)
    }

    /// Does what is not done yet.
    mutating func setUp() throws {
        for code in Self.assets where !isAsset(code) {
            try desk.submit(
                SetAsset(code: Text16(code) ?? Text16(), scale: 8, audit: audit))
        }
        for market in Self.markets where !isMarket(market.symbol) { try add(market) }
        if desk.replica.engine.fees(tier: 0, instrument: InstrumentID(0)) == nil {
            let rate = FeeRate(e8: 100_000)
            try desk.submit(SetFees(tier: 0, maker: rate, taker: rate, audit: audit))
        }
        for index in keys.accounts.indices {
            let account = try open(keys.accounts[index].name)
            try fund(index, account)
            try addKey(index, account)
        }
    }

    private func isAsset(_ code: String) -> Bool {
        Text16(code).flatMap { desk.replica.engine.asset(code: $0) } != nil
    }

    private func isMarket(_ symbol: String) -> Bool {
        Text16(symbol).flatMap { desk.replica.engine.instrument(symbol: $0) } != nil
    }

    private func add(_ market: Market) throws {
        let arguments = [
            market.symbol, "--base", market.base, "--quote", "USDT", "--tick", "0.01", "--lot",
            market.lot, "--notional-min", "5", "--price-max", market.priceMax, "--qty-max", "9000",
            "--operator", "\(audit.operatorName)", "--reason", audit.reason,
        ]
        try desk.submit(InstrumentAdd.parse(arguments).command(desk.replica))
    }

    private func open(_ name: String) throws -> AccountView {
        guard let text = Text40(name) else { preconditionFailure("a plain name") }
        if let account = desk.replica.engine.account(name: text) { return account }
        try desk.submit(OpenAccount(name: text, audit: audit))
        return try desk.replica.account(name)
    }

    /// Credits the funds once. An account that was funded and lost the note of it holds something
    /// of each asset still; one without both gets them.
    private mutating func fund(_ index: Int, _ account: AccountView) throws {
        guard !keys.accounts[index].isFunded else { return }
        for (code, amount) in Self.funds {
            let asset = try desk.replica.asset(code)
            guard desk.replica.engine.balance(account.id, asset.id) == Balance(),
                let number = DecimalNumber(amount)
            else { continue }
            try desk.submit(
                AdjustBalance(
                    account: account.id, asset: asset.id, amount: asset.amount(number),
                    reference: Text64("demo \(account.id.number) \(code)") ?? Text64(),
                    audit: audit))
        }
        keys.accounts[index].isFunded = true
        try keys.save(settings)
    }

    private func addKey(_ index: Int, _ account: AccountView) throws {
        let key = try APIKey(
            keyID: keys.accounts[index].keyID, secret: keys.accounts[index].secret)
        guard desk.replica.engine.apiKey(key.text) == nil else { return }
        try desk.submit(
            AddAPIKey(
                account: account.id, permissions: [.read, .trade], algorithm: .hmacSHA256,
                keyID: key.text, sealedSecret: key.sealed(settings), audit: audit))
    }
}
