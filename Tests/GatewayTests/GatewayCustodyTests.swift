// Goal: a client gets one address for its deposits, asks for a withdrawal once and sees what became
// of both; what is wrong with a request is refused before anything is logged.

import Gateway
import Glibc
import JSON
import Platform
import SpotAPI
import Terms
import Testing
import Wire

private typealias Exchange = GatewayExchange
private typealias Scene = CustodyVenue

private let capital = "/sapi/v1/capital/"

/// An exchange that serves, with a network of BTC on a chain, then `more`.
private func running(_ more: [Command] = []) throws -> Exchange {
    let exchange = try Exchange(
        [Scene.open(), Scene.declare()] + more, hasWithdrawer: true)
    try exchange.startMatching()
    try exchange.startGateway()
    return exchange
}

extension Exchange {
    /// Adds what the wallet sends to the log of a running exchange.
    fileprivate func wallet(_ commands: [Command]) throws {
        stopMatching()
        let last = add(commands)
        try startMatching()
        let gateway = try #require(gateway)
        wait("the gateway has not read them") { gateway.status().sequence >= last }
        try waitUntilServing()
    }
}

extension TestReply {
    fileprivate var rows: [JSONValue] {
        if case .array(let items) = json { items } else { [] }
    }
}

private func withdrawal(_ more: String) -> String {
    "coin=BTC&network=BTC&address=\(Scene.destination)&amount=1.5" + more
}

@Test func `coins have their networks`() throws {
    let exchange = try running([
        Scene.open(AssetID(2), NetworkID(2), name: "X"), Scene.declare(NetworkID(2), "dogecoin"),
        Scene.open(AssetID(2), NetworkID(3), name: "Y", takesWithdrawals: false),
        Scene.declare(NetworkID(3), "litecoin"),
        Scene.open(AssetID(2), NetworkID(4), name: "Z", takesDeposits: false),
        Scene.declare(NetworkID(4), "bitcoin-test"),
    ])
    let coins = try exchange.client().signed(
        "GET", capital + "config/getall", Exchange.readerKey)
    #expect(coins.rows.compactMap { $0["coin"] } == [.string("BTC"), .string("USDT")])
    guard case .array(let all) = coins.rows[0]["networkList"], let one = all.first else {
        Issue.record("BTC has a network: \(coins.body)")
        return
    }
    for (name, value) in [
        ("network", "BTC"), ("withdrawFee", "0.00000500"), ("withdrawMin", "0.00001500"),
        ("withdrawIntegerMultiple", "0.00000001"),
        ("withdrawMax", "99999999999999999999.00000000"),
    ] { #expect(one[name] == .string(value), "\(name)") }
    #expect(one["depositEnable"] == .bool(true) && one["withdrawEnable"] == .bool(true))
    #expect(one["minConfirm"] == .numeral("3") && one["isDefault"] == .bool(true))
    // A chain that is not known, one that takes no withdrawals, one of another network's key.
    guard case .array(let others) = coins.rows[1]["networkList"] else {
        Issue.record("USDT has networks: \(coins.body)")
        return
    }
    #expect(
        others.compactMap { $0["network"] } == [.string("X"), .string("Y"), .string("Z")])
    for (name, flags) in [
        ("depositEnable", [false, true, false]), ("withdrawEnable", [false, false, false]),
        ("isDefault", [true, false, false]),
    ] {
        #expect(others.compactMap { $0[name] } == flags.map { JSONValue.bool($0) }, "\(name)")
    }
}

/// A limit of the day of 20,000 units, and one of the month.
private func shown(month units: Int128) throws -> String {
    let exchange = try running([
        .setWithdrawalLimits(
            SetWithdrawalLimits(
                account: AccountID(0), asset: Scene.asset, dayCountMax: 0,
                amountMax: Amount(units: 30_000), dayAmountMax: Amount(units: 20_000),
                monthAmountMax: Amount(units: units), audit: Scene.audit))
    ])
    let path = capital + "config/getall"
    return try exchange.client().signed("GET", path, Exchange.readerKey).body
}

@Test func `the highest withdrawal is the lowest limit, and below the minimum there is none`()
    throws
{
    let open = try shown(month: 0)
    #expect(open.contains(#""withdrawMax":"0.00020500""#))
    #expect(open.contains(#""withdrawEnable":true"#))
    let closed = try shown(month: 999)
    #expect(closed.contains(#""withdrawMax":"0.00001499""#))
    #expect(!closed.contains(#""withdrawEnable":true"#))
}

@Test func `an account's own fee and minimum are shown, and are in its highest withdrawal`()
    throws
{
    func shown(minimum: Int128) throws -> String {
        let exchange = try running([
            .setWithdrawalLimits(
                SetWithdrawalLimits(
                    account: AccountID(0), asset: Scene.asset, dayCountMax: 0,
                    amountMax: Amount(units: 30_000), dayAmountMax: .zero, monthAmountMax: .zero,
                    audit: Scene.audit)),
            .setWithdrawalTerms(
                SetWithdrawalTerms(
                    account: AccountID(0), tier: 0, asset: Scene.asset, network: NetworkID(1),
                    minimum: Amount(units: minimum), fee: Amount(units: 70), audit: Scene.audit)),
        ])
        let path = capital + "config/getall"
        return try exchange.client().signed("GET", path, Exchange.readerKey).body
    }
    let open = try shown(minimum: 2_000)
    for text in [
        #""withdrawFee":"0.00000070""#, #""withdrawMin":"0.00002070""#,
        #""withdrawMax":"0.00030070""#, #""withdrawEnable":true"#,
    ] { #expect(open.contains(text), "\(text)") }
    #expect(!(try shown(minimum: 30_001)).contains(#""withdrawEnable":true"#))
}

@Test func `a stopped coin gives out nothing`() throws {
    let exchange = try running([
        .stopWithdrawals(StopWithdrawals(asset: Scene.asset, reason: "reconciliation"))
    ])
    let client = try exchange.client()
    let coins = try client.signed("GET", capital + "config/getall", Exchange.readerKey)
    #expect(coins.body.contains(#""depositEnable":true,"withdrawEnable":false"#))
    let refused = try client.signed(
        "POST", capital + "withdraw/apply", Exchange.withdrawerKey, withdrawal(""))
    #expect(refused.status == 400 && refused.code == -4019)
}

@Test func `an account has one deposit address on a chain`() throws {
    let exchange = try running()
    let client = try exchange.client()
    let path = capital + "deposit/address"
    for key in [Exchange.readerKey, Exchange.readerKey, Exchange.aliceKey] {
        let reply = try client.signed("GET", path, key, "coin=BTC&network=BTC")
        #expect(reply.text("address") == Scene.address && reply.text("coin") == "BTC")
        #expect(reply.text("tag")?.isEmpty == true && reply.text("url")?.isEmpty == true)
    }
    let other = try client.signed("GET", path, Exchange.bobKey, "coin=BTC")
    #expect(other.text("address")?.hasPrefix("bc1q") == true)
    #expect(other.text("address") != Scene.address)
    for (query, code) in [
        ("", -1102), ("coin=DOGE", -4018), ("coin=USDT", -4019),
        ("coin=BTC&network=ETH", -1130), ("coin=%C3%A9", -4018),
    ] {
        let reply = try client.signed("GET", path, Exchange.readerKey, query)
        #expect(reply.status == 400 && reply.code == code, "\(query): \(reply.body)")
    }
}

@Test func `a chain without addresses here is named, and nothing is assigned`() throws {
    let exchange = try running([
        Scene.open(AssetID(2), NetworkID(2), name: "X"), Scene.declare(NetworkID(2), "dogecoin"),
        Scene.open(AssetID(2), NetworkID(3), name: "Y"),
        Scene.open(AssetID(2), NetworkID(4), name: "Z"), Scene.declare(NetworkID(4), key: "xpub"),
        Scene.open(AssetID(2), NetworkID(5), name: "V", takesDeposits: false),
        Scene.declare(NetworkID(5), "litecoin"),
    ])
    let client = try exchange.client()
    for (network, text) in [
        ("X", "'dogecoin'"), ("Y", "no chain yet"), ("Z", "no valid key"), ("V", "are closed"),
    ] {
        let reply = try client.signed(
            "GET", capital + "deposit/address", Exchange.aliceKey, "coin=USDT&network=\(network)")
        #expect(reply.code == -1020 && reply.text("msg")?.contains(text) == true, "\(network)")
    }
    // The chain can be corrected, as it has no address.
    let keys = [
        // Of BIP32's first test vector: a chain has one number with each key.
        "xpub68Gmy5EdvgibQVfPdqkBBCHxA5htiqg55crXYuXoQRKfDBFA1WEjWgP6LHhwBZeNK1VTsfTFUHCdrfp1bgwQ9"
            + "xv5ski8PX9rL2dZXvgGDnw",
        "xpub6ASuArnXKPbfEwhqN6e3mwBcDTgzisQN1wXN9BJcM47sSikHjJf3UFHKkNAWbWMiGj7Wf5uMash7SyYq527Hq"
            + "ck2AxYysAA7xmALppuCkwQ",
    ]
    try exchange.wallet([
        Scene.declare(NetworkID(2), key: keys[0]), Scene.declare(NetworkID(4), key: keys[1]),
    ])
    for network in ["X", "Z"] {
        let reply = try exchange.client().signed(
            "GET", capital + "deposit/address", Exchange.aliceKey, "coin=USDT&network=\(network)")
        #expect(reply.text("address")?.hasPrefix("bc1q") == true, "\(network)")
    }
}

@Test func `a wrong withdrawal is refused, and nothing is held`() throws {
    let exchange = try running()
    let client = try exchange.client()
    let path = capital + "withdraw/apply"
    let to = "address=\(Scene.destination)"
    let typing = Scene.destination.dropLast() + "q"
    let mixed = "bc1Q" + Scene.destination.dropFirst(4)
    for (query, code) in [
        ("", -1102), ("coin=BTC&\(to)", -1102), ("coin=BTC&amount=1", -1102),
        ("coin=DOGE&\(to)&amount=1", -4018), ("coin=USDT&\(to)&amount=1", -4019),
        ("coin=BTC&network=ETH&\(to)&amount=1", -1130),
        ("coin=BTC&address=\(typing)&amount=1", -4033),
        ("coin=BTC&address=\(mixed)&amount=1", -4033),
        ("coin=BTC&address=tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx&amount=1", -4033),
        ("coin=BTC&address=0x52908400098527886E0F7030069857D2E4169EE7&amount=1", -4033),
        ("coin=BTC&\(to)&amount=-1", -1100), ("coin=BTC&\(to)&amount=1e3", -1100),
        ("coin=BTC&\(to)&amount=0.000000001", -4021), ("coin=BTC&\(to)&amount=0", -4028),
        ("coin=BTC&\(to)&amount=0.000005", -4028), ("coin=BTC&\(to)&amount=0.00001499", -4022),
        (withdrawal("&addressTag=7"), -4106), (withdrawal("&walletType=1"), -1130),
        (withdrawal("&transactionFeeFlag=2"), -1130),
        (withdrawal("&withdrawOrderId=a%20b"), -1100),
    ] {
        let reply = try client.signed("POST", path, Exchange.withdrawerKey, query)
        #expect(reply.status == 400 && reply.code == code, "\(query): \(reply.body)")
    }
    let unpermitted = try client.signed("POST", path, Exchange.aliceKey, withdrawal(""))
    #expect(unpermitted.status == 401 && unpermitted.code == -2015)
    let coins = try client.signed("GET", capital + "config/getall", Exchange.readerKey)
    #expect(coins.body.contains(#""free":"1000000.00000000""#))
    let list = try client.signed("GET", capital + "withdraw/history", Exchange.readerKey)
    #expect(list.body == "[]")
}

@Test func `a withdrawal is requested once, and costs what was asked`() throws {
    let exchange = try running()
    let client = try exchange.client()
    for amount in ["1000000.00000001", "99999999999999999999"] {
        let reply = try client.signed(
            "POST", capital + "withdraw/apply", Exchange.withdrawerKey,
            "coin=BTC&address=\(Scene.destination)&amount=\(amount)")
        #expect(reply.status == 400 && reply.code == -4026, "\(amount): \(reply.body)")
    }
    let query = withdrawal("&withdrawOrderId=w-1&name=my%20cold%20wallet&walletType=0")
    let first = try client.signed(
        "POST", capital + "withdraw/apply", Exchange.withdrawerKey, query)
    #expect(first.status == 200 && first.body == #"{"id":"1"}"#, "\(first.body)")
    let again = try client.signed(
        "POST", capital + "withdraw/apply", Exchange.withdrawerKey, query)
    #expect(again.status == 400 && again.code == -4032)
    let coins = try client.signed("GET", capital + "config/getall", Exchange.readerKey)
    #expect(coins.body.contains(#""free":"999998.50000000""#), "\(coins.body)")
    #expect(coins.body.contains(#""withdrawing":"1.50000000""#))

    let list = try client.signed("GET", capital + "withdraw/history", Exchange.readerKey)
    let one = try #require(list.rows.first)
    #expect(list.rows.count == 1)
    for (name, value) in [
        ("id", "1"), ("amount", "1.49999500"), ("transactionFee", "0.00000500"),
        ("coin", "BTC"), ("address", Scene.destination), ("txId", ""), ("network", "BTC"),
        ("withdrawOrderId", "w-1"), ("addressTag", ""),
    ] { #expect(one[name] == .string(value), "\(name)") }
    #expect(one["status"] == .numeral("4") && one["completeTime"] == nil)
    guard case .string(let time) = one["applyTime"] else {
        Issue.record("no time: \(list.body)")
        return
    }
    #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/) != nil, "\(time)")
    let foreign = try client.signed("GET", capital + "withdraw/history", Exchange.bobKey)
    #expect(foreign.body == "[]")
}

@Test func `a withdrawal is followed to its end, and found by each term`() throws {
    let exchange = try running([Scene.request(clientID: "w-1"), Scene.sign(1, [1])])
    let path = capital + "withdraw/history"
    func found(_ query: String) throws -> TestReply {
        try exchange.client().signed("GET", path, Exchange.readerKey, query)
    }
    #expect(try found("status=4").rows.first?["txId"] == .string(Scene.transaction(1).hex))
    try exchange.wallet([Scene.sign(2, replaces: 1, [1]), Scene.settle(2)])
    let ended = try found("")
    #expect(ended.rows.first?["status"] == .numeral("6"), "\(ended.body)")
    #expect(ended.rows.first?["txId"] == .string(Scene.transaction(2).hex))
    #expect(ended.rows.first?["completeTime"] != nil)
    let day = 86_400_000
    let now = Int(Clock.realtimeNanos() / 1_000_000)
    for (query, count) in [
        ("status=6", 1), ("status=4", 0), ("status=0", 0), ("status=5", 0), ("coin=BTC", 1),
        ("coin=USDT", 0), ("withdrawOrderId=w-1", 1), ("withdrawOrderId=w-2", 0),
        ("idList=1", 1), ("idList=3,1", 1), ("idList=2", 0), ("offset=1", 0), ("limit=5", 1),
        ("startTime=\(now - day)", 1), ("endTime=\(now - day)", 0),
        ("startTime=\(now - 90 * day)&endTime=\(now)", 1),
        ("withdrawOrderId=w-1&endTime=\(now - day)", 0),
    ] {
        let reply = try found(query)
        #expect(reply.status == 200 && reply.rows.count == count, "\(query): \(reply.body)")
    }
    for (query, code) in [
        ("status=7", -1130), ("status=x", -1100), ("coin=DOGE", -4018), ("idList=x", -1130),
        ("idList=" + (1...46).map(String.init).joined(separator: ","), -1130), ("limit=0", -1130),
        ("offset=-1", -1100), ("startTime=\(now - 91 * day)", -4047),
        ("startTime=\(now)&endTime=\(now - 1)", -4047),
    ] {
        let reply = try found(query)
        #expect(reply.status == 400 && reply.code == code, "\(query): \(reply.body)")
    }
}

@Test func `a deposit is seen while it waits and when it is credited`() throws {
    let exchange = try running([
        .assignAddress(AssignAddress(account: TestVenue.alice, network: Scene.network)),
        Scene.note(1, confirmations: 1),
    ])
    func found(_ query: String) throws -> TestReply {
        try exchange.client().signed(
            "GET", capital + "deposit/hisrec", Exchange.readerKey, query)
    }
    var one = try #require(try found("").rows.first)
    #expect(one["status"] == .numeral("0") && one["confirmTimes"] == .string("1/3"))
    #expect(one["completeTime"] == nil)
    try exchange.wallet([Scene.credit(1), Scene.note(2, confirmations: 0, .gone)])
    let all = try found("").rows
    #expect(all.compactMap { $0["status"] } == [.numeral("2"), .numeral("1")])
    one = try #require(all.last)
    for (name, value) in [
        ("amount", "0.00004000"), ("coin", "BTC"), ("network", "BTC"),
        ("address", Scene.address), ("txId", Scene.transaction(1).hex), ("confirmTimes", "3/3"),
    ] { #expect(one[name] == .string(value), "\(name)") }
    #expect(one["completeTime"] != nil && one["unlockConfirm"] == .numeral("3"))
    for (query, count) in [
        ("status=1", 1), ("status=0", 0), ("status=6", 0), ("coin=BTC", 2), ("coin=USDT", 0),
        ("txId=\(Scene.transaction(2).hex)", 1), ("txId=Internal", 0), ("offset=1", 1),
        ("limit=1", 1), ("includeSource=true", 2),
    ] {
        let reply = try found(query)
        #expect(reply.status == 200 && reply.rows.count == count, "\(query): \(reply.body)")
    }
    #expect(try found("status=3").code == -1130)
    #expect(try found("startTime=1").code == -4047)
    let coins = try exchange.client().signed(
        "GET", capital + "config/getall", Exchange.readerKey)
    #expect(coins.body.contains(#""free":"1000000.00004000""#))
}

@Test func `a gateway that starts again answers as before, and knows what it missed`() throws {
    let exchange = try running([
        .assignAddress(AssignAddress(account: TestVenue.alice, network: Scene.network)),
        Scene.note(1, confirmations: 1), Scene.note(2, confirmations: 2),
        Scene.note(3, confirmations: 0, .gone), Scene.credit(2),
        Scene.request(clientID: "w-1"), Scene.request(clientID: "w-2"), Scene.request(),
        Scene.sign(11, [1]), Scene.settle(11), Scene.sign(12, [2]),
    ])
    let paths = [
        "config/getall", "deposit/hisrec", "deposit/address?coin=BTC", "withdraw/history",
    ]
    func answers() throws -> [String] {
        let client = try exchange.client()
        return try paths.map { path in
            let parts = path.split(separator: "?").map(String.init)
            let reply = try client.signed(
                "GET", capital + parts[0], Exchange.readerKey, parts.count > 1 ? parts[1] : "")
            #expect(reply.status == 200, "\(path): \(reply.body)")
            return reply.body
        }
    }
    let before = try answers()
    #expect(before[1].split(separator: "\"txId\"").count == 4, "three deposits: \(before[1])")
    #expect(before[3].split(separator: "\"txId\"").count == 4, "three withdrawals: \(before[3])")
    try exchange.stopGateway()
    try exchange.startGateway()
    #expect(try answers() == before)
    // What was logged meanwhile is in it as if it had been there.
    try exchange.stopGateway()
    exchange.stopMatching()
    _ = exchange.add([Scene.credit(1), Scene.settle(12), Scene.request(clientID: "w-4")])
    try exchange.startMatching()
    try exchange.startGateway()
    let after = try answers()
    #expect(after != before)
    try exchange.stopGateway()
    let removed = unsafe unlink(exchange.directory + "/history.sqlite")
    #expect(removed == 0)
    try exchange.startGateway()
    #expect(try answers() == after, "a history that is made anew is the same")
    #expect(exchange.faults.all.isEmpty)
}
