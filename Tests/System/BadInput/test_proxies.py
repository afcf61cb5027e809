"""Limits count for the client behind a proxy of the owner's, and a client cannot be another one by
what it writes."""
import socket
import time

import pytest
from spot import Spot
from test_network import websocket

PROXY, STRANGER = "127.0.0.5", "127.0.0.6"


@pytest.fixture
def gateway(exchange):
    exchange.set("gatewayd", "proxies", f"{PROXY} 127.0.1.0/24")
    exchange.set("gatewayd", "weight_per_minute", 1000)
    exchange.set("gatewayd", "connections_per_address", 3)
    exchange.start("matchd", "gatewayd")
    yield exchange
    exchange.check_alive()


def status(client, *forwarded):
    headers = {"X-Forwarded-For": ", ".join(forwarded)} if forwarded else {}
    return client.raw("GET", "/api/v3/exchangeInfo", headers=headers)[0]


def exhaust(client, *forwarded):
    """Until it is banned: one that a minute's end saves is asked again."""
    for _ in range(300):
        if status(client, *forwarded) == 418:
            return
    raise AssertionError("never banned")


def test_each_client_behind_a_proxy_has_its_own_limits(gateway):
    proxy = Spot(gateway.port, source=PROXY)
    exhaust(proxy, "9.9.9.9")
    assert status(proxy, "9.9.9.9") == 418
    assert status(proxy, "8.8.8.8, 9.9.9.9") == 418, "what it writes itself stands before"
    assert status(proxy, "9.9.9.9", "127.0.1.7") == 418, "a second proxy"
    assert status(proxy, "8.8.8.8") == 200
    assert status(proxy, "9.9.9.9, 8.8.8.8") == 200
    _, headers, _ = proxy.raw("GET", "/api/v3/ping", headers={"X-Forwarded-For": "7.7.7.7"})
    used = {name.lower(): value for name, value in headers.items()}["x-mbx-used-weight-1m"]
    assert used == "1"
    # Nobody else is believed.
    stranger = Spot(gateway.port, source=STRANGER)
    assert status(stranger, "9.9.9.9") == 200
    exhaust(stranger, "6.6.6.6")
    assert status(stranger, "5.5.5.5") == 418
    assert status(proxy, "6.6.6.6") == 200


def connect(port, source):
    return socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))


def test_a_banned_address_gets_no_websocket(gateway):
    stranger = Spot(gateway.port, source=STRANGER)
    websocket(gateway, wire=connect(gateway.port, STRANGER)).close()
    exhaust(stranger)
    stranger.close()
    with connect(gateway.port, STRANGER) as wire:
        with pytest.raises(AssertionError, match="418"):
            websocket(gateway, wire=wire)
    websocket(gateway).close()


def test_a_client_behind_a_proxy_has_as_many_websockets_as_one_address(gateway):
    def opened(client):
        wire = connect(gateway.port, PROXY)
        wire.sendall(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"X-Forwarded-For: " + client + b"\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        return wire, wire.recv(4096).split()[1]

    wires = [opened(b"9.9.9.9") for _ in range(4)]
    assert [status for _, status in wires] == [b"101", b"101", b"101", b"503"]
    assert opened(b"8.8.8.8")[1] == b"101"
    wires[0][0].close()
    deadline = time.monotonic() + 10
    while opened(b"9.9.9.9")[1] != b"101":
        assert time.monotonic() < deadline


def test_a_proxy_has_connections_of_many(gateway):
    wires = [connect(gateway.port, PROXY) for _ in range(20)]
    for wire in wires:
        wire.sendall(b"GET /api/v3/ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.recv(4096).startswith(b"HTTP/1.1 200")
    own = [connect(gateway.port, STRANGER) for _ in range(4)]
    own[3].sendall(b"GET /api/v3/ping HTTP/1.1\r\nHost: x\r\n\r\n")
    try:
        assert own[3].recv(4096) == b""
    except ConnectionError:
        pass
    for wire in wires + own:
        wire.close()
