"""A socket between walletd and matchd that ends walletd at a named command."""
import struct
import threading

from socket_watch import SocketWatch

SUBMIT = 3
# Raw command kinds, and where they differ in it, the byte of the payload and its value.
COMMANDS = {
    "open session": (10, None),
    "note": (51, None),
    "final block": (56, (2, 1)),
    "credit": (50, None),
    "credited block": (56, (2, 0)),
    "sign": (52, None),
    "settle": (53, None),
}


DEPOSIT_COMMANDS = ["open session", "note", "final block", "credit", "credited block"]
PAYMENT_COMMANDS = ["open session", "sign", "final block", "settle"]


class LinkWatch(SocketWatch):
    """Passes everything on, and strikes before or after it has passed the command on."""

    def __init__(self, path, matchd, point, when, victim):
        self.kind, self.mark = COMMANDS[point]
        self.has_credited = False
        super().__init__(path, matchd, when, victim)

    def serve(self, client):
        try:
            matchd = self.connect()
        except OSError:
            client.close()
            return
        threading.Thread(target=self.down, args=(matchd, client), daemon=True).start()
        self.up(client, matchd)

    def down(self, matchd, client):
        try:
            while data := matchd.recv(1 << 16):
                client.sendall(data)
        except OSError:
            pass
        for end in (client, matchd):
            end.close()

    def up(self, client, matchd):
        held = b""
        try:
            while data := client.recv(1 << 16):
                held += data
                while len(held) >= 8 and len(held) >= struct.unpack_from("<I", held)[0]:
                    length = struct.unpack_from("<I", held)[0]
                    self.pass_on(held[:length], matchd)
                    held = held[length:]
        except OSError:
            pass
        for end in (client, matchd):
            end.close()

    def pass_on(self, frame, matchd):
        strikes = self.is_it(frame, self.kind, self.mark) and not self.has_struck.is_set()
        # Blocks without deposits are checked before: those are not meant.
        strikes = strikes and (self.mark != (2, 0) or self.has_credited)
        self.has_credited |= self.is_it(frame, *COMMANDS["credit"])
        if strikes and self.when == "before":
            return self.strike()
        matchd.sendall(frame)
        if strikes:
            self.strike()

    def is_it(self, frame, wanted, mark):
        if struct.unpack_from("<H", frame, 4)[0] != SUBMIT:
            return False
        place = 16
        while place + 16 <= len(frame):
            size, kind = struct.unpack_from("<IH", frame, place + 8)
            payload = frame[place + 16:place + 16 + size]
            if kind == wanted and (mark is None or payload[mark[0]] == mark[1]):
                return True
            place += 16 + size
        return False
