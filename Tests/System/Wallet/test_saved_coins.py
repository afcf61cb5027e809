"""walletd goes on from the coins that it saved, and reads the log where these are no good."""
import http.server
import json
import threading
import urllib.error
import urllib.request

import pytest
from wallet_bench import CONFIRMATIONS, WalletBench

COIN = 100_000_000


@pytest.fixture
def bench(tmp_path):
    with WalletBench(tmp_path).signing() as made:
        yield made


def pay(bench, due):
    there = bench.node.call("getnewaddress")
    bench.withdraw("ann", there, COIN // 10)
    due.append((there, COIN // 10))
    bench.await_paid()
    bench.check_paid(due)


def test_saved_coins_are_those_of_the_log(bench):
    due = []
    coins = bench.state / "walletd.coins"
    bench.start_wallet()
    bench.fund("ann", COIN, COIN)
    pay(bench, due)
    assert bench.stop("walletd") == 0
    saved = coins.read_bytes()
    bench.start_wallet()
    pay(bench, due)
    assert "goes on behind record" in bench.log_tail("walletd", 50)
    # Killed, the older file is as good: the log has what came since.
    bench.kill("walletd")
    assert coins.read_bytes() == saved
    bench.start_wallet()
    pay(bench, due)
    assert bench.stop("walletd") == 0
    # One that is damaged, and one whose log would be longer than this one.
    newest = coins.read_bytes()
    assert newest != saved
    coins.write_bytes(newest[:-1])
    bench.start_wallet()
    pay(bench, due)
    assert "not whole" in bench.log_tail("walletd", 50)
    total = bench.status["payouts"]["total"]
    assert bench.stop("walletd") == 0
    bench.start_wallet()
    bench.await_in_step()
    bench.await_("sums", lambda: bench.status["payouts"]["total"] == total)


def test_coins_of_another_journal_are_not_used(bench, tmp_path):
    bench.start_wallet()
    bench.fund("ann", COIN)
    assert bench.stop("walletd") == 0
    other = WalletBench(tmp_path / "other")
    try:
        other.begin()
        other.start_wallet()
        other.fund("ann", COIN)
        assert other.stop("walletd") == 0
        (bench.state / "walletd.coins").write_bytes((other.state / "walletd.coins").read_bytes())
    finally:
        other.end()
    bench.start_wallet()
    pay(bench, [])
    assert "another journal" in bench.log_tail("walletd", 50)
    bench.node.mine(CONFIRMATIONS)
    bench.await_in_step()


class PrunedNode:
    """Passes calls on to a node, and answers as one that has pruned its blocks: litecoind prunes
    whole files of 128 MB only."""

    def __init__(self, node):
        self.has_pruned = False
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = outer.answer(node, body, self.headers["Authorization"])
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, node, body, login):
        call = json.loads(body)
        if call["method"] == "getrawtransaction" and self.has_pruned:
            error = {"code": -1, "message": "Block not available (pruned data)"}
            return 500, json.dumps({"result": None, "error": error, "id": call["id"]}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{node.port}/", body)
        request.add_header("Authorization", login)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return 200, response.read().replace(b'"pruned":false', b'"pruned":true')
        except urllib.error.HTTPError as error:
            return error.code, error.read()


def test_a_pruned_nodes_coins_are_spent_by_what_was_kept(bench):
    pruned = PrunedNode(bench.node)
    bench.set("walletd", "nodes", bench.node.setting.replace(str(bench.node.port),
                                                             str(pruned.port)))
    bench.start_wallet()
    bench.fund("ann", COIN)
    folder = bench.state / "walletd.previous" / "litecoin-regtest"
    bench.await_("kept", lambda: folder.is_dir() and len(list(folder.iterdir())) == 1)
    pruned.has_pruned = True
    # Without a whole file nobody can say what the coin is: that is said, and nothing is signed.
    (kept,) = folder.iterdir()
    content = kept.read_bytes()
    bench.kill("walletd")
    kept.write_bytes(b"\0" + content)
    bench.start_wallet()
    there = bench.node.call("getnewaddress")
    bench.withdraw("ann", there, COIN // 2)
    bench.await_("seen", lambda: bench.status
                 and bench.status["payouts"]["condition"] == "coins differ")
    assert "pruned" in bench.status["payouts"]["text"]
    assert not bench.node.call("getrawmempool")
    bench.kill("walletd")
    kept.write_bytes(content)
    bench.start_wallet()
    (txid,) = bench.await_("in the pool", lambda: bench.node.call("getrawmempool"))
    pruned.has_pruned = False
    bench.node.mine(CONFIRMATIONS)
    bench.await_("settled", lambda: not bench.withdrawals)
    bench.check_paid([(there, COIN // 2)])
    # The change of the payment is kept by now, and the coin that was spent is not.
    bench.await_("change", lambda: [one.name for one in folder.iterdir()] == [txid])
