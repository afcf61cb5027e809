"""A cluster as `boursectl cluster init` leaves it, on loopback: each host has an address of its own,
its plan, certificates, member of etcd, matchd and agent. A host is switched off, loses its disk or
gets an old one back. `systemctl` is a script here that starts and stops the real etcd."""
import json
import os
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

from exchange import BIN, Exchange, ExchangeFault, Refused, free_port
from journal import crc32c
from pair import ETCD, Pair, await_true
from pki import certificates

ADDRESSES = {"a": "127.0.0.1", "b": "127.0.0.2", "w": "127.0.0.3"}

SYSTEMCTL = """#!/bin/sh
# Of systemctl what boursectl needs of one unit here: {name}'s member of etcd.
cd {folder} || exit 1
case "$1" in
stop|disable)
    if [ -f pid ]; then
        read -r pid <pid
        kill -9 "$pid" 2>/dev/null
        # It has ended when its ports are free, and not before.
        while grep -qs '^State:[[:space:]]*[^XZ]' "/proc/$pid/status"; do sleep 0.01; done
        rm -f pid
    fi ;;
start) [ -f pid ] && kill -0 "$(cat pid)" 2>/dev/null && exit 0
    [ -d {data} ] || exit 1
    set -a; . {conf}; set +a
    # Elsewhere than on a host's own volume a sync may take long.
    setsid {etcd} >>log 2>&1 </dev/null & echo $! >pid ;;
esac
exit 0
"""


class Trio(Pair):
    """Hosts `a` and `b` and the witness `w`."""

    def __init__(self, folder):
        self.folder = Path(folder)
        certificates(self.folder / "pki", ("a", "b", "w"), ADDRESSES)
        self.first = free_port(6, ADDRESSES.values())
        self.token = secrets.token_hex(16)
        self.hosts, self.orders = {}, {}
        self.off = set()
        self.lock = threading.RLock()
        self.ended = threading.Event()
        self.supervisor = threading.Thread(target=self._supervise)
        for name in ("a", "b"):
            host = Exchange(self.folder / name)
            if name == "a":
                host.init()
            else:
                self._copy(self.hosts["a"], host)
            self.hosts[name] = host
            self._settle(name)
        for name in ADDRESSES:
            self._place(name)

    # --- files ---

    def state(self, name):
        return self.folder / name

    def cluster(self, name):
        return self.state(name) / "cluster"

    def programs(self, name):
        return self.folder / "programs" / name

    def _settle(self, name):
        """[cluster] of a host's bourse.toml, as `cluster init` and `join` write it."""
        host, peer = self.hosts[name], "b" if name == "a" else "a"
        others = [other for other in ADDRESSES if other != name]
        for key, value in {
            "host": name, "peer": peer, "directory": str(self.cluster(name)),
            "etcd": " ".join(self.url(member, 3) for member in [name] + others),
            "replication": f"{ADDRESSES[name]}:{self.first}",
            "peer_replication": f"{ADDRESSES[peer]}:{self.first}",
            "agent": f"{ADDRESSES[name]}:{self.first + 1}",
            "peer_agent": f"{ADDRESSES[peer]}:{self.first + 1}",
            "link": f"{ADDRESSES[name]}:{self.first + 5}",
        }.items():
            host.set("cluster", key, value)
        for key in ("state", "socket"):
            host.set("agent", key, str(host.state / f"agent-{key}"))
        host.set("agent", "listen", f"127.0.0.1:{free_port()}")
        host.set("gatewayd", "name", name)

    def url(self, name, port):
        return f"https://{ADDRESSES[name]}:{self.first + port}"

    def plan(self):
        def member(name):
            return {"name": name, "address": ADDRESSES[name]}
        return {"version": 1, "token": self.token, "founder": member("a"), "peer": member("b"),
                "witness": member("w"), "port": self.first, "serviceAddress": "",
                "serviceInterface": ""}

    def _place(self, name):
        """The directory of the cluster, and the programs that stand for a host's."""
        place = self.cluster(name)
        place.mkdir(parents=True, exist_ok=True)
        for file in ("ca.crt", "host.crt", "host.key"):
            shutil.copy(self.folder / "pki" / name / file, place / file)
        (place / "hosts.json").write_text(json.dumps(self.plan()))
        if name == "a":
            shutil.copy(self.folder / "pki" / "ca.key", place / "ca.key")
        (place / "etcd.conf").write_text(self.etcd_conf(name))
        (place / "etcd.begun").write_text(self.token + "\n")
        (place / "etcd" / "data").mkdir(parents=True, mode=0o700)
        programs = self.programs(name)
        programs.mkdir(parents=True, exist_ok=True)
        script = programs / "systemctl"
        script.write_text(SYSTEMCTL.format(
            name=name, folder=programs, data=place / "etcd" / "data", conf=place / "etcd.conf",
            etcd=ETCD))
        script.chmod(0o755)
        if not (programs / "etcdctl").exists():
            (programs / "etcdctl").symlink_to(ETCD.parent / "etcdctl")

    def etcd_conf(self, name):
        place = self.cluster(name)
        members = ",".join(f"{other}={self.url(other, 4)}" for other in ADDRESSES)
        values = {
            "NAME": name, "DATA_DIR": place / "etcd" / "data",
            "LISTEN_CLIENT_URLS": self.url(name, 3), "ADVERTISE_CLIENT_URLS": self.url(name, 3),
            "LISTEN_PEER_URLS": self.url(name, 4),
            "INITIAL_ADVERTISE_PEER_URLS": self.url(name, 4), "INITIAL_CLUSTER": members,
            "INITIAL_CLUSTER_TOKEN": self.token, "INITIAL_CLUSTER_STATE": "new",
            "CLIENT_CERT_AUTH": "true", "TRUSTED_CA_FILE": place / "ca.crt",
            "CERT_FILE": place / "host.crt", "KEY_FILE": place / "host.key",
            "PEER_CLIENT_CERT_AUTH": "true", "PEER_TRUSTED_CA_FILE": place / "ca.crt",
            "PEER_CERT_FILE": place / "host.crt", "PEER_KEY_FILE": place / "host.key",
            "HEARTBEAT_INTERVAL": "50", "ELECTION_TIMEOUT": "500", "PRE_VOTE": "true",
        }
        return "".join(f"ETCD_{key}={value}\n" for key, value in values.items())

    # --- boursectl ---

    def ctl(self, name, *arguments, check=True, seconds_max=120, stdin=subprocess.DEVNULL):
        """boursectl on a host, with its own programs."""
        done = subprocess.run(
            **self._boursectl(name, arguments), capture_output=True, text=True,
            timeout=seconds_max, stdin=stdin)
        if check and done.returncode != 0:
            raise Refused(list(map(str, arguments)), done.returncode, done.stderr + done.stdout)
        return done

    def start_ctl(self, name, *arguments, **streams):
        """boursectl on a host, begun and not waited for."""
        return subprocess.Popen(**self._boursectl(name, arguments), **streams)

    def _boursectl(self, name, arguments):
        config = self.state(name) / "bourse.toml"
        return {
            "args": [str(BIN / "boursectl"), "--config", str(config), *map(str, arguments)],
            "env": os.environ | {"BOURSE_PROGRAMS": str(self.programs(name))}}

    def ctl_json(self, name, *arguments, **options):
        return json.loads(self.ctl(name, "--output", "json", *arguments, **options).stdout)

    def status(self, name):
        """`cluster status` of a host, also where it finds something wrong."""
        done = self.ctl(name, "--output", "json", "cluster", "status", check=False)
        assert done.returncode in (0, 1) and done.stdout, done.stderr
        return json.loads(done.stdout)

    def refusal(self, name, *arguments):
        """What a refused verb prints."""
        done = self.ctl(name, *arguments, check=False)
        assert done.returncode != 0, done.stdout
        return done.stderr

    # --- hosts ---

    def systemctl(self, name, verb):
        subprocess.run([str(self.programs(name) / "systemctl"), verb, "bourse-etcd.service"],
                       check=True, stdin=subprocess.DEVNULL)

    def healthy(self, name):
        """Whether a majority of etcd answers by this host's member."""
        return self.etcdctl(name, "endpoint", "health", check=False).returncode == 0

    def etcdctl(self, name, *words, check=True):
        """etcdctl by this host's member."""
        place = self.cluster(name)
        return subprocess.run(
            [str(ETCD.parent / "etcdctl"), f"--endpoints={self.url(name, 3)}",
             f"--cacert={place / 'ca.crt'}", f"--cert={place / 'host.crt'}",
             f"--key={place / 'host.key'}", *words],
            env=os.environ | {"ETCDCTL_API": "3"}, capture_output=True, text=True, check=check,
            timeout=30)

    def start_all(self):
        """All three hosts, both in sync."""
        if not ETCD.exists():
            raise ExchangeFault("etcd is missing: run packaging/local/prerequisites test")
        for name in ADDRESSES:
            self.systemctl(name, "start")
        await_true("etcd is healthy", lambda: self.healthy("w"))
        self.found()
        self.supervisor.start()
        for name in ("a", "b"):
            self.power(name)
        self.in_sync("a")

    def found(self):
        """The first record: a leads, alone in sync."""
        high, low = struct.unpack("<QQ", (self.state("a") / "replica").read_bytes()[32:48])
        record = {"version": 1, "epoch": 1, "primary": "a",
                  "insync": [{"host": "a", "replica": f"{high:016x}{low:016x}"}],
                  "attempt": {"run": secrets.token_hex(8), "number": 1}}
        self.etcdctl("w", "put", "/bourse/record", json.dumps(record, separators=(",", ":")))
        self.etcdctl("w", "put", "/bourse/floor", f"{1:020}")

    def roles(self):
        """The host that leads and the one that follows, both in sync, as both know. On a busy
        machine they may have changed since the start."""
        def found():
            roles = {(self.document(name) or {}).get("role"): name for name in self.hosts}
            return (roles["primary"], roles["standby"]) if roles.keys() == {
                "primary", "standby"} else None
        return await_true("one leads with both in sync", found, 60)

    def power(self, name):
        """Starts what systemd starts at boot."""
        self.off.discard(name)
        if (self.cluster(name) / "etcd" / "data").exists():
            self.systemctl(name, "start")
        if name in self.hosts:
            with self.lock:
                for daemon in ("matchd", "agentd"):
                    if daemon not in self.hosts[name].running:
                        self.hosts[name].spawn(daemon)

    def _supervise(self):
        """As the units' Restart=: a matchd that ended to cut or to follow starts again, and a
        gateway that found less released than its history has, as before the host leads."""
        while not self.ended.wait(0.02):
            with self.lock:
                for name, host in self.hosts.items():
                    for daemon, codes in (("matchd", (0, 75)), ("gatewayd", (0, 1))):
                        process = host.running.get(daemon)
                        if name not in self.off and process and process.poll() in codes:
                            host.spawn(daemon)

    def lose(self, name):
        """Switches a host's power off."""
        with self.lock:
            self.off.add(name)
            self.systemctl(name, "stop")
            if name in self.hosts:
                self.hosts[name].end()

    def end(self):
        self.ended.set()
        if self.supervisor.is_alive():
            self.supervisor.join()
        for name in ADDRESSES:
            if (self.programs(name) / "pid").exists():
                self.systemctl(name, "stop")
        for host in self.hosts.values():
            host.end()

    def gateway(self, name):
        """A host's gateway, that listens; a standby's shows what is released."""
        host = self.hosts[name]
        if "gatewayd" not in host.running:
            host.spawn("gatewayd")

        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", host.port)) == 0
        await_true(f"{name}'s gateway listens", listens)

    # --- hosts that come back ---

    def rejoin(self, names, by):
        """Hosts join again whose members of etcd were lost, or are of an etcd that is no more."""
        for name in names:
            self.join(name, by)
            self.takes_part(name)

    def takes_part(self, name):
        """Waits until a majority of etcd answers by this host's member."""
        try:
            await_true(f"etcd on {name} takes part", lambda: self.healthy(name))
        except ExchangeFault as fault:
            log = (self.programs(name) / "log").read_text(errors="replace")[-3000:]
            raise ExchangeFault(f"{fault}: {log}") from None

    def join(self, name, by, *options):
        """`cluster invite` on one host, the join that it prints on the other."""
        self.invited(name, by, lambda token: self.ctl(
            name, "cluster", "join", token, "--host", name, "--address", ADDRESSES[name],
            *options))
        # The certificate that was signed is right for a host of its own. On loopback a connection
        # comes from 127.0.0.1, which etcd compares: the bench's certificate has it as well.
        for file in ("host.crt", "host.key"):
            shutil.copy(self.folder / "pki" / name / file, self.cluster(name) / file)
        self.systemctl(name, "stop")
        self.systemctl(name, "start")

    def invited(self, name, by, use, *options):
        """`cluster invite` on one host; `use` gets the token that it prints."""
        config = self.state(by) / "bourse.toml"
        with open(self.folder / f"invite-{name}.log", "wb") as log:
            inviting = subprocess.Popen(
                [str(BIN / "boursectl"), "--config", str(config), "cluster", "invite", name,
                 *options],
                env=os.environ | {"BOURSE_PROGRAMS": str(self.programs(by))}, stdout=log,
                stderr=log, stdin=subprocess.DEVNULL)
        try:
            def token():
                text = (self.folder / f"invite-{name}.log").read_text()
                if inviting.poll() not in (None, 0):
                    raise ExchangeFault(text)
                return next((word for word in text.split() if word.startswith("bourse1.")), None)
            found = await_true("a token is printed", token)
            use(found)
            if inviting.wait(60) != 0:
                raise ExchangeFault((self.folder / f"invite-{name}.log").read_text())
        finally:
            if inviting.poll() is None:
                inviting.send_signal(signal.SIGINT)
                inviting.wait(30)

    def blank(self, name):
        """A new disk: of the host only its settings and the key that seals secrets are there, as
        after an installation with the owner's copies."""
        keeps = {"bourse.toml", "secrets", "seal.key", "run"}
        for path in self.state(name).iterdir():
            if path.name in keeps:
                continue
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def image(self, name):
        """Copies a host's disk while it is off."""
        target = self.folder / "images" / name
        if target.exists():
            shutil.rmtree(target)
        target.parent.mkdir(exist_ok=True)
        shutil.copytree(self.state(name), target, ignore=shutil.ignore_patterns("*.sock", "*socket"))

    def restore(self, name):
        """Puts the old disk back."""
        shutil.rmtree(self.state(name))
        shutil.copytree(self.folder / "images" / name, self.state(name))

    def back_up(self, name, least):
        """A backup by `boursectl backup`, which has at least all up to a record that was released;
        the mark that says so comes a moment later."""
        backup = self.folder / "images" / "backup"
        backup.parent.mkdir(exist_ok=True)

        def is_whole():
            shutil.rmtree(backup, ignore_errors=True)
            made = self.ctl_json(name, "backup", backup)
            return made["last"] >= least

        await_true("the backup has what was released", is_whole)

    def restore_backup(self, name):
        """Puts the backup on a blank disk, with the owner's copies of settings and certificates."""
        self.blank(name)
        shutil.copytree(self.folder / "images" / name / self.cluster(name).name,
                        self.cluster(name), ignore=shutil.ignore_patterns("etcd"),
                        dirs_exist_ok=True)
        shutil.copytree(self.folder / "images" / "backup", self.state(name), dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("bourse.toml"))

    def plan_of(self, name):
        """The plan as a host has it."""
        return json.loads((self.cluster(name) / "hosts.json").read_text())

    def bring_key(self, name):
        """The owner's copy of the authority's key, put where joins are taken now."""
        shutil.copy(self.folder / "pki" / "ca.key", self.cluster(name) / "ca.key")
