// Goal: a gateway whose history is damaged stops with a reason, and its next start rebuilds it.

import Gateway
import Glibc
import History
import JSON
import Testing

private typealias Exchange = GatewayExchange

@Test func `a damaged history ends the gateway, and the next start rewrites it`() throws {
    let exchange = try Exchange()
    try exchange.startMatching()
    try exchange.startGateway()
    _ = try exchange.client().signed(
        "POST", "/api/v3/order", Exchange.aliceKey,
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.5&price=60000"
            + "&newClientOrderId=ended")
    _ = try exchange.client().signed(
        "DELETE", "/api/v3/order", Exchange.aliceKey, "symbol=BTCUSDT&orderId=1")
    try exchange.stopGateway()
    try exchange.startGateway()
    try exchange.damageHistory()
    let asked = "symbol=BTCUSDT&origClientOrderId=ended"
    let lost = try exchange.client().signed("GET", "/api/v3/order", Exchange.aliceKey, asked)
    #expect(lost.status == 500 && lost.code == -1001)
    wait("the damage ends it") { !exchange.faults.all.isEmpty }
    #expect(exchange.faults.all.first?.contains("history.sqlite is damaged") == true)
    #expect(throws: HistoryError.self) { try exchange.stopGateway() }
    try exchange.startGateway()
    let found = try exchange.client().signed("GET", "/api/v3/order", Exchange.aliceKey, asked)
    #expect(found.json["status"] == .string("CANCELED"))
}
