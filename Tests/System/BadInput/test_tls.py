"""TLS of clients: what speaks it is served, what does not is told or closed, and a new certificate is
taken while the old one's connections go on."""
import http.client
import json
import os
import random
import shutil
import signal
import socket
import ssl
import time

import pytest
from exchange import ExchangeFault
from pki import certificates, openssl
from spot import Spot
from test_network import frame, websocket
from test_signals import await_log, log_of


def trust(folder, **limits):
    context = ssl.create_default_context(cafile=folder / "ca.crt")
    for name, value in limits.items():
        setattr(context, name, value)
    return context


def wrapped(exchange, context):
    wire = socket.create_connection(("127.0.0.1", exchange.port), timeout=30)
    return context.wrap_socket(wire, server_hostname="127.0.0.1")


def configure(exchange, place):
    exchange.set("gatewayd", "tls_certificate", str(place / "host.crt"))
    exchange.set("gatewayd", "tls_key", str(place / "host.key"))


def start(exchange):
    """As `exchange.start`, which looks at the gateway by plain HTTP."""
    exchange.start("matchd")
    exchange.spawn("gatewayd")
    await_log(exchange, "gatewayd", "listening at")


@pytest.fixture
def pki(exchange, tmp_path):
    certificates(tmp_path / "pki", ("old", "new"))
    configure(exchange, tmp_path / "pki" / "old")
    return tmp_path / "pki"


@pytest.fixture
def secure(exchange, pki):
    start(exchange)
    yield exchange
    exchange.check_alive()


def served(exchange, pki):
    """The serial of the certificate that a new client sees, once it was served."""
    with wrapped(exchange, trust(pki)) as wire:
        wire.sendall(b"GET /api/v3/ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert wire.recv(4096).startswith(b"HTTP/1.1 200")
        return wire.getpeercert()["serialNumber"]


def await_bytes(wire, wanted):
    """A message may come in several records of TLS."""
    got = b""
    while wanted not in got:
        part = wire.recv(65536)
        assert part, got
        got += part


def test_orders_and_streams_go_through_it(secure, pki):
    account = secure.demo()["accounts"][0]
    client = Spot(secure.port, account["keyID"], account["secret"], tls=trust(pki))
    deadline = time.monotonic() + 20
    while client.raw("GET", "/health/ready")[0] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = trust(pki, minimum_version=version, maximum_version=version)
        client = Spot(secure.port, account["keyID"], account["secret"], tls=context)
        with websocket(secure, "/ws/btcusdt@depth@100ms", wrapped(secure, context)) as stream:
            placed = client.place(symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC",
                                  quantity="0.01", price="29000")
            await_bytes(stream, b"29000")
            stream.sendall(frame('{"method":"LIST_SUBSCRIPTIONS","id":1}'))
            await_bytes(stream, b"btcusdt@depth@100ms")
        assert client.cancel(symbol="BTCUSDT", orderId=placed["orderId"])["status"] == "CANCELED"
        # Larger than a record of TLS, and many on one connection.
        for _ in range(20):
            status, _, body = client.raw("GET", "/api/v3/exchangeInfo")
            assert status == 200 and body.endswith(b"}")
        client.close()


def test_old_versions_and_strangers_are_refused(secure, pki):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        wrapped(secure, context)
    with pytest.raises(ssl.SSLCertVerificationError):
        wrapped(secure, ssl.create_default_context())
    served(secure, pki)


def test_plain_http_is_told(secure, pki):
    for request in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /api/v3/order HTTP/1.1\r\n"):
        with socket.create_connection(("127.0.0.1", secure.port), timeout=30) as wire:
            wire.sendall(request)
            answer = http.client.HTTPResponse(wire)
            answer.begin()
            assert answer.status == 400 and b"https://" in answer.read()
            assert wire.recv(1) == b"", "it is closed"
    served(secure, pki)


def test_nonsense_holds_nobody_up(secure, pki):
    dice = random.Random(11)
    with wrapped(secure, trust(pki)) as whole:
        silent = [socket.create_connection(("127.0.0.1", secure.port)) for _ in range(50)]
        for number, wire in enumerate(silent):
            wire.sendall(b"\x16\x03\x01\x02\x00\x01"[: number % 7])
        for _ in range(300):
            with socket.create_connection(("127.0.0.1", secure.port), timeout=5) as wire:
                begin = dice.choice([b"", b"\x16\x03\x01", b"\x16\x03\x03\x40\x00\x01", b"\x80"])
                try:
                    wire.sendall(begin + dice.randbytes(dice.randrange(1, 3_000)))
                    if dice.random() < 0.5:
                        wire.shutdown(socket.SHUT_WR)
                        while wire.recv(4096):
                            pass
                except OSError as error:
                    assert not isinstance(error, TimeoutError), "it is closed, not forgotten"
            time.sleep(0.03)  # fewer in a second than handshakes are let in
        served(secure, pki)
        whole.sendall(b"GET /api/v3/ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert whole.recv(4096).startswith(b"HTTP/1.1 200"), "one that was open goes on"
    # Who never ends the handshake has the time of a first request.
    for wire in silent:
        wire.settimeout(40)
        assert wire.recv(1) == b""
        wire.close()


def test_a_new_certificate_is_taken_and_open_connections_go_on(secure, pki):
    before = served(secure, pki)
    kept = Spot(secure.port, tls=trust(pki))
    assert kept.raw("GET", "/api/v3/ping")[0] == 200
    for name in ("host.crt", "host.key"):
        shutil.copy(pki / "new" / name, pki / "old" / name)
    secure.set("gatewayd", "weight_per_minute", 5000)
    assert served(secure, pki) == before, "not by itself"
    said = hang_up(secure, f"reloaded {secure.config}")
    assert served(secure, pki) != before
    assert kept.connection.sock is not None and kept.raw("GET", "/api/v3/ping")[0] == 200
    limits = Spot(secure.port, tls=trust(pki)).call("GET", "/api/v3/exchangeInfo")["rateLimits"]
    assert [row["limit"] for row in limits if row["rateLimitType"] == "REQUEST_WEIGHT"] == [5000]
    assert "weight 5000 a minute" in said and "taken by a restart" not in said
    secure.set("gatewayd", "client_memory_mib", 100)
    hang_up(secure, "taken by a restart")


def hang_up(exchange, words):
    """Sends it, and returns what the log says from then on, once that has the words."""
    before = len(log_of(exchange, "gatewayd"))
    exchange.running["gatewayd"].send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 10
    while words not in (said := log_of(exchange, "gatewayd")[before:]):
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
    return said


def test_what_cannot_be_used_changes_nothing(secure, pki):
    before = served(secure, pki)
    own = pki / "old"
    good = {name: (own / name).read_bytes() for name in ("host.crt", "host.key")}

    def refused(words):
        assert "reloaded nothing, what ran goes on: " in hang_up(secure, words)
        assert served(secure, pki) == before
        for name, content in good.items():
            (own / name).write_bytes(content)
        (own / "host.key").chmod(0o600)

    (own / "host.crt").write_text("no certificate")
    refused("which [gatewayd] tls_certificate names")
    (own / "host.key").write_bytes((pki / "new" / "host.key").read_bytes())
    refused("does not go with the certificate")
    (own / "host.key").chmod(0o644)
    refused("has mode 644, so that every user can use the key")
    (own / "host.key").unlink()
    refused("which [gatewayd] tls_key names")
    exchange_text = secure.config.read_text()
    secure.config.write_text("[gatewayd]\nlisten = 5\n")
    refused("expected a string in quotes")
    secure.config.write_text(exchange_text)
    hang_up(secure, f"reloaded {secure.config}: TLS with a certificate until")


def test_handshakes_are_bounded_and_told(secure, pki):
    """Each costs the loop a signature: one address has so many in a second, and others go on."""
    refused = 0
    for _ in range(150):
        try:
            wrapped(secure, trust(pki)).close()
        except OSError:
            refused += 1
    assert refused > 20
    with socket.create_connection(
            ("127.0.0.1", secure.port), timeout=10, source_address=("127.0.0.9", 0)) as wire:
        trust(pki).wrap_socket(wire, server_hostname="127.0.0.1").close()
    await_log(secure, "gatewayd", "handshakes of TLS a second")
    time.sleep(1.1)
    served(secure, pki)


def test_what_waits_for_a_client_is_counted_by_its_memory(secure, pki):
    """Short messages by TLS used to hold a buffer of 16 KiB each."""
    def resident():
        pid = secure.running["gatewayd"].pid
        with open(f"/proc/{pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024

    wires = []
    for _ in range(20):
        wire = wrapped(secure, trust(pki))
        wire.settimeout(0.5)
        wires.append(websocket(secure, "/ws", wire))
    before = resident()
    for wire in wires:
        try:
            for number in range(4):
                wire.sendall(frame(json.dumps(
                    {"method": "LIST_SUBSCRIPTIONS", "id": "x" * 30, "params": []})))
        except OSError:
            pass
    # Public streams that nobody reads, for as long as a slow client is kept.
    account = secure.demo()["accounts"][0]
    client = Spot(secure.port, account["keyID"], account["secret"], tls=trust(pki))
    while client.raw("GET", "/health/ready")[0] != 200:
        time.sleep(0.05)
    deaf = [wrapped(secure, trust(pki)) for _ in range(20)]
    for wire in deaf:
        websocket(secure, "/ws/btcusdt@depth@100ms/btcusdt@bookTicker", wire)
    for number in range(1500):
        placed = client.place(symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC",
                              quantity="0.001", price=f"{20000 + number % 50}")
        client.cancel(symbol="BTCUSDT", orderId=placed["orderId"])
    assert resident() - before < 200, "MiB"


def test_a_gateway_without_usable_files_says_so(exchange, pki, tmp_path):
    exchange.start("matchd")
    exchange.set("gatewayd", "tls_key", str(tmp_path / "nowhere.key"))
    with pytest.raises(ExchangeFault, match="nowhere.key.*tls_key names"):
        exchange.start("gatewayd")
    exchange.running.clear()
    exchange.set("gatewayd", "tls_key", "")
    with pytest.raises(ExchangeFault, match="gatewayd.tls_key: is missing"):
        exchange.start("gatewayd")
    exchange.running.clear()
    exchange.set("gatewayd", "tls_certificate", "")
    exchange.set("gatewayd", "listen", f"0.0.0.0:{exchange.port}")
    with pytest.raises(ExchangeFault, match="plain_http = true"):
        exchange.start("gatewayd")
    exchange.running.clear()
    exchange.set("gatewayd", "plain_http", True)
    exchange.start("gatewayd")
    exchange.running.pop("matchd", None)


def test_an_end_that_is_near_is_said(exchange, tmp_path):
    certificates(tmp_path / "pki", ("short",), days=3)
    configure(exchange, tmp_path / "pki" / "short")
    start(exchange)
    await_log(exchange, "gatewayd", "put a new one there, then systemctl reload bourse-gatewayd")
    certificates(tmp_path / "long", ("long",), days=300)
    for name in ("host.crt", "host.key"):
        shutil.copy(tmp_path / "long" / "long" / name, tmp_path / "pki" / "short" / name)
    assert "put a new one there" not in hang_up(exchange, f"reloaded {exchange.config}")


def test_a_key_under_a_passphrase_is_refused_and_asks_nobody(exchange, pki):
    key = pki / "old" / "host.key"
    openssl("ec", "-in", key, "-aes256", "-passout", "pass:secret", "-out", f"{key}.enc")
    os.replace(f"{key}.enc", key)
    key.chmod(0o600)
    exchange.start("matchd")
    with pytest.raises(ExchangeFault, match="not under a passphrase"):
        exchange.start("gatewayd")
    exchange.running.pop("gatewayd")
