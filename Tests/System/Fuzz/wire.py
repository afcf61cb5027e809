"""Requests as bytes on one connection, many at a time: what no client library would send."""
import hashlib
import hmac
import json
import socket
import time
from urllib.parse import quote

# Requests that are sent before their replies are read: fewer than the gateway lets wait.
BATCH = 32
SECONDS_MAX = 30


class Reply:
    """One reply: its status and its body, which must be JSON."""

    def __init__(self, status, body):
        self.status = status
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)


class Request:
    """A request whose parameters are given as they are to stand on the wire."""

    def __init__(self, method, path, parameters, is_signed):
        """`parameters` are pairs of a name and its bytes, already percent-encoded."""
        self.method = method
        self.path = path
        self.parameters = list(parameters)
        self.is_signed = is_signed

    def query(self, account):
        pairs = list(self.parameters)
        if self.is_signed:
            names = {name for name, _ in pairs}
            if "timestamp" not in names:
                # In microseconds: the same request twice in a millisecond would be taken once.
                pairs.append(("timestamp", str(time.time_ns() // 1000)))
            if "recvWindow" not in names:
                pairs.append(("recvWindow", "60000"))
        query = "&".join(f"{name}={value}" for name, value in pairs)
        if self.is_signed:
            secret = account["secret"].encode()
            query += "&signature=" + hmac.new(secret, query.encode(), hashlib.sha256).hexdigest()
        return query

    def wire(self, account):
        query = self.query(account)
        target = f"{self.path}?{query}" if query else self.path
        key = f"X-MBX-APIKEY: {account['keyID']}\r\n" if self.is_signed else ""
        return f"{self.method} {target} HTTP/1.1\r\nHost: fuzz\r\n{key}\r\n".encode()

    def __str__(self):
        shown = [(name, value[:80]) for name, value in self.parameters]
        return f"{self.method} {self.path} {shown}"


def encoded(value):
    """A text percent-encoded; bytes stay as they are."""
    return value.decode("latin-1") if isinstance(value, bytes) else quote(value, safe="")


class Wire:
    """One connection, opened again whenever the gateway closes it."""

    def __init__(self, port):
        self.port = port
        self.socket = None
        self.pending = b""

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None
        self.pending = b""

    def ask(self, requests, account):
        """Sends all of them at once; returns their replies in order.

        A reply may be the connection's last: those behind it are sent again.
        """
        replies = []
        while len(replies) < len(requests):
            if self.socket is None:
                self.socket = socket.create_connection(("127.0.0.1", self.port), SECONDS_MAX)
            rest = requests[len(replies):]
            try:
                self.socket.sendall(b"".join(request.wire(account) for request in rest))
            except ConnectionError:
                pass  # what was answered before it was closed is still to be read
            is_last = False
            while len(replies) < len(requests) and not is_last:
                reply, is_last = self.read()
                if reply is not None:
                    replies.append(reply)
            assert len(requests) - len(replies) < len(rest), f"no reply to {rest[0]}"
            if is_last:
                self.close()
        return replies

    def read(self):
        """The next reply, and whether the gateway closes behind it; None when it closed."""
        while b"\r\n\r\n" not in self.pending:
            if not self.fill():
                return None, True
        head, self.pending = self.pending.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = {line.split(":", 1)[0].lower(): line.split(":", 1)[1].strip()
                   for line in lines[1:]}
        size = int(headers["content-length"])
        while len(self.pending) < size:
            if not self.fill():
                return None, True
        body, self.pending = self.pending[:size], self.pending[size:]
        return Reply(status, body), headers.get("connection") == "close"

    def fill(self):
        try:
            part = self.socket.recv(1 << 20)
        except ConnectionError:
            return False
        self.pending += part
        return bool(part)
