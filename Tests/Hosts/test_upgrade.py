"""Goal: two hosts that trade take the next release, the standby first, then a switchover, then the
other; no order is refused but in the switchover's pause; a host is not upgraded before its turn, and
can go back while the log uses nothing that the earlier release does not know."""
import json
import re
import time

import pytest
from appliance import as_release, main_pid, main_pids
from cluster import Cluster
from evidence import ACKED
from faults import SERVICE, Scene
from inspection import inspect
from traffic import Traffic

NEXT = "0.2.0"
PAUSE_SECONDS_MAX = 2    # from the switchover's end to where no order may be refused again
STALL_SECONDS_MAX = 30   # an acknowledgement that waits for a standby that restarts
# What a market says, and no fault: an order to cancel is filled, funds are used up.
MARKET = re.compile(r'"code": ?-(2010|2011)\b|code=-(2010|2011)\b')


class Upgrade:
    """The cluster, its traffic, and the packages of this release and the next, by host."""

    def __init__(self, bench, folder):
        self.cluster = Cluster(bench, ("ua", "ub", "uw"))
        self.traffic = Traffic(self.cluster, folder, 11)
        self.scene = Scene(self.cluster, self.traffic, bench.figures.append)
        debs = {deb for own in self.cluster.debs.values() for deb in own}
        self.release = next(iter(debs)).name.split("_")[1]
        made = {deb.name.replace(f"_{NEXT}_", f"_{self.release}_"): deb for deb in as_release(
            sorted(debs), NEXT, folder)}
        self.next = {host: [made[deb.name] for deb in own]
                     for host, own in self.cluster.debs.items()}
        self.pauses = []     # (from, to) in which orders may be refused
        self.began = None

    def install(self, host, debs, *options):
        """Installs, which changes no process."""
        units = ("bourse-etcd",)
        before = [main_pids(host), *(main_pid(host, unit) for unit in units)]
        host.install_deb(*debs, options=options)
        assert [main_pids(host), *(main_pid(host, unit) for unit in units)] == before
        version = debs[0].name.split("_")[1]
        assert host.exec("boursectl", "--version").stdout.split()[-1] == version

    def ctl(self, host, *words):
        """A verb as JSON."""
        done = host.exec("boursectl", "--output", "json", *words, seconds_max=180)
        return json.loads(done.stdout)

    def refusal(self, host, *words):
        done = host.exec("boursectl", *words, check=False)
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stderr

    def switchover(self, host):
        began = time.monotonic()
        self.ctl(host, "switchover")
        self.pauses.append((began, time.monotonic() + PAUSE_SECONDS_MAX))

    def versions(self):
        """What each host runs, as both say."""
        found = []
        for host in self.cluster.pair:
            shown = self.ctl(host, "cluster", "status")
            assert shown["problems"] == [], shown
            found.append({row["name"]: row["version"] for row in shown["hosts"]})
        assert found[0] == found[1]
        assert found[0].pop("w") is None
        return found[0]

    def shows_versions(self):
        return "versions" in self.cluster.a.exec("boursectl", "cluster", "status").stdout

    def check(self):
        """What users have against what is there, and that nobody at the service address was
        refused, or left without an answer, outside of the pauses."""
        self.scene.in_sync()
        self.scene.served_since(time.monotonic())
        assert inspect(self.cluster, self.traffic) == []
        wrong, count = [], 0
        for sent in self.traffic.evidence.of("order", "cancel"):
            if sent.name.split("-")[0] not in SERVICE or sent.due is None:
                continue
            count += 1
            if sent.outcome == ACKED or MARKET.search(sent.why or ""):
                continue
            if not any(begin <= sent.due <= end or begin <= (sent.said_at or 0) <= end
                       for begin, end in self.pauses):
                wrong.append((sent.due - self.began, sent.what, sent.outcome, sent.why))
        assert count > 100 and wrong == []


@pytest.fixture(scope="module")
def upgrade(bench, tmp_path_factory):
    made = Upgrade(bench, tmp_path_factory.mktemp("upgrade"))
    made.traffic.go()
    made.began = time.monotonic()
    made.scene.served_since(made.began)
    yield made
    made.traffic.close()
    bench.figures.append(f"upgrade: {made.traffic.evidence.counts()}")
    for host in made.cluster.all:
        host.power_cut()


def test_the_primary_waits_for_its_turn(upgrade):
    """Its packages may be there already: nothing restarts, and the verb names the standby."""
    a = upgrade.cluster.a
    assert upgrade.cluster.primary() is a
    upgrade.install(a, upgrade.next[a])
    before = main_pids(a)
    said = upgrade.refusal(a, "upgrade")
    assert f"a leads, and b, the standby, runs {upgrade.release}: it comes first" in said
    assert f"on b: install {NEXT}, and sudo boursectl upgrade; then here" in said
    assert main_pids(a) == before and upgrade.cluster.in_sync() is a
    assert upgrade.versions() == {"a": upgrade.release, "b": upgrade.release}


def test_the_standby_comes_first(upgrade):
    a, b = upgrade.cluster.pair
    upgrade.install(b, upgrade.next[b])
    before = main_pids(b)
    began = time.monotonic()
    done = upgrade.ctl(b, "upgrade")
    assert done["upgraded"] and done["stateHash"], done
    assert done["next"] == (f"a runs {upgrade.release}. First, there: sudo boursectl switchover;"
                            f" then install {NEXT} on a, and there: sudo boursectl upgrade")
    assert all(new != old for new, old in zip(main_pids(b), before) if old != "0")
    upgrade.scene.bench.figures.append(f"upgrade of the standby: {time.monotonic() - began:.1f} s")
    assert upgrade.cluster.await_in_sync() is a
    assert upgrade.versions() == {"a": upgrade.release, "b": NEXT}
    assert upgrade.shows_versions()
    again = upgrade.ctl(b, "upgrade")
    assert not again["upgraded"] and again["next"] == done["next"]


def test_then_a_switchover_and_the_other(upgrade):
    a, b = upgrade.cluster.pair
    said = upgrade.refusal(a, "upgrade")
    assert f"b, the standby, runs {NEXT} already" in said
    assert "sudo boursectl switchover; then again: sudo boursectl upgrade" in said
    upgrade.switchover(a)
    done = upgrade.ctl(a, "upgrade")
    assert done["upgraded"] and done["next"] is None, done
    assert upgrade.cluster.await_in_sync() is b
    assert upgrade.versions() == {"a": NEXT, "b": NEXT}
    assert not upgrade.shows_versions()
    for host in (a, b):
        assert "Both hosts run 0.2.0" in host.exec("boursectl", "upgrade").stdout
    w = upgrade.cluster.w
    etcd = main_pid(w, "bourse-etcd")
    w.install_deb(*upgrade.next[w])
    assert main_pid(w, "bourse-etcd") == etcd


def test_nobody_was_refused_but_in_the_pause(upgrade):
    upgrade.check()
    moments = upgrade.traffic.evidence.acknowledged(SERVICE, upgrade.began)
    stall = max(later - earlier for earlier, later in zip(moments, moments[1:]))
    upgrade.scene.bench.figures.append(f"upgrade: longest stall {stall:.2f} s")
    assert stall < STALL_SECONDS_MAX
    upgrade.traffic.go()


def test_a_host_goes_back_while_the_log_uses_nothing_new(upgrade):
    """The package refuses, and names the way; the other host's words say what is left to do."""
    a = upgrade.cluster.a
    old = upgrade.cluster.debs[a]
    matchd, = [deb.name for deb in old if deb.name.startswith("bourse-matchd_")]
    refused = a.exec("dpkg", "-i", f"/var/tmp/debs/{matchd}", check=False)
    assert f"The downgrade of bourse-matchd from {NEXT} to {upgrade.release} is refused" in (
        refused.stdout + refused.stderr)
    a.exec("touch", "/run/bourse-downgrade")
    upgrade.install(a, old, "--allow-downgrades")
    done = upgrade.ctl(a, "upgrade")
    assert done["upgraded"] and done["next"] == (
        f"b runs {NEXT}, this host {upgrade.release}. install {NEXT} here, and: sudo boursectl"
        " upgrade")
    assert upgrade.versions() == {"a": upgrade.release, "b": NEXT}
    upgrade.install(a, upgrade.next[a])
    # A third removal in ten minutes would keep it out: told to keep it, b counts anew.
    upgrade.ctl(upgrade.cluster.b, "standby", "add")
    assert upgrade.ctl(a, "upgrade")["next"] is None
    upgrade.check()
