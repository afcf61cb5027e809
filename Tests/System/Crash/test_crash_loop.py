"""kill -9 of matchd, gatewayd and auditd at random moments under load, at least fifty times: every
acknowledged order, cancel and booking is there, once, and nothing unacknowledged is half there."""
import os
import random
import shutil

from loop import CrashLoop

KILLS = int(os.environ.get("BOURSE_KILLS", "60"))
SECONDS_MAX = 480


def test_keeps_every_acknowledged_change_over_kills(tmp_path):
    seed = int(os.environ.get("BOURSE_SEED") or random.SystemRandom().randrange(10**6))
    print(f"seed {seed}; again with: Tests/System/Crash/loop.py --kills {KILLS} --seed {seed}")
    loop = CrashLoop(tmp_path / "state", seed, KILLS, SECONDS_MAX)
    loop.run()
    assert sum(loop.killed.values()) >= KILLS
    assert all(loop.killed[name] > 0 for name in ("matchd", "gatewayd", "auditd")) or KILLS < 20
    assert loop.checker.traded, "the load made no trade"
    shutil.rmtree(tmp_path)
