"""A host that takes joins is spoken to by anybody who reaches its port: whatever they send, it hands
nothing out, runs nothing for them, and goes on taking joins."""
import json
import os
import random
import socket
import ssl
import subprocess

import pytest
from trio import ADDRESSES

SEED = int(os.environ.get("BOURSE_SEED", "11"))
TRIES = 60
SECONDS_MAX = 20


def asked(trio, by):
    """A connection as a joining host makes it, with TLS; anybody may."""
    plain = socket.create_connection((ADDRESSES[by], trio.first + 2), SECONDS_MAX)
    greeting = b""
    while not greeting.endswith(b"\n\n"):
        byte = plain.recv(1)
        assert byte, "it greets"
        greeting += byte
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(plain)


def answer(trio, by, request):
    """What it says to these bytes, until it closes."""
    said = b""
    try:
        with asked(trio, by) as end:
            end.sendall(request)
            while data := end.recv(65536):
                said += data
    except (OSError, ssl.SSLError):
        pass
    return said


def mutated(chance, good):
    """A request that somebody without a token could send."""
    line = dict(good)
    for _ in range(chance.randint(1, 3)):
        name = chance.choice(list(line))
        line[name] = chance.choice([
            None, True, -1, 1 << 70, "", "x" * 20_000, "../../etc", "\x00", [], {}, "ff" * 32,
            good[name], "-----BEGIN CERTIFICATE REQUEST-----\n" + "A" * 4000])
    text = json.dumps(line).encode()
    kind = chance.randrange(5)
    if kind == 0:
        text = text[:chance.randrange(len(text))]
    elif kind == 1:
        at = chance.randrange(len(text))
        text = text[:at] + bytes([chance.randrange(256)]) + text[at + 1:]
    elif kind == 2:
        text = b"[" * 3000 + text
    elif kind == 3:
        text = os.urandom(chance.randint(1, 9000)).replace(b"\n", b" ")
    return text + b"\n"


@pytest.fixture
def request_of_b(trio):
    """What b would ask, but for the token's secret."""
    folder = trio.folder
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / "own.key", "-out",
                    folder / "own.csr", "-subj", "/CN=b"], check=True, capture_output=True)
    return {"secret": "ab" * 32, "host": "b", "address": ADDRESSES["b"],
            "request": (folder / "own.csr").read_text(), "renewal": False, "member": "",
            "journal": ""}


def test_whatever_strangers_send_a_host_that_takes_joins_goes_on(trio, request_of_b):
    a, b = trio.roles()
    trio.bring_key(a)
    chance = random.Random(SEED)
    key = (trio.cluster(a) / "ca.key").read_bytes()
    seal = (trio.state(a) / "secrets" / "seal.key").read_bytes().hex()

    def use(token):
        for number in range(TRIES):
            found = answer(trio, a, mutated(chance, request_of_b))
            reply = json.loads(found) if found else {}
            assert set(reply) <= {"problem", "repair"}, (SEED, number, reply)
            assert seal.encode() not in found and key not in found
        # A stranger's request is not given to openssl: who has no token is asked nothing else.
        reply = json.loads(answer(trio, a, json.dumps(
            request_of_b | {"request": "no request"}).encode() + b"\n"))
        assert "token" in reply["problem"], reply
        trio.ctl(b, "cluster", "renew", token)

    trio.invited(b, a, use)
    assert "no request of this version" in (trio.folder / f"invite-{b}.log").read_text()


def test_strangers_that_say_nothing_keep_no_host_from_joining(trio):
    a, b = trio.roles()
    trio.bring_key(a)

    def strangers(count):
        place = (ADDRESSES[a], trio.first + 2)
        return [socket.create_connection(place, SECONDS_MAX) for _ in range(count)]

    def use(token):
        silent = strangers(10)
        trio.ctl(b, "cluster", "renew", token)
        for end in silent:
            end.close()

    trio.invited(b, a, use)

    # Those that say half a word are waited for: the token is not to blame.
    def use_again(token):
        slow = strangers(4)
        for end in slow:
            end.sendall(b"\x16")
        said = trio.refusal(b, "cluster", "renew", token)
        assert "the port is busy" in said and "check the token" not in said, said
        for end in slow:
            end.close()
        trio.ctl(b, "cluster", "renew", token)

    trio.invited(b, a, use_again)
