"""A socket between two daemons, at which a third party sees what they say and strikes once."""
import os
import socket
import threading


class SocketWatch:
    """Listens at `path`, and gives each connection to `serve` on a thread of its own. `strike`
    calls `victim()`: `when` says whether before or after something is passed on."""

    def __init__(self, path, target, when, victim):
        self.target, self.when, self.victim = str(target), when, victim
        self.has_struck = threading.Event()
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
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def connect(self):
        """A connection to the daemon behind it."""
        end = socket.socket(socket.AF_UNIX)
        try:
            end.connect(self.target)
        except OSError:
            end.close()
            raise
        return end

    def strike(self):
        self.victim()
        self.has_struck.set()
