"""The AppArmor profiles: the real parser takes them, and what daemons open on a run is in them. Whether
a kernel would enforce them is not tried here: that needs a kernel with AppArmor.

Paths of the run are taken for those of an installed host, which the configuration sets.
"""
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import exchange as tools
import pytest
from exchange import ROOT, Exchange

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Agent"))

import agent as agents  # noqa: E402
from agent import Agent  # noqa: E402

PROFILES = ROOT / "packaging" / "apparmor"
NAMES = ("matchd", "auditd", "gatewayd", "walletd", "signerd", "agentd", "helper", "poller", "snmp")
TRACED = ("matchd", "auditd", "gatewayd", "walletd", "agentd")
# What operators ask bourse-walletd for, each by a file of root's, and what stands in it.
REQUESTS = {"bump": "1", "adopt": f"1 {'00' * 32}", "cold": "1 02f8"}


def profile(name):
    return (PROFILES / f"usr.sbin.bourse-{name}").read_text()


def flat(text):
    """A profile with its includes in it."""
    done = subprocess.run(
        ["apparmor_parser", "-p"], input=text, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_the_parser_takes_it(name, tmp_path):
    # -Q: not into the kernel, -K and -T: from no cache.
    file = PROFILES / f"usr.sbin.bourse-{name}"
    command = ["apparmor_parser", "-QTK", "--kernel-features=/etc/apparmor.d/abi/3.0"]
    done = subprocess.run([*command, str(file)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    # And it does look: a rule without its end is refused.
    broken = tmp_path / "broken"
    broken.write_text(profile(name).replace(f"/usr/sbin/bourse-{name} mr,", "/usr/sbin/x mr", 1))
    assert subprocess.run([*command, str(broken)], capture_output=True).returncode != 0


# --- what rules say ---


def expand(glob):
    """An AppArmor glob as a regular expression (apparmor.d(5), "Globbing")."""
    out, depth, at = "", 0, 0
    while at < len(glob):
        letter = glob[at]
        if glob.startswith("**", at):
            # Behind a slash at least one letter.
            out, at = out + (".+" if out.endswith("/") else ".*"), at + 1
        elif letter == "*":
            out += "[^/]+" if out.endswith("/") and at + 1 == len(glob) else "[^/]*"
        elif letter == "?":
            out += "[^/]"
        elif letter == "{":
            out, depth = out + "(?:", depth + 1
        elif letter == "}":
            out, depth = out + ")", depth - 1
        elif letter == "," and depth:
            out += "|"
        elif letter == "[":
            end = glob.index("]", at)
            out, at = out + glob[at:end + 1], end
        else:
            out += re.escape(letter)
        at += 1
    return out


class Rules:
    """The file rules of a profile: may this path be opened so? Of a file that is another user's
    only those hold that do not say `owner`."""

    def __init__(self, text, is_owner=True):
        # The first profile of the file: others are of programs that it runs.
        lines, body, opened = flat(text).splitlines(), [], 0
        values = {}
        for line in lines:
            if found := re.match(r"\s*(@\{\w+\})\s*\+?=\s*(.*?)\s*(?:#.*)?$", line):
                values.setdefault(found[1], []).extend(found[2].split())
            if re.match(r"\s*profile\s", line):
                opened += 1
            if opened == 1:
                body.append(line)
        self.rules = []
        for line in body:
            found = re.match(r"\s*(?:owner\s+)?(\"?[/@]\S*)\s+([rwkmaixPpUuCcl]+)\s*(?:->.*)?,", line)
            if not found or not is_owner and line.split()[0] == "owner":
                continue
            glob = found[1].strip('"')
            while name := re.search(r"@\{\w+\}", glob):
                choices = ",".join(v.strip('"') for v in values.get(name[0], ["[0-9]*"]))
                glob = glob.replace(name[0], "{" + choices + "}")
            # Values end with the slash that stands behind them once more.
            glob = re.sub(r"/(?=[,}])(?=[^{}]*\}/)", "", glob)
            self.rules.append((re.compile(re.sub("/+", "/", expand(glob))), found[2]))

    def allow(self, path, wanted):
        held = "".join(perms for pattern, perms in self.rules if pattern.fullmatch(path))
        return all(letter in held for letter in wanted)


@pytest.mark.parametrize("glob,path,fits", [
    ("/a/*", "/a/b", True), ("/a/*", "/a/", False), ("/a/*", "/a/b/c", False),
    ("/a/**", "/a/b/c", True), ("/a/**", "/a/", False), ("/a{,/b}/c", "/a/b/c", True),
    ("/a/b*", "/a/b", True), ("/a.so", "/axso", False), ("/a[0-9]", "/a7", True),
])
def test_globs_are_understood(glob, path, fits):
    assert bool(re.fullmatch(expand(glob), path)) == fits


# --- what daemons open ---

CALL = re.compile(r'(openat|connect|bind|unlink|unlinkat|rename|mkdir|execve)\(.*?"([^"]+)"(.*)= (-?\d+)')


def opened(trace, places):
    """Paths and how they were opened, as they would be on an installed host."""
    found = set()
    for line in trace.read_text(errors="replace").splitlines():
        call = CALL.search(line)
        if not call or int(call[4]) < 0 or not call[2].startswith("/"):
            continue
        kind, path, rest = call[1], call[2], call[3]
        if kind == "execve":
            continue
        write = kind != "openat" or "O_WRONLY" in rest or "O_RDWR" in rest
        # A file that gets another name is looked at as well.
        read = kind in ("connect", "bind", "rename") or "O_WRONLY" not in rest and kind == "openat"
        path = installed(path, places)
        if "O_DIRECTORY" in rest and not path.endswith("/"):
            path += "/"
        found.add((path, "r" * read + "w" * write))
        if kind == "rename":
            found.add((installed(rest.split('"')[1], places), "w"))
    return found


def installed(path, places):
    """A path of the run, as it is on an installed host."""
    for here, there in places:
        if path.startswith(here):
            return there + path[len(here):]
    return path


def ask_wallet(folder, seconds_max=30):
    """Asks bourse-walletd for everything that operators may ask it for, and waits until it has
    taken it."""
    for word, text in REQUESTS.items():
        aside = folder / f"aside.{word}"
        aside.write_text(f"{text} {time.time_ns()}\n")
        aside.rename(folder / f"walletd.{word}")
    deadline = time.monotonic() + seconds_max
    while any((folder / f"walletd.{word}").exists() for word in REQUESTS):
        assert time.monotonic() < deadline, "the requests are not taken"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def traces(tmp_path_factory):
    """What each daemon opened from its start to its end, while something was done."""
    assert shutil.which("strace"), "apt-get install strace"
    folder = tmp_path_factory.mktemp("apparmor")
    programs = folder / "bin"
    programs.mkdir()
    real = tools.BIN
    for file in real.glob("bour*"):
        if not file.is_file() or file.suffix:
            continue
        name = file.name.removeprefix("bourse-")
        if name in TRACED:
            (programs / file.name).write_text(
                f"#!/bin/sh\nexec strace -D -f -qq -s 4096 -e trace=file,connect,bind"
                f" -o {folder / name} {file} \"$@\"\n")
            (programs / file.name).chmod(0o755)
        else:
            (programs / file.name).symlink_to(file)
    state, gateway, wallet = folder / "state", folder / "gateway", folder / "wallet"
    gateway.mkdir()
    wallet.mkdir(mode=0o700)
    tools.BIN = agents.BIN = programs
    exchange = Exchange(state, settings={
        ("gatewayd", "state"): str(gateway), ("walletd", "state"): str(wallet)}).init()
    # As systemd makes it, StateDirectory=.
    (state / "agent").mkdir(mode=0o700)
    try:
        exchange.start()
        agent = Agent(exchange).start()
        exchange.demo()
        agent.until(lambda: agent.state()["exchange"].get("released", 0) > 10, "sees matchd", 20)
        agent.get("/metrics")
        exchange.spawn("walletd")
        ask_wallet(wallet)
        exchange.stop("walletd")
        exchange.stop("agentd")
        exchange.stop_all()
    finally:
        exchange.end()
        tools.BIN = agents.BIN = real
    swift = subprocess.run(
        ["ldd", str(real / "bourse-matchd")], capture_output=True, text=True).stdout
    libraries = re.search(r"=> (/\S*/)libswiftCore\.so", swift)[1]
    socket = "/run/bourse/match/match.sock"
    own = {"agentd": "/run/bourse-agent/", "walletd": "/run/bourse-wallet"}
    return {
        name: opened(folder / name, [
            (str(state / "bourse.toml"), "/etc/bourse/bourse.toml"),
            (str(state / "run" / "match.sock"), socket),
            (str(state / "run" / "agent.sock"), "/run/bourse-agent/agent.sock"),
            (str(state / "run" / "wallet.json"), "/run/bourse-wallet/wallet.json"),
            (str(state / "run"), own.get(name, "/run/bourse/match")),
            (str(state / "agent"), "/var/lib/bourse-agent"),
            (str(state / "secrets"), "/run/credentials/bourse-gatewayd.service"
             if name == "gatewayd" else "/etc/bourse/secrets"),
            (str(gateway), "/var/lib/bourse-gateway"),
            (str(wallet), "/var/lib/bourse-wallet"),
            (str(state), "/var/lib/bourse"), (libraries, "/usr/lib/bourse/"),
            # A link, which the kernel has followed before it asks.
            ("/proc/self/", "/proc/1/"),
        ]) for name in TRACED
    }


@pytest.mark.parametrize("name", TRACED)
def test_what_it_opens_is_in_its_profile(traces, name):
    assert len(traces[name]) > 15, traces[name]
    rules = Rules(profile(name))
    missing = sorted(use for use in traces[name] if not rules.allow(*use))
    assert missing == []


@pytest.mark.parametrize("name,state", [
    ("matchd", "bourse"), ("auditd", "bourse"), ("gatewayd", "bourse-gateway"),
    ("walletd", "bourse-wallet"), ("agentd", "bourse-agent"),
])
def test_without_a_rule_it_is_seen(traces, name, state):
    text = profile(name)
    for rule in ("  /etc/bourse/bourse.toml r,\n", f"  owner /var/lib/{state}/** rwk,\n"):
        assert rule in text
        rules = Rules(text.replace(rule, ""))
        assert [use for use in traces[name] if not rules.allow(*use)], rule


@pytest.mark.parametrize("word", REQUESTS)
def test_what_root_asks_the_wallet_for_it_may_take(traces, word):
    """boursectl makes these files as root: no rule holds for them that is for an owner's files."""
    file = f"/var/lib/bourse-wallet/walletd.{word}"
    used = {use for use in traces["walletd"] if use[0].startswith(file)}
    # It renames, reads and removes it.
    assert {(file, "rw"), (f"{file}.taken", "r"), (f"{file}.taken", "w")} <= used, used
    text = profile("walletd")
    rules = Rules(text, is_owner=False)
    assert [use for use in sorted(used) if not rules.allow(*use)] == []
    # Without these rules it is seen.
    without = "".join(
        line for line in text.splitlines(keepends=True) if "/var/lib/bourse-wallet/w" not in line)
    rules = Rules(without, is_owner=False)
    assert all(not rules.allow(*use) for use in used)
