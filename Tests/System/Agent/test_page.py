"""The ops page in a real browser: it draws what the agent reports, updates itself, and shows when
nobody answers. Pictures are kept in BOURSE_SCREENSHOTS, where that names a directory."""
import base64
import json
import os
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from agent import Agent
from websockets.sync.client import connect

BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
SECONDS_MAX = 60


class Browser:
    """A headless browser with one page, by the DevTools protocol."""

    def __init__(self, folder):
        program = next(filter(None, map(shutil.which, BROWSERS)), None)
        assert program, "apt-get install chromium-headless-shell"
        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0",
             f"--user-data-dir={folder / 'browser'}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = folder / "browser" / "DevToolsActivePort"
        deadline = time.monotonic() + SECONDS_MAX
        while not port.exists() or "\n" not in port.read_text():
            assert time.monotonic() < deadline, "the browser does not start"
            time.sleep(0.05)
        number, path = port.read_text().split("\n")[:2]
        self.opened = ExitStack()
        self.socket = self.opened.enter_context(
            connect(f"ws://127.0.0.1:{number}{path}", max_size=None))
        self.number = 0
        self.session = None
        self.noted = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call(
            "Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(self.socket.recv(timeout=SECONDS_MAX))
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            self.noted.append(answer)

    def size(self, width, height, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def until(self, expression, seconds=SECONDS_MAX):
        deadline = time.monotonic() + seconds
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < deadline, f"not so: {expression}"
            time.sleep(0.05)
        return value

    def text(self):
        return self.evaluate("document.body.innerText")

    def picture(self, name):
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        if folder := os.environ.get("BOURSE_SCREENSHOTS"):
            (Path(folder) / f"{name}.png").write_bytes(base64.b64decode(data))
        return base64.b64decode(data)

    def complaints(self):
        """Errors of scripts, and what the policy of contents refused."""
        return [
            note for note in self.noted
            if note["method"] == "Runtime.exceptionThrown"
            or note["method"] == "Log.entryAdded" and note["params"]["entry"]["level"] == "error"
            and "ERR_CONNECTION" not in note["params"]["entry"]["text"]
        ]

    def requests(self):
        return {
            note["params"]["request"]["url"] for note in self.noted
            if note["method"] == "Network.requestWillBeSent"
        }

    def close(self):
        # Debian's program is a shell script around the browser: a signal ends only the script.
        self.session = None
        self.call("Browser.close")
        self.opened.close()
        self.process.wait(SECONDS_MAX)


@pytest.fixture
def browser(tmp_path):
    made = Browser(tmp_path)
    yield made
    made.close()


def test_draws_itself_and_updates(exchange, browser):
    exchange.start()
    exchange.demo()
    agent = Agent(exchange, thresholds="cpu.stat-interval=1000000:").start()
    page = f"http://127.0.0.1:{agent.port}/"
    browser.size(1280, 900)
    browser.call("Page.navigate", url=page)
    browser.until("document.querySelectorAll('.finding').length > 3")
    browser.until("document.getElementById('role').innerText.includes('records released')")
    text = browser.text()
    for part in ("Exchange", "Checks", "Daemons", "Disks", "commands a second", "fsync",
                 "bourse-matchd", "cpu.stat-interval", "journal:"):
        assert part in text, part

    # The worst stand first.
    states = browser.evaluate(
        "[...document.querySelectorAll('#findings .badge')].map(b => b.textContent)")
    order = ["critical", "warning", "unknown"]
    assert states == sorted(states, key=order.index) and "warning" in states
    # Why and how, when it is asked for; and it stays open while the page goes on.
    browser.evaluate("document.querySelector('[data-name=\"cpu.stat-interval\"]').open = true")
    assert "parameter vm.stat_interval" in browser.text()

    # The wallet's chains, once it reports some.
    assert browser.evaluate("document.getElementById('wallet').hidden")
    chain = {"network": 1, "chain": "litecoin", "asset": "LTC", "condition": "no node",
             "isSound": False, "text": "its node gives no usable answer", "since": 1, "tip": None,
             "read": 7, "credited": 5, "addresses": 3, "pending": 2,
             "payouts": {"condition": "no signer", "isSound": False, "text": "no such socket",
                         "approved": 3, "open": 1, "free": 40_000, "total": 90_000},
             "books": {"condition": "balanced", "isSound": True, "text": "", "cold": "60000",
                       "ceiling": "200000", "target": "50000", "hotPercent": 45,
                       "isHotLow": False, "remark": None}}
    report = {"time": time.time_ns(), "isConnected": True, "chains": [chain]}
    (exchange.state / "run" / "wallet.json").write_text(json.dumps(report))
    browser.until("!document.getElementById('wallet').hidden")
    row = browser.evaluate("document.getElementById('chains').rows[1].innerText").split("\t")
    assert row == ["litecoin", "LTC", "no node", "–", "5", "2", "3", "1", "40,000", "90,000",
                   "45 %", "200,000", "60,000", chain["text"]]
    browser.until("document.body.innerText.includes('withdrawals of litecoin: no signer')")
    metrics = agent.get("/metrics", peer="tcp").text
    for name, value in {"pending_deposits": 2, "approved_withdrawals": 3, "open_payments": 1,
                        "free_units": 40_000, "total_units": 90_000, "cold_units": 60_000,
                        "ceiling_units": 200_000, "target_units": 50_000,
                        "hot_percent": 45}.items():
        assert f'bourse_chain_{name}{{chain="litecoin",asset="LTC"}} {value}\n' in metrics

    # It goes on by itself: the clock, the curves, and what the exchange does meanwhile.
    before = browser.evaluate(
        "[document.getElementById('facts').innerText,"
        " document.querySelector('#chart-fsync path.line').getAttribute('d')]")
    released = browser.evaluate("document.getElementById('role').innerText")
    exchange.ctl("account", "open", "carol")
    browser.until(f"document.getElementById('role').innerText !== {json.dumps(released)}")
    browser.until(
        f"document.getElementById('facts').innerText !== {json.dumps(before[0])}"
        " && document.querySelector('#chart-fsync path.line').getAttribute('d')"
        f" !== {json.dumps(before[1])}")
    assert browser.evaluate("document.querySelector('[data-name=\"cpu.stat-interval\"]').open")
    for _ in range(3):  # so that the curves have something to show
        line = browser.evaluate(
            "document.querySelector('#chart-fsync path.line').getAttribute('d')")
        browser.until("document.querySelector('#chart-fsync path.line').getAttribute('d')"
                      f" !== {json.dumps(line)}")
    for width, dark in ((1280, False), (1280, True), (400, False), (400, True)):
        browser.size(width, 900, dark)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert len(browser.picture(f"ops-{width}-{'dark' if dark else 'light'}")) > 10_000

    # matchd goes: the page says so without being asked again.
    exchange.kill("matchd")
    browser.until("document.getElementById('role').innerText === 'matchd does not answer.'")
    browser.until("document.getElementById('worst').innerText === 'critical'")

    # Nothing came from elsewhere, and nothing went wrong.
    assert browser.complaints() == []
    assert {url for url in browser.requests() if not url.startswith((page, "data:"))} == set()

    # The agent goes: that is said, and what is shown is marked as old; and it comes back.
    exchange.kill("agentd")
    browser.until("!document.getElementById('alert').hidden")
    assert "The agent does not answer" in browser.text()
    browser.size(1280, 900)
    browser.picture("ops-no-agent")
    agent.start()
    browser.until("document.getElementById('alert').hidden")


def test_is_served_with_a_strict_policy(exchange):
    agent = Agent(exchange).start()
    page = agent.get("/", peer="tcp")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert " style=" not in page.text and "<script>" not in page.text and "onclick" not in page.text
    for path, kind in (("/ops.js", "text/javascript"), ("/ops.css", "text/css")):
        found = agent.get(path, peer="tcp")
        assert found.status == 200 and found.headers["content-type"].startswith(kind)
        assert "http://" not in found.text.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in found.text
    # The page writes texts as texts, never as markup.
    assert "innerHTML" not in agent.get("/ops.js", peer="tcp").text
