"""A socket between walletd and the signer that ends one of them at a request or at its answer."""
import os
import socket
import threading


class SignerWatch:
    """Passes requests and answers on, and calls `victim()` at the first request: before it is
    passed on, or after its answer came, which is then lost."""

    def __init__(self, path, signer, when, victim):
        self.when, self.victim, self.signer = when, victim, str(signer)
        self.has_struck = threading.Event()
        self.answers = []
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        os.chmod(path, 0o600)
        self.server.listen(8)
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.server.close()

    def accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            with client:
                try:
                    self.pass_on(client)
                except OSError:
                    pass

    def pass_on(self, client):
        request = self.line(client)
        strikes = not self.has_struck.is_set()
        if strikes and self.when == "before":
            self.victim()
            self.has_struck.set()
            return
        with socket.socket(socket.AF_UNIX) as signer:
            signer.connect(self.signer)
            signer.sendall(request)
            answer = self.line(signer)
        self.answers.append(answer)
        if strikes and self.when == "after" and b'"signed"' in answer:
            self.victim()
            self.has_struck.set()
            return
        client.sendall(answer)

    @staticmethod
    def line(end):
        held = b""
        while not held.endswith(b"\n"):
            data = end.recv(1 << 16)
            if not data:
                raise OSError("closed")
            held += data
        return held
