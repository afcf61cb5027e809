"""The Debian root that every host of the bench starts from, and the packages it can install.

The root is made once, by mmdebstrap, in a folder of the checkout that git ignores (`.hosts`, or
$BOURSE_HOSTS). Its name holds a hash of the package list and of the set-up: a change of these makes
it anew. It is made aside and renamed, so what is there is whole.

Hosts have no way out to the network. What a package of ours depends on is downloaded here, with the
machine's own sources, and given to the hosts as a local repository.
"""
import fcntl
import hashlib
import inspect
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SUITE = "bookworm"
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "polkitd", "udev", "util-linux", "procps", "ca-certificates",
    "iproute2", "iputils-ping", "curl", "nftables", "ethtool",
    "python3",                     # small servers and clients of the tests
    "snmpd", "snmptrapd", "snmp",  # off until a test turns them on
)
# Programs of the machine that the bench runs: what needs them, and the package they come in.
PROGRAMS = {
    "mmdebstrap": "mmdebstrap", "dpkg-scanpackages": "dpkg-dev", "ip": "iproute2",
    "nft": "nftables", "unshare": "util-linux", "nsenter": "util-linux", "mkfs.ext4": "e2fsprogs",
}
# What a host in namespaces does not have, or must not do while a test runs.
MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
    "e2scrub_reap.service", "fstrim.timer", "getty@tty1.service", "systemd-pstore.service",
    "console-getty.service", "systemd-remount-fs.service", "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount",
)
DISABLED = ("snmpd.service", "snmptrapd.socket", "snmptrapd.service")
DOWNLOAD_SECONDS_MAX = 300
BASE_SECONDS_MAX = 600


class BenchFault(Exception):
    """The bench could not do what a test needs of it; says what is missing or went wrong."""


def run(*command, seconds_max=60, **options):
    """Runs a program of the machine; a BenchFault with its last words when it fails."""
    command = [str(word) for word in command]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds_max,
            stdin=options.pop("stdin", subprocess.DEVNULL), **options
        )
    except subprocess.TimeoutExpired:
        raise BenchFault(f"{' '.join(command)}: did not end within {seconds_max} s") from None
    except FileNotFoundError:
        raise BenchFault(f"{command[0]} is missing") from None
    if done.returncode != 0:
        words = (done.stderr + done.stdout).strip()[-2000:]
        raise BenchFault(f"{' '.join(command)}: ended with {done.returncode}: {words}")
    return done.stdout


def check_machine():
    """Raises a BenchFault that names everything that this machine lacks."""
    lacks = []
    if os.geteuid() != 0:
        lacks.append("root's rights: namespaces, mounts and cgroups are made (run it as root)")
    missing = {package for program, package in PROGRAMS.items() if not shutil.which(program)}
    if missing:
        lacks.append(f"packages: apt-get install {' '.join(sorted(missing))}")
    if not lacks:
        try:
            kinds = ("mount", "uts", "ipc", "pid", "net", "cgroup")
            run("unshare", *(f"--{kind}" for kind in kinds), "--fork", "true")
        except BenchFault as fault:
            lacks.append(f"namespaces: {fault}")
        known = Path("/proc/filesystems").read_text().split()
        lacks += [f"{name} in the kernel" for name in ("overlay", "ext4") if name not in known]
    if lacks:
        raise BenchFault("the bench of hosts needs\n    " + "\n    ".join(lacks))


def sources():
    """The machine's own apt sources of the suite, as one-line entries; empty: it has none."""
    listed = run("apt-get", "update", "--print-uris")
    places = re.findall(r"'(\S+)/dists/(\S+)/InRelease'", listed)
    suites = (SUITE, f"{SUITE}-updates", f"{SUITE}-security")
    return [f"deb {uri} {suite} main" for uri, suite in places if suite in suites]


def apt_options():
    """The machine's proxy and certificate settings of apt, for an apt with a configuration of its
    own."""
    dump = run("apt-config", "dump", "--format", '%f "%v";%n', "Acquire::http", "Acquire::https")
    return [line for line in dump.splitlines() if "::" in line and not line.endswith(' "";')]


class Base:
    """The root in `folder/root`, and in `folder/archive` the repository of what hosts install."""

    def __init__(self):
        self.home = Path(os.environ.get("BOURSE_HOSTS", ROOT / ".hosts"))
        what = repr((SUITE, PACKAGES, MASKED, DISABLED))
        what += inspect.getsource(Base._debootstrap) + inspect.getsource(Base._set_up)
        self.folder = self.home / f"base-{hashlib.sha256(what.encode()).hexdigest()[:12]}"
        self.root = self.folder / "root"
        self.archive = self.folder / "archive"
        self.seconds = 0.0

    def make(self):
        """Makes the base unless it is there; returns itself."""
        check_machine()
        self.home.mkdir(parents=True, exist_ok=True)
        with open(self.home / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.folder.exists():
                return self
            began = time.monotonic()
            for old in self.home.glob("base-*"):
                run("rm", "-rf", "--one-file-system", old, seconds_max=120)
            aside = self.home / "base-new"
            aside.mkdir()
            self._debootstrap(aside / "root", aside)
            self._set_up(aside / "root")
            (aside / "archive").mkdir()
            self._index(aside / "archive")
            aside.rename(self.folder)
            self.seconds = time.monotonic() - began
        return self

    def _debootstrap(self, root, aside):
        entries = sources()
        (aside / "sources.list").write_text("".join(line + "\n" for line in entries))
        command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"]
        command += [f"--include={','.join(PACKAGES)}", "--dpkgopt=force-unsafe-io"]
        command += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "locale")]
        command += [f"--aptopt={line}" for line in apt_options()]
        command += [SUITE, root]
        command += [aside / "sources.list"] if entries else []
        # In a process namespace of its own: nothing of it is left when it is killed.
        run("unshare", "--mount", "--pid", "--fork", "--kill-child", *command,
            seconds_max=BASE_SECONDS_MAX)
        if not entries:  # mmdebstrap knew where to look
            shutil.copy(root / "etc/apt/sources.list", aside / "sources.list")

    def _set_up(self, root):
        """What every host has alike; what is each one's own is written when it starts."""
        for unit in MASKED:
            (root / "etc/systemd/system" / unit).unlink(missing_ok=True)
            (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
        run("systemctl", f"--root={root}", "--quiet", "disable", *DISABLED)
        for path in (root / "etc/apt/sources.list.d").glob("*"):
            path.unlink()
        (root / "etc/apt/sources.list").write_text("deb [trusted=yes] file:/srv/apt ./\n")
        (root / "srv/apt").mkdir(parents=True)
        (root / "etc/machine-id").write_text("")
        (root / "etc/resolv.conf").unlink(missing_ok=True)
        (root / "etc/resolv.conf").write_text("")
        (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
        (root / "var/log/journal").mkdir(exist_ok=True)  # the journal outlives a power cut
        conf = root / "etc/systemd/journald.conf.d/bench.conf"
        conf.parent.mkdir(parents=True, exist_ok=True)
        conf.write_text("[Journal]\nRateLimitIntervalSec=0\nSystemMaxUse=64M\n")

    def provide(self, *wanted):
        """Downloads what packages need beyond the base, so that hosts can install them.

        `wanted` are .deb files (which are not copied) or names of Debian packages.
        """
        apt = self.folder / "apt"
        for name in ("lists/partial", "cache/archives/partial"):
            (apt / name).mkdir(parents=True, exist_ok=True)
        command = ["apt-get", "-y", "-qq", "-o", "Debug::NoLocking=1"]
        command += ["-o", f"Dir::State::lists={apt / 'lists'}", "-o", f"Dir::Cache={apt / 'cache'}"]
        command += ["-o", f"Dir::State::status={self.root / 'var/lib/dpkg/status'}"]
        command += ["-o", f"Dir::Etc::sourcelist={self.folder / 'sources.list'}"]
        command += ["-o", "Dir::Etc::sourceparts=/dev/null", "-o", "APT::Sandbox::User=root"]
        command += ["-o", "APT::Keep-Downloaded-Packages=true"]
        names = [
            str(Path(one).resolve()) if str(one).endswith(".deb") else one for one in wanted
        ]
        install = command + ["--download-only", "install", *names]
        try:
            run(*install, seconds_max=DOWNLOAD_SECONDS_MAX)
        except BenchFault:  # no lists yet, or old ones
            run(*command, "--error-on=any", "update", seconds_max=DOWNLOAD_SECONDS_MAX)
            run(*install, seconds_max=DOWNLOAD_SECONDS_MAX)
        fresh = [
            deb for deb in (apt / "cache/archives").glob("*.deb")
            if not (self.archive / deb.name).exists()
        ]
        for deb in fresh:
            os.link(deb, self.archive / deb.name)
        if fresh:
            self._index(self.archive)

    @staticmethod
    def _index(archive):
        listing = run("dpkg-scanpackages", "--multiversion", ".", cwd=archive)
        aside = archive / "Packages.new"
        aside.write_text(listing)
        aside.rename(archive / "Packages")


if __name__ == "__main__":
    base = Base().make()
    print(f"{base.folder}: made in {base.seconds:.0f} s" if base.seconds else f"{base.folder}")
    sys.exit(0)
