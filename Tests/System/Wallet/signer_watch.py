"""A socket between walletd and the signer that ends one of them at a request or at its answer."""
from socket_watch import SocketWatch


class SignerWatch(SocketWatch):
    """Passes requests and answers on, and strikes at the first request: before it is passed on, or
    after its answer came, which is then lost."""

    def __init__(self, path, signer, when, victim):
        self.answers = []
        super().__init__(path, signer, when, victim)

    def serve(self, client):
        with client:
            try:
                self.pass_on(client)
            except OSError:
                pass

    def pass_on(self, client):
        request = self.line(client)
        strikes = not self.has_struck.is_set()
        if strikes and self.when == "before":
            return self.strike()
        with self.connect() as signer:
            signer.sendall(request)
            answer = self.line(signer)
        self.answers.append(answer)
        if strikes and self.when == "after" and b'"signed"' in answer:
            return self.strike()
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
