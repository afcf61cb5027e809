"""Garbage on the wire: the gateway answers with the API's own errors or closes, matchd closes the
connection, and both serve the next client as if nothing had been."""
import hashlib
import hmac
import json
import random
import socket
import time
from contextlib import closing
from urllib.parse import urlencode

import pytest
from exchange import Exchange
from spot import Refusal, Spot

SEED = 20260101
CONNECTIONS = 60


@pytest.fixture(scope="module")
def venue(tmp_path_factory):
    exchange = Exchange(tmp_path_factory.mktemp("network") / "state")
    try:
        exchange.init().start()
        exchange.account = exchange.demo()["accounts"][0]
        yield exchange
        exchange.check_alive()
        assert set(exchange.stop_all().values()) == {0}
    finally:
        exchange.end()


@pytest.fixture
def client(venue):
    spot = Spot(venue.port, venue.account["keyID"], venue.account["secret"])
    yield spot
    spot.close()


def say(venue, data, seconds_max=5):
    """Sends bytes on a connection of its own; returns what came back until it was closed."""
    answer = b""
    with socket.create_connection(("127.0.0.1", venue.port), timeout=seconds_max) as wire:
        try:
            wire.sendall(data)
            wire.shutdown(socket.SHUT_WR)
            while part := wire.recv(65536):
                answer += part
                if len(answer) > 1 << 20:
                    pytest.fail("more than a MiB in answer to garbage")
        except OSError:  # closed by the other side, in whichever of the calls that shows
            pass
    return answer


def check_serves(venue):
    venue.check_alive()
    assert venue.answers()


def test_survives_random_bytes(venue):
    chance = random.Random(SEED)
    for _ in range(CONNECTIONS):
        say(venue, chance.randbytes(chance.randint(1, 4000)))
    check_serves(venue)


def test_survives_broken_requests(venue):
    requests = [
        b"GET\r\n\r\n", b"GET /api/v3/ping\r\n\r\n", b"GET /api/v3/ping HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"z" * 1_000_000 + b"\r\n\r\n",
        b"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\nabc",
        b"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /api/v3/depth?symbol=%zz%00%ff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/v3/depth?symbol=\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]
    for request in requests:
        answer = say(venue, request)
        assert not answer or answer.startswith(b"HTTP/1."), request[:60]
        if answer and b"/depth" not in request and b"/ping" not in request:
            assert b" 200 " not in answer.split(b"\r\n")[0], request[:60]
    check_serves(venue)


def test_refuses_a_body_that_is_too_large(venue):
    body = b"x=" + b"y" * 5_000_000
    head = f"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = say(venue, head.encode() + body)
    assert not answer or answer.split(b" ")[1] in (b"400", b"413"), answer[:100]
    check_serves(venue)


def test_survives_connections_that_say_nothing(venue):
    silent = [socket.create_connection(("127.0.0.1", venue.port)) for _ in range(100)]
    try:
        check_serves(venue)
    finally:
        for wire in silent:
            wire.close()


def websocket(venue, path="/ws", wire=None):
    """An open WebSocket, without a library that would refuse to send nonsense."""
    wire = wire or socket.create_connection(("127.0.0.1", venue.port), timeout=60)
    wire.sendall(
        f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        part = wire.recv(4096)
        assert part, f"no WebSocket on {path}: {head[:200]!r}"
        head += part
    assert b" 101 " in head.split(b"\r\n")[0], head[:200]
    return wire


def frame(text, opcode=1):
    data = text if isinstance(text, bytes) else text.encode()
    assert len(data) < 65536
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + size + b"\0\0\0\0" + data


def test_survives_nonsense_on_a_websocket(venue):
    chance = random.Random(SEED)
    texts = [
        "", "{", "[]", "null", "42", '"text"', '{"method":5}', '{"method":"SUBSCRIBE"}',
        '{"method":"SUBSCRIBE","params":"x","id":1}', '{"method":"NOTHING","id":1}',
        '{"method":"SUBSCRIBE","params":["' + "a" * 5000 + '"],"id":1}',
        '{"method":"SUBSCRIBE","params":[' + ",".join(['"a@trade"'] * 3000) + '],"id":2}',
        '{"method":"SUBSCRIBE","params":["nosuchsymbol@depth"],"id":1e99}',
        "[" * 10_000, '{"a":' * 5_000, b"\xff\xfe\xfd",
    ]
    for text in texts:
        with websocket(venue) as wire:
            wire.sendall(frame(text))
            wire.settimeout(0.3)
            try:
                wire.recv(65536)
            except (TimeoutError, ConnectionError):
                pass
    for _ in range(CONNECTIONS // 2):
        with websocket(venue) as wire:
            try:
                wire.sendall(chance.randbytes(chance.randint(1, 2000)))
            except ConnectionError:
                pass
    check_serves(venue)


def test_opens_a_websocket_on_a_connection_that_served_a_request(venue):
    """Clients with a pool of connections, as aiohttp, ask for it on one that is there."""
    wire = socket.create_connection(("127.0.0.1", venue.port), timeout=60)
    wire.sendall(b"GET /api/v3/ping HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = b""
    while not answer.endswith(b"{}"):
        part = wire.recv(4096)
        assert part, answer
        answer += part
    with websocket(venue, wire=wire) as open_wire:
        open_wire.sendall(frame('{"method":"LIST_SUBSCRIPTIONS","id":7}'))
        assert b'"id":7' in open_wire.recv(4096)


ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
         "quantity": "0.01", "price": "30000"}

# What is wrong, and the codes that the API has for it.
REFUSALS = [
    ({"symbol": "DOGEUSDT"}, {-1121}),
    ({"symbol": ""}, {-1102, -1105, -1121, -1100}),
    ({"side": "HOLD"}, {-1117}),
    ({"type": "GUESS"}, {-1116}),
    ({"timeInForce": "NEVER"}, {-1115}),
    ({"timeInForce": None}, {-1102}),
    ({"quantity": None}, {-1102}),
    ({"price": None}, {-1102}),
    ({"quantity": "NaN"}, {-1100}),
    ({"quantity": "Infinity"}, {-1100}),
    ({"quantity": "1e5"}, {-1100}),
    ({"quantity": "-1"}, {-1100, -1013}),
    ({"quantity": "0"}, {-1013, -1100}),
    ({"quantity": "0x10"}, {-1100}),
    ({"quantity": "1.000000000000000000001"}, {-1100}),
    ({"quantity": "0.0100000001"}, {-1111, -1013}),
    ({"quantity": "9" * 30}, {-1100, -1013, -1111}),
    ({"quantity": "0.000001"}, {-1013, -1111}),
    ({"price": "0"}, {-1013, -1100}),
    ({"price": "-5"}, {-1100, -1013}),
    ({"price": "30000.001"}, {-1013, -1111}),
    ({"price": "9" * 40}, {-1100, -1013, -1111}),
    ({"price": "١٢٣"}, {-1100}),
    ({"icebergQty": "abc"}, {-1100}),
    ({"newClientOrderId": "x" * 37}, {-1100, -1102, -1105}),
    ({"newClientOrderId": "a b\u0000c"}, {-1100}),
    ({"quantity": "90000", "price": "90000000"}, {-2010, -1013}),
]


def account(client):
    return client.get_signed("/api/v3/account")["balances"]


@pytest.mark.parametrize("change, codes", REFUSALS, ids=lambda value: str(value)[:40])
def test_refuses_an_order_with(client, change, codes):
    before = account(client)
    with pytest.raises(Refusal) as refusal:
        client.place(**(ORDER | change))
    assert refusal.value.code in codes, refusal.value
    assert refusal.value.message
    assert client.get_signed("/api/v3/openOrders") == []
    assert account(client) == before


def test_refuses_a_request_that_is_repeated_later(client, venue):
    """A signed request is good for its window only."""
    query = f"timestamp={int(time.time() * 1000) - 60_000}&recvWindow=5000"
    secret = venue.account["secret"].encode()
    digest = hmac.new(secret, query.encode(), hashlib.sha256).hexdigest()
    status, _, body = client.raw(
        "GET", f"/api/v3/account?{query}&signature={digest}",
        headers={"X-MBX-APIKEY": venue.account["keyID"]},
    )
    assert status == 400 and json.loads(body)["code"] == -1021


def test_takes_a_signed_request_once(client, venue):
    """Sent again as it is, or cut and escaped otherwise, over any connection."""
    query = urlencode(ORDER | {"timestamp": time.time_ns() // 1000, "recvWindow": 60_000})
    digest = hmac.new(venue.account["secret"].encode(), query.encode(), hashlib.sha256).hexdigest()
    headers = {"X-MBX-APIKEY": venue.account["keyID"]}

    def send(query, body=""):
        with closing(Spot(venue.port)) as other:
            status, _, content = other.raw(
                "POST", f"/api/v3/order?{query}&signature={digest}", headers=headers, body=body)
            return status, json.loads(content)
    status, placed = send(query)
    assert status == 200, placed
    orders = client.get_signed("/api/v3/openOrders")
    assert len(orders) == 1
    cuts = [(query[:at], query[at:]) for at in range(0, len(query) + 1, 3)]
    cuts += [(query.replace("LIMIT", "%4CIMIT"), ""), (query.replace("&side", "%26side"), "")]
    codes = {answer["code"] for _, answer in (send(*cut) for cut in cuts)}
    assert codes <= {-1007, -1021, -1022, -1100, -1101, -1102, -1104, -1105, -1130}, codes
    assert -1007 in codes and -1104 in codes
    assert client.get_signed("/api/v3/openOrders") == orders
    client.cancel(symbol="BTCUSDT", orderId=placed["orderId"])


def test_a_head_is_a_get_without_its_body(client):
    """Load balancers ask so."""
    for path, status in [("/health/live", 200), ("/health/ready", 200), ("/api/v3/time", 200),
                         ("/nowhere", 404)]:
        found, headers, body = client.raw("HEAD", path)
        assert found == status and body == b"" and int(headers["content-length"]) > 0, path
    assert client.get("/api/v3/ping") == {}


def test_refuses_bad_signatures(client, venue):
    now = int(time.time() * 1000)
    for signature in ("", "00", "zz" * 32, "A" * 64, "0" * 4000, "%00"):
        status, _, body = client.raw(
            "GET", f"/api/v3/account?timestamp={now}&signature={signature}",
            headers={"X-MBX-APIKEY": venue.account["keyID"]},
        )
        assert status in (400, 401), signature[:20]
        assert json.loads(body)["code"] in (-1022, -1102, -1100, -1105), (signature[:20], body)


def test_takes_an_order_id_once_while_it_is_open(client):
    first = client.place(**ORDER, newClientOrderId="twice")
    with pytest.raises(Refusal) as refusal:
        client.place(**ORDER, newClientOrderId="twice")
    assert refusal.value.code == -2010 and "uplicate" in refusal.value.message
    rows = client.get_signed("/api/v3/openOrders")
    assert [row["orderId"] for row in rows] == [first["orderId"]]
    client.cancel(symbol="BTCUSDT", orderId=first["orderId"])


def test_matchd_survives_garbage_on_its_socket(venue, client):
    chance = random.Random(SEED)
    path = str(venue.state / "run" / "match.sock")
    lengths = (0, 1, 7, 8, 2**31, 2**32 - 1)
    for turn in range(CONNECTIONS):
        data = chance.randbytes(chance.randint(1, 4000))
        if turn < len(lengths):  # a frame's length first
            data = lengths[turn].to_bytes(4, "little") + data
        with socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(5)
            wire.connect(path)
            try:
                wire.sendall(data)
                wire.shutdown(socket.SHUT_WR)
                while wire.recv(65536):
                    pass
            except OSError:
                pass
    venue.check_alive()
    order = client.place(**ORDER)
    assert client.cancel(symbol="BTCUSDT", orderId=order["orderId"])["status"] == "CANCELED"
