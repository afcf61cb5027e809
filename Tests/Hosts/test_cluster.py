"""Goal: three Debian hosts become a cluster by what an owner types: the exchange on the first one
loses nothing, each step can be repeated, and whoever was not invited gets nothing."""
import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import ccxt
import pytest
from appliance import DEBS, DEB_SECONDS_MAX, await_serving, ctl, set_up, state
from bench import await_true

sys.path.append(str(Path(__file__).resolve().parent.parent / "Clients" / "ccxt"))

from pointed import pointed  # noqa: E402
from test_trading import Venue  # noqa: E402

FOLDER = "/etc/bourse/cluster"
ETCD_SECONDS_MAX = 60
WITNESS = ("bourse-common", "bourse-runtime", "boursectl")


def etcdctl(host, *words, **options):
    """etcdctl with the host's own certificate, asking its own member by default."""
    return host.exec(
        "etcdctl", f"--cacert={FOLDER}/ca.crt", f"--cert={FOLDER}/host.crt",
        f"--key={FOLDER}/host.key", f"--endpoints=https://{host.address}:7413",
        "--command-timeout=3s", *words, **options)


def status(host):
    """What `cluster status` says, with its exit status."""
    done = host.exec("boursectl", "cluster", "status", "--output", "json", check=False)
    return json.loads(done.stdout), done.returncode


class Init:
    """`cluster init` or `invite` in a terminal of its own: it goes on while others join."""

    def __init__(self, host, *words):
        self.said = ""
        self.code = None
        self.host = host
        # Its own line of output, since it goes on: the host's disk takes it.
        host.exec("sh", "-c", "rm -f /run/init.log /run/init.code")
        line = " ".join(words)
        script = f"boursectl cluster {line} >/run/init.log 2>&1; echo $? >/run/init.code"
        host.exec("systemd-run", "--collect", "--quiet", "--unit=typed", "sh", "-c", script)

    def read(self):
        return self.host.exec("cat", "/run/init.log", check=False).stdout

    def await_words(self, words, seconds_max=60):
        def is_there():
            time.sleep(0.2)
            self.said = self.read()
            return words in self.said or self.is_done()

        await_true(f"it says {words}", seconds_max, is_there)
        assert words in self.read(), self.read()

    def is_done(self):
        return self.host.exec("test", "-e", "/run/init.code", check=False).returncode == 0

    def interrupt(self):
        """Ctrl-C."""
        self.host.exec("systemctl", "kill", "--signal=INT", "typed.service")
        await_true("it ends", 10, lambda: state(self.host, "typed.service") != "active")

    def result(self, seconds_max=120):
        def is_done():
            time.sleep(0.5)
            return self.is_done()

        await_true(f"it ends: {self.read()}", seconds_max, is_done)
        return int(self.host.exec("cat", "/run/init.code").stdout), self.read()

    def command(self, name):
        """The command that it printed for a host, as words."""
        found = re.findall(rf"sudo (boursectl cluster join \S+ --host {name} --address \S+)",
                           self.read())
        return found[-1].split()


def in_sync(primary, seconds_max=120):
    def holds():
        shown, _ = status(primary)
        return all(one["inSync"] for one in shown["hosts"] if one["role"] != "witness")
    await_true("both are in sync", seconds_max, holds)


@pytest.fixture(scope="module")
def cluster_debs(debs):
    return sorted((DEBS / "cluster").glob("*.deb"))


@pytest.fixture(scope="module")
def hosts(bench, debs, cluster_debs):
    """The first host with an exchange that trades, a second one, and a witness."""
    etcd = [deb for deb in cluster_debs if deb.name.startswith("bourse-etcd")]
    a, b, w, stranger = bench.hosts("ca", "cb", "cw", "cx")
    a.install_deb(*debs)
    set_up(a)
    a.exec("systemctl", "start", "bourse.target")
    await_serving(bench, a)
    for host in (a, b):
        host.install_deb(*debs, *etcd)
    small = [deb for deb in debs if deb.name.split("_")[0] in WITNESS]
    w.install_deb(*small, *cluster_debs)
    stranger.install_deb(*small, *cluster_debs)
    return a, b, w, stranger


@pytest.fixture(scope="module")
def client(bench, hosts):
    venue = Venue(hosts[0])
    return pointed(ccxt.binance, venue, next(iter(venue.keys)))


def begin_words(hosts):
    a, b, w, _ = hosts
    address = f"{a.address.rsplit('.', 1)[0]}.99/24"
    return ("init", "--host", "a", "--address", a.address, "--peer", f"b={b.address}",
            "--witness", f"w={w.address}", "--service-address", address, "--interface", "eth0")


def test_lintian_finds_nothing(cluster_debs):
    done = subprocess.run(["lintian", "-EI", "--pedantic", *map(str, cluster_debs)],
                          capture_output=True, text=True, timeout=DEB_SECONDS_MAX)
    assert done.stdout == "" and done.returncode == 0, done.stdout + done.stderr


def test_debian_s_etcd_and_ours_do_not_meet(hosts):
    for host in hosts[:3]:
        assert state(host, "bourse-etcd") == "inactive"
        assert state(host, "etcd") == "active", "Debian starts it at install"


def test_init_says_what_is_missing(hosts):
    a, b, *_ = hosts
    wrong = a.exec("boursectl", "cluster", "init", check=False)
    assert wrong.returncode == 64 and "the three hosts are not all named" in wrong.stderr
    same = list(begin_words(hosts))
    same[same.index("--peer") + 1] = f"b={a.address}"
    wrong = a.exec("boursectl", "cluster", *same, check=False)
    assert wrong.returncode == 64 and "two hosts have one address" in wrong.stderr
    wrong = b.exec("boursectl", "cluster", "init", "--host", "b", "--address", b.address,
                   "--peer", f"a={a.address}", "--witness", "w=10.77.0.9", check=False)
    assert wrong.returncode != 0 and "boursectl init" in wrong.stderr
    none = a.exec("boursectl", "cluster", "status", check=False)
    assert none.returncode == 1 and "this host is in no cluster" in none.stderr


def test_the_first_host_waits_and_ctrl_c_is_safe(bench, hosts, client):
    a, *_ = hosts
    with bench.network():
        client.load_markets()
        order = client.create_order("BTC/USDT", "limit", "buy", 0.01, 50000)
        hosts[0].kept = (order["id"], client.fetch_balance()["USDT"])
    typed = Init(a, *begin_words(hosts))
    typed.await_words("Waiting for b and w")
    first = typed.command("b")
    typed.interrupt()
    config = a.exec("cat", "/etc/bourse/bourse.toml").stdout
    assert 'host = "a"' not in config, "no [cluster] before there is one"
    again = Init(a, "init")
    again.await_words("Waiting for b and w")
    assert again.command("b") != first
    hosts[0].typed = again
    hosts[0].old_command = first
    # Other values than those it began with are refused.
    other = list(begin_words(hosts))
    other[other.index("--peer") + 1] = "c=10.77.0.200"
    refused = a.exec("boursectl", "cluster", *other, check=False)
    assert refused.returncode == 1 and "a cluster of other values" in refused.stderr


def test_who_is_not_invited_gets_nothing(hosts):
    a, b, w, stranger = hosts
    command = a.typed.command("b")
    old = b.exec(*a.old_command, check=False)
    assert old.returncode == 1 and "does not know this token" in old.stderr
    assert "cluster invite b" in old.stderr
    # A token of another host's, and one whose last digit is another.
    other = stranger.exec(*command[:4], "--host", "w", "--address", w.address, check=False)
    assert other.returncode == 1 and "for another host" in other.stderr
    digit = "0" if command[3][-1] != "0" else "1"
    guessed = b.exec(*command[:3], command[3][:-1] + digit, *command[4:], check=False)
    assert guessed.returncode == 1 and "does not know this token" in guessed.stderr
    # Another address than the one that b was named with.
    moved = stranger.exec(*command[:4], "--host", "b", "--address", stranger.address, check=False)
    assert moved.returncode == 1 and "by another address" in moved.stderr
    # The authority's fingerprint is another: what listens there is not the cluster's.
    parts = command[3].split(".")
    parts[-2] = "0" * 64
    forged = b.exec(*command[:3], ".".join(parts), *command[4:], check=False)
    assert forged.returncode == 1 and "not of the cluster" in forged.stderr
    # Whatever it says, it has no certificate.
    for host in (b, stranger):
        assert host.exec("test", "-e", f"{FOLDER}/host.crt", check=False).returncode == 1
    # Bytes that are no TLS, and a connection that says nothing, do not end the waiting.
    for bytes_ in ("GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01"):
        stranger.exec("python3", "-c", "import socket,sys; s = socket.create_connection(sys.argv"
                      "[1:3], 5); s.sendall(sys.argv[3].encode()); s.close()", a.address, "7412",
                      bytes_)
    assert state(a, "typed.service") == "active"


def test_a_host_with_another_exchange_is_refused(hosts):
    a, b, *_ = hosts
    set_up(b)
    refused = b.exec(*a.typed.command("b"), check=False)
    assert refused.returncode == 1 and "another exchange's journal" in refused.stderr
    b.exec("sh", "-c", "rm -r /etc/bourse/bourse.toml /etc/bourse/journal.id /etc/bourse/secrets "
           "/var/lib/bourse")


def test_both_join_and_may_repeat_it(hosts):
    a, b, w, stranger = hosts
    for host in (b, w):
        name = "b" if host is b else "w"
        command = a.typed.command(name)
        done = host.exec(*command)
        assert "has joined as" in done.stdout
        # The same once more, while the first host still waits or not.
        assert "has joined as" in host.exec(*command).stdout
        # Somebody else with the same token.
        if host is b:
            used = stranger.exec(*command, check=False)
            assert used.returncode == 1 and "used already" in used.stderr
    code, said = a.typed.result()
    assert code == 0, said
    assert "b has joined" in said and "w has joined" in said


def test_there_is_a_record_and_three_members(hosts):
    a, b, w, _ = hosts
    for host in (a, b, w):
        health = etcdctl(host, "endpoint", "health")
        assert "is healthy" in health.stdout + health.stderr
        assert state(host, "bourse-etcd") == "active"
        assert state(host, "etcd") == "inactive", "Debian's, without settings, is disabled"
    record = json.loads(etcdctl(b, "get", "/bourse/record", "--print-value-only").stdout)
    assert record["primary"] == "a" and [one["host"] for one in record["insync"]] == ["a"]
    assert re.fullmatch("[0-9a-f]{32}", record["insync"][0]["replica"])
    assert record["epoch"] >= 1
    floor = int(etcdctl(w, "get", "/bourse/floor", "--print-value-only").stdout)
    assert 0 < floor <= ctl(a, "status")["released"]
    shown, code = status(a)
    assert shown["primary"] == "a" and shown["epoch"] == record["epoch"]
    assert {one["name"]: one["role"] for one in shown["hosts"]} == {
        "a": "primary", "b": "learner", "w": "witness"}
    assert code == 1 and any("b is not in sync" in line for line in shown["problems"])
    assert [one["etcd"] for one in shown["hosts"]] == ["healthy"] * 3
    table = w.exec("boursectl", "cluster", "status", check=False).stdout
    assert "w (here)" in table and "certificate" in table


def test_the_exchange_lost_nothing(bench, hosts, client):
    a, b, w, _ = hosts
    number, before = a.kept
    with bench.network():
        assert client.fetch_order(number, "BTC/USDT")["status"] == "open"
        assert client.fetch_balance()["USDT"] == before
        client.cancel_order(client.create_order("BTC/USDT", "limit", "buy", 0.01, 40000)["id"],
                            "BTC/USDT")
    # Its configuration has the section, what its owner wrote is there, and daemons take it.
    config = a.exec("cat", "/etc/bourse/bourse.toml").stdout
    assert 'host = "a"' in config and "accounts = 1000\n" in config
    a.exec("bourse-matchd", "--check-config", "--config", "/etc/bourse/bourse.toml")
    identity = a.exec("cat", "/etc/bourse/journal.id").stdout
    assert b.exec("cat", "/etc/bourse/journal.id").stdout == identity
    # It has the journal's first record and is a replica of its own.
    replicas = [host.exec("od", "-An", "-tx1", "-j16", "-N32", "/var/lib/bourse/replica").stdout
                .split() for host in (a, b)]
    assert replicas[0][:16] == replicas[1][:16] and replicas[0][16:] != replicas[1][16:]
    owner = b.exec("stat", "-c", "%U", "/var/lib/bourse/replica").stdout.strip()
    assert owner == "bourse-match"
    b.exec("boursectl", "journal", "verify")
    config = b.exec("cat", "/etc/bourse/bourse.toml").stdout
    assert 'host = "b"' in config and 'peer = "a"' in config and 'name = "gateway/b"' in config
    assert "accounts = 1000\n" in config
    b.exec("bourse-matchd", "--check-config", "--config", "/etc/bourse/bourse.toml")
    assert w.exec("test", "-e", "/etc/bourse/bourse.toml", check=False).returncode == 1
    keys = [host.exec("systemd-creds", "decrypt", "--name=seal.key", "--transcode=hex",
                      "/etc/bourse/secrets/seal.key.cred", "-").stdout for host in (a, b)]
    assert keys[0] == keys[1] and keys[0]


def test_everything_can_be_repeated(hosts):
    a, *_ = hosts
    before = a.exec("sh", "-c", f"sha256sum /etc/bourse/bourse.toml {FOLDER}/*").stdout
    again = a.exec("boursectl", "cluster", "init", seconds_max=120)
    assert "is set up" in again.stdout
    assert a.exec("sh", "-c", f"sha256sum /etc/bourse/bourse.toml {FOLDER}/*").stdout == before
    assert "is set up" in a.exec("boursectl", "cluster", *begin_words(hosts)).stdout


def test_a_stranger_reaches_neither_etcd_nor_the_join(hosts):
    a, b, w, stranger = hosts
    for port in (7413, 7414):
        plain = stranger.exec("curl", "-ksS", "--max-time", "5",
                              f"https://{a.address}:{port}/version", check=False)
        assert plain.returncode != 0 and plain.stdout == "", plain.stdout
    # With a certificate of its own making.
    stranger.exec("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=b",
                  "-keyout", "/run/own.key", "-out", "/run/own.crt", "-days", "1")
    own = stranger.exec("curl", "-ksS", "--max-time", "5", "--cert", "/run/own.crt", "--key",
                        "/run/own.key", f"https://{w.address}:7413/version", check=False)
    assert own.returncode != 0 and own.stdout == "", own.stdout
    late = stranger.exec(*a.typed.command("b"), check=False)
    assert late.returncode == 1 and "does not take joins" in late.stderr
    # The key is for root and the daemons; the authority's for root alone.
    for name, mode in (("host.key", "640 root bourse-cluster"), ("ca.key", "600 root root")):
        found = a.exec("stat", "-c", "%a %U %G", f"{FOLDER}/{name}").stdout.strip()
        assert found == mode
    for host in (b, w):
        assert host.exec("test", "-e", f"{FOLDER}/ca.key", check=False).returncode == 1
    nobody = a.exec("setpriv", "--reuid=nobody", "--clear-groups", "cat", f"{FOLDER}/host.key",
                    check=False)
    assert nobody.returncode == 1


def test_a_token_expires(hosts):
    a, b, *_ = hosts
    typed = Init(a, "invite", "b")
    typed.await_words("Waiting for b")
    command = typed.command("b")
    a.exec("sed", "-i", "/\"host\": \"b\"/,/}/ s/\"ends\": [0-9]*/\"ends\": 1000/",
           f"{FOLDER}/invitations.json")
    late = b.exec("boursectl", "cluster", "renew", command[3], check=False)
    assert late.returncode == 1 and "has expired" in late.stderr
    assert "cluster invite b" in late.stderr
    typed.interrupt()


def test_certificates_are_renewed_without_a_restart(hosts):
    a, b, w, _ = hosts
    pids = [host.exec("systemctl", "show", "-PMainPID", "bourse-etcd").stdout for host in (a, b)]
    serials = [serial(host) for host in (a, b)]
    a.exec("boursectl", "cluster", "renew")
    typed = Init(a, "invite", "b")
    typed.await_words("Waiting for b")
    refused = b.exec("boursectl", "cluster", "renew", check=False)
    assert refused.returncode == 64 and "cluster invite b" in refused.stderr
    b.exec("boursectl", "cluster", "renew", typed.command("b")[3])
    code, said = typed.result()
    assert code == 0 and "b has a new certificate" in said
    for host, old in zip((a, b), serials):
        assert serial(host) != old
        served = host.exec(
            "sh", "-c", f"openssl s_client -connect {host.address}:7413 -CAfile {FOLDER}/ca.crt "
            f"-cert {FOLDER}/host.crt -key {FOLDER}/host.key </dev/null 2>/dev/null "
            "| openssl x509 -noout -serial").stdout
        assert served.strip() == serial(host), "etcd shows the new one"
    assert pids == [host.exec("systemctl", "show", "-PMainPID", "bourse-etcd").stdout
                    for host in (a, b)]


def serial(host):
    return host.exec("openssl", "x509", "-in", f"{FOLDER}/host.crt", "-noout",
                     "-serial").stdout.strip()


def test_systemd_arms_the_watchdog_of_a_host_that_has_one(hosts):
    """The kernel's view is made up, the service manager and its answer are real."""
    b = hosts[1]

    def period():
        return b.exec("systemctl", "show", "-PRuntimeWatchdogUSec").stdout.strip()

    def logged(unit):
        return b.exec("journalctl", "-u", unit, "--since", f"@{began}", "-o", "cat").stdout

    began = int(time.time())
    device = "/run/watchdog/watchdog0"
    b.exec("sh", "-c", f"mkdir -p {device} && echo inactive >{device}/state && "
           f"echo iTCO_wdt >{device}/identity && mount --bind /run/watchdog /sys/class/watchdog")
    try:
        # What a container shows of its machine cannot be armed in it.
        assert period() in ("0", "infinity")
        b.exec("systemctl", "restart", "bourse-helper", "bourse-agentd")
        await_true("the agent says so", 30, lambda: (
            "watchdog is not armed" in logged("bourse-agentd")))
        assert period() in ("0", "infinity") and "watchdog arm" in logged("bourse-helper")
        b.exec("touch", "/dev/watchdog0")
        b.exec("systemctl", "restart", "bourse-agentd")
        await_true("systemd is to arm it", 30, lambda: period() == "15s")
        # An owner's own time stays.
        b.exec("busctl", "set-property", "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
               "org.freedesktop.systemd1.Manager", "RuntimeWatchdogUSec", "t", "40000000")
        b.exec("systemctl", "restart", "bourse-agentd")
        await_true("it was asked again", 30, lambda: (
            logged("bourse-helper").count("watchdog arm") >= 3))
        assert period() == "40s"
        b.exec("sh", "-c", f"echo active >{device}/state")
        await_true("the agent sees it", 30, lambda: (
            "this machine's watchdog is armed" in logged("bourse-agentd")))
    finally:
        b.exec("sh", "-c", "umount /sys/class/watchdog; rm -rf /dev/watchdog0 /run/watchdog; "
               "busctl set-property org.freedesktop.systemd1 /org/freedesktop/systemd1 "
               "org.freedesktop.systemd1.Manager RuntimeWatchdogUSec t 0", check=False)
        b.exec("systemctl", "restart", "bourse-agentd")


def test_one_member_lost_leaves_it_writable(hosts):
    a, b, w, _ = hosts
    w.power_cut()
    etcdctl(a, "put", "/test", "1", seconds_max=30)
    shown, code = status(b)
    assert code == 1
    assert [one["etcd"] for one in shown["hosts"]] == ["healthy", "healthy", "unhealthy"]
    assert any("etcd on w does not answer" in line for line in shown["problems"])
    w.boot()
    await_true("w is back", ETCD_SECONDS_MAX, lambda: status(b)[0]["hosts"][2]["etcd"] == "healthy")


def test_a_member_that_lost_its_data_joins_anew(hosts):
    a, _, w, _ = hosts
    w.exec("systemctl", "stop", "bourse-etcd")
    w.exec("rm", "-r", "/var/lib/bourse-etcd/data")
    w.exec("systemctl", "start", "bourse-etcd", check=False)
    assert state(w, "bourse-etcd") != "active"
    assert w.exec("test", "-e", "/var/lib/bourse-etcd/data", check=False).returncode == 1
    before = etcdctl(a, "member", "list").stdout
    typed = Init(a, "invite", "w")
    typed.await_words("Waiting for w")
    w.exec(*typed.command("w"))
    code, said = typed.result()
    assert code == 0, said
    await_true("w is back", ETCD_SECONDS_MAX, lambda: status(a)[0]["hosts"][2]["etcd"] == "healthy")
    after = etcdctl(a, "member", "list").stdout
    assert len(after.splitlines()) == 3 and after != before
    # The founder's first member is gone: the other two, of which one began anew, have the record.
    a.exec("systemctl", "stop", "bourse-etcd")
    record = json.loads(etcdctl(w, "get", "/bourse/record", "--print-value-only").stdout)
    assert record["primary"] == "a"
    a.exec("systemctl", "start", "bourse-etcd")


class Moved:
    """What `pointed` asks for: another host, the key of a client."""

    def __init__(self, host, client):
        self.url = f"http://{host.address}:8080"
        self.client = client

    def key(self, _):
        return self.client.apiKey, self.client.secret


def test_the_standby_takes_over_when_the_primary_s_power_is_cut(bench, hosts, client):
    a, b, _, _ = hosts
    a.exec("systemctl", "restart", "bourse.target")
    b.exec("systemctl", "start", "bourse.target")

    in_sync(a)
    with bench.network():
        kept = client.create_order("BTC/USDT", "limit", "buy", 0.01, 41000)["id"]
    a.power_cut()
    other = pointed(ccxt.binance, Moved(b, client), "the same")
    began = time.monotonic()

    def trades():
        with bench.network():
            try:
                return other.fetch_order(kept, "BTC/USDT")["status"] == "open" and (
                    other.create_order("BTC/USDT", "limit", "buy", 0.01, 41000)["id"])
            except ccxt.BaseError:
                return False

    await_true("the standby trades, with the order that was acknowledged", 60, trades)
    bench.figures.append(
        f"power cut of the primary to the first acknowledgement: {time.monotonic() - began:.2f} s")
    assert status(b)[0]["primary"] == "b"
    a.boot()
    in_sync(b)


def test_the_service_address_moves_from_a_host_that_hangs_and_clients_follow(bench, hosts, client):
    a, b, _, _ = hosts
    service = f"{a.address.rsplit('.', 1)[0]}.99"

    def has(host):
        return f" {service}/24 " in host.exec("ip", "-o", "address", "show", "dev", "eth0").stdout

    def link(host):
        return host.exec("cat", "/sys/class/net/eth0/address").stdout.strip()

    def reached():
        """The link-layer address that the clients' network has for the service address."""
        shown = bench.run("ip", "neighbour", "show", service).split()
        return shown[shown.index("lladdr") + 1] if "lladdr" in shown else None

    class Service:
        url = f"http://{service}:8080"

        def key(self, _):
            return client.apiKey, client.secret

    def primary(host):
        done = host.exec("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}",
                         "http://127.0.0.1:9467/health/primary")
        return done.stdout

    await_true("b leads and has it", 60, lambda: has(b) and primary(b) == "200")
    assert not has(a) and primary(a) == "503"
    moving = pointed(ccxt.binance, Service(), "the same")
    with bench.network():
        moving.create_order("BTC/USDT", "limit", "buy", 0.01, 41000)
    assert reached() == link(b)
    b.freeze()
    began = time.monotonic()

    def trades():
        with bench.network():
            try:
                return moving.create_order("BTC/USDT", "limit", "buy", 0.01, 41000)["id"]
            except ccxt.BaseError:
                return False

    await_true("clients trade by the same address", 60, trades)
    bench.figures.append(
        f"frozen primary to an order by the service address: {time.monotonic() - began:.2f} s")
    assert reached() == link(a), "the new host has announced it"
    assert has(a)
    b.thaw()
    assert not has(b), "it lived for two seconds"
    await_true("b follows", 120, lambda: all(
        one["inSync"] for one in status(a)[0]["hosts"] if one["role"] != "witness"))
    assert not has(b) and primary(b) == "503" and primary(a) == "200"


def test_a_switchover_resets_idle_connections_so_that_the_next_request_is_answered(
        bench, hosts, client):
    a, b, _, _ = hosts
    service = f"{a.address.rsplit('.', 1)[0]}.99"

    class Service:
        url = f"http://{service}:8080"

        def key(self, _):
            return client.apiKey, client.secret

    def is_reset(connection):
        try:
            connection.recv(1, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True
        raise AssertionError("the gateway spoke or closed it")

    def has(host):
        return f" {service}/24 " in host.exec("ip", "-o", "address", "show", "dev", "eth0").stdout

    in_sync(a)
    pooled = pointed(ccxt.binance, Service(), "the same")
    with bench.network():
        idle = [socket.create_connection((service, 8080), timeout=5) for _ in range(20)]
        for connection in idle:  # one that never asked anything is closed early
            connection.sendall(b"GET /api/v3/ping HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(4096).endswith(b"{}")
        pooled.fetch_time()
    a.exec("boursectl", "switchover")
    await_true("all are reset", 10, lambda: all(map(is_reset, idle)))
    with bench.network():
        # By the connection that it kept, if it did not know better.
        placed = pooled.create_order("BTC/USDT", "limit", "buy", 0.01, 41000)
        assert pooled.fetch_order(placed["id"], "BTC/USDT")["status"] == "open"
    assert has(b) and not has(a)
    for connection in idle:
        connection.close()
    ended = a.exec("journalctl", "-u", "bourse-agentd", "-o", "cat", "--grep", "is left").stdout
    assert "connections reset: 2" in ended, ended
