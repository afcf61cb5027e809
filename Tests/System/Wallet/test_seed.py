"""The seed's ceremony, with boursectl: its words are on the terminal and in the seed, and nowhere
else; the same words give the same keys; no seed is ever replaced, and none is half made."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest
from exchange import BIN

# Words of BIP39's vectors; their keys and first addresses by BIP32, BIP84 and BIP173 in a program
# of their own.
ZEROS = "abandon " * 23 + "art"
ZEROS_KEYS = {
    "litecoin-regtest": (
        "m/84'/1'/0'",
        "tpubDCWivZp6qaqCALCt8MyLqAb3awnWm4hfbBPjdZqirYFXYeZ5YsfbWVaPacULZTGtK1RPBSZ92UWNjnhL4fB9U"
        "VrF2FjgW8cgmBjxPBmB4iB",
        "rltc1qgadxe2kacxtw44un284vskrn6w2xgsmmznfnfl"),
    "bitcoin": (
        "m/84'/0'/0'",
        "xpub6Bner3L3tdQW367NmmMsWKtMfP7hbu4JxdtbSGdWWjSzLkSUEnT7G9h5GFWUXtifeRhHiUXJuek1qeaTJqnXk"
        "veWpiHp8rmt53E8HTMshg9",
        "bc1qyn0ml52dy0udru3nafudt6af7x2kv7ngysfk0k"),
    "litecoin": (
        "m/84'/2'/0'",
        "xpub6BmcJQDFSPXEDAxN4XuThzHeU6MoYHm9oDTzr4gE1BKr5ZAhmpyjCj1a57SYGm42CefzkKnRpPA9wVWy4KzpV"
        "uRNg9bQEcRZ75vENHSqfSj",
        "ltc1qhzxp6qnn8qs7slwetzys57gs2c92a4ltlujhwj"),
}
USAGE = 64
KINDS = 10
SECONDS_MAX = 60
CLEARED, ENTERED, LEFT = "\x1b[H\x1b[2J\x1b[3J", "\x1b[?1049h", "\x1b[?1049l"
SHOWN = re.compile(r"(\d+)\. ([a-z]+)")


def seed_file(exchange):
    return exchange.state / "secrets" / "wallet.seed"


def init(exchange, *words, code=0):
    done = exchange.ctl("wallet", "init", *words, check=False)
    assert done.returncode == code, f"{done.returncode}: {done.stderr}{done.stdout}"
    return done


def write_words(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


class Ceremony:
    """boursectl on a terminal of its own; its standard output goes to a file."""

    def __init__(self, exchange, *words):
        self.result = exchange.state.parent / "result.json"
        command = [str(BIN / "boursectl"), "--state", str(exchange.state), "--output", "json",
                   "wallet", "init", *words]
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            # A run that nohup or a shell in the background started ignores these.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            output = os.open(self.result, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.execve(command[0], command, {"PATH": os.environ["PATH"], "TERM": "xterm"})
        self.text = ""
        self.code = None

    def until(self, what):
        """Reads until `what` comes; returns what came with it."""
        deadline = time.monotonic() + SECONDS_MAX
        while what not in self.text:
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.master], [], [], left)[0], self.text
            self.text += os.read(self.master, 65536).decode()
        before, self.text = self.text.split(what, 1)
        return before + what

    def say(self, line):
        os.write(self.master, line.encode() + b"\n")

    def finish(self):
        """What comes until its end; the exit code is in `code`."""
        deadline = time.monotonic() + SECONDS_MAX
        while True:
            assert time.monotonic() < deadline, self.text
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    part = os.read(self.master, 65536)
                except OSError:  # its other side is closed
                    part = b""
                self.text += part.decode()
                if part:
                    continue
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.code = os.waitstatus_to_exitcode(status)
                os.close(self.master)
                return self.text

    def words(self):
        """The words that it shows, in the order of their numbers."""
        screen = self.until("Ctrl-C ends it; nothing is kept then. ")
        assert ENTERED + CLEARED in screen
        shown = {int(number): word for number, word in SHOWN.findall(screen)}
        assert sorted(shown) == list(range(1, 25)), screen
        return [shown[number] for number in sorted(shown)]


@pytest.fixture
def ceremony(exchange):
    """Starts ceremonies, and ends what is left of them."""
    made = []

    def start(*words):
        made.append(Ceremony(exchange, *words))
        return made[-1]

    yield start
    for one in made:
        if one.code is None:
            os.kill(one.pid, signal.SIGKILL)
            os.waitpid(one.pid, 0)


def test_the_same_words_give_the_same_keys(exchange, tmp_path):
    words = write_words(tmp_path / "words", ZEROS + "\n")
    done = init(exchange, "--recover", "--words-file", words)
    for kind, (path, key, address) in ZEROS_KEYS.items():
        assert re.search(rf"^{kind}  {re.escape(path)}\n +key +{key}\n +first address +{address}$",
                         done.stdout, re.MULTILINE), done.stdout
    assert seed_file(exchange).read_text() == ZEROS + "\n"
    assert seed_file(exchange).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in seed_file(exchange).parent.iterdir()
            if path.name.startswith("wallet")] == ["wallet.seed"]
    rows = exchange.ctl_json("wallet", "key")
    assert len(rows) == KINDS
    for row in rows:
        if row["chain"] in ZEROS_KEYS:
            assert (row["path"], row["key"], row["firstAddress"]) == ZEROS_KEYS[row["chain"]]
    row, = exchange.ctl_json("wallet", "key", "--chain", "litecoin")
    assert row["chain"] == "litecoin"


def test_the_key_is_the_one_that_the_exchange_takes(exchange, tmp_path):
    """The address that the ceremony shows is the first that a customer is given."""
    exchange.start("matchd")
    made = exchange.ctl_json("wallet", "init", "--chain", "litecoin-regtest", "--words-file",
                             tmp_path / "words")["chains"][0]
    exchange.ctl("asset", "add", "LTC", "--scale", 8)
    exchange.ctl("account", "open", "alice")
    exchange.ctl("wallet", "chain", "set", 1, made["chain"], "--key", made["key"],
                 "--first-block", 1)
    exchange.ctl("wallet", "network", "set", "LTC", 1, "--name", "LTC", "--confirmations", 1,
                 "--minimum", "0.01", "--fee", "0.001", "--approvals", 0)
    assert exchange.ctl_json("wallet", "address", "alice", 1)["address"] == made["firstAddress"]
    exchange.check_alive()


def test_new_words_go_into_a_file_of_ones_own(exchange, tmp_path):
    words = tmp_path / "words"
    done = init(exchange, "--words-file", words)
    assert words.stat().st_mode & 0o777 == 0o600
    assert words.read_bytes() == seed_file(exchange).read_bytes()
    text = words.read_text()
    assert len(text.split()) == 24 and text == " ".join(text.split()) + "\n"
    assert not any(f" {word} " in done.stdout + done.stderr for word in text.split()
                   if len(word) > 6)
    first = exchange.ctl_json("wallet", "key")
    # Recovered elsewhere, in capitals and over several lines.
    seed_file(exchange).unlink()
    words.write_text("\n".join(text.upper().split()))
    init(exchange, "--recover", "--words-file", words)
    assert seed_file(exchange).read_text() == text
    assert exchange.ctl_json("wallet", "key") == first


def test_a_seed_is_never_replaced(exchange, tmp_path):
    init(exchange, "--words-file", tmp_path / "words")
    kept = seed_file(exchange).read_bytes()
    other = write_words(tmp_path / "other", ZEROS)
    for words in (("--words-file", tmp_path / "more"), ("--recover", "--words-file", other), ()):
        done = init(exchange, *words, code=1)
        assert str(seed_file(exchange)) in done.stderr and "never replaced" in done.stderr
    assert seed_file(exchange).read_bytes() == kept and not (tmp_path / "more").exists()
    # Nor one that is encrypted, or cannot be read.
    seed_file(exchange).rename(str(seed_file(exchange)) + ".cred")
    assert "wallet.seed.cred" in init(exchange, "--recover", "--words-file", other, code=1).stderr
    assert not seed_file(exchange).exists()


def test_no_file_is_overwritten_with_words(exchange, tmp_path):
    taken = write_words(tmp_path / "taken", "mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path in (taken, tmp_path / "link", tmp_path, tmp_path / "no" / "directory"):
        done = init(exchange, "--words-file", path, code=1)
        assert done.stderr.startswith("boursectl:") and not seed_file(exchange).exists()
    assert taken.read_text() == "mine" and not (tmp_path / "nowhere").exists()


def apart(script, exchange, *words):
    """Runs a shell script in a namespace of mounts of its own; $0 is boursectl, $1 the state, the
    words are behind it."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    command = ["unshare", "--mount", "sh", "-ec", script, str(BIN / "boursectl"),
               str(exchange.state), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_words_that_no_seed_could_be_kept_for_are_removed(exchange, tmp_path):
    done = apart("mount --bind $1/secrets $1/secrets; mount -o remount,ro,bind $1/secrets; "
                 'exec "$0" --state $1 wallet init --words-file $2', exchange, tmp_path / "words")
    assert done.returncode == 1 and "wallet.seed" in done.stderr, done
    assert not (tmp_path / "words").exists() and not seed_file(exchange).exists()


def test_a_seed_is_kept_as_the_seal_key_is(exchange, tmp_path):
    """As a credential, where that is one."""
    if not os.path.exists("/usr/bin/systemd-creds"):
        pytest.skip("there is no systemd-creds")
    (seed_file(exchange).parent / "seal.key.cred").write_text("")
    write_words(tmp_path / "words", ZEROS)
    (tmp_path / "systemd").mkdir()  # the host's key is made there
    done = apart('mount --bind $2/systemd /var/lib/systemd; '
                 '"$0" --state $1 wallet init --recover --words-file $2/words --chain litecoin; '
                 'systemd-creds decrypt --name=wallet.seed $1/secrets/wallet.seed.cred -; '
                 '"$0" --state $1 wallet key --chain litecoin; '
                 'exec "$0" --state $1 wallet init --words-file $2/new', exchange, tmp_path)
    assert done.returncode == 1 and "never replaced" in done.stderr, done
    assert done.stdout.count(ZEROS_KEYS["litecoin"][1]) == 2 and ZEROS + "\n" in done.stdout
    folder = seed_file(exchange).parent
    assert {path.name for path in folder.iterdir() if path.name.startswith("wallet")} == {
        "wallet.seed.cred"}
    assert b"abandon" not in (folder / "wallet.seed.cred").read_bytes()
    assert (folder / "wallet.seed.cred").stat().st_mode & 0o777 == 0o600


def test_refuses_without_a_terminal(exchange):
    for words in ((), ("--recover",)):
        command = [str(BIN / "boursectl"), "--state", str(exchange.state), "wallet", "init", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60,
                              input=ZEROS + "\n", start_new_session=True)
        assert done.returncode == USAGE and done.stdout == "", done
        assert "on a terminal" in done.stderr and "abandon" not in done.stderr
    assert not seed_file(exchange).exists()


@pytest.mark.parametrize("text, why", [
    ("abandon " * 24, "not valid"),
    ("abandon " * 23 + "arx", "word 24 is not in the list"),
    ("abandon " * 11 + "about", "12 words, not 24"),
    ("abandon " * 23, "23 words"), ("", "0 words"), ("x" * 2000, "too long"),
    ("abandon " * 22 + "zebra\0 art", "word 23 is not in the list"),
    ("abandon " * 23 + "ａrt", "word 24 is not in the list"),
])
def test_refuses_other_words(exchange, tmp_path, text, why):
    words = write_words(tmp_path / "words", text)
    error = init(exchange, "--recover", "--words-file", words, code=1).stderr
    assert why in error and not seed_file(exchange).exists(), error
    # Not even what a misspelt word may be.
    assert not re.search(r"\b(abandon|about|art|arx|zebra)\b", error), error


def test_refuses_words_that_others_may_read(exchange, tmp_path):
    words = write_words(tmp_path / "words", ZEROS, mode=0o640)
    error = init(exchange, "--recover", "--words-file", words, code=1).stderr
    assert "its mode is 640" in error and "chmod 600" in error
    words.chmod(0o600)
    init(exchange, "--recover", "--words-file", words)
    seed_file(exchange).chmod(0o604)
    done = exchange.ctl("wallet", "key", check=False)
    assert done.returncode == 1 and "its mode is 604" in done.stderr
    seed_file(exchange).chmod(0o600)
    seed_file(exchange).write_text("abandon " * 24)
    done = exchange.ctl("wallet", "key", check=False)
    assert done.returncode == 1 and "not valid" in done.stderr and "abandon" not in done.stderr


@pytest.mark.parametrize("words", [
    ZEROS.split(), ["--recover", *ZEROS.split()], ["--recover", ZEROS], [f"--words={ZEROS}"],
    ["--recover=abandon"], ["--words-file", ZEROS], ["--recover", "--", "abandon"],
])
def test_refuses_words_as_arguments_and_does_not_repeat_them(exchange, words):
    error = init(exchange, *words, code=USAGE).stderr
    assert "takes no words as arguments" in error and "abandon" not in error
    assert not seed_file(exchange).exists()


def test_needs_an_exchange(tmp_path):
    done = subprocess.run(
        [str(BIN / "boursectl"), "--state", str(tmp_path / "none"), "wallet", "init",
         "--words-file", str(tmp_path / "words")], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and not (tmp_path / "words").exists()


def test_there_is_no_key_without_a_seed(exchange):
    done = exchange.ctl("wallet", "key", check=False)
    assert done.returncode == 1 and "wallet init makes one" in done.stderr
    done = exchange.ctl("wallet", "key", "--chain", "dogecoin", check=False)
    assert done.returncode == USAGE and "no kind of chain dogecoin" in done.stderr


def test_the_words_are_typed_back_before_a_seed_is_kept(exchange, ceremony):
    held = ceremony()
    words = held.words()
    held.say("")
    assert CLEARED in held.until("word 1: ")
    # Misspelt, then another word of the list, then right; the others all at once.
    held.say(words[0] + "qq")
    assert "word 1 is not in the list; is it" in held.until("word 1: ")
    held.say("zoo" if words[0] != "zoo" else "zone")
    assert "word 1 is another one" in held.until("word 1: ")
    held.say("  " + words[0].upper() + "\t" + words[1])
    held.until("word 3: ")
    assert not seed_file(exchange).exists()
    held.say(" ".join(words[2:]))
    last = held.finish()
    assert held.code == 0, held.result.read_text()
    assert last.endswith(CLEARED + LEFT)
    assert seed_file(exchange).read_text() == " ".join(words) + "\n"
    # The result has the keys of these words, and none of the words.
    text = held.result.read_text()
    assert json.loads(text)["chains"] == exchange.ctl_json("wallet", "key")
    assert not re.search(rf'[ "]({"|".join(words)})[ "]', text)


def test_a_seed_is_recovered_on_the_terminal(exchange, ceremony):
    held = ceremony("--recover", "--chain", "litecoin")
    held.until("word 1: ")
    held.say("abandno")
    assert "is it abandon" in held.until("word 1: ")
    held.say("abandon " * 24)
    # The checksum: once more.
    assert "not valid" in held.until("word 1: ")
    for place in range(1, 25):
        held.say("art" if place == 24 else "abandon")
        if place < 24:
            held.until(f"word {place + 1}: ")
    assert held.finish().endswith(CLEARED + LEFT) and held.code == 0
    path, key, address = ZEROS_KEYS["litecoin"]
    assert json.loads(held.result.read_text())["chains"] == [
        {"chain": "litecoin", "path": path, "key": key, "firstAddress": address}]
    assert seed_file(exchange).read_text() == ZEROS + "\n"


def test_too_many_wrong_words_end_it(exchange, ceremony):
    held = ceremony()
    words = held.words()
    held.say("")
    for _ in range(12):
        held.until("word 1: ")
        held.say("x" * 20)
    assert held.finish().endswith(CLEARED + LEFT) and held.code == 1
    assert "12 words were wrong" in held.result.read_text()
    assert not seed_file(exchange).exists() and words[0] not in held.result.read_text().split()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_clears_the_terminal_and_keeps_nothing(exchange, ceremony, number):
    held = ceremony()
    held.words()
    os.kill(held.pid, signal.SIGTSTP)  # does not stop it with the words on the screen
    os.kill(held.pid, number)
    assert held.finish().endswith(CLEARED + LEFT) and held.code == -number
    assert held.result.read_text() == "" and not seed_file(exchange).exists()


def test_a_terminal_that_ends_keeps_nothing(exchange, ceremony):
    held = ceremony()
    held.words()
    os.write(held.master, b"\x04")
    assert held.finish().endswith(CLEARED + LEFT) and held.code == 1
    assert "ended; nothing was kept" in held.result.read_text()
    assert not seed_file(exchange).exists()
