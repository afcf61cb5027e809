"""A socket between walletd and matchd that ends walletd at a named command."""
import os
import socket
import struct
import threading

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


class LinkWatch:
    """Passes everything on, and kills `victim()` before or after it has passed the command on."""

    def __init__(self, path, matchd, point, when, victim):
        self.kind, self.mark = COMMANDS[point]
        self.when, self.victim, self.matchd = when, victim, str(matchd)
        self.has_struck = threading.Event()
        self.has_credited = False
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
            matchd = socket.socket(socket.AF_UNIX)
            try:
                matchd.connect(self.matchd)
            except OSError:
                client.close()
                continue
            threading.Thread(target=self.up, args=(client, matchd), daemon=True).start()
            threading.Thread(target=self.down, args=(matchd, client), daemon=True).start()

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
            self.victim()
            self.has_struck.set()
            return
        matchd.sendall(frame)
        if strikes:
            self.victim()
            self.has_struck.set()

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
