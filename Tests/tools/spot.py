"""A small client of the spot API over the standard library, for tests that must know exactly what
was answered and what was not."""
import hashlib
import hmac
import http.client
import json
import time
from urllib.parse import urlencode


class Unknown(Exception):
    """Nobody answered, or the answer says that nothing is known: it may have happened."""


class NotSent(Unknown):
    """Nobody listens: not a byte of it left, so it did not happen."""


class Refusal(Exception):
    """A definite no: what was asked did not happen and will not."""

    def __init__(self, status, code, message, answer=None):
        super().__init__(f"HTTP {status} {code} {message}")
        self.status = status
        self.code = code
        self.message = message
        self.answer = answer or {}


class Spot:
    """One key's connection. Not for use from two threads at once."""

    def __init__(
        self, port, key=None, secret=None, seconds_max=15, host="127.0.0.1", source="127.0.0.1",
        tls=None
    ):
        self.host = host
        self.port = port
        self.key = key
        self.secret = (secret or "").encode()
        self.seconds_max = seconds_max
        self.source = source
        self.tls = tls
        self.connection = None

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def raw(self, method, path, body=None, headers=None):
        """Sends one request; returns status, headers and body bytes. Raises Unknown."""
        if self.connection is None:
            options = {"timeout": self.seconds_max, "source_address": (self.source, 0)}
            self.connection = (
                http.client.HTTPSConnection(self.host, self.port, context=self.tls, **options)
                if self.tls else http.client.HTTPConnection(self.host, self.port, **options)
            )
        if self.connection.sock is None:
            try:
                self.connection.connect()
            except OSError as error:
                self.close()
                raise NotSent(f"{method} {path.split('?')[0]}: {error!r}") from error
        try:
            self.connection.request(method, path, body=body, headers=headers or {})
            answer = self.connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unknown(f"{method} {path.split('?')[0]}: {error!r}") from error
        if answer.will_close:
            self.close()
        return answer.status, dict(answer.getheaders()), content

    def call(self, method, path, parameters=None, signed=False):
        """Sends one request and returns its JSON. Raises Refusal for a 4xx, Unknown for the rest."""
        parameters = {k: v for k, v in (parameters or {}).items() if v is not None}
        headers = {}
        if signed:
            parameters.setdefault("recvWindow", 60000)
            # In microseconds: the same request twice in a millisecond would be taken once.
            parameters["timestamp"] = time.time_ns() // 1000
            query = urlencode(parameters)
            digest = hmac.new(self.secret, query.encode(), hashlib.sha256).hexdigest()
            query += "&signature=" + digest
            headers["X-MBX-APIKEY"] = self.key
        else:
            query = urlencode(parameters)
        target = f"{path}?{query}" if query else path
        status, _, content = self.raw(method, target, headers=headers)
        try:
            answer = json.loads(content)
        except ValueError:
            raise Unknown(f"{method} {path}: HTTP {status}, not JSON: {content[:200]!r}") from None
        if status == 200:
            return answer
        code, message = answer.get("code"), answer.get("msg", "")
        if 400 <= status < 500 and code != -1007:
            raise Refusal(status, code, message, answer)
        raise Unknown(f"{method} {path}: HTTP {status} {code} {message}")

    def read(self, path, parameters, signed):
        """Reads may be asked again: the connection may be one to a gateway that is gone."""
        for last in (False, False, True):
            try:
                return self.call("GET", path, parameters, signed)
            except Unknown:
                if last:
                    raise

    def get(self, path, **parameters):
        return self.read(path, parameters, signed=False)

    def get_signed(self, path, **parameters):
        return self.read(path, parameters, signed=True)

    def place(self, **parameters):
        parameters.setdefault("newOrderRespType", "FULL")
        return self.call("POST", "/api/v3/order", parameters, signed=True)

    def cancel(self, **parameters):
        return self.call("DELETE", "/api/v3/order", parameters, signed=True)

    def cancel_replace(self, **parameters):
        parameters.setdefault("cancelReplaceMode", "STOP_ON_FAILURE")
        parameters.setdefault("newOrderRespType", "FULL")
        return self.call("POST", "/api/v3/order/cancelReplace", parameters, signed=True)

    def pages(self, path, symbol, limit, start_name, id_name):
        """All rows of a listing that goes on by id, `limit` at a time."""
        rows, start = [], 1
        while True:
            page = self.get_signed(path, symbol=symbol, limit=limit, **{start_name: start})
            rows += page
            if len(page) < limit:
                return rows
            start = page[-1][id_name] + 1

    def all_orders(self, symbol, limit=1000):
        return self.pages("/api/v3/allOrders", symbol, limit, "orderId", "orderId")

    def my_trades(self, symbol, limit=1000):
        return self.pages("/api/v3/myTrades", symbol, limit, "fromId", "id")
