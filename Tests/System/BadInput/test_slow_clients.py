"""Clients that do not read their replies: the gateway buffers a bounded sum for all of them,
the slowest go first, and those who read are served as ever."""
import json
import random
import socket
import threading
import time

import pytest
from exchange import Exchange
from spot import Spot, Unknown
from test_network import frame, websocket

MEBIBYTE = 1 << 20
MEMORY_MIB = 32
# What may stand beside the bound: connections, the allocator's own, one reply being written.
BESIDE_MIB = 96
LEVELS = 2_000
ORDER = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.001"}


@pytest.fixture(scope="module")
def venue(tmp_path_factory):
    exchange = Exchange(
        tmp_path_factory.mktemp("slow") / "state",
        settings={("gatewayd", "client_memory_mib"): MEMORY_MIB,
                  ("gatewayd", "weight_per_minute"): 1_000_000_000})
    try:
        exchange.init().start("matchd", "gatewayd")
        account = exchange.demo()["accounts"][0]
        exchange.account = account
        client = Spot(exchange.port, account["keyID"], account["secret"])
        # A book whose depth is a large answer to a small request.
        for number in range(LEVELS):
            client.place(**ORDER, side="BUY", price=str(10_000 + number), newOrderRespType="ACK")
        client.close()
        yield exchange
        exchange.check_alive()
        assert set(exchange.stop_all().values()) == {0}
    finally:
        exchange.end()


def resident(exchange, name="gatewayd"):
    """Bytes of memory that a daemon has."""
    with open(f"/proc/{exchange.running[name].pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


class Peak:
    """The gateway's memory above what it was at first."""

    def __init__(self, exchange):
        self.exchange = exchange
        self.first = resident(exchange)
        self.most = 0

    def look(self):
        self.most = max(self.most, resident(self.exchange) - self.first)

    def check(self):
        self.look()
        print(f"{self.first / MEBIBYTE:.0f} MiB, then {self.most / MEBIBYTE:.0f} MiB more")
        assert self.most < (MEMORY_MIB + BESIDE_MIB) * MEBIBYTE
        self.exchange.check_alive()
        client = Spot(self.exchange.port)
        assert client.get("/api/v3/ping") == {}
        client.close()


def deaf(exchange):
    """A connection that takes in as little as the system lets it."""
    wire = socket.socket()
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wire.connect(("127.0.0.1", exchange.port))
    wire.settimeout(10)
    return wire


DEPTH = b"GET /api/v3/depth?symbol=BTCUSDT&limit=5000 HTTP/1.1\r\nHost: x\r\n\r\n"
PING = b"GET /api/v3/ping HTTP/1.1\r\nHost: x\r\n\r\n"


def test_takes_no_request_of_one_who_does_not_read(venue):
    """600 answers of 60 KB each were asked for at once, and used to be written at once."""
    peak = Peak(venue)
    with deaf(venue) as wire:
        wire.setblocking(False)
        for _ in range(40):
            try:
                wire.send(DEPTH * 15)
            except BlockingIOError:
                pass
            time.sleep(0.02)
            peak.look()
    peak.check()
    assert peak.most < 24 * MEBIBYTE


def test_pipelined_requests_are_all_answered_to_one_who_reads(venue):
    """In their order, more than wait at once, read slowly."""
    with deaf(venue) as wire:
        for _ in range(4):
            wire.sendall((DEPTH + PING) * 16)
            answer = b""
            while answer.count(b"HTTP/1.1 200") < 32 or not answer.endswith(b"{}"):
                part = wire.recv(65536)
                assert part, "closed before all was answered"
                answer += part
                time.sleep(0.0005)
            bodies = [part.split(b"\r\n\r\n", 1)[1] for part in answer.split(b"HTTP/1.1 200")[1:]]
            assert [body == b"{}" for body in bodies] == [False, True] * 16
            assert len(json.loads(bodies[0])["bids"]) == LEVELS


def test_a_flood_of_small_requests_is_answered(venue):
    """In their order, none on the stack of the one before, with no more memory than for one."""
    peak = Peak(venue)
    count = 20_000
    with socket.create_connection(("127.0.0.1", venue.port), timeout=30) as wire:
        threading.Thread(target=wire.sendall, args=(PING * count,), daemon=True).start()
        answers = 0
        rest = b""
        while answers < count:
            part = wire.recv(1 << 20)
            assert part, f"closed after {answers}"
            rest += part
            answers += rest.count(b"HTTP/1.1 200")
            rest = rest[-11:]  # a head that is cut in two counts when it is whole
    peak.check()


def test_more_requests_than_may_wait_end_the_connection(venue):
    """Those that waited are answered before."""
    with deaf(venue) as wire:
        answer = b""
        try:
            wire.sendall(DEPTH.replace(b"5000", b"1000") * 200)
            time.sleep(1)
            while part := wire.recv(1 << 20):
                answer += part
        except ConnectionError:
            pass
    assert 64 <= answer.count(b"HTTP/1.1 200") < 200
    assert answer.count(b"connection: close") == 1


def test_many_who_do_not_read_share_one_bound(venue):
    """400 connections with a quarter of a MiB each would be 100 MiB, and more without a bound."""
    peak = Peak(venue)
    wires = [deaf(venue) for _ in range(400)]
    reader = Spot(venue.port)
    try:
        for wire in wires:
            wire.sendall(DEPTH * 40)
        for _ in range(40):
            peak.look()
            # One who reads is served meanwhile.
            assert len(reader.get("/api/v3/depth", symbol="BTCUSDT", limit=5000)["bids"]) == LEVELS
            time.sleep(0.05)
        closed = 0
        for wire in wires:
            wire.settimeout(0.02)
            try:
                while wire.recv(1 << 20):
                    pass
                closed += 1
            except TimeoutError:
                pass
            except ConnectionError:
                closed += 1
        assert closed > 0, "memory was short, and nobody gave way"
    finally:
        reader.close()
        for wire in wires:
            wire.close()
    peak.check()
    assert "client_memory_mib" in venue.log_tail("gatewayd", 50)


def test_streams_that_are_not_read_share_the_bound(venue):
    """300 listeners to all depth, none of which reads; one who reads gets every update."""
    peak = Peak(venue)
    wires = [websocket(venue, "/ws/btcusdt@depth20@100ms/btcusdt@depth@100ms", wire=deaf(venue))
             for _ in range(300)]
    account = venue.account
    client = Spot(venue.port, account["keyID"], account["secret"])
    chance = random.Random(1)
    try:
        with websocket(venue, "/ws/btcusdt@depth@100ms") as reader:
            reader.settimeout(5)
            got = b""
            for _ in range(60):
                for _ in range(20):
                    order = client.place(
                        **ORDER, side="BUY", price=str(13_000 + chance.randint(0, 900)),
                        newOrderRespType="ACK")
                    client.cancel(symbol="BTCUSDT", orderId=order["orderId"])
                peak.look()
            while got.count(b"depthUpdate") < 5:
                part = reader.recv(65536)
                assert part, "the one who reads was closed"
                got += part
    finally:
        client.close()
        for wire in wires:
            wire.close()
    peak.check()


def test_half_requests_share_the_bound(venue):
    """1,500 bodies of 64 KB, none of them whole."""
    peak = Peak(venue)
    head = b"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n"
    wires = []
    try:
        for number in range(1_500):
            wire = socket.create_connection(("127.0.0.1", venue.port), timeout=10)
            wires.append(wire)
            try:
                wire.sendall(head + b"x=" + b"y" * 60_000)
            except ConnectionError:
                pass  # it was the slowest already
            if number % 50 == 0:
                peak.look()
        peak.look()
    finally:
        for wire in wires:
            wire.close()
    peak.check()


def test_a_symbol_named_often_is_no_large_answer(venue):
    """A list of 59 KB that names one symbol again and again asked for 9 MB."""
    client = Spot(venue.port)
    names = json.dumps(["BTCUSDT"] * 2_000, separators=(",", ":"))
    status, _, body = client.raw("GET", "/api/v3/exchangeInfo?symbols=" + names)
    assert status == 400 and json.loads(body)["code"] == -1151
    client.close()


def test_names_of_streams_are_bounded(venue):
    """A name that means nothing was kept whatever its length."""
    with websocket(venue) as wire:
        long = json.dumps({"method": "SUBSCRIBE", "params": ["x" * 5_000], "id": 1})
        wire.sendall(frame(long))
        assert b'"code":2' in wire.recv(4096)
        wire.sendall(frame('{"method":"LIST_SUBSCRIPTIONS","id":2}'))
        assert b'"result":[]' in wire.recv(4096)


def test_who_sends_byte_by_byte_shuts_nobody_out_for_long(exchange):
    """Every place is taken from two addresses, whose requests never end."""
    exchange.set("gatewayd", "connections", 40)
    exchange.set("gatewayd", "connections_per_address", 20)
    exchange.start("matchd", "gatewayd")
    starts = [b"", b"GET /api/v3/ping HTTP/1.1\r\nX: ",
              b"POST /api/v3/order HTTP/1.1\r\nContent-Length: 60000\r\n\r\n"]
    wires = [socket.create_connection(("127.0.0.1", exchange.port), 10, (f"127.0.0.{2 + at % 2}", 0))
             for at in range(40)]
    begin = time.monotonic()
    for at, wire in enumerate(wires):
        wire.setblocking(False)
        wire.sendall(starts[at % len(starts)])
    is_in, open_wires = False, set(wires)
    while open_wires and time.monotonic() < begin + 60:
        for wire in list(open_wires):
            try:
                if starts[wires.index(wire) % len(starts)]:  # the others are silent
                    wire.send(b"a")
                if wire.recv(4096) == b"":
                    open_wires.discard(wire)
            except BlockingIOError:
                pass
            except OSError:
                open_wires.discard(wire)
        if not is_in:
            client = Spot(exchange.port)
            try:
                is_in = client.get("/api/v3/ping") == {}
            except Unknown:
                assert time.monotonic() < begin + 25, "shut out"
            finally:
                client.close()
        time.sleep(0.5)
    assert is_in and not open_wires
    took = time.monotonic() - begin
    print(f"let in again, and all ended, after {took:.1f} s")
    assert took > 5, "the places were never taken"
    assert "connections were refused in ten seconds" in exchange.log_tail("gatewayd", 50)


def test_an_agent_that_is_asked_and_not_read_keeps_little(exchange):
    """Any user of the host may ask it: 20,000 requests for its page, none of whose replies is
    read, and one who reads is answered meanwhile."""
    path = exchange.state / "run" / "agent.sock"
    exchange.set("agent", "listen", "")
    exchange.set("agent", "socket", str(path))
    exchange.spawn("agentd")

    def ask(request):
        with socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(20)
            wire.connect(str(path))
            wire.sendall(request)
            return wire.recv(4096)

    request = b"GET /ops.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, exchange.log_tail("agentd")
        time.sleep(0.05)
    assert b" 200 " in ask(request)
    first = resident(exchange, "agentd")
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(str(path))
        wire.setblocking(False)
        for _ in range(100):
            try:
                wire.send(request * 200)
            except BlockingIOError:
                pass
            time.sleep(0.02)
        assert b" 200 " in ask(request)
        assert resident(exchange, "agentd") - first < 32 * MEBIBYTE
    exchange.check_alive()
    assert exchange.stop("agentd") == 0
