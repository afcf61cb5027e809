"""A gateway on a host of its own: it joins by an invitation, follows whichever host leads, and its
certificate is good for nothing else."""
import datetime
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest
from exchange import Exchange, Refused
from pair import ETCD, await_true
from pki import openssl
from spot import Refusal, Spot, Unknown
from trio import ADDRESSES


class Remote:
    """The host g, which has a gateway alone, and who trades by it."""

    def __init__(self, trio):
        self.trio = trio
        self.primary, self.standby = trio.roles()
        self.host = Exchange(trio.folder / "g")
        self.host.logs.mkdir(parents=True)
        self.host.state.mkdir()
        self.host.set("gatewayd", "listen", f"127.0.0.1:{self.host.port}")
        # The key that seals API secrets comes by the join, for systemd on an installed host.
        (self.host.state / "secrets").mkdir(mode=0o700)
        shutil.copy(trio.hosts["a"].state / "secrets" / "seal.key",
                    self.host.state / "secrets" / "seal.key")
        self.trio.invited("g", "a", lambda token: self.join(token), "--gateway")
        self.account = trio.hosts[self.primary].demo()["accounts"][0]
        self.acknowledged, self.number = set(), 0
        self.ends = threading.Event()

    def join(self, token):
        print(self.trio.ctl("g", "cluster", "join", token, "--host", "g", "--gateway").stdout)

    def start(self):
        self.host.spawn("gatewayd")
        self.host.await_ready("gatewayd")
        self.client = Spot(self.host.port, self.account["keyID"], self.account["secret"],
                           seconds_max=3)

    def log(self):
        return (self.host.logs / "gatewayd.log").read_text()

    def place(self):
        """One order; whether it was acknowledged."""
        self.number += 1
        text = f"remote-{self.number}"
        try:
            self.client.place(
                symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.001",
                price="50000", newClientOrderId=text, recvWindow=2000)
        except Unknown:
            return False
        self.acknowledged.add(text)
        return True

    def trade(self):
        while not self.ends.wait(0.01):
            self.place()

    def shown(self):
        return [row["clientOrderId"] for row in self.client.get_signed(
            "/api/v3/openOrders", symbol="BTCUSDT")]

    def goes_on(self, what):
        """Waits until orders that are sent from now on are acknowledged."""
        began, before = time.monotonic(), len(self.acknowledged)
        await_true(what, lambda: len(self.acknowledged) > before)
        print(f"{what}: {time.monotonic() - began:.2f} s to the next acknowledgement")


@pytest.fixture
def remote(trio):
    made = Remote(trio)
    try:
        yield made
    finally:
        made.ends.set()
        made.host.end()


def test_a_gateway_on_its_own_host_goes_on_over_a_switchover_a_hang_and_a_lost_host(trio, remote):
    remote.start()
    process = remote.host.running["gatewayd"]
    for _ in range(20):
        assert remote.place()
    trader = threading.Thread(target=remote.trade)
    trader.start()
    try:
        primary, standby = trio.roles()
        status, answer = trio.obey(primary, "switchover")
        assert status == 200, answer
        await_true("the other host leads", lambda: (
            trio.document(standby) or {}).get("role") == "primary")
        remote.goes_on("switchover")
        # The host that leads says nothing more, and closes nothing.
        primary, standby = trio.roles()
        # Only a host in sync takes over.
        trio.in_sync(primary)
        stopped = trio.hosts[primary].running["matchd"]
        stopped.send_signal(signal.SIGSTOP)
        await_true("the other host leads", lambda: (
            trio.document(standby) or {}).get("role") == "primary")
        remote.goes_on("hang")
        stopped.send_signal(signal.SIGCONT)
        primary, standby = trio.roles()
        trio.in_sync(primary)
        trio.lose(primary)
        await_true("the other host leads", lambda: (
            trio.document(standby) or {}).get("role") == "primary")
        remote.goes_on("lost host")
    finally:
        remote.ends.set()
        trader.join()
    assert remote.place()
    shown = remote.shown()
    assert len(shown) == len(set(shown))
    missing = remote.acknowledged - set(shown)
    assert not missing, missing
    assert process.poll() is None, "the gateway goes on by itself"


def test_with_both_matchds_dead_it_answers_503_shows_what_it_knew_and_goes_on(trio, remote):
    remote.start()
    assert remote.place()
    for name in "ab":
        trio.hosts[name].kill("matchd")

    def is_refused():
        try:
            remote.client.place(
                symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.001",
                price="50000", newClientOrderId="refused", recvWindow=2000)
        except Unknown as answer:
            return "HTTP 503 -1001" in str(answer)
        return False

    await_true("an order is refused", is_refused)
    assert set(remote.shown()) == remote.acknowledged
    for name in "ab":
        trio.power(name)
    await_true("an order is taken", remote.place, 60)


def test_its_certificate_is_good_for_the_link_alone(trio, remote, tmp_path):
    place = remote.host.state / "cluster"

    def etcdctl(certificates):
        return subprocess.run(
            [str(ETCD.parent / "etcdctl"), f"--endpoints={trio.url('a', 3)}",
             f"--cacert={place / 'ca.crt'}", f"--cert={certificates / 'host.crt'}",
             f"--key={certificates / 'host.key'}", "get", "/bourse/record"],
            env=os.environ | {"ETCDCTL_API": "3"}, capture_output=True, text=True, timeout=30)

    assert '"primary"' in etcdctl(trio.cluster("w")).stdout
    refused = etcdctl(place)
    assert refused.returncode != 0 and not refused.stdout, refused.stdout
    # It is its use that etcd refuses: the same name and key with a client's use would get in.
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(place / "host.key", other / "host.key")
    (other / "use").write_text("subjectAltName=DNS:g._gateway\nextendedKeyUsage=clientAuth\n")
    openssl("req", "-new", "-key", other / "host.key", "-subj", "/CN=g", "-out", other / "host.csr")
    openssl("x509", "-req", "-in", other / "host.csr", "-CA", trio.cluster("a") / "ca.crt",
            "-CAkey", trio.cluster("a") / "ca.key", "-CAcreateserial", "-days", "2", "-extfile",
            other / "use", "-out", other / "host.crt")
    assert '"primary"' in etcdctl(other).stdout
    assert (place / "host.key").stat().st_mode & 0o777 in (0o600, 0o640)
    # Renewed by a new invitation; the key stays.
    remote.start()
    before, key = (place / "host.crt").read_bytes(), (place / "host.key").read_bytes()
    trio.invited("g", "a", lambda token: trio.ctl("g", "cluster", "renew", token), "--gateway")
    assert (place / "host.crt").read_bytes() != before
    assert (place / "host.key").read_bytes() == key
    trio.hosts[trio.roles()[0]].kill("matchd")
    await_true("orders are taken with it", remote.place)


def test_it_has_the_sessions_of_its_own_name_alone(trio, remote):
    primary = trio.roles()[0]
    trio.gateway(primary)
    host = trio.hosts[primary]
    own = Spot(host.port, remote.account["keyID"], remote.account["secret"], seconds_max=10)

    def place():
        try:
            return own.place(symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC",
                             quantity="0.001", price="50000")
        except Unknown:
            return None

    await_true("the host's own gateway trades", place)
    process = host.running["gatewayd"]
    # Its settings name the session of the host's own gateway, and that of another one.
    for name in (primary, "gateway/g2"):
        remote.host.set("gatewayd", "name", name)
        remote.host.spawn("gatewayd")
        await_true("it says why", lambda: "by its certificate this gateway may use the sessions "
                   "gateway/g to gateway/g#16 alone" in remote.log())
        assert not remote.host.is_ready("gatewayd")
        remote.host.kill("gatewayd")
        (remote.host.logs / "gatewayd.log").unlink()
    assert place() and process.poll() is None and host.running["gatewayd"] is process
    remote.host.set("gatewayd", "name", "gateway/g")
    remote.start()
    assert remote.place()


class Removed(Exception):
    """Ends an invitation whose host was removed meanwhile."""


class Status:
    """Stands for systemd: keeps the last STATUS= of a daemon that is started within it."""

    def __init__(self, folder, monkeypatch):
        self.path, self.last = folder / "notify", ""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(self.path))

    def text(self):
        while True:
            try:
                words = self.socket.recv(65_536).decode()
            except BlockingIOError:
                return self.last
            for line in words.splitlines():
                self.last = line[7:] if line.startswith("STATUS=") else self.last


def issue(authority, folder, name, days=2):
    """A gateway's certificate by the authority in a directory; its key and certificate."""
    key, use = folder / f"{name}.key", folder / f"{name}.use"
    request, certificate = folder / f"{name}.csr", folder / f"{name}.crt"
    use.write_text(f"subjectAltName=DNS:{name}._gateway\nextendedKeyUsage=1.3.6.1.4.1.32473.2\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            key, "-subj", f"/CN={name}", "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", authority / "ca.crt", "-CAkey",
            authority / "ca.key", "-CAcreateserial", "-days", str(days), "-extfile", use, "-out",
            certificate)
    return key, certificate


def connected(trio, host, name, key, certificate):
    """A connection to a host's Link by TLS that has greeted as this gateway."""
    context = ssl.create_default_context(cafile=trio.cluster(host) / "ca.crt")
    context.load_cert_chain(certificate, key)
    raw = socket.create_connection((ADDRESSES[host], trio.first + 5), timeout=10)
    stream = context.wrap_socket(raw, server_hostname=host)
    body = struct.pack("<II40sIIQ", 2, 1, f"gateway/{name}".encode(), 0, 3, 1)
    stream.sendall(struct.pack("<IHH", 8 + len(body), 1, 0) + body)
    assert struct.unpack("<IHH", stream.recv(8))[1] == 65, "it is welcomed"
    return stream


def test_a_gateway_that_is_refused_says_why(trio, remote, tmp_path, monkeypatch):
    status = Status(tmp_path, monkeypatch)
    place = remote.host.state / "cluster"
    many = {}
    for number in range(16):
        name = f"many{number}"
        files = issue(trio.cluster("a"), tmp_path, name)
        for host in "ab":
            many[host, number] = connected(trio, host, name, *files)
    remote.host.spawn("gatewayd")
    why = "16 gateways on hosts of their own are connected"
    await_true("its log says it", lambda: why in remote.log())
    await_true("its status says it", lambda: status.text().count(why) == 2)
    assert status.text().startswith("matchd is away"), status.text()
    for host in "ab":
        many[host, 0].close()
    remote.host.await_ready("gatewayd")
    await_true("its status says so", lambda: status.text() == "serving")
    remote.host.kill("gatewayd")
    # Certificates that the hosts do not take: one that has expired, and another authority's.
    good = (place / "host.key").read_bytes(), (place / "host.crt").read_bytes()
    other = tmp_path / "other"
    other.mkdir()
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", other / "ca.key", "-out", other / "ca.crt", "-days", "2", "-subj", "/CN=o")
    for authority, folder, days in ((trio.cluster("a"), tmp_path, -1), (other, other, 2)):
        key, certificate = issue(authority, folder, "g", days)
        (place / "host.key").write_bytes(key.read_bytes())
        (place / "host.crt").write_bytes(certificate.read_bytes())
        (remote.host.logs / "gatewayd.log").unlink()
        remote.host.spawn("gatewayd")
        why = "do not take each other's certificate"
        await_true("its log says it", lambda: why in remote.log())
        await_true("its status says it", lambda: why in status.text())
        remote.host.kill("gatewayd")
    (place / "host.key").write_bytes(good[0])
    (place / "host.crt").write_bytes(good[1])
    remote.start()
    assert remote.place()


def test_a_gateway_that_is_removed_reaches_nothing_on_either_host(trio, remote):
    remote.start()
    assert remote.place()
    primary = trio.roles()[0]

    # An invitation that was not used goes with it.
    def withdrawn(token):
        removed = trio.ctl_json("a", "cluster", "remove-gateway", "g")
        assert trio.ctl_json("b", *removed["elsewhere"].split()[2:])["time"] == removed["time"]
        with pytest.raises(Refused, match="does not know this token"):
            trio.ctl("g", "cluster", "renew", token)
        raise Removed

    began = time.monotonic()
    with pytest.raises(Removed):
        trio.invited("g", "a", withdrawn, "--gateway")
    assert (trio.cluster("a") / "gateways.removed").read_text() == (
        trio.cluster("b") / "gateways.removed").read_text()
    why = "it was removed from the cluster"
    await_true("it says why", lambda: why in remote.log())
    print(f"removed and refused after {time.monotonic() - began:.2f} s")

    def is_out():
        try:
            assert not remote.place()
        except Refusal as refusal:
            assert refusal.status == 503, refusal
        listed = [line for name in "ab" for line in
                  (trio.hosts[name].logs / "matchd.log").read_text().splitlines()
                  if "the gateway g is connected" in line]
        return len(listed)

    before = is_out()
    # Over restarts of matchd, and once the other host leads.
    trio.hosts[primary].kill("matchd")
    trio.power(primary)
    trio.roles()
    assert is_out() == before
    status, answer = trio.obey(trio.roles()[0], "switchover")
    assert status == 200, answer
    await_true("roles are settled", trio.roles)
    time.sleep(3)
    assert is_out() == before
    # With a new certificate, made behind the removal, it is good again, and the old one is not.
    until = int((trio.cluster("a") / "gateways.removed").read_text().split()[1])
    time.sleep(max(0, until + 1 - time.time()))
    place = remote.host.state / "cluster"
    old = tuple((place / file).read_bytes() for file in ("host.key", "host.crt"))
    trio.invited("g", "a", lambda token: trio.ctl("g", "cluster", "renew", token), "--gateway")
    await_true("orders are taken with it", remote.place)
    remote.host.kill("gatewayd")
    (remote.host.logs / "gatewayd.log").unlink()
    for file, text in zip(("host.key", "host.crt"), old, strict=True):
        (place / file).write_bytes(text)
    remote.host.spawn("gatewayd")
    await_true("it says why", lambda: why in remote.log())


def test_status_shows_gateways_and_whom_the_other_host_has_not_removed(trio, remote):
    began = time.time()
    remote.start()
    primary = trio.roles()[0]

    def shown(name):
        return [row for row in trio.status(name)["gateways"] if row["host"] == primary]

    # Both hosts show it, with the one that it follows.
    for name in "ab":
        (row,) = await_true("it is shown", lambda name=name: shown(name))
        assert row["name"] == "g" and row["address"] == "127.0.0.1", row
        since = datetime.datetime.fromisoformat(row["since"]).timestamp()
        assert began - 1 < since < time.time() + 1
    text = trio.ctl(primary, "cluster", "status", check=False).stdout
    assert "CONNECTED TO" in text, text
    command = trio.ctl_json("a", "cluster", "remove-gateway", "g")["elsewhere"]
    problem = f"g is removed on a and not on b; there: {command}"
    for name in "ab":
        await_true("it says so", lambda name=name: problem in trio.status(name)["problems"])
    trio.ctl("b", *command.split()[2:])
    for name in "ab":
        await_true("all is well", lambda name=name: problem not in trio.status(name)["problems"])
        await_true("it is not shown", lambda name=name: not trio.status(name)["gateways"])
    assert "CONNECTED TO" not in trio.ctl(primary, "cluster", "status", check=False).stdout


def test_who_may_be_removed(trio, remote):
    assert "is a host of the cluster" in trio.refusal("a", "cluster", "remove-gateway", "b")
    assert "is no host's name" in trio.refusal("a", "cluster", "remove-gateway", "G 1")
    assert "takes no gateways" in trio.refusal("w", "cluster", "remove-gateway", "g")
    assert "takes no gateways" in trio.refusal("g", "cluster", "remove-gateway", "g")
    late = int(time.time()) + 3_600
    assert "is no time that has passed" in trio.refusal(
        "a", "cluster", "remove-gateway", "g", "--time", late)
    # A host that joins with a new disk has the list as well.
    trio.ctl("a", "cluster", "remove-gateway", "old")
    kept = (trio.cluster("a") / "gateways.removed").read_text()
    trio.lose("b")
    trio.blank("b")
    trio.join("b", "a")
    assert (trio.cluster("b") / "gateways.removed").read_text() == kept


def test_a_host_without_the_exchange_names_the_ones_to_ask(trio, remote):
    for name, has in (("g", "has a gateway alone, which follows a and b"),
                      ("w", "it is the witness")):
        for words in (["status"], ["backup", trio.folder / "copy"], ["check"], ["asset", "list"]):
            said = trio.refusal(name, *words)
            assert has in said and "on a and b" in said, (name, words, said)
            assert "bourse-matchd" not in said and "bourse-agentd" not in said, said
        done = trio.ctl(name, "--output", "nagios", "status", check=False)
        assert done.returncode == 3 and done.stdout.startswith("BOURSE UNKNOWN - this host"), done
    assert not (trio.folder / "copy").exists()


def test_a_gateway_that_nobody_knows_is_removed_and_that_is_said(trio, remote):
    done = trio.ctl("a", "cluster", "remove-gateway", "h")
    assert "No gateway h is known" in done.stdout and "Known: g." in done.stdout, done.stdout
    assert "refuses certificates of h" in done.stdout
    # Its removal is known.
    assert trio.ctl_json("a", "cluster", "remove-gateway", "h")["known"] is True
    assert trio.ctl_json("a", "cluster", "remove-gateway", "i")["known"] is False
    # The second host does not know who was invited.
    assert trio.ctl_json("b", "cluster", "remove-gateway", "j")["known"] is None
    done = trio.ctl("a", "cluster", "remove-gateway", "g")
    assert "is known" not in done.stdout, done.stdout


def test_who_may_be_a_gateways_host(trio, remote):
    assert "is a host of the cluster already" in trio.refusal(
        "a", "cluster", "invite", "b", "--gateway")
    assert "with --gateway" in trio.refusal("a", "cluster", "invite", "h")
    # A token for a host of the cluster is none for a gateway, and the other way round.
    with pytest.raises(Refused, match="by another address"):
        trio.invited("b", "a", lambda token: trio.ctl(
            "g", "cluster", "join", token, "--host", "b", "--gateway"))
    with pytest.raises(Refused, match="has a gateway alone"):
        trio.invited("h", "a", lambda token: trio.ctl(
            "g", "cluster", "join", token, "--host", "h", "--address", "127.0.0.9"), "--gateway")
    assert "has a gateway alone" in trio.refusal("g", "cluster", "status")
    # A host of the exchange does not become a gateway's, nor does the witness.
    for host in "bw":
        before = (trio.cluster(host) / "host.crt").read_bytes()
        with pytest.raises(Refused, match="no host for a gateway alone"):
            trio.invited("h", "a", lambda token, host=host: trio.ctl(
                host, "cluster", "join", token, "--host", "h", "--gateway"), "--gateway")
        assert (trio.cluster(host) / "host.crt").read_bytes() == before
