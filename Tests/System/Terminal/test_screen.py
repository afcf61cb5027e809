"""Repeated results of boursectl: redrawn on a terminal that allows it, appended elsewhere."""
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
from exchange import BIN

HOME, END_OF_LINE, BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Neither matchd nor an agent is running: that is shown as well, and may change.
SHOWN = pytest.mark.parametrize("words, part", [
    (("status", "-w", "1"), "matchd is not running"),
    (("check", "--watch", "1"), "the agent does not run"),
    (("watch",), "the agent does not answer"),
])


def watch(state, *words, rows=24, environment=None, seconds=2.6, may_end=False):
    """The output on a terminal until Ctrl-C is pressed, and the exit code; `may_end`: the program may
    end by itself before that."""
    pid, master = pty.fork()
    if pid == 0:
        program = str(BIN / "boursectl")
        own = {"PATH": os.environ["PATH"], "TERM": "xterm-256color"} | (environment or {})
        time.sleep(0.2)  # until the terminal has its size
        os.execve(program, [program, "--state", str(state), *words], own)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 100, 0, 0))
    text, deadline = "", time.monotonic() + 0.2 + seconds
    while (left := deadline - time.monotonic()) > 0:
        if select.select([master], [], [], left)[0]:
            try:
                text += os.read(master, 65536).decode()
            except OSError:  # the other side is closed
                assert may_end, repr(text)
                break
    else:
        os.write(master, b"\x03")
    deadline = time.monotonic() + 10
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    os.close(master)
    return text, os.waitstatus_to_exitcode(ended[1])


@SHOWN
def test_redraws_the_screen(exchange, words, part):
    text, code = watch(exchange.state, *words)
    assert code == -signal.SIGINT
    pictures = text.split(HOME)[1:]
    assert text.startswith(HOME) and 2 <= len(pictures) <= 4, repr(text)
    for picture in pictures:
        assert part in picture
        *lines, end = picture.split("\r\n")
        assert lines and all(line.endswith(END_OF_LINE) for line in lines)
        assert end.startswith(BELOW), repr(end)
    assert COLOUR.search(text)


@SHOWN
def test_uses_no_colour_with_no_color(exchange, words, part):
    text, _ = watch(exchange.state, *words, environment={"NO_COLOR": "1"}, seconds=1.2)
    assert HOME in text and part in text and not COLOUR.search(text)


def test_a_measurement_draws_its_progress_and_removes_it(exchange):
    words = ("noise", "0", "--force", "--seconds")
    text, code = watch(exchange.state, *words, "30", seconds=1.5)
    bars = text.split("\r\x1b[2K")
    assert code == -signal.SIGINT and len(bars) > 3, repr(text)
    assert all(re.match(r"Listening on CPU 0 \[.*\]  +\d%", bar) for bar in bars[1:] if bar)
    text, code = watch(exchange.state, *words, "1", seconds=2, may_end=True)
    assert code == 0 and "Listening" not in text.split("\r\x1b[2K")[-1]
    assert re.search("(?m)^GAPS FROM", COLOUR.sub("", text))


def test_draws_only_what_fits(exchange):
    text, _ = watch(exchange.state, "status", "-w", "1", rows=3)
    assert all(picture.count("\r\n") == 2 for picture in text.split(HOME)[1:]), repr(text)


@SHOWN
def test_appends_where_it_cannot_redraw(exchange, words, part):
    text, _ = watch(exchange.state, *words, environment={"TERM": "dumb"})
    assert "\x1b" not in text and 2 <= text.count(part) <= 4
    process = subprocess.Popen(
        [str(BIN / "boursectl"), "--state", str(exchange.state), *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(2.6)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=10)
    assert "\x1b" not in out and 2 <= out.count(part) <= 4


def test_repeats_for_programs(exchange):
    process = subprocess.Popen(
        [str(BIN / "boursectl"), "--state", str(exchange.state), "--output", "json",
         "status", "-w", "1"], stdout=subprocess.PIPE, text=True)
    time.sleep(1.6)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=10)
    states = [json.loads(line) for line in out.splitlines()]
    assert len(states) == 2 and not any(state["running"] for state in states)


def test_yaml_is_json(exchange):
    for words in (["--output", "yaml", "status"], ["status", "--output=yaml"]):
        refused = exchange.ctl(*words, check=False)
        assert refused.returncode == 64 and "use --output json" in refused.stderr


@pytest.mark.parametrize("verb", ["status", "check"])
def test_refuses_invalid_intervals(exchange, verb):
    for seconds in ("0", "3601", "x"):
        assert exchange.ctl(verb, "-w", seconds, check=False).returncode == 64
