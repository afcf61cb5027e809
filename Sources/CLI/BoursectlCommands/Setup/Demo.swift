// demo

import ArgumentParser
import Configuration
import JSON
import Presentation

struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Sets up example markets and two funded accounts with API keys.",
        discussion: """
            For trying things out: assets BTC, ETH and USDT, markets BTCUSDT and ETHUSDT, fees of \
            0.1 %, accounts demo1 and demo2 with 1,000 BTC, 10,000 ETH and 100,000,000 USDT each. \
            Their keys are kept in secrets/demo-keys.json in the state directory: a second run \
            shows the same keys and funds nothing again. Not for an exchange with customers.

            JSON: {"api", "accounts": [{"account", "keyID", "secret"}], "markets": [symbol]}
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var who: OperatorOption

    func run() throws {
        let settings = try common.settings()
        let session = try Exchange(settings: settings).session(who)
        var demo = try DemoExchange(session: session, settings: settings, name: who.text())
        try demo.setUp()
        let api =
            (settings.gatewayd.tlsCertificate == nil ? "http" : "https")
            + "://\(settings.gatewayd.listen)"
        common.out.give(
            [
                "api": .string(api),
                "accounts": .array(
                    demo.keys.accounts.map {
                        [
                            "account": .string($0.name), "keyID": .string($0.keyID),
                            "secret": .string($0.secret),
                        ]
                    }), "markets": .array(DemoExchange.markets.map { .string($0.symbol) }),
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
            "  for name, url in x.urls['api'].items():", "      if isinstance(url, str):",
            "          url = url.replace('https://api.binance.com', '\(api)')",
            "          x.urls['api'][name] = url", "  for name in ('fapiPublic', 'dapiPublic'):",
            "      x.urls['api'][name] = f'\(api)/{name[:4]}/v1'",
            "  x.create_order('BTC/USDT', 'limit', 'buy', 0.1, 60000)",
        ]
    }
}
