"""Sockets that stand between the wallet and what it talks to: matchd, the signer, a chain's node.

Each passes on what its hook returns, which gets every message whole: None drops it, and closes the
connection. A hook may take its time, and is called from several threads.
"""
import http.client
import http.server
import json
import os
import socket
import struct
import threading

SUBMIT, RECORDS = 3, 70
LINE_BYTES_MAX = 1 << 24


def same(message, *_):
    """The hook that changes nothing."""
    return message


class Proxy:
    """Listens at a Unix socket, and serves each connection by a thread of its own."""

    def __init__(self, path, target):
        self.path, self.target = str(path), str(target)
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        os.chmod(self.path, 0o600)
        self.server.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.server.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, socket.socket(socket.AF_UNIX) as target:
            try:
                target.connect(self.target)
                self.pass_on(client, target)
            except OSError:
                pass


def line(end):
    """A whole line, with its end."""
    held = b""
    while not held.endswith(b"\n"):
        data = end.recv(1 << 16)
        if not data or len(held) > LINE_BYTES_MAX:
            raise OSError("closed")
        held += data
    return held


class SignerProxy(Proxy):
    """Between walletd and the signer: `request(line)` and `answer(line, request)`."""

    def __init__(self, path, target, request=same, answer=same):
        self.request, self.answer = request, answer
        super().__init__(path, target)

    def pass_on(self, client, signer):
        asked = self.request(line(client))
        if asked is None:
            return
        signer.sendall(asked)
        answer = self.answer(line(signer), asked)
        if answer is not None:
            client.sendall(answer)


def ask_signer(path, request, seconds_max=20):
    """What the signer at a socket answers to a request, as walletd asks it: JSON, or None where it
    closed the connection without a word."""
    text = request if isinstance(request, bytes) else json.dumps(request).encode() + b"\n"
    with socket.socket(socket.AF_UNIX) as signer:
        signer.settimeout(seconds_max)
        signer.connect(str(path))
        try:
            signer.sendall(text)
            return json.loads(line(signer))
        except OSError:
            return None


class LinkProxy(Proxy):
    """Between a daemon and matchd: `up(frame)` gets frames to matchd, `down(frame)` those from it,
    and `sent(frame)` hears of each that was passed to matchd."""

    def __init__(self, path, target, up=same, down=same, sent=same):
        self.up, self.down, self.sent = up, down, sent
        super().__init__(path, target)

    def pass_on(self, client, matchd):
        back = threading.Thread(
            target=self._frames, args=(matchd, client, lambda frame: self.down(frame), None))
        back.start()
        self._frames(client, matchd, lambda frame: self.up(frame), lambda f: self.sent(f))
        back.join()

    @staticmethod
    def _frames(source, sink, hook, sent):
        held = b""
        try:
            while data := source.recv(1 << 18):
                held += data
                while len(held) >= 8 and len(held) >= (size := struct.unpack_from("<I", held)[0]):
                    frame, held = held[:size], held[size:]
                    passed = hook(frame)
                    if passed is None:
                        return
                    sink.sendall(passed)
                    if sent:
                        sent(passed)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


def commands(frame):
    """The commands of a submit frame: (kind, payload); none of another frame."""
    if struct.unpack_from("<H", frame, 4)[0] != SUBMIT:
        return []
    found, place = [], 16
    while place + 16 <= len(frame):
        size, kind = struct.unpack_from("<IH", frame, place + 8)
        found.append((kind, frame[place + 16:place + 16 + size]))
        place += 16 + size
    return found


class NodeProxy:
    """Between walletd and a node's JSON-RPC: `request(call)` gets the JSON of a call, and
    `answer(json, call)` that of its answer. What `request` returns with a member "answered" is the
    answer, and the node is not asked."""

    def __init__(self, node, request=same, answer=same):
        self.node, self.request, self.answer = node, request, answer
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                proxy.serve(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    @property
    def setting(self):
        """As [walletd] nodes names it."""
        return self.node.setting.replace(f":{self.node.port}", f":{self.port}")

    def serve(self, handler):
        handler.close_connection = True
        call = json.loads(
            handler.rfile.read(int(handler.headers["Content-Length"])), parse_float=Decimals)
        passed = self.request(call)
        if passed is None:
            return
        status, answer = 200, passed.pop("answered", None)
        if answer is None:
            status, answer = self.ask(passed, handler.headers["Authorization"])
        if answer is None:
            return
        answer = self.answer(answer, call)
        if answer is None:
            return
        body = answer if isinstance(answer, bytes) else text_of(answer).encode()
        try:
            handler.send_response(status)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
        except OSError:
            pass

    def ask(self, call, login):
        connection = http.client.HTTPConnection("127.0.0.1", self.node.port, timeout=60)
        try:
            connection.request("POST", "/", text_of(call), {"Authorization": login or ""})
            response = connection.getresponse()
            return response.status, json.loads(response.read(), parse_float=Decimals)
        except (OSError, ValueError, http.client.HTTPException):
            return 0, None
        finally:
            connection.close()


class Decimals(float):
    """A number of JSON that is written again with the digits that it had."""

    def __new__(cls, text):
        made = super().__new__(cls, text)
        made.text = text
        return made

    def __repr__(self):
        return self.text


def text_of(value):
    """JSON with each number as it came: amounts lose nothing on the way."""
    match value:
        case dict():
            return "{" + ",".join(f"{json.dumps(key)}:{text_of(one)}"
                                  for key, one in value.items()) + "}"
        case list():
            return "[" + ",".join(map(text_of, value)) + "]"
        case Decimals():
            return value.text
        case _:
            return json.dumps(value)
