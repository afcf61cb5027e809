"""Clients that ask for too much: the limits of bourse.toml are kept, and exchangeInfo shows them."""
import http.client
import socket
import time

import pytest
from exchange import Exchange
from spot import Refusal, Spot

LIMITS = {
    ("gatewayd", "connections"): 8, ("gatewayd", "connections_per_address"): 3,
    ("gatewayd", "weight_per_minute"): 3000, ("gatewayd", "orders_per_10_seconds"): 4,
    ("gatewayd", "orders_per_day"): 6,
}
ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
         "quantity": "0.01", "price": "30000"}
DEEP = {"symbol": "BTCUSDT", "limit": 5000}
DEEP_WEIGHT = 250
TURN_SECONDS_MAX = 15


@pytest.fixture(scope="module")
def venue(tmp_path_factory):
    exchange = Exchange(tmp_path_factory.mktemp("limits") / "state", settings=LIMITS)
    try:
        exchange.init().start()
        exchange.account = exchange.demo()["accounts"][0]
        yield exchange
        exchange.check_alive()
    finally:
        exchange.end()


def test_shows_the_limits(venue):
    limits = Spot(venue.port, source="127.0.0.9").get("/api/v3/exchangeInfo")["rateLimits"]
    shown = {(row["rateLimitType"], row["intervalNum"], row["interval"]): row["limit"]
             for row in limits}
    assert shown == {("REQUEST_WEIGHT", 1, "MINUTE"): 3000, ("ORDERS", 10, "SECOND"): 4,
                     ("ORDERS", 1, "DAY"): 6}


def test_closes_connections_above_the_limits(venue):
    wires = []

    def is_served(address):
        wire = socket.create_connection(("127.0.0.1", venue.port), 5, (address, 0))
        wires.append(wire)
        try:
            wire.sendall(b"GET /api/v3/ping HTTP/1.1\r\nHost: x\r\n\r\n")
            return wire.recv(64).startswith(b"HTTP/1.1 200")
        except ConnectionError:
            return False

    try:
        assert [is_served("127.0.0.2") for _ in range(4)] == [True] * 3 + [False]
        assert [is_served("127.0.0.3") for _ in range(4)] == [True] * 3 + [False]
        assert [is_served("127.0.0.4") for _ in range(3)] == [True] * 2 + [False]
    finally:
        for wire in wires:
            wire.close()
    # The gateway has to see that they are closed before the next test connects.
    deadline = time.monotonic() + TURN_SECONDS_MAX
    while not venue.answers() and time.monotonic() < deadline:
        time.sleep(0.05)


def test_refuses_orders_above_the_limits(venue):
    client = Spot(venue.port, venue.account["keyID"], venue.account["secret"])
    try:
        taken, refusals = 0, []
        deadline = time.monotonic() + TURN_SECONDS_MAX
        while time.monotonic() < deadline and not any("per 1 DAY" in text for text in refusals):
            try:
                client.place(**ORDER)
                taken += 1
            except Refusal as refusal:
                assert (refusal.status, refusal.code) == (429, -1015)
                refusals.append(refusal.message)
                time.sleep(0.2)
        assert taken == 6
        assert "4 orders per 10 SECOND" in refusals[0] and "6 orders per 1 DAY" in refusals[-1]
    finally:
        client.close()


def test_refuses_requests_above_the_weight(venue):
    client = Spot(venue.port, source="127.0.0.5")
    most = LIMITS["gatewayd", "weight_per_minute"] // DEEP_WEIGHT
    try:
        statuses = []
        # The minute may turn once between them, and the window begins anew.
        while len(statuses) <= 2 * most and 429 not in statuses:
            try:
                client.get("/api/v3/depth", **DEEP)
                statuses.append(http.client.OK)
            except Refusal as refusal:
                assert refusal.code == -1003
                statuses.append(refusal.status)
        assert statuses.count(200) >= most and statuses[-1] == 429
    finally:
        client.close()
