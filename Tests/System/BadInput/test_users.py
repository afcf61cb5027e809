"""Other users of the host at matchd's socket: each may do what bourse.toml gives it, and who is not
named may do nothing. Other users' processes need root to start them."""
import grp
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from exchange import BIN, Exchange
from spot import Refusal, Spot, Unknown

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="running as other users needs root")

EX_CONFIG = 78
# Users and a group that every Debian has, and nobody logs in as.
GATEWAY, OPERATOR, OBSERVER, STRANGER = "nobody", "daemon", "bin", "games"
WALLET, BOTH = "sys", "man"
GROUP = "audio"
USERS = {
    ("matchd", "gateway_users"): f"{GATEWAY}, {BOTH}",
    ("matchd", "wallet_users"): f"{WALLET}, {BOTH}",
    ("matchd", "operator_users"): f"{OPERATOR}, %{GROUP}",
    ("matchd", "observer_users"): OBSERVER,
}
DENIED = "operator_users"


def open_up(exchange):
    """Lets every user reach the socket and the configuration: only matchd's own look at the peer
    keeps them out then."""
    for place in (exchange.state.parent, exchange.state, exchange.state / "run"):
        place.chmod(0o755)
    exchange.config.chmod(0o644)
    (exchange.state / "run" / "match.sock").chmod(0o666)


@pytest.fixture(scope="module")
def venue():
    # Not below the tests' own directory, which other users cannot pass.
    folder = Path(tempfile.mkdtemp(prefix="bourse-users-", dir="/var/tmp"))
    exchange = Exchange(folder / "state", settings=USERS)
    try:
        exchange.init().start("matchd")
        exchange.account = exchange.demo()["accounts"][0]
        open_up(exchange)
        yield exchange
        exchange.check_alive()
        assert exchange.stop("matchd") == 0
    finally:
        exchange.end()
        shutil.rmtree(folder)


def run_as(venue, user, *arguments, groups=()):
    """Runs boursectl as a user with these supplementary groups; returns what came of it."""
    return subprocess.run(
        [str(BIN / "boursectl"), "--state", str(venue.state), *arguments], capture_output=True,
        text=True, timeout=60, stdin=subprocess.DEVNULL, user=user,
        group=pwd.getpwnam(user).pw_gid, extra_groups=list(groups),
    )


def record(venue):
    """The last record that matchd released."""
    return venue.ctl_json("status")["released"]


ADMINISTRATION = [
    ("credit", "demo1", "USDT", "1", "--reference", "theft", "--reason", "theft"),
    ("debit", "demo1", "USDT", "1", "--reference", "theft", "--reason", "theft"),
    ("asset", "add", "EVE", "--scale", "8"),
    ("account", "open", "eve"),
    ("key", "add", "demo1", "--public-key", "{pem}"),
    ("halt", "BTCUSDT", "--reason", "spite"),
    ("cancel-all", "--account", "demo1"),
]


@pytest.fixture(scope="module")
def pem(venue):
    file = venue.state.parent / "public.pem"
    file.write_text(
        "-----BEGIN PUBLIC KEY-----\n"
        "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
        "-----END PUBLIC KEY-----\n")
    file.chmod(0o644)
    return file


@pytest.mark.parametrize("user", [GATEWAY, OBSERVER])
@pytest.mark.parametrize("command", ADMINISTRATION, ids=lambda row: "-".join(row[:2]))
def test_denies_administration(venue, pem, user, command):
    before = record(venue)
    done = run_as(venue, user, *(word.format(pem=pem) for word in command))
    assert done.returncode == 1 and DENIED in done.stderr, done.stderr
    assert record(venue) == before, "something of it is in the log"


@pytest.mark.parametrize("user", [GATEWAY, OBSERVER])
def test_lets_gateways_and_observers_read(venue, user):
    assert run_as(venue, user, "status").returncode == 0
    accounts = run_as(venue, user, "account", "list")
    assert accounts.returncode == 0 and "demo1" in accounts.stdout


@pytest.mark.parametrize("command", [("status",), ("account", "list"), ADMINISTRATION[0]],
                         ids=lambda row: row[0])
def test_turns_strangers_away(venue, command):
    before = record(venue)
    done = run_as(venue, STRANGER, *command)
    assert done.returncode == 1 and "this user may not use the exchange" in done.stderr
    assert record(venue) == before


@pytest.mark.parametrize("user, groups", [(OPERATOR, []), (STRANGER, [GROUP])])
def test_lets_operators_administer(venue, user, groups):
    credited = run_as(
        venue, user, "credit", "demo1", "USDT", "1", "--reference", f"wire of {user}",
        "--reason", "wire", groups=groups)
    assert credited.returncode == 0, credited.stderr


def start_gateway(venue, user, groups=()):
    """Starts a gateway as a user, with a state directory of its own beside matchd's: it needs
    nothing there but the socket."""
    place = venue.state.parent / f"gateway-{user}"
    (place / "secrets").mkdir(parents=True, mode=0o700)
    shutil.copy(venue.state / "secrets" / "seal.key", place / "secrets")
    config = place / "bourse.toml"
    config.write_text(
        f'[matchd]\nsocket = "{venue.state}/run/match.sock"\n'
        f'[gatewayd]\nlisten = "127.0.0.1:{venue.port}"\n')
    user = pwd.getpwnam(user)
    for path in (place, place / "secrets", place / "secrets" / "seal.key", config):
        os.chown(path, user.pw_uid, user.pw_gid)
    with open(venue.logs / "gatewayd.log", "wb") as log:
        process = subprocess.Popen(
            [str(BIN / "bourse-gatewayd"), "--config", str(config)], stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, user=user.pw_uid, group=user.pw_gid,
            extra_groups=list(groups))
    venue.running["gatewayd"] = process


def test_a_gateway_that_runs_as_its_own_user_serves_traders(venue):
    start_gateway(venue, GATEWAY)
    venue.await_ready("gatewayd")
    client = Spot(venue.port, venue.account["keyID"], venue.account["secret"])
    try:
        order = client.place(symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC",
                             quantity="0.01", price="30000")
        assert client.cancel(symbol="BTCUSDT", orderId=order["orderId"])["status"] == "CANCELED"
    finally:
        client.close()
    assert venue.stop("gatewayd") == 0


@pytest.mark.parametrize("user, groups", [
    (OPERATOR, []), (WALLET, []), (BOTH, []), ("mail", [GROUP])])
def test_a_gateway_that_could_do_more_is_turned_away(venue, user, groups):
    """Customers reach it: as an operator's or a wallet's, whoever takes it over could book."""
    before = record(venue)
    start_gateway(venue, user, [grp.getgrnam(name).gr_gid for name in groups])
    log = venue.logs / "gatewayd.log"
    deadline = time.monotonic() + 60
    while "a gateway's user may not be an operator's or a wallet's" not in log.read_text():
        assert time.monotonic() < deadline and not venue.answers(), log.read_text()
        time.sleep(0.05)
    client = Spot(venue.port, venue.account["keyID"], venue.account["secret"])
    try:
        with pytest.raises((Refusal, Unknown)):
            client.place(symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC",
                         quantity="0.01", price="30000")
    finally:
        client.close()
    assert not venue.answers()
    venue.kill("gatewayd")
    assert record(venue) == before


def test_names_a_user_that_the_host_does_not_have(exchange):
    exchange.set("matchd", "operator_users", "no-such-user")
    done = subprocess.run(
        [str(BIN / "bourse-matchd"), "--config", str(exchange.config)], capture_output=True,
        text=True, timeout=30, stdin=subprocess.DEVNULL)
    assert done.returncode == EX_CONFIG
    assert "matchd.operator_users" in done.stderr and "no-such-user" in done.stderr
