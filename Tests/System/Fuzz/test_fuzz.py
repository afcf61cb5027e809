"""Every endpoint, every parameter, every extreme value, against a real gateway: each is answered
with JSON and a status of the API's own, and the process that answers is the same to the end.

The endpoints and their parameters are those that the gateway itself names, so none can be
forgotten. BOURSE_SEED replays a run; BOURSE_FUZZ_SECONDS and BOURSE_FUZZ_REQUESTS make it longer."""
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from exchange import BIN, VECTOR_ADDRESSES, Exchange
from spot import Spot

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "BadInput"))

from test_network import frame, websocket  # noqa: E402
from values import VALUES, at_random  # noqa: E402
from wire import BATCH, Request, Wire, encoded  # noqa: E402

SEED = int(os.environ.get("BOURSE_SEED", random.SystemRandom().getrandbits(32)))
RANDOM_SECONDS = float(os.environ.get("BOURSE_FUZZ_SECONDS", 15))
# Requests to one endpoint: most have fewer; of the others some are chosen, by the seed.
REQUESTS_MAX = int(os.environ.get("BOURSE_FUZZ_REQUESTS", 5_000))
REPLAY = f"again with BOURSE_SEED={SEED} BOURSE_FUZZ_SECONDS={RANDOM_SECONDS}"

SYMBOL = {"symbol": "BTCUSDT"}
LIMIT = SYMBOL | {"side": "BUY", "type": "LIMIT", "timeInForce": "IOC", "quantity": "0.01",
                  "price": "30000"}
ORDERS = [
    LIMIT,
    SYMBOL | {"side": "SELL", "type": "MARKET", "quantity": "0.01"},
    SYMBOL | {"side": "BUY", "type": "MARKET", "quoteOrderQty": "50"},
    LIMIT | {"timeInForce": "GTC", "icebergQty": "0.005"},
    LIMIT | {"type": "STOP_LOSS_LIMIT", "timeInForce": "GTC", "stopPrice": "90000"},
]

COIN = {"coin": "BTC", "network": "BTC"}
WITHDRAWAL = COIN | {"address": VECTOR_ADDRESSES[0], "amount": "0.001"}

# What each endpoint is sent where nothing is wrong, and the statuses that gets.
ROWS = {
    "GET /api/v3/ping": ([{}], {200}),
    "GET /api/v3/time": ([{}], {200}),
    "GET /api/v3/exchangeInfo": ([{}], {200}),
    "GET /sapi/v1/system/status": ([{}], {200}),
    "GET /fapi/v1/exchangeInfo": ([{}], {200}),
    "GET /dapi/v1/exchangeInfo": ([{}], {200}),
    "GET /eapi/v1/exchangeInfo": ([{}], {200}),
    "GET /sapi/v1/margin/allPairs": ([{}], {200}),
    "GET /sapi/v1/margin/isolated/allPairs": ([{}], {200}),
    "GET /api/v3/depth": ([SYMBOL], {200}),
    "GET /api/v3/trades": ([SYMBOL], {200}),
    "GET /api/v3/historicalTrades": ([SYMBOL, SYMBOL | {"fromId": "1"}], {200}),
    "GET /api/v3/aggTrades": ([SYMBOL, SYMBOL | {"startTime": "1", "endTime": "2"}], {200}),
    "GET /api/v3/klines": (
        [SYMBOL | {"interval": "1m"}, SYMBOL | {"interval": "1w", "limit": "1000"}], {200}),
    "GET /api/v3/uiKlines": ([SYMBOL | {"interval": "3d"}], {200}),
    "GET /api/v3/ticker/price": ([{}, SYMBOL], {200}),
    "GET /api/v3/ticker/bookTicker": ([{}, SYMBOL], {200}),
    "GET /api/v3/ticker/24hr": ([{}, SYMBOL], {200}),
    "POST /api/v3/order": (ORDERS, {200}),
    "POST /api/v3/order/test": (ORDERS, {200}),
    "GET /api/v3/order": ([SYMBOL | {"orderId": "1"}, SYMBOL | {"origClientOrderId": "x"}],
                          {200, 400}),
    "DELETE /api/v3/order": ([SYMBOL | {"orderId": "1"}, SYMBOL | {"origClientOrderId": "x"}],
                             {200, 400}),
    "POST /api/v3/order/cancelReplace": (
        [LIMIT | {"cancelReplaceMode": "ALLOW_FAILURE", "cancelOrderId": "1"},
         LIMIT | {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrigClientOrderId": "x"}],
        {200, 400, 409}),
    "PUT /api/v3/order/amend/keepPriority": (
        [SYMBOL | {"orderId": "1", "newQty": "0.5"},
         SYMBOL | {"origClientOrderId": "x", "newQty": "0.5", "newClientOrderId": "y"}],
        {200, 400}),
    "GET /api/v3/openOrders": ([{}, SYMBOL], {200}),
    "DELETE /api/v3/openOrders": ([SYMBOL], {200, 400}),
    "GET /api/v3/allOrders": (
        [SYMBOL | {"limit": "5"}, SYMBOL | {"startTime": "1", "limit": "5"}], {200}),
    "GET /api/v3/account": ([{}], {200}),
    "GET /api/v3/myTrades": (
        [SYMBOL | {"limit": "5"}, SYMBOL | {"orderId": "1", "limit": "5"}], {200}),
    "GET /api/v3/account/commission": ([SYMBOL], {200}),
    "GET /api/v3/myFilters": ([SYMBOL], {200}),
    "GET /api/v3/rateLimit/order": ([{}], {200}),
    "GET /sapi/v1/account/status": ([{}], {200}),
    "GET /sapi/v1/account/apiRestrictions": ([{}], {200}),
    "GET /sapi/v1/capital/config/getall": ([{}], {200}),
    "GET /sapi/v1/capital/deposit/address": ([{"coin": "BTC"}, COIN], {200}),
    "GET /sapi/v1/capital/deposit/hisrec": ([{}, {"coin": "BTC", "status": "1"}], {200}),
    "POST /sapi/v1/capital/withdraw/apply": (
        [WITHDRAWAL, WITHDRAWAL | {"withdrawOrderId": "x"}], {200, 400}),
    "GET /sapi/v1/capital/withdraw/address/list": ([{}], {200}),
    "GET /sapi/v1/capital/withdraw/history": (
        [{}, {"coin": "BTC", "status": "6"}, {"withdrawOrderId": "x"}, {"idList": "1,2"}], {200}),
    "GET /sapi/v1/asset/tradeFee": ([{}, SYMBOL], {200}),
    "GET /sapi/v1/asset/transfer": ([{}], {200}),
}

# Unknown order, order does not exist, cancel-replace failed in part or whole, amend refused; as many
# withdrawals are open as an account may have, and an id of one that was used before.
NO_SUCH_ORDER = {-2011, -2013, -2021, -2022, -2038, -4015, -4032}

# Statuses that any request may get here, where no limit of time is reached and matchd runs.
STATUSES = {200, 400, 401, 409}


# Any request may have these.
OF_SIGNING = ["timestamp", "recvWindow", "signature"]


@pytest.fixture(scope="module")
def venue(tmp_path_factory):
    print(f"\n{REPLAY}")
    exchange = Exchange(
        tmp_path_factory.mktemp("fuzz") / "state",
        settings={("gatewayd", "weight_per_minute"): 1_000_000_000,
                  ("gatewayd", "orders_per_10_seconds"): 1_000_000_000,
                  ("gatewayd", "orders_per_day"): 1_000_000_000_000})
    try:
        exchange.init().start("matchd", "gatewayd")
        accounts = exchange.demo()["accounts"]
        exchange.open_network()
        exchange.account = accounts[0] | exchange.add_key(
            accounts[0]["account"], "read", "trade", "withdraw")
        maker, taker = (Spot(exchange.port, a["keyID"], a["secret"]) for a in accounts[:2])
        for price in ("40000", "40001"):
            maker.place(**(LIMIT | {"timeInForce": "GTC", "price": price, "side": "SELL"}))
            taker.place(**(LIMIT | {"price": price}))
        maker.place(**(LIMIT | {"timeInForce": "GTC", "quantity": "1"}))
        for wire in (maker, taker):
            wire.close()
        began = {name: process.pid for name, process in exchange.running.items()}
        yield exchange
        exchange.check_alive()
        assert {name: process.pid for name, process in exchange.running.items()} == began
        assert exchange.answers()
        assert set(exchange.stop_all().values()) == {0}
    finally:
        exchange.end()


@pytest.fixture(scope="module")
def routes(venue):
    """The gateway's own table: (method, path, whether it wants a signature, the names of the
    parameters that it must have, and of those that it may have)."""
    done = subprocess.run(
        [str(BIN / "bourse-gatewayd"), "--config", str(venue.config), "--endpoints"],
        capture_output=True, text=True, check=True)
    rows = []
    for line in done.stdout.splitlines():
        method, path, who, *parameters = line.split()
        names = [(one.split(":")[0], one.endswith("!")) for one in parameters]
        rows.append((method, path, who != "open", [name for name, must in names if must],
                     [name for name, must in names if not must]))
    return rows


def check(request, reply, statuses=STATUSES):
    """What is true of every reply."""
    where = f"{request}: HTTP {reply.status} {reply.body[:200]!r}; {REPLAY}"
    # Signed before the gateway began: what became of it would not be known.
    is_early = reply.status == 503 and reply.json["code"] == -1007 and any(
        name == "timestamp" for name, _ in request.parameters)
    assert reply.status in statuses or is_early, where
    try:
        answer = reply.json
    except ValueError:
        pytest.fail(f"no JSON: {where}")
    if reply.status != 200:
        assert isinstance(answer, dict) and answer["msg"], where
        assert -2100 < answer["code"] < -1001 or -4200 < answer["code"] < -4000, where


def send_all(venue, requests):
    """Sends requests in batches; every reply is checked. Returns how many were read to their end:
    answered with 200, or with no such order."""
    wire = Wire(venue.port)
    good = 0
    try:
        for start in range(0, len(requests), BATCH):
            batch = requests[start:start + BATCH]
            for request, reply in zip(batch, wire.ask(batch, venue.account), strict=True):
                check(request, reply)
                good += reply.status == 200 or reply.json["code"] in NO_SUCH_ORDER
    finally:
        wire.close()
        venue.check_alive()
    return good


def tidy(venue):
    """Cancels what the fuzzer left resting."""
    Wire(venue.port).ask(
        [Request("DELETE", "/api/v3/openOrders", SYMBOL.items(), True)], venue.account)


def test_every_route_has_a_row(routes):
    assert {f"{method} {path}" for method, path, *_ in routes} == set(ROWS)
    names = {name for _, _, _, needs, takes in routes for name in needs + takes}
    assert len(names) > 45 and {
        "symbol", "startTime", "icebergQty", "cancelOrderId", "cancelOrigClientOrderId", "symbols",
        "limit", "coin", "network", "address", "amount", "addressTag", "withdrawOrderId",
        "walletType", "txId", "idList", "offset", "status"} <= names


def test_parameters_are_checked_against_the_row(venue, routes):
    """One that is missing, one without a value, one that the endpoint does not know."""
    wire = Wire(venue.port)
    known = {name for _, _, _, needs, takes in routes for name in needs + takes}

    def code(pairs):
        request = Request(method, path, pairs.items(), is_signed)
        reply = wire.ask([request], venue.account)[0]
        check(request, reply)
        return 200 if reply.status == 200 else reply.json["code"]
    for method, path, is_signed, needs, takes in routes:
        row = {k: encoded(v) for k, v in ROWS[f"{method} {path}"][0][0].items()}
        where = f"{method} {path}"
        for name in needs:
            rest = {k: v for k, v in row.items() if k != name}
            assert code(rest) == -1102, (where, name)
        for name in needs + takes:
            assert code(row | {name: ""}) == -1105, (where, name)
        for name in sorted(known - {*needs, *takes}) + ["x", "Symbol", "symbol%00", "%C3%A9", ""]:
            assert code(row | {name: "1"}) == -1104, (where, name)
    wire.close()
    tidy(venue)


def test_rows_are_answered(venue, routes):
    """Without it a row could be refused for its first parameter, and the others never be read."""
    wire = Wire(venue.port)
    for method, path, is_signed, _, _ in routes:
        rows, statuses = ROWS[f"{method} {path}"]
        for row in rows:
            request = Request(method, path, row.items(), is_signed)
            check(request, wire.ask([request], venue.account)[0], statuses)
    wire.close()
    tidy(venue)


@pytest.mark.parametrize("route", ROWS)
def test_takes_extreme_values(venue, routes, route):
    [(method, path, is_signed, needs, takes)] = [
        row for row in routes if f"{row[0]} {row[1]}" == route]
    requests = []
    # Each parameter alone in a request that is good without it; each of them twice.
    for row in ROWS[route][0]:
        for name in needs + takes + OF_SIGNING + ["x"]:
            for value in VALUES:
                pairs = {k: encoded(v) for k, v in row.items()} | {name: encoded(value)}
                requests.append(Request(method, path, pairs.items(), is_signed))
            pairs = [(k, encoded(v)) for k, v in row.items()] + [(name, "1"), (name, "1")]
            requests.append(Request(method, path, pairs, is_signed))
    chance = random.Random(f"{SEED} {route}")
    most = REQUESTS_MAX // (1 if method == "GET" else 3)  # the others are each a turn of the log
    if len(requests) > most:
        requests = chance.sample(requests, most)
    good = send_all(venue, requests)
    assert 0 < good, f"none of {len(requests)} was good: the fuzzer tests nothing; {REPLAY}"
    tidy(venue)


def test_takes_anything_at_random(venue, routes):
    chance = random.Random(SEED)
    deadline = time.monotonic() + RANDOM_SECONDS
    sent = 0
    while time.monotonic() < deadline:
        requests = []
        for _ in range(BATCH * 8):
            method, path, is_signed, needs, takes = chance.choice(routes)
            row = chance.choice(ROWS[f"{method} {path}"][0])
            pairs = [(k, encoded(v)) for k, v in row.items()]
            for _ in range(chance.randint(1, 4)):
                pairs.append((chance.choice(needs + takes + OF_SIGNING + ["x"]), encoded(at_random(chance))))
            if chance.random() < 0.8:  # else a name may stand twice
                pairs = list(dict(pairs).items())
            requests.append(Request(method, path, pairs, is_signed))
        send_all(venue, requests)
        sent += len(requests)
    print(f"{sent} requests at random")
    assert sent > 0
    tidy(venue)


def stream_texts(chance):
    """Commands of streams with numbers and names at their ends."""
    for value in VALUES:
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        name = json.dumps(text)
        yield f'{{"method":"SUBSCRIBE","params":["btcusdt@depth{text[:40]}"],"id":1}}'
        yield f'{{"method":"SUBSCRIBE","params":[{name}],"id":{name}}}'
        yield f'{{"method":"LIST_SUBSCRIPTIONS","id":{text}}}'
        yield f'{{"method":"SET_PROPERTY","params":["combined",{text}],"id":{at_random(chance)!r}}}'


def test_takes_anything_on_a_stream(venue):
    chance = random.Random(SEED)
    texts = list(stream_texts(chance))
    chance.shuffle(texts)
    for start in range(0, min(len(texts), 800), 4):  # five messages a second are let in
        with websocket(venue) as wire:
            for text in texts[start:start + 4]:
                wire.sendall(frame(text[:60_000]))
            wire.sendall(frame(b"", opcode=8))
            answers = b""
            while part := wire.recv(65536):
                answers += part
            assert answers, texts[start:start + 4]
    venue.check_alive()
