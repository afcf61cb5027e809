"""The gateway's history of custody when the gateway is killed: deposits in each of their states and
withdrawals, on a real chain, are answered as before, also after what it missed meanwhile."""
import pytest
from spot import Spot
from wallet_bench import CONFIRMATIONS, WalletBench

TO = "rltc1q7qjjh3a33jhsmxwxxs5pdm9nralyr68rnna754"
KILLS = 3


@pytest.fixture
def bench(tmp_path):
    made = WalletBench(tmp_path)
    try:
        made.begin()
        made.start("gatewayd")
        made.start_wallet()
        yield made
    finally:
        made.end()


def answers(bench, keys):
    """What each account is told of its coins, deposits and withdrawals."""
    told = {}
    for name, key in keys.items():
        client = Spot(bench.port, key["keyID"], key["secret"])
        try:
            for path in ("config/getall", "deposit/hisrec", "withdraw/history"):
                told[name, path] = client.get_signed(f"/sapi/v1/capital/{path}")
            told[name, "deposit/address"] = client.get_signed(
                "/sapi/v1/capital/deposit/address", coin="LTC")
        finally:
            client.close()
    return told


def states(told, name):
    return sorted(row["status"] for row in told[name, "deposit/hisrec"])


def withdraw(bench, key, amount):
    client = Spot(bench.port, key["keyID"], key["secret"])
    try:
        return client.call("POST", "/sapi/v1/capital/withdraw/apply",
                           {"coin": "LTC", "network": "LTC", "address": TO, "amount": amount},
                           signed=True)["id"]
    finally:
        client.close()


def test_a_killed_gateway_answers_as_before(bench):
    keys = {name: bench.add_key(name, "read", "withdraw") for name in ("ann", "ben")}
    paid = bench.node.pay(bench.addresses["ann"], 300_000_000)
    bench.node.mine(CONFIRMATIONS)
    bench.await_("credited", lambda: states(answers(bench, keys), "ann") == [1])
    first, second = withdraw(bench, keys["ann"], "1"), withdraw(bench, keys["ann"], "0.5")
    bench.ctl("wallet", "refuse", first, "--reason", "test")
    late = bench.node.pay(bench.addresses["ann"], 20_000_000)
    bench.node.pay(bench.addresses["ben"], 70_000_000)
    bench.node.mine()
    bench.await_("shown", lambda: states(answers(bench, keys), "ann") == [0, 1]
                 and states(answers(bench, keys), "ben") == [0])
    before = answers(bench, keys)
    assert {row["txId"] for row in before["ann", "deposit/hisrec"]} == {paid, late}
    assert {row["id"] for row in before["ann", "withdraw/history"]} == {first, second}
    for _ in range(KILLS):
        bench.kill("gatewayd")
        bench.start("gatewayd")
        assert answers(bench, keys) == before

    # What happens while it is away is there afterwards, and once.
    bench.kill("gatewayd")
    bench.node.mine(CONFIRMATIONS - 1)
    bench.await_in_step()
    bench.ctl("wallet", "refuse", second, "--reason", "test")
    bench.start("gatewayd")
    after = answers(bench, keys)
    assert states(after, "ann") == [1, 1] and states(after, "ben") == [1]
    assert {row["id"]: row["status"] for row in after["ann", "withdraw/history"]} == {
        first: 3, second: 3}
    assert len(after["ann", "deposit/hisrec"]) == 2
    # A history that is made anew from the log is the same.
    bench.kill("gatewayd")
    for file in (bench.state / "history").iterdir():
        file.unlink()
    bench.start("gatewayd")
    assert answers(bench, keys) == after
    assert bench.check() == {"ann": 320_000_000, "ben": 70_000_000, "cid": 0}
    bench.check_alive()
