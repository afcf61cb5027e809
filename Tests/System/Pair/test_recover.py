"""Any set of the three hosts is lost, and comes back with whole disks, blank ones or old ones:
`cluster status` on what is left names the one verb that reopens the exchange and what it loses, the
verb does it within a minute, and the lost hosts come back. What needs no verb is named none.

All cases walk one cluster, one after the other; a case that fails leaves the next one a new one."""
import time

import pytest
from pair import await_true
from test_failover import Trader
from trio import ADDRESSES, Trio

REOPENS_SECONDS_MAX = 60
# Old disks first, and those that end with a new etcd last: so most are of the cluster that stands.
SETS = ("leads", "follows", "witness", "leads+follows", "leads+follows+witness", "leads+witness",
        "follows+witness")
CASES = [(lost, disk) for disk in ("old", "whole", "blank") for lost in SETS]


class Walk:
    """The cluster that the cases share, its trader, and what was acknowledged in its images."""

    def __init__(self, folders):
        self.folders, self.count = folders, 0
        self.trio = None
        self.is_whole = False

    def begin(self, needs_images):
        """A cluster in which all is well, of whose hosts there are old images. Disks that missed a
        new etcd twice are no disks of it any more."""
        if not self.is_whole:
            self.end()
            self.count += 1
            self.trio = Trio(self.folders.mktemp(f"walk-{self.count}"))
            self.trio.start_all()
            self.trader = Trader(self.trio)
        token = self.trio.plan_of("a")["token"]
        if self.is_whole and (self.token == token or not needs_images):
            return
        self.token = token
        leads, follows = self.trio.roles()
        for _ in range(3):
            self.trader.first(leads)
        said = self.trio.refusal(leads, "backup", self.trio.folder / "images" / "refused")
        assert f"on {follows}: sudo boursectl backup" in said and "--here" in said
        self.trio.back_up(follows, self.trio.ctl_json(leads, "status")["released"])
        for name in ADDRESSES:
            self.trio.lose(name)
        for name in ADDRESSES:
            self.trio.image(name)
        self.old = set(self.trader.acknowledged)
        for name in ADDRESSES:
            self.trio.power(name)
        self.settle()

    def settle(self):
        """All is well: both are in sync, each shows all that was acknowledged, nothing is wrong."""
        leads, _ = self.trio.roles()
        for name in "ab":
            self.trio.gateway(name)
        await_true(f"{leads}'s gateway has caught up", self.trio.hosts[leads].answers)
        self.trader.first(leads)
        for name in "ab":
            self.trader.check(name)
        await_true(f"{leads} finds nothing wrong",
                   lambda: self.trio.status(leads)["problems"] == [])

    def open(self, name, began):
        """Waits until a host acknowledges; gives the seconds since it began."""
        self.trio.gateway(name)
        await_true(f"{name}'s gateway has caught up", self.trio.hosts[name].answers,
                   REOPENS_SECONDS_MAX)
        self.trader.first(name, REOPENS_SECONDS_MAX)
        seconds = time.monotonic() - began
        assert seconds <= REOPENS_SECONDS_MAX
        return seconds

    def lose_new(self):
        """Only the images are left of the exchange."""
        lost, self.trader.acknowledged = self.trader.acknowledged - self.old, set(self.old)
        assert lost
        return lost

    def end(self):
        if self.trio:
            self.trio.end()


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    made = Walk(tmp_path_factory)
    yield made
    made.end()


def verb(trio, name, *words):
    """Gives the verb that the host's status names, with proof; when it began, what it printed."""
    named = trio.status(name)["reopening"]
    assert named and "sudo boursectl " + " ".join(words) in named["verb"] and named["loses"], named
    began = time.monotonic()
    done = trio.ctl(name, *words, "--peer-is-off", "--yes-name", name)
    return began, named["loses"], done


@pytest.mark.parametrize("lost,disk", CASES, ids=["-".join(case) for case in CASES])
def test_lost(walk, lost, disk):
    walk.begin(needs_images=disk == "old" or disk == "blank" and "leads+follows" in lost)
    walk.is_whole = False
    trio, trader = walk.trio, walk.trader
    leads, follows = trio.roles()
    names = {"leads": leads, "follows": follows, "witness": "w"}
    gone = [names[role] for role in lost.split("+")]
    for _ in range(3):
        trader.first(leads)
    began = time.monotonic()
    # The witness first: with it whoever is left would go on by itself.
    for name in sorted(gone, reverse=True):
        trio.lose(name)
    if lost in ("leads", "follows", "witness"):
        leads = follows if lost == "leads" else leads
        seconds = walk.open(leads, began)
        assert trio.status(leads)["reopening"] is None
    elif lost == "leads+witness":
        await_true("it waits", lambda: trio.document(follows)["etcdFault"])
        began, loses, done = verb(trio, follows, "failover", follows)
        assert "nothing, if" in loses and "must not come back" in done.stderr
        leads = follows
        seconds = walk.open(leads, began)
    elif lost == "follows+witness":
        await_true("it holds", lambda: trio.document(leads)["etcdFault"])
        assert not trader.place(leads)
        began, loses, _ = verb(trio, leads, "standby", "remove", "--force")
        assert loses == "nothing that was acknowledged"
        seconds = walk.open(leads, began)
    elif disk == "blank":
        leads, seconds = from_backup(walk, leads, follows, gone)
    else:
        leads, seconds = from_disks(walk, leads, follows, gone, disk)
    print(f"lost: {lost}, disks: {disk}: reopened in {seconds:.1f} s")
    come_back(trio, leads, gone, disk)
    walk.settle()
    walk.is_whole = True


def from_disks(walk, leads, follows, gone, disk):
    """Both hosts with the exchange are lost, and their disks are there, whole or old."""
    trio, trader = walk.trio, walk.trader
    if disk == "old":
        lacks = walk.lose_new()
        for name in gone:
            trio.restore(name)
    if "w" not in gone:
        said = trio.status("w")["reopening"]
        assert "one of them alone first" in said["verb"], said
        assert "start a or b" in said["verb"] or "start b or a" in said["verb"], said
        assert "Where both disks are lost, restore a backup" in said["verb"], said
    began = time.monotonic()
    if "w" in gone:
        # Nothing of a later time is left that could say that all three are old.
        for name in gone:
            trio.power(name)
        leads, _ = trio.roles()
    else:
        trio.power(leads)
    if disk == "old" and "w" not in gone:
        await_true("it knows the record", lambda: (found := trio.document(leads)) and (
            found["role"] == "learner"))
        end, floor = (trio.document(leads)[key] for key in ("end", "floor"))
        assert end < floor and not trader.place(leads)
        began, loses, done = verb(trio, leads, "failover", leads)
        assert f"lost: the records {end + 1} to {floor}, and" in loses and loses in done.stdout
    seconds = walk.open(leads, began)
    if disk == "old":
        assert not lacks & trader.shown(leads)
    return leads, seconds


def from_backup(walk, leads, follows, gone):
    """Nothing is left of the exchange but a backup: that is said, and nothing begins anew."""
    trio, trader = walk.trio, walk.trader
    lacks = walk.lose_new()
    for name in gone:
        trio.blank(name)
        trio.power(name)
    host = trio.hosts[leads]
    assert host.running.pop("matchd").wait(30) == 76, host.log_tail("matchd")
    assert host.running.pop("agentd").wait(30) != 0, host.log_tail("agentd")
    assert "put it back from a backup" in host.log_tail("matchd")
    for words in (["cluster", "status"], ["failover", leads], ["init"], ["init", "--new-journal"]):
        said = trio.refusal(leads, *words)
        assert "Where no host has it, restore a backup" in said, said
    for name in gone:
        trio.lose(name)
    trio.restore_backup(leads)
    began = time.monotonic()
    trio.power(leads)
    await_true("it waits", lambda: (found := trio.document(leads)) and found["etcdFault"]
               and found["end"])
    assert not trader.place(leads)
    if "w" not in gone:
        # The witness alone does not say what was: nobody leads by it.
        said = trio.refusal(leads, "failover", leads, "--peer-is-off", "--yes-name", leads)
        assert "etcd on w runs" in said, said
        trio.lose("w")
    end = trio.document(leads)["end"]
    _, loses, _ = verb(trio, leads, "failover", leads)
    assert loses == f"may be lost: what was acknowledged after record {end}"
    seconds = walk.open(leads, began)
    assert not lacks & trader.shown(leads)
    return leads, seconds


def come_back(trio, leads, gone, disk):
    """The hosts that are off come back: by themselves where only their power was lost; by a token
    where a disk is not what it was, or etcd was made anew."""
    token = trio.plan_of(leads)["token"]
    # The witness first: with the other host it takes longer to be a majority.
    for name in sorted(trio.off, reverse=True):
        if name in gone and disk == "blank":
            trio.blank(name)
        if name in gone and disk == "old":
            trio.restore(name)
        if name in gone and disk != "whole" or trio.plan_of(name)["token"] != token:
            founder = trio.plan_of(leads)["founder"]["name"]
            by = leads if founder == name or founder in trio.off else founder
            trio.bring_key(by)
            trio.join(name, by, *(["--replace-member"] if disk == "old" else []))
        trio.power(name)
        trio.takes_part(name)
