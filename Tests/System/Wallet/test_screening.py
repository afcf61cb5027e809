"""A screening service of the owner's: what it holds does not go out, and nothing does while it is
away or answers what is no answer."""
import base64
import http.server
import json
import signal
import threading
import time

import pytest
from litecoin import COIN
from signer_watch import SignerWatch
from wallet_bench import WalletBench


class Screen:
    """The service. `verdicts` are its answers by withdrawal, `others` that to all others; a text is
    sent as it is."""

    def __init__(self, port=0):
        self.verdicts, self.others = {}, {"decision": "pass"}
        self.status, self.delay = 200, 0
        self.asked, self.logins = [], set()
        screen = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                question = json.loads(body)
                screen.asked.append((self.path, question))
                screen.logins.add(self.headers.get("Authorization"))
                time.sleep(screen.delay)
                verdict = screen.verdicts.get(question["withdrawal"], screen.others)
                text = verdict if isinstance(verdict, str) else json.dumps(verdict)
                try:
                    self.send_response(screen.status)
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text.encode())
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def bench(tmp_path):
    made = WalletBench(tmp_path)
    made.folder = tmp_path
    made.screen = Screen()
    try:
        made.begin()
        login = made.state / "screen.login"
        login.write_text("bourse:hush\n")
        made.set("walletd", "screening",
                 f"http://127.0.0.1:{made.screen.port}/check?list=eu,{login}")
        made.begin_signer()
        made.start_wallet()
        yield made
        made.check_alive()
    finally:
        made.screen.end()
        made.end()


def payouts(bench):
    return bench.status["payouts"]


def test_nothing_goes_out_that_is_not_screened(bench):
    bench.fund("ann", 5 * COIN)
    destination = bench.node.elsewhere()
    bench.screen.others = {"decision": "hold", "reason": "on a list\x1b[31m"}
    first = bench.withdraw("ann", destination, COIN)
    bench.await_("it is held", lambda: payouts(bench)["condition"] == "held by screening")
    text = payouts(bench)["text"]
    assert f"withdrawal {first}" in text and "on a list" in text and "\x1b" not in text
    path, question = bench.screen.asked[0]
    assert path == "/check?list=eu"
    assert question == {
        "withdrawal": first, "account": "ann", "asset": "LTC", "network": "litecoin-regtest",
        "address": destination, "tag": "", "units": str(COIN), "decimals": 8,
        "requester": question["requester"]}
    assert bench.screen.logins == {"Basic " + base64.b64encode(b"bourse:hush").decode()}

    # Another one passes, and does not wait for the first.
    bench.screen.others = {"decision": "pass"}
    second = bench.withdraw("ann", destination, 2 * COIN)
    bench.mine_until("the second is paid", lambda: second not in bench.withdrawals)
    assert bench.withdrawals[first]["status"] == "approved"
    # What it holds can be refused, and the money is the customer's again.
    bench.ctl("wallet", "refuse", first, "--reason", "on a list")

    # No answer is no permission.
    bench.screen.status = 500
    third = bench.withdraw("ann", destination, COIN // 2)
    bench.await_("it is away", lambda: f"withdrawal {third}" in payouts(bench)["text"]
                 and "status 500" in payouts(bench)["text"])
    bench.screen.status = 200
    for others, what in (('{"decision":"pass","decision":"hold"}', "no decision"),
                         ("x" * 100_000, "more than"), ("[" * 10_000, "no decision")):
        bench.screen.others = others
        bench.await_(f"{what} is said of {others[:40]!r}",
                     lambda what=what: what in payouts(bench)["text"])
        assert payouts(bench)["condition"] == "held by screening"
    assert bench.withdrawals[third]["status"] == "approved"
    assert not bench.node.call("getrawmempool")
    port = bench.screen.port
    bench.screen.end()
    bench.await_("it is gone", lambda: "does not answer" in payouts(bench)["text"]
                 and "no answer within" not in payouts(bench)["text"])
    bench.screen = Screen(port)
    bench.await_paid()
    bench.check_paid([(destination, 2 * COIN), (destination, COIN // 2)])

    # What was signed for two before the service held one of them is not what goes out.
    bench.stop("walletd")
    due = [bench.withdraw("ann", bench.node.elsewhere(), COIN // 4) for _ in range(2)]
    watch = SignerWatch(bench.folder / "sign", bench.state / "run" / "signer.sock", "after",
                        lambda: bench.running["walletd"].send_signal(signal.SIGKILL))
    try:
        bench.start_wallet(signer=bench.folder / "sign")
        assert watch.has_struck.wait(60), bench.log_tail("walletd")
        bench.running.pop("walletd").wait(60)
        signed = json.loads(watch.answers[-1])["signed"]
        assert signed["withdrawals"] == due
        bench.screen.verdicts[due[0]] = {"decision": "hold", "reason": "since today"}
        bench.start_wallet(signer=bench.folder / "sign")
        bench.mine_until("the other is paid", lambda: due[1] not in bench.withdrawals)
        assert bench.withdrawals[due[0]]["status"] == "approved"
        # Never both: it spends a coin of the first.
        bench.node.refusal("sendrawtransaction", signed["bytes"])
    finally:
        watch.close()
