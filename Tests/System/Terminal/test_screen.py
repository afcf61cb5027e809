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


SECONDS_MAX = 60


def read_until(source, enough):
    """What comes until `enough` holds of it, and how long it took from the first of it on. Raises
    OSError at the end of a terminal, and fails when nothing comes any more."""
    data, began, deadline = b"", None, time.monotonic() + SECONDS_MAX
    while not enough(data.decode(errors="ignore")):
        left = deadline - time.monotonic()
        assert left > 0 and select.select([source], [], [], left)[0], data
        part = os.read(source, 65536)
        assert part, data
        began = began or time.monotonic()
        data += part
    return data.decode(errors="ignore"), time.monotonic() - began


def watch(state, *words, until, rows=24, environment=None):
    """The output on a terminal until it is as `until` says, the seconds from its beginning to then,
    and the exit code after Ctrl-C."""
    pid, master = pty.fork()
    if pid == 0:
        program = str(BIN / "boursectl")
        own = {"PATH": os.environ["PATH"], "TERM": "xterm-256color"} | (environment or {})
        while struct.unpack("HHHH", fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))[0] != rows:
            time.sleep(0.01)  # until the terminal has its size
        os.execve(program, [program, "--state", str(state), *words], own)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 100, 0, 0))
    try:
        text, seconds = read_until(master, until)
        os.write(master, b"\x03")
        code = end(pid)
    finally:
        os.close(master)
    return text, seconds, code


def end(pid):
    """Waits for a program's end; its exit code, negative for a signal."""
    deadline = time.monotonic() + SECONDS_MAX
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    return os.waitstatus_to_exitcode(ended[1])


@SHOWN
def test_redraws_the_screen(exchange, words, part):
    text, seconds, code = watch(
        exchange.state, *words, until=lambda text: text.count(HOME) >= 3)
    assert code == -signal.SIGINT
    *pictures, _ = text.split(HOME)[1:]  # the last may not be whole
    assert text.startswith(HOME), repr(text)
    assert seconds > 0.9, "it is drawn once a second"
    for picture in pictures:
        assert part in picture
        *lines, end = picture.split("\r\n")
        assert lines and all(line.endswith(END_OF_LINE) for line in lines)
        assert end.startswith(BELOW), repr(end)
    assert COLOUR.search(text)


@SHOWN
def test_uses_no_colour_with_no_color(exchange, words, part):
    text, _, _ = watch(exchange.state, *words, environment={"NO_COLOR": "1"},
                       until=lambda text: text.count(HOME) >= 2)
    assert part in text and not COLOUR.search(text)


def test_a_measurement_draws_its_progress_and_removes_it(exchange):
    words = ("noise", "0", "--force", "--seconds")
    text, _, code = watch(
        exchange.state, *words, "60", until=lambda text: text.count("\r\x1b[2K") > 4)
    bars = text.split("\r\x1b[2K")[1:-1]  # the last may not be whole
    assert code == -signal.SIGINT
    assert all(re.match(r"Listening on CPU 0 \[.*\] +\d+%", bar) for bar in bars if bar), bars
    # One that ends by itself: what it found comes last.
    text, _, _ = watch(exchange.state, *words, "1", until=lambda text: re.search(
        "(?m)^GAPS FROM", COLOUR.sub("", text)))
    bars = text.split("\r\x1b[2K")
    assert "Listening" in text and "Listening" not in bars[-1], repr(text)


def test_draws_only_what_fits(exchange):
    text, _, _ = watch(exchange.state, "status", "-w", "1", rows=3,
                       until=lambda text: text.count(HOME) >= 3)
    assert all(picture.count("\r\n") == 2 for picture in text.split(HOME)[1:-1]), repr(text)


@SHOWN
def test_appends_where_it_cannot_redraw(exchange, words, part):
    text, seconds, _ = watch(exchange.state, *words, environment={"TERM": "dumb"},
                             until=lambda text: text.count(part) >= 3)
    assert "\x1b" not in text and seconds > 0.9
    process = subprocess.Popen(
        [str(BIN / "boursectl"), "--state", str(exchange.state), *words],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    text, seconds = read_until(process.stdout.fileno(), lambda text: text.count(part) >= 3)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=SECONDS_MAX)
    assert "\x1b" not in text + rest.decode() and seconds > 0.9


def test_repeats_for_programs(exchange):
    process = subprocess.Popen(
        [str(BIN / "boursectl"), "--state", str(exchange.state), "--output", "json",
         "status", "-w", "1"], stdout=subprocess.PIPE)
    text, _ = read_until(process.stdout.fileno(), lambda text: text.count("\n") >= 2)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=SECONDS_MAX)
    states = [json.loads(line) for line in (text + rest.decode()).splitlines()]
    assert len(states) >= 2 and not any(state["running"] for state in states)


def test_yaml_is_json(exchange):
    for words in (["--output", "yaml", "status"], ["status", "--output=yaml"]):
        refused = exchange.ctl(*words, check=False)
        assert refused.returncode == 64 and "use --output json" in refused.stderr


@pytest.mark.parametrize("verb", ["status", "check"])
def test_refuses_invalid_intervals(exchange, verb):
    for seconds in ("0", "3601", "x"):
        assert exchange.ctl(verb, "-w", seconds, check=False).returncode == 64
