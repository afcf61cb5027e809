"""Debian hosts for tests: systemd as process 1, a disk, a network card each, on one switch.

A host is a process in namespaces of its own. Everything of it hangs on that process: its mounts,
its network and its processes go when it goes, and it goes when the bench does, whatever ended the
bench. What can stay behind is files and empty cgroups; the next bench of this checkout takes them.

    with Bench() as bench:
        a, b = bench.hosts("a", "b")
        a.install_deb("build/deb/x.deb")
        a.exec("systemctl", "start", "x")
        bench.cut("a", "b")
        b.power_cut()
        b.boot()
"""
import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from base import Base, BenchFault, run

HERE = Path(__file__).resolve().parent
SUBNET = os.environ.get("BOURSE_SUBNET", "10.77.0")  # the bench's own ends at .1
BOOT_SECONDS_MAX = 60
COMMAND_SECONDS_MAX = 60
DISK = "8G"
FREEZE_SECONDS_MAX = 10
# A host shares the machine's clock and kernel: no process of it may set or load anything there.
CAPABILITIES = "-sys_time,-sys_module,-sys_rawio"
CLONE_NEWNET = 0x40000000
EXT4_IOC_SHUTDOWN = 0x8004587D  # linux/fs/ext4/ext4.h
SHUTDOWN_WITHOUT_LOG_FLUSH = 2


def await_true(what, seconds_max, check):
    """Calls until it is true; a BenchFault if that takes too long."""
    deadline = time.monotonic() + seconds_max
    while not check():
        if time.monotonic() > deadline:
            raise BenchFault(f"{what}: not within {seconds_max} s")
        time.sleep(0.01)


def holder(*command, **options):
    """Starts a process that the kernel ends with this thread: start it from the main thread."""
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *map(str, command)], start_new_session=True, **options
    )


def end(process):
    process.kill()
    process.wait()


def cgroup_root():
    """Where cgroup2 is mounted."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    raise BenchFault("no cgroup2 is mounted; mount it with: mount -t cgroup2 none /sys/fs/cgroup")


def remove_cgroup(folder):
    """Ends what is in a cgroup and removes it with its children."""
    if not folder.exists():
        return
    (folder / "cgroup.freeze").write_text("0")
    (folder / "cgroup.kill").write_text("1")
    await_true(f"{folder} is empty", FREEZE_SECONDS_MAX,
               lambda: "populated 0" in (folder / "cgroup.events").read_text())

    def is_removed():
        try:
            for path, _, _ in os.walk(folder, topdown=False):
                os.rmdir(path)
        except OSError as fault:
            # One that has just become empty may be busy for a moment.
            if fault.errno != errno.EBUSY:
                raise
        return not folder.exists()

    await_true(f"{folder} is removed", FREEZE_SECONDS_MAX, is_removed)


class Bench:
    """A switch, hosts on it, and the bench's own place on it, for clients."""

    def __init__(self):
        self.base = Base()
        self.running = {}
        self.boots = []  # (name, seconds from power to `running`)
        self.figures = []  # what was measured on the way, to be shown at the end

    def __enter__(self):
        self.base.make()
        home = self.base.home
        # Two checkouts may have one path in different mount namespaces; their inodes differ.
        mark = os.stat(home)
        self.prefix = f"bourse-hosts-{mark.st_dev:x}-{mark.st_ino:x}-"
        (home / "run").mkdir(exist_ok=True)
        with self._turn():
            self._sweep()
            self.folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=home / "run"))
            self.lock = open(self.folder / "lock", "w")
            fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.cgroup = cgroup_root() / f"{self.prefix}{self.folder.name}"
        self.cgroup.mkdir()
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost\n{SUBNET}.1 bench\n")
        (self.folder / "archive").symlink_to(self.base.archive)
        self.switch = holder("unshare", "--net", "sleep", "infinity")
        self.client = holder("unshare", "--net", "sleep", "infinity")
        try:
            self._wire()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    @contextlib.contextmanager
    def _turn(self):
        """One bench of this checkout at a time makes or removes its folder."""
        with open(self.base.home / "lock", "w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            yield

    def _sweep(self):
        """Removes the leftovers of killed benches of this checkout."""
        for folder in (self.base.home / "run").glob("*"):
            with open(folder / "lock", "w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue  # that one lives
                remove_cgroup(cgroup_root() / f"{self.prefix}{folder.name}")
                shutil.rmtree(folder)

    def _wire(self):
        own = os.readlink("/proc/self/ns/net")
        for process in (self.switch, self.client):
            await_true("a network namespace", 5,
                       lambda: os.readlink(f"/proc/{process.pid}/ns/net") != own)
        self._in_switch("ip", "link", "add", "bridge", "type", "bridge")
        self._in_switch("ip", "link", "set", "bridge", "up")
        self._in_switch("ip", "link", "add", "bench", "type", "veth", "peer", "name", "eth0",
                        "netns", f"/proc/{self.client.pid}/ns/net")
        self._in_switch("ip", "link", "set", "bench", "master", "bridge", "up")
        for words in (f"address add {SUBNET}.1/24 dev eth0", "link set eth0 up", "link set lo up"):
            run("nsenter", f"--net=/proc/{self.client.pid}/ns/net", "ip", *words.split())
        self._in_switch("nft", """
            table bridge bench {
                set cuts { type ifname . ifname; }
                chain loss {}
                chain forward {
                    type filter hook forward priority 0;
                    iifname . oifname @cuts drop
                    jump loss
                }
            }""")

    def _in_switch(self, *command):
        return run("nsenter", f"--net=/proc/{self.switch.pid}/ns/net", *command)

    # --- hosts ---

    def hosts(self, *names, **options):
        """Boots hosts at the same time and waits until each runs; their Host objects."""
        made = [self.add(name, **options) for name in names]
        for host in made:
            host.power_on()
        for host in made:
            host.wait_running()
        return made

    def add(self, name, **options):
        """A new host with an empty disk, switched off."""
        if name in self.running:
            raise BenchFault(f"there is a host {name} already")
        host = Host(self, name, f"{SUBNET}.{len(self.running) + 11}", **options)
        self.running[name] = host
        with open(self.folder / "hosts", "a") as hosts:
            hosts.write(f"{host.address} {name}\n")
        return host

    # --- the network, from outside of the hosts: it stays as it is when they start again ---

    def cut(self, a, b, one_way=False):
        """Drops every frame from host a to host b; without `one_way`, the other way too."""
        pairs = [(a, b)] if one_way else [(a, b), (b, a)]
        elements = ", ".join(f'"{x}" . "{y}"' for x, y in pairs)
        self._in_switch("nft", f"add element bridge bench cuts {{ {elements} }}")

    def loss(self, a, b, percent):
        """Loses so many percent of the frames from a to b, at random."""
        self._in_switch(
            "nft", f'add rule bridge bench loss iifname "{a}" oifname "{b}"'
            f" numgen random mod 100 < {percent} drop")

    def heal(self):
        """Ends all cuts and losses."""
        self._in_switch("nft", "flush set bridge bench cuts; flush chain bridge bench loss")

    # --- clients ---

    @contextlib.contextmanager
    def network(self):
        """Sockets that this thread opens inside are on the switch, as 10.77.0.1."""
        libc = ctypes.CDLL(None, use_errno=True)

        def enter(namespace):
            if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

        with open("/proc/thread-self/ns/net") as own:
            with open(f"/proc/{self.client.pid}/ns/net") as there:
                enter(there)
            try:
                yield
            finally:
                enter(own)

    def run(self, *command, **options):
        """Runs a program of the machine that is on the switch, as 10.77.0.1."""
        return run("nsenter", f"--net=/proc/{self.client.pid}/ns/net", *command, **options)

    # --- the end ---

    def close(self):
        """Ends and removes everything, whatever happened before."""
        for host in self.running.values():
            host.power_cut()
        for process in (self.switch, self.client):
            end(process)
        remove_cgroup(self.cgroup)
        with self._turn():
            shutil.rmtree(self.folder)
            self.lock.close()


class Host:
    """One Debian host. Its disk stays when it is switched off, until the bench ends.

    queues    queues of its network card
    disks     further disks: path → size, as {"/var/lib/bourse": "64M"}
    """

    def __init__(self, bench, name, address, queues=1, disks=None):
        self.bench = bench
        self.name = name
        self.address = address
        self.queues = queues
        self.place = bench.folder / name
        self.cgroup = bench.cgroup / name
        self.console = self.place / "console.log"
        self.process = None
        self.pid = None  # of its process 1, as the machine counts
        for folder in ("disk", "root"):
            (self.place / folder).mkdir(parents=True)
        self.disks = {"/": self.place / "disk.img"}
        self.disks |= {path: self.place / f"disk{i}.img" for i, path in enumerate(disks or {}, 1)}
        for image, size in zip(self.disks.values(), [DISK, *(disks or {}).values()]):
            run("truncate", "-s", size, image)
            run("mkfs.ext4", "-q", "-m", "0", image)

    # --- power ---

    def power_on(self):
        """Starts it and returns; `wait_running` waits."""
        if self.process:
            raise BenchFault(f"{self.name} is on already")
        self.began = time.monotonic()
        self.cgroup.mkdir()
        extra = [f"{image} {path}" for path, image in self.disks.items() if path != "/"]
        environment = os.environ | {
            "NAME": self.name, "ADDRESS": f"{self.address}/24", "QUEUES": str(self.queues),
            "MAC": f"02:00:00:00:00:{int(self.address.split('.')[-1]):02x}",
            "CAPABILITIES": CAPABILITIES,
            "SWITCH": str(self.bench.switch.pid), "CGROUP": str(self.cgroup),
            "LOWER": str(self.bench.base.root), "PLACE": str(self.place),
            "SHARED": str(self.bench.folder), "DISKS": "\n".join(extra),
        }
        with open(self.console, "ab") as console:
            self.process = holder(
                "unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child",
                HERE / "boot", "outside", env=environment, stdout=console, stderr=console,
            )

    def boot(self, state="running"):
        """Switches it on and waits until it runs; returns itself."""
        self.power_on()
        self.wait_running(state)
        return self

    def wait_running(self, state="running"):
        """Waits until systemd has started everything. Anything else than `state` is a fault that
        names the units which failed, unless `state` is "any"."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")

        def is_up():
            if self.process.poll() is not None:
                raise BenchFault(f"{self.name} ended while it started: {self.console_tail()}")
            self.pid = int((children.read_text().split() or [0])[0])
            return self.pid and self.inside("/run/systemd/private").exists()

        await_true(f"{self.name} starts ({self.console_tail()})", BOOT_SECONDS_MAX, is_up)
        found = self.exec("systemctl", "is-system-running", "--wait", check=False,
                          seconds_max=BOOT_SECONDS_MAX).stdout.strip()
        if state not in (found, "any"):
            failed = self.exec("systemctl", "--failed", "--no-legend", "--plain").stdout.split("\n")
            units = [line.split()[0] for line in failed if line]
            logs = "\n".join(f"--- {unit}\n{self.journal(unit)[-2000:]}" for unit in units)
            raise BenchFault(f"{self.name} is {found}; failed: {units}\n{logs}")
        self.bench.boots.append((self.name, time.monotonic() - self.began))

    def power_cut(self):
        """Ends it as a lost mains does: off the network, every process at once, and what was not
        synced to its disks is lost. Does nothing to a host that is off."""
        if not self.process:
            return
        self._unplug()
        if self.pid and self.process.poll() is None:
            self.freeze()
            for path in self.disks:
                self._lose_unsynced(path)
        self._gone()

    def reboot(self):
        """Reboots it in an orderly way and waits until it runs again."""
        self.exec("systemctl", "reboot", check=False)
        try:
            self.process.wait(BOOT_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            raise BenchFault(f"{self.name} does not shut down: {self.console_tail()}") from None
        self._gone()
        return self.boot()

    def _lose_unsynced(self, path):
        """Stops a disk's file system: nothing in memory reaches the disk any more."""
        path = "/run/host/disk" if path == "/" else path  # the root is an overlay on its disk
        folder = os.open(self.inside(path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            flags = SHUTDOWN_WITHOUT_LOG_FLUSH.to_bytes(4, "little")
            fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, flags)
        finally:
            os.close(folder)

    def _unplug(self):
        """Takes its cable from the switch, if it has one."""
        with contextlib.suppress(BenchFault):
            self.bench._in_switch("ip", "link", "delete", "dev", self.name)

    def _gone(self):
        end(self.process)
        self._unplug()  # the kernel removes it with the network namespace, some time later
        self.process = self.pid = None
        remove_cgroup(self.cgroup)
        for image in self.disks.values():
            await_true(f"{image} is released", FREEZE_SECONDS_MAX,
                       lambda: not run("losetup", "--noheadings", "--associated", image))

    def freeze(self):
        """The whole host hangs; its peers see nothing but silence."""
        self._set_frozen(1)

    def thaw(self):
        self._set_frozen(0)

    def _set_frozen(self, value):
        (self.cgroup / "cgroup.freeze").write_text(str(value))
        await_true(f"{self.name} frozen: {value}", FREEZE_SECONDS_MAX,
                   lambda: f"frozen {value}" in (self.cgroup / "cgroup.events").read_text())

    # --- inside ---

    def exec(self, *command, check=True, input=None, seconds_max=COMMAND_SECONDS_MAX):
        """Runs a command in the host, as root; the finished process, its output as text.

        Its process is in the host's cgroup, so it freezes and dies with the host.
        """
        own = self.cgroup / "bench"
        own.mkdir(exist_ok=True)
        script = 'echo 0 >"$1" && pid=$2 && shift 2 && ' \
            'exec nsenter -t "$pid" -m -p -n -u -i -C -- setpriv --bounding-set "$@"'
        words = ["sh", "-c", script, "sh", own / "cgroup.procs", self.pid, CAPABILITIES]
        words += ["env", "-i", "PATH=/usr/sbin:/usr/bin", "HOME=/root", "LANG=C.UTF-8"]
        words += ["DEBIAN_FRONTEND=noninteractive", *command]
        process = subprocess.Popen(
            [str(word) for word in words], text=True, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        said = f"{self.name}: {' '.join(map(str, command))}"
        try:
            out, err = process.communicate(input or "", timeout=seconds_max)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise BenchFault(f"{said}: did not end within {seconds_max} s") from None
        if check and process.returncode != 0:
            raise BenchFault(f"{said}: ended with {process.returncode}: {(err + out)[-4000:]}")
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def inside(self, path):
        """A path of the running host, as this process reaches it; links in it lead outside."""
        return Path(f"/proc/{self.pid}/root", path.lstrip("/"))

    def write(self, path, text, mode="644"):
        """Writes a file of the host."""
        self.exec("install", "-D", "-m", mode, "/dev/stdin", path, input=text)

    def journal(self, unit=None, boot=0):
        """The messages of a unit, or of all, since a boot: 0 this one, -1 the one before."""
        words = ["--unit", unit] if unit else []
        return self.exec("journalctl", "--no-pager", "-o", "short-precise", f"--boot={boot}",
                         *words).stdout

    def install_deb(self, *paths, options=(), seconds_max=300):
        """`apt-get install` of .deb files, with what they depend on from the local repository."""
        self.bench.base.provide(*paths)
        self.exec("mkdir", "-p", "/var/tmp/debs")
        places = []
        for path in map(Path, paths):
            places.append(f"/var/tmp/debs/{path.name}")
            shutil.copy(path, self.inside(places[-1]))
        return self.install(*places, options=options, seconds_max=seconds_max)

    def install(self, *names, options=(), seconds_max=300):
        """`apt-get install` in the host; what the names need must have been provided."""
        self.exec("apt-get", "update", "-qq")
        done = self.exec("apt-get", "install", "-y", "-q", *options, *names,
                         seconds_max=seconds_max)
        self.exec("sync")  # dpkg here does not, for speed; a host outside of tests does
        return done

    def console_tail(self):
        """The last output before the journal existed."""
        if not self.console.exists():
            return ""
        return self.console.read_text(errors="replace")[-1000:].strip()
