"""The wallet's cost figures, small, so that they cannot rot: each line is there, and what it counts
is right."""
import re
import subprocess
import sys
from pathlib import Path

COST = Path(__file__).with_name("cost.py")


def test_each_figure_is_printed():
    done = subprocess.run(
        [sys.executable, str(COST), "--blocks", "2", "--transactions", "50", "--withdrawals", "4"],
        capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr + done.stdout
    text = done.stdout
    assert re.search(
        r"^2 blocks, \d+ bytes of answer each, 10000 addresses, 0 deposits$", text, re.M)
    bare, read = re.findall(r"^(?:the node's bare answers|read, the node's part included): "
                            r"(\d+\.\d) blocks/s$", text, re.M)
    assert float(bare) > 0 and float(read) > 0
    assert re.search(r"the last of 4 is signed and in the log, by 1 transactions", text)
    records, size = re.search(
        r"in the log: (\d+\.\d\d) records and (\d+) bytes for each", text).groups()
    # A request, and a quarter of each record of the payment and of its blocks.
    assert 1 < float(records) < 10 and int(size) > 100
    assert re.search(r"^the whole log of \d+ records is re-executed in \d+\.\d\d s", text, re.M)
