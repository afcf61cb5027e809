"""Kills around a step of the wallet's work, which tests of either kind of chain go through."""
import signal
import time
from contextlib import contextmanager

from link_watch import LinkWatch
from signer_watch import SignerWatch


@contextmanager
def killed_at(bench, folder, point, when):
    """walletd, started so that it is killed before or after a command; the body has it come to
    that, and behind it walletd is gone."""
    watch = LinkWatch(folder / "watch", bench.state / "run" / "match.sock", point, when,
                      lambda: bench.running["walletd"].send_signal(signal.SIGKILL))
    try:
        bench.start_wallet(folder / "watch")
        yield watch
        assert watch.has_struck.wait(60), bench.log_tail("walletd")
        assert bench.running.pop("walletd").wait(60) == -signal.SIGKILL
    finally:
        watch.close()


def mine_until_struck(bench, watch):
    deadline = time.monotonic() + 60
    while not watch.has_struck.wait(0.3):
        assert time.monotonic() < deadline, bench.log_tail("walletd")
        bench.node.mine()


@contextmanager
def killed_around_signature(bench, folder, victim, when):
    """A daemon, killed as the signer is asked or has answered, and started again; the body waits
    for what comes of it. Gives the watch between walletd and the signer."""
    watch = SignerWatch(folder / "sign", bench.state / "run" / "signer.sock", when,
                        lambda: bench.running[victim].send_signal(signal.SIGKILL))
    try:
        bench.start_wallet(signer=folder / "sign")
        assert watch.has_struck.wait(60), bench.log_tail("walletd")
        bench.running.pop(victim).wait(60)
        if victim == "walletd":
            bench.start_wallet(signer=folder / "sign")
        elif victim == "signerd":
            bench.start_signer()
        else:
            bench.start(victim)
        yield watch
    finally:
        watch.close()
