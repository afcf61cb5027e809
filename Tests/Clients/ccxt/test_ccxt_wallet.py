"""Unmodified ccxt gets an address for deposits, withdraws and follows its withdrawal. The wallet's
daemon is not part of it: what only it can do, a credit or a payment, is in GatewayTests."""
import time
from decimal import Decimal

import ccxt
import pytest
from exchange import VECTOR_ADDRESSES, Refused
from pointed import pointed

TO, OWN = VECTOR_ADDRESSES


@pytest.fixture(scope="module")
def wallet(venue):
    """A client whose key may withdraw, and BTC's network, of which each withdrawal is approved."""
    venue.exchange.open_network(approvals=1)
    client = pointed(ccxt.binance, venue)
    key = venue.exchange.add_key("demo1", "read", "withdraw")
    client.apiKey, client.secret = key["keyID"], key["secret"]
    client.load_markets(reload=True)
    return client


def exact(number):
    return Decimal(str(number))


def free(client):
    return exact(client.fetch_balance()["BTC"]["free"])


def refused(code):
    """That ccxt raises an error of a code. What kind it is, ccxt decides by Binance's host names."""
    return pytest.raises(ccxt.BaseError, match=f'"code":{code},')


def refuse(venue, withdrawal):
    venue.exchange.ctl("wallet", "refuse", withdrawal["id"], "--reason", "test")


def test_knows_networks(wallet):
    coin = wallet.fetch_currencies()["BTC"]
    assert coin["deposit"] and coin["withdraw"]
    network = coin["networks"]["BTC"]
    assert network["deposit"] and network["withdraw"]
    assert exact(network["fee"]) == Decimal("0.00001")
    assert exact(network["precision"]) == Decimal("0.00000001")
    # An amount includes the fee, as on Binance.
    assert exact(network["limits"]["withdraw"]["min"]) == Decimal("0.00011")
    assert wallet.currencies["ETH"]["networks"] == {}


def test_has_one_deposit_address(wallet):
    first = wallet.fetch_deposit_address("BTC")
    assert first["currency"] == "BTC" and first["tag"] is None
    assert wallet.fetch_deposit_address("BTC", {"network": "BTC"})["address"] == first["address"]
    assert first["address"] == OWN  # the first account that asks has the chain's first index
    with refused(-4019):
        wallet.fetch_deposit_address("ETH")


def test_withdraws_and_follows_it(venue, wallet):
    before = free(wallet)
    made = wallet.withdraw("BTC", 0.5, TO, params={"network": "BTC", "withdrawOrderId": "mine"})
    assert made["id"] and made["currency"] == "BTC"
    assert free(wallet) == before - Decimal("0.5")
    shown = wallet.fetch_withdrawals("BTC")[-1]
    assert shown["id"] == made["id"] and shown["status"] == "pending"
    assert (shown["address"], shown["network"], shown["type"]) == (TO, "BTC", "withdrawal")
    assert exact(shown["amount"]) == Decimal("0.49999")
    assert exact(shown["fee"]["cost"]) == Decimal("0.00001") and shown["txid"] is None
    assert abs(shown["timestamp"] - time.time() * 1000) < 60_000
    assert shown["info"]["withdrawOrderId"] == "mine" and shown["info"]["status"] == 2
    since = wallet.fetch_withdrawals("BTC", since=int(time.time() * 1000) - 60_000, limit=10)
    assert made["id"] in [one["id"] for one in since]

    venue.exchange.ctl("wallet", "approve", made["id"], "--reason", "test")
    assert wallet.fetch_withdrawals("BTC")[-1]["info"]["status"] == 4
    refuse(venue, made)
    assert wallet.fetch_withdrawals("BTC")[-1]["status"] == "failed"
    assert free(wallet) == before


def test_requests_a_withdrawal_once(venue, wallet):
    params = {"network": "BTC", "withdrawOrderId": "once"}
    made = wallet.withdraw("BTC", 0.5, TO, params=params)
    before = free(wallet)
    with refused(-4032):
        wallet.withdraw("BTC", 0.5, TO, params=params)
    assert free(wallet) == before
    refuse(venue, made)
    with refused(-4032):  # nor when it has ended
        wallet.withdraw("BTC", 0.5, TO, params=params)
    with pytest.raises(Refused):
        refuse(venue, made)


def test_says_what_is_wrong_with_a_withdrawal(wallet):
    before = free(wallet)
    with refused(-4026):
        wallet.withdraw("BTC", 5_000, TO)
    for address in (TO[:-1] + "q", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"):
        with refused(-4033):
            wallet.withdraw("BTC", 0.5, address)
    with refused(-4022):
        wallet.withdraw("BTC", 0.0001, TO)
    with refused(-4106):
        wallet.withdraw("BTC", 0.5, TO, {"tag": "7"})
    assert free(wallet) == before


def test_a_stopped_coin_is_shown_as_such(venue, wallet):
    venue.exchange.ctl("wallet", "stop", "BTC", "--reason", "test")
    assert not wallet.fetch_currencies()["BTC"]["withdraw"]
    with refused(-4019):
        wallet.withdraw("BTC", 0.5, TO)
    venue.exchange.ctl("wallet", "resume", "BTC", "--reason", "test")
    assert wallet.fetch_currencies()["BTC"]["withdraw"]


def test_a_trader_may_not_withdraw(venue, wallet):
    trader = pointed(ccxt.binance, venue, "demo1")
    with refused(-2015):
        trader.withdraw("BTC", 0.5, TO)


def test_has_no_deposits(venue, wallet):
    """What came by another way than a chain is none: neither an operator's booking, with an address
    that exists, nor a withdrawal that was given back. The listing reads what it is asked for."""
    before = free(wallet)
    address = wallet.fetch_deposit_address("BTC")["address"]
    venue.exchange.ctl("credit", "demo1", "BTC", "0.25", "--reference", address, "--reason", "test")
    made = wallet.withdraw("BTC", 0.5, TO, params={"network": "BTC"})
    refuse(venue, made)
    assert free(wallet) == before + Decimal("0.25")
    now = int(time.time() * 1000)
    for asked in ({}, {"code": "BTC"}, {"code": "BTC", "since": now - 1000, "limit": 5},
                  {"code": "BTC", "params": {"until": now}}):
        assert wallet.fetch_deposits(**asked) == []
    assert made["id"] in [one["id"] for one in wallet.fetch_withdrawals("BTC")]
    for wrong, code in (({"coin": "DOGE"}, -4018), ({"status": 9}, -1130), ({"limit": 0}, -1130),
                        ({"startTime": now, "endTime": now - 1}, -4047)):
        with refused(code):
            wallet.fetch_deposits("BTC", params=wrong)


def denied(client, code):
    """That ccxt raises an error of a code, one that is an exception of this kind at Binance."""
    kinds = {-4016: ccxt.PermissionDenied, -4023: ccxt.OperationRejected,
             -4035: ccxt.PermissionDenied, -4036: ccxt.PermissionDenied}
    assert client.exceptions["spot"]["exact"][str(code)] is kinds[code]
    return refused(code)


def test_a_tier_and_an_account_have_their_own_fee_and_minimum(venue, wallet):
    ctl = venue.exchange.ctl

    def shown():
        network = wallet.fetch_currencies()["BTC"]["networks"]["BTC"]
        return exact(network["fee"]), exact(network["limits"]["withdraw"]["min"])

    general = shown()
    ctl("wallet", "terms", "set", "BTC", 1, "--tier", 0, "--fee", "0.00005")
    assert shown() == (Decimal("0.00005"), Decimal("0.00015"))
    ctl("wallet", "terms", "set", "BTC", 1, "--account", "demo1", "--fee", 0, "--minimum", "0.2")
    assert shown() == (0, Decimal("0.2"))
    before = free(wallet)
    with refused(-4022) as error:
        wallet.withdraw("BTC", 0.19, TO)
    assert "0.20000000" in str(error.value)
    made = wallet.withdraw("BTC", 0.2, TO)
    assert free(wallet) == before - Decimal("0.2")
    row, = [one for one in wallet.fetch_withdrawals("BTC") if one["id"] == made["id"]]
    assert (row["amount"], row["fee"]["cost"]) == (0.2, 0)
    refuse(venue, made)
    counting, = venue.exchange.ctl_json("wallet", "terms", "show", "BTC", "--account", "demo1")
    assert counting["account"] == "demo1" and exact(counting["minimum"]) == Decimal("0.2")
    counting, = venue.exchange.ctl_json("wallet", "terms", "show", "--account", "demo2")
    assert (counting["account"], counting["tier"]) == (None, 0)
    rows = venue.exchange.ctl_json("wallet", "terms", "show")
    assert [(row["account"], row["tier"], exact(row["fee"])) for row in rows] == [
        (None, 0, Decimal("0.00005")), ("demo1", None, 0)]
    for arguments, text in {
        ("set", "BTC", 1, "--fee", 1): "Give --account or --tier",
        ("set", "BTC", 1, "--account", "demo1"): "Give a term",
        ("set", "BTC", 1, "--account", "demo1", "--minimum", 0): "above zero",
        ("set", "BTC", 1, "--account", "demo1", "--minimum", "0.00000001"): "dust",
        ("set", "BTC", 1, "--tier", 99, "--fee", 0): "there is no tier 99",
        ("set", "ETH", 1, "--tier", 1, "--fee", 0): "no network",
        ("remove", "BTC", 1, "--account", "demo2"): "no such terms",
    }.items():
        with pytest.raises(Refused, match=text):
            ctl("wallet", "terms", *arguments)
    ctl("wallet", "terms", "remove", "BTC", 1, "--account", "demo1")
    assert shown()[0] == Decimal("0.00005"), "its tier's again"
    ctl("wallet", "terms", "remove", "BTC", 1, "--tier", 0)
    assert shown() == general


def test_a_key_withdraws_to_the_address_book_within_limits(venue, wallet):
    ctl = venue.exchange.ctl
    client = pointed(ccxt.binance, venue)
    key = venue.exchange.add_key("demo2", "read", "withdraw", anywhere=False)
    client.apiKey, client.secret = key["keyID"], key["secret"]
    client.load_markets()
    with denied(client, -4035):
        client.withdraw("BTC", 0.5, TO)
    # A new address waits for the policy's delay, and one that was added before it does not.
    ctl("wallet", "book", "add", "demo2", 1, TO.upper(), "--label", "home")
    ctl("wallet", "policy", "set", "--address-delay", "3h")
    ctl("wallet", "book", "add", "demo2", 1, OWN)
    with denied(client, -4036) as error:
        client.withdraw("BTC", 0.5, OWN)
    assert "in 3 hours" in str(error.value)
    book = client.sapi_get_capital_withdraw_address_list()
    assert [(one["address"], one["coin"], one["network"], one["name"], one["whiteStatus"])
            for one in book] == [(TO, "BTC", "BTC", "home", True), (OWN, "BTC", "BTC", "", False)]
    made = client.withdraw("BTC", 0.5, TO)
    assert made["id"] in [one["id"] for one in client.fetch_withdrawals("BTC")]

    ctl("wallet", "limits", "set", "BTC", "--each", 2, "--day", 3, "--day-count", 5)
    ctl("wallet", "limits", "set", "BTC", "--account", "demo1", "--each", "none", "--day", "none",
        "--day-count", 0)
    most = client.fetch_currencies()["BTC"]["networks"]["BTC"]["limits"]["withdraw"]["max"]
    assert exact(most) == Decimal("2.00001")  # with the fee, as Binance's amounts
    before = free(client)
    with denied(client, -4023):
        client.withdraw("BTC", 2.00002, TO)
    client.withdraw("BTC", 2, TO)
    with denied(client, -4023):
        client.withdraw("BTC", 1.1, TO)
    assert free(client) == before - 2
    refuse(venue, wallet.withdraw("BTC", 2.5, TO))  # another's own limits

    # A tier's limits stand in the place of those of each account.
    ctl("wallet", "limits", "set", "BTC", "--tier", 1, "--each", 4, "--day", "none",
        "--day-count", 0)
    ctl("fees", "tier", "demo2", 1)
    most = client.fetch_currencies()["BTC"]["networks"]["BTC"]["limits"]["withdraw"]["max"]
    assert exact(most) == Decimal("4.00001")
    shown = venue.exchange.ctl_json("wallet", "limits", "show", "BTC", "--account", "demo2")
    row, = shown["limits"]
    assert (row["account"], row["tier"], exact(row["each"])) == (None, 1, 4)
    client.withdraw("BTC", 1.1, TO)
    with pytest.raises(Refused, match="there is no tier 99"):
        ctl("wallet", "limits", "set", "BTC", "--tier", 99, "--each", 4)
    ctl("wallet", "limits", "remove", "BTC", "--tier", 1)
    with denied(client, -4023):
        client.withdraw("BTC", 1.1, TO)
    ctl("fees", "tier", "demo2", 0)

    ctl("wallet", "limits", "remove", "BTC")
    ctl("wallet", "policy", "set", "--key-freeze", "48h")
    added = venue.exchange.add_key("demo2", "read")
    with denied(client, -4016):
        client.withdraw("BTC", 0.5, TO)
    ctl("key", "revoke", added["keyID"])
    ctl("wallet", "book", "remove", "demo2", 1, TO)
    ctl("wallet", "policy", "set", "--key-freeze", 0, "--address-delay", 0)
    shown = venue.exchange.ctl_json("wallet", "policy", "show", "--account", "demo2")
    assert shown["frozenUntil"] is None and shown["keyFreeze"] == 0
    with pytest.raises(Refused, match="address book"):
        ctl("wallet", "book", "remove", "demo2", 1, TO)
    with pytest.raises(Refused, match="withdraw permission"):
        ctl("key", "add", "demo2", "--withdraw-anywhere")
