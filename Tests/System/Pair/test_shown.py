"""What the owner of two hosts sees of them: the ops page, the metrics and `cluster status -w`, through
a switchover, restarts of the agents and the loss of one."""
import fcntl
import html
import http.client
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest
from exchange import BIN
from pair import await_true

HOME, COLOUR = "\x1b[H", re.compile(r"\x1b\[[0-9;]*[mKJ]")
SECONDS_MAX = 60


@pytest.fixture
def trio(trio):
    """With the agents connected."""
    connected(trio)
    return trio


def connected(trio):
    """Waits until each agent shows the other one's document."""
    def holds(name):
        found = trio.document(name)
        return found and found["peerAgent"]["reachable"] and found["peerAgent"]["document"]
    await_true("the agents are connected", lambda: all(holds(name) for name in "ab"))


def get(trio, name, path):
    text = trio.hosts[name].config.read_text().split("[agent]", 1)[1]
    port = int(re.search(r'listen = "127.0.0.1:(\d+)"', text)[1])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode()
        assert answer.status == 200, body
        return body
    finally:
        connection.close()


def page(trio, name):
    """The tables of the cluster as they stand in the page without scripts: rows by their first
    cell."""
    section = re.search(r'<section id="cluster".*?</section>', get(trio, name, "/"), re.DOTALL)[0]
    rows = {}
    for row in re.findall(r"<tr>(.*?)</tr>", section, re.DOTALL):
        first, *cells = (html.unescape(cell) for cell in re.findall(
            r"<t[dh]>(.*?)</t[dh]>", row, re.DOTALL))
        rows.setdefault(first, cells)
    return rows


def last_change(trio, name):
    changes = (trio.document(name) or {}).get("primaryChanges")
    return changes[-1] if changes else None


def switch(trio, old, new):
    """A switchover, asked for again where a busy machine gave it up."""
    def holds():
        found = trio.document(new)
        if found and found["role"] == "primary":
            return True
        trio.obey(old, "switchover")
        time.sleep(0.5)
        return False
    await_true(f"{new} leads", holds, SECONDS_MAX)
    trio.in_sync(new)


def test_both_hosts_show_both_and_the_last_change(trio):
    assert trio.document("a")["primaryChanges"] == []
    # A standby reads the record once a second.
    await_true("b knows that it is in sync", lambda: page(trio, "a")["role"] == [
        "primary", "standby"])
    rows = page(trio, "a")
    assert rows[""] == ["a (this host)", "b"] and rows["its agent"] == ["answers"] * 2
    assert rows["in sync"] == ["yes", "yes"]
    assert rows["primary"][0].startswith("a, epoch ")
    assert rows["lost if it failed now"] == [
        "0 records: both hosts have all that was acknowledged"]
    await_true("all members answer", lambda: page(trio, "a")["arbiter"][0].startswith(
        "3 of 3 members of etcd answer. a: yes"))
    assert page(trio, "b")[""] == ["b (this host)", "a"]

    switch(trio, "a", "b")
    await_true("both know it", lambda: last_change(trio, "a") and (
        last_change(trio, "a") == last_change(trio, "b")))
    change = last_change(trio, "a")
    assert (change["from"], change["to"], change["number"]) == ("a", "b", 1)
    assert change["cause"] == "switchover" and change["epoch"] > 1
    assert 0 < change["pauseNanos"] < SECONDS_MAX * 1_000_000_000
    shown = trio.status("a")["lastChange"]
    assert (shown["from"], shown["to"], shown["cause"]) == ("a", "b", "switchover")
    assert shown["pauseMilliseconds"] == change["pauseNanos"] // 1_000_000
    for name in "ab":
        text = page(trio, name)["last change"][0]
        assert "from a to b" in text and "an operator ordered a switchover" in text, text
        # A standby reads the record once a second.
        await_true("it knows that both are in sync", lambda name=name: (
            "bourse_cluster_in_sync 1\n" in get(trio, name, "/metrics")))
        metrics = get(trio, name, "/metrics")
        assert "bourse_cluster_changes_total 1\n" in metrics
        assert f"bourse_cluster_leads {int(name == 'b')}\n" in metrics
        assert 'bourse_cluster_etcd_member_up{member="w"} 1\n' in metrics
        assert f"bourse_cluster_last_change_pause_seconds {change['pauseNanos'] // 10**9}." in metrics

    # It outlives both agents.
    for name in "ab":
        trio.hosts[name].kill("agentd")
    for name in "ab":
        trio.hosts[name].spawn("agentd")
    for name in "ab":
        await_true("it is remembered", lambda name=name: last_change(trio, name) == change)
    connected(trio)
    trio.in_sync("b")

    # The other host is lost: what is known of it is as of then, and the loss is counted. Its agent
    # goes first, or it would still see its matchd end.
    trio.hosts["b"].kill("agentd")
    trio.lose("b")
    await_true("a leads", lambda: trio.document("a")["role"] == "primary", SECONDS_MAX)
    await_true("b is known to be away", lambda: not trio.document("a")["peerAgent"]["reachable"])
    rows = page(trio, "a")
    assert re.match(r"does not answer since \S+Z \(\d+ s ago\): .*what is below is of \S+Z",
                    rows["its agent"][1]), rows["its agent"]
    assert rows["role"] == ["primary", "primary"], "what b was last"
    assert re.match(r"\d+ records at most: a is alone in sync", rows["lost if it failed now"][0])
    change = last_change(trio, "a")
    assert (change["from"], change["to"], change["number"]) == ("b", "a", 2)
    assert change["cause"] in ("grace", "reaped") and change["pauseNanos"] > 0
    await_true("its member of etcd is seen to be away", lambda: (
        page(trio, "a")["arbiter"][0].startswith("2 of 3 members of etcd answer")))


def test_a_halt_is_an_alarm_that_clears(trio):
    def state(name, check):
        found = json.loads(get(trio, name, "/v1/state"))["checks"]
        return next((row["state"] for row in found if row["name"] == check), None)

    for name in "ab":
        await_true("there is a primary", lambda name=name: state(name, "cluster.primary") == "ok")
    names = {row["name"] for row in json.loads(get(trio, "a", "/v1/state"))["checks"]}
    # What a primary is asked of its standby is known, or not asked.
    await_true("lag is known", lambda: state("a", "exchange.standby-records") == "ok")
    assert "exchange.standby-bytes" not in names
    assert not any(name.startswith("exchange.standby") for name in (
        row["name"] for row in json.loads(get(trio, "b", "/v1/state"))["checks"]))
    trio.obey("b", "pause")
    await_true("it holds on both", lambda: all(trio.document(name)["paused"] for name in "ab"))
    trio.lose("a")
    await_true("nobody leads", lambda: state("b", "cluster.primary") == "critical", SECONDS_MAX)
    trio.obey("b", "resume")
    await_true("b leads", lambda: state("b", "cluster.primary") == "ok", SECONDS_MAX)


def test_checks_made_once_know_nothing_of_roles(trio):
    done = subprocess.run(
        [str(BIN / "bourse-agentd"), "--config", str(trio.hosts["a"].config), "--once"],
        capture_output=True, text=True, timeout=SECONDS_MAX, check=True)
    names = {row["name"] for row in json.loads(done.stdout)["checks"]}
    assert {name for name in names if name.startswith("cluster.")} == {"cluster.certificate"}


class Watch:
    """`cluster status -w 1` as a person sees it."""

    def __init__(self, trio, name, columns, rows=40):
        self.text = ""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            own = os.environ | {"TERM": "xterm-256color",
                                "BOURSE_PROGRAMS": str(trio.programs(name))}
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job ignores it
            time.sleep(0.2)  # until the terminal has its size
            os.execve(str(BIN / "boursectl"), [
                "boursectl", "--config", str(trio.state(name) / "bourse.toml"), "cluster",
                "status", "-w", "1"], own)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(self.master)

    def read(self, seconds):
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.master], [], [], left)[0]:
                self.text += os.read(self.master, 65536).decode()

    def pictures(self):
        """Whole pictures, each as its lines."""
        return [[COLOUR.sub("", line) for line in picture.split("\r\n")]
                for picture in self.text.split(HOME)[1:-1]]

    def until(self, what, holds):
        def check():
            self.read(0.2)
            return self.pictures() and holds("\n".join(self.pictures()[-1]))
        try:
            await_true(what, check, SECONDS_MAX)
        except Exception as fault:
            raise AssertionError(f"{fault}: {self.text[-3000:]!r}") from None

    def interrupt(self):
        os.write(self.master, b"\x03")
        deadline = time.monotonic() + SECONDS_MAX
        while not (ended := os.waitpid(self.pid, os.WNOHANG))[0]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        after = termios.tcgetattr(self.master)
        os.close(self.master)
        return os.waitstatus_to_exitcode(ended[1]), after


@pytest.mark.parametrize("columns", [80, 120])
def test_a_switchover_is_seen_while_watching(trio, columns):
    watch = Watch(trio, "a", columns)
    watch.until("a leads", lambda text: re.search(r"(?m)^a \(here\) .* primary ", text))
    switch(trio, "a", "b")
    watch.until("the switchover is seen", lambda text: (
        re.search(r"(?m)^b .* primary ", text) and re.search(r"(?m)^a \(here\) .* standby ", text)
        and "from a to b" in " ".join(text.split())))
    code, after = watch.interrupt()
    assert code == -signal.SIGINT
    assert after == watch.before, "the terminal is as it was"
    assert "\x1b[?25l" not in watch.text, "the cursor is never hidden"
    for picture in watch.pictures():
        assert len(picture) <= 40 and all(len(line) <= columns for line in picture), picture
    seen = ["  ".join(picture) for picture in watch.pictures()]
    if folder := os.environ.get("BOURSE_SCREENSHOTS"):
        with open(os.path.join(folder, f"cluster-status-{columns}.txt"), "w") as file:
            file.write("\n".join(watch.pictures()[-1]))
    assert len(seen) >= 2 and len({re.search(r"as of\s+(\S+)", text)[1] for text in seen}) >= 2
