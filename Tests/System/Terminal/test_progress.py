"""The progress bar of boursectl on terminals of any width and without a terminal, and the state of
the terminal after an interrupt."""
import fcntl
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
from exchange import BIN, Exchange
from journal import TICK, Journal

REDRAW = "\r\x1b[2K"
SECONDS_MAX = 60


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """A journal that keeps boursectl busy for a moment."""
    exchange = Exchange(tmp_path_factory.mktemp("progress") / "state")
    try:
        exchange.init()
        exchange.set("matchd", "segment_mib", 1)
        exchange.start("matchd")
        exchange.stop_all()
    finally:
        exchange.end()
    journal = Journal(exchange.state)
    journal.add(TICK, count=1_600_000)
    journal.flush()
    return exchange.state


class Screen:
    """boursectl on a terminal, in slow motion: it runs for a moment, then stops for longer than the
    interval between two pictures, so that a short operation draws as a long one does."""

    def __init__(self, state, *arguments, columns=80, environment=None):
        self.text = ""
        self.code = None
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            program = str(BIN / "boursectl")
            own = {"PATH": os.environ["PATH"], "TERM": "xterm-256color"} | (environment or {})
            os.execve(program, [program, "--state", str(state), *arguments], own)
        self.resize(columns)

    def resize(self, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def run(self, seconds=0.003, rest=0.12):
        """Lets it run for a moment; False when it has ended."""
        os.kill(self.pid, signal.SIGCONT)
        self.read(seconds)
        ended, status = os.waitpid(self.pid, os.WNOHANG)
        if not ended:
            os.kill(self.pid, signal.SIGSTOP)
            self.read(rest)
            return True
        self.code = os.waitstatus_to_exitcode(status)
        self.read(0.05)
        return False

    def read(self, seconds):
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self.master], [], [], left)[0]:
                return
            try:
                part = os.read(self.master, 65536)
            except OSError:  # the other side is closed
                return
            self.text += part.decode()

    def run_until(self, holds):
        deadline = time.monotonic() + SECONDS_MAX
        while not holds():
            if not self.run():
                return False
            assert time.monotonic() < deadline, repr(self.text)
        return True

    def finish(self):
        """Runs to the end at full speed; returns the exit code."""
        deadline = time.monotonic() + SECONDS_MAX
        os.kill(self.pid, signal.SIGCONT)
        while self.code is None:
            assert time.monotonic() < deadline, repr(self.text)
            self.read(0.02)
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.code = os.waitstatus_to_exitcode(status)
        self.read(0.05)
        return self.code

    def end(self):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.master)

    @property
    def pictures(self):
        """The lines drawn over one another; the last one is visible."""
        return self.text.split(REDRAW)[1:]


@pytest.fixture
def screen(state):
    screens = []

    def open_screen(*arguments, **options):
        screens.append(Screen(state, *arguments, **options))
        return screens[-1]

    yield open_screen
    for one in screens:
        one.end()


WORK = pytest.mark.parametrize("work, title", [
    (("journal", "verify"), "Verifying"), (("journal", "rehearse"), "Rehearsing"),
])


@WORK
@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_draws_one_line_that_fits_and_removes_it(screen, work, title, columns):
    shown = screen(*work, columns=columns)
    assert shown.run_until(lambda: len(shown.pictures) >= 3), "too fast to see"
    assert shown.finish() == 0
    *bars, rest = shown.pictures
    assert all(bar.startswith(title) for bar in bars if bar) and any(bars)
    assert all(len(bar) <= columns and "\n" not in bar for bar in bars)
    shares = [int(share) for bar in bars for share in re.findall(r"(\d+)%", bar)]
    assert shares == sorted(shares) and all(0 <= share <= 100 for share in shares)
    assert shares, "the share comes before everything else"
    assert any("[=" in bar or "[>" in bar for bar in bars) == (columns >= 40)
    assert any("left" in bar for bar in bars) == (columns >= 40)
    assert any("/s" in bar for bar in bars) == (columns >= 80)
    assert title not in rest and "\n" in rest, "the result replaces the bar"


@WORK
def test_follows_the_terminals_width(screen, work, title):
    shown = screen(*work, columns=120)
    assert shown.run_until(lambda: len(shown.pictures) >= 2)
    before = len(shown.pictures)
    shown.resize(30)
    shown.finish()
    bars = [bar.startswith(title) and len(bar) for bar in shown.pictures]
    assert any(bars[before:]) and all(length <= 30 for length in bars[before:])
    assert all(length > 30 for length in bars[:before])


@WORK
def test_draws_no_bar_for_a_short_operation(screen, work, title):
    """At full speed this ends before a bar would be useful."""
    shown = screen(*work)
    began = time.monotonic()
    assert shown.finish() == 0
    if time.monotonic() - began < 0.1:
        assert title not in shown.text


@WORK
def test_uses_no_colour_in_a_bar_and_none_at_all_with_no_color(screen, work, title):
    shown = screen(*work, environment={"NO_COLOR": "1"})
    assert shown.run_until(lambda: len(shown.pictures) >= 2)
    assert shown.finish() == 0
    assert re.findall(r"\x1b\[[0-9;]*m", shown.text) == []


@WORK
def test_draws_nothing_on_a_terminal_that_cannot_redraw(screen, work, title):
    shown = screen(*work, environment={"TERM": "dumb"})
    while shown.run():
        pass
    assert shown.code == 0
    assert "\x1b" not in shown.text and title not in shown.text


@WORK
def test_draws_nothing_without_a_terminal(state, work, title):
    command = [str(BIN / "boursectl"), "--state", str(state), "--output", "json", *work]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX)
    assert done.returncode == 0 and done.stderr == ""
    assert json.loads(done.stdout)["ok"] is True


@WORK
@pytest.mark.parametrize("number, key", [(signal.SIGINT, b"\x03"), (signal.SIGTERM, None)])
def test_leaves_a_clean_line_when_it_is_interrupted(screen, work, title, number, key):
    shown = screen(*work)
    assert shown.run_until(lambda: len(shown.pictures) >= 2)
    if key:
        os.write(shown.master, key)
    else:
        os.kill(shown.pid, number)
    assert shown.finish() == -number
    assert shown.pictures[-1] == "", "the prompt replaces the bar"
    assert "\x1b[?25l" not in shown.text, "the cursor is never hidden"
