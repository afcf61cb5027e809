"""`make run WALLET=demo`, and the README's example of it by an unmodified ccxt."""
import json
import re
import subprocess
import time

from exchange import BIN, ROOT, free_port
from test_make_run import Foreground

SECONDS_MAX = 120


def example(state, port):
    """The README's lines of Python, for this exchange."""
    text = (ROOT / "README.md").read_text()
    (block,) = [one for one in re.findall(r"```python\n(.*?)```", text, re.S) if "withdraw" in one]
    return block.replace('"state/', f'"{state}/').replace("127.0.0.1:8080", f"127.0.0.1:{port}")


def test_the_readmes_deposit_and_withdrawal(tmp_path):
    state, port = tmp_path / "state", free_port()
    run = Foreground(state, port, "--wallet", "demo")
    try:
        run.await_line("Ctrl-C stops it", SECONDS_MAX)
        said = []
        names = {"print": said.append}
        before, after = example(state, port).split('there = "')
        lines = before.splitlines()
        (ask,) = [line for line in lines if line.startswith("print(exchange.fetch_deposit_address")]
        exec("\n".join(lines[:lines.index(ask) + 1]), names)

        def node(*arguments):
            return subprocess.run([str(state / "litecoin-cli"), *arguments], check=True, timeout=60,
                                  capture_output=True, text=True).stdout.strip()

        node("sendtoaddress", said.pop(), "2")

        def await_status(line, status):
            deadline = time.monotonic() + SECONDS_MAX
            while True:
                exec(line, names)
                found = said.pop()
                if found and found[0][1] == status:
                    return found
                assert time.monotonic() < deadline, f"{found}\n{run.text}"
                time.sleep(0.5)

        (deposits,) = [line for line in lines if "fetch_deposits" in line]
        assert await_status(deposits, "ok") == [(2.0, "ok")]
        there = node("getnewaddress")
        _, withdraw, withdrawals = after.splitlines()
        exec(withdraw, names | {"there": there})
        ((amount, _, txid),) = await_status(withdrawals, "ok")
        assert amount == 0.9999  # less the fee
        paid = [one for one in json.loads(node("listtransactions"))
                if one.get("address") == there]
        assert [one["txid"] for one in paid] == [txid]
        shown = subprocess.run(
            [str(BIN / "boursectl"), "--state", str(state), "wallet", "status"], check=True,
            capture_output=True, text=True, timeout=60).stdout
        assert "in step" in shown
        assert run.interrupt() == 0, run.text
        # It goes on with the same state.
        run = Foreground(state, port, "--wallet", "demo")
        run.await_line("Ctrl-C stops it", SECONDS_MAX)
        assert run.interrupt() == 0, run.text
    finally:
        run.end()


def test_an_unknown_wallet_is_refused(tmp_path):
    run = Foreground(tmp_path / "state", free_port(), "--wallet", "real")
    try:
        run.await_line("use WALLET=demo")
        assert run.process.wait(SECONDS_MAX) == 64
    finally:
        run.end()
