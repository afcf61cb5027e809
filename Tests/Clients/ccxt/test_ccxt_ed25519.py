"""A customer's own Ed25519 key: its public half is registered with boursectl, ccxt signs with the
private one."""
import ccxt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding, NoEncryption, PrivateFormat, PublicFormat)
from pointed import pointed

BTC = "BTC/USDT"


def new_key(venue, folder, permissions="read,trade"):
    """Registers a new key of demo1; returns its identifier and its private half in PEM."""
    private = Ed25519PrivateKey.generate()
    file = folder / "public.pem"
    file.write_bytes(private.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    made = venue.exchange.ctl_json(
        "key", "add", "demo1", "--public-key", file, "--permissions", permissions)
    assert made["algorithm"] == "ed25519" and made["secret"] is None
    secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made["keyID"], secret.decode()


def client(venue, key):
    made = pointed(ccxt.binance, venue)
    made.apiKey, made.secret = key
    return made


def test_places_and_cancels_an_order(venue, tmp_path):
    signer = client(venue, new_key(venue, tmp_path))
    order = signer.create_order(BTC, "limit", "buy", 0.01, 31000, {"clientOrderId": "ed-1"})
    assert order["status"] == "open"
    # The HMAC key of the same account sees it: both are the same customer's.
    other = pointed(ccxt.binance, venue, "demo1")
    assert other.fetch_order(order["id"], BTC)["clientOrderId"] == "ed-1"
    assert signer.cancel_order(order["id"], BTC)["status"] == "canceled"
    assert signer.fetch_balance()["USDT"]["total"] > 0


def test_refuses_another_private_key(venue, tmp_path):
    key_id, _ = new_key(venue, tmp_path)
    _, stranger = new_key(venue, tmp_path)
    with pytest.raises(ccxt.AuthenticationError):
        client(venue, (key_id, stranger)).private_get_account()


def test_keeps_a_key_to_its_permissions(venue, tmp_path):
    key = new_key(venue, tmp_path, permissions="read")
    assert client(venue, key).fetch_balance()["USDT"]["total"] > 0
    # A client of its own: once one was let in, ccxt takes this error for overload.
    with pytest.raises(ccxt.AuthenticationError):
        client(venue, key).create_order(BTC, "limit", "buy", 0.01, 31000)


def test_refuses_a_revoked_key(venue, tmp_path):
    key = new_key(venue, tmp_path)
    client(venue, key).private_get_account()
    venue.exchange.ctl("key", "revoke", key[0])
    with pytest.raises(ccxt.AuthenticationError):
        client(venue, key).private_get_account()
