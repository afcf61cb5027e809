"""Any of the three hosts is lost: `cluster status` on what is left names the one verb that reopens
the exchange and what it loses, the verb does it within a minute, and the lost hosts come back."""
import json
import shutil
import threading
import time

import pytest
from exchange import ExchangeFault
from pair import await_true
from test_failover import Trader
from trio import Trio

REOPENS_SECONDS_MAX = 60
QUIET_SECONDS = 5      # so long nothing may change where nothing is to change


@pytest.fixture
def trio(tmp_path):
    made = Trio(tmp_path)
    try:
        made.start_all()
        yield made
    finally:
        made.end()


def until_open(trio, trader, name, began):
    """Waits until a host acknowledges, with its daemons restarted as units are."""
    def acknowledges():
        trio.supervise()
        return trader.place(name)
    await_true(f"{name} acknowledges", acknowledges, REOPENS_SECONDS_MAX)
    seconds = time.monotonic() - began
    assert seconds <= REOPENS_SECONDS_MAX
    return seconds


def supervised(trio, check):
    def look():
        trio.supervise()
        return check()
    return look


def both_in_sync(trio, primary):
    def holds():
        trio.supervise()
        found = trio.document(primary)
        return found and found["role"] == "primary" and sorted(found["inSync"]) == ["a", "b"]
    try:
        await_true(f"{primary} leads with both", holds, REOPENS_SECONDS_MAX)
    except ExchangeFault as fault:
        seen = {name: trio.document(name) for name in trio.hosts}
        raise ExchangeFault(f"{fault}: {json.dumps(seen)[:4000]}") from None


def reopen(trio, name, *verb):
    """Gives the verb that the host's status names, with its matchd restarted as a unit is."""
    named = trio.status(name)["reopening"]
    assert named and " ".join(verb) in named["verb"], named
    assert named["loses"]
    proof = ["--peer-is-off", "--yes-name", name]
    began = time.monotonic()
    done = []
    giving = threading.Thread(target=lambda: done.append(
        trio.ctl(name, *verb, *proof, check=False)))
    giving.start()
    while giving.is_alive():
        trio.supervise()
        giving.join(0.05)
    assert done[0].returncode == 0, done[0].stderr + done[0].stdout
    return began, done[0]


@pytest.mark.parametrize("disk", ["whole", "blank", "old"])
def test_primary_and_witness_lost_the_standby_reopens(trio, disk):
    trader = Trader(trio)
    for name in ("a", "w"):
        if disk == "old":
            trio.lose(name)
            trio.image(name)
            trio.power(name)
            await_true("someone leads", supervised(trio, lambda: any(
                (trio.document(host) or {}).get("role") == "primary" for host in "ab")))
    leads = next(host for host in "ab" if (trio.document(host) or {}).get("role") == "primary")
    both_in_sync(trio, leads)
    if leads == "b":
        # One that comes right behind the addition may be given up, safely: it is given again.
        await_true("b hands over", lambda: trio.ctl(
            "b", "switchover", check=False).returncode == 0)
        both_in_sync(trio, "a")
    if disk == "old":
        trio.gateway("a")
    for _ in range(5):
        trader.first("a")
    for name in ("a", "w"):
        trio.lose(name)
    await_true("b waits", lambda: trio.document("b")["etcdFault"])
    began, done = reopen(trio, "b", "failover", "b")
    assert "must not come back" in done.stderr and "etcd" in done.stderr
    seconds = until_open(trio, trader, "b", began)
    print(f"reopened in {seconds:.1f} s")
    trader.check("b")
    # The others join again, whatever their disks have.
    for name in ("w", "a"):
        if disk == "blank":
            trio.blank(name)
        if disk == "old":
            trio.restore(name)
        bring_key(trio)
        trio.join(name, "b")
        trio.power(name)
        await_true(f"etcd on {name} takes part", lambda name=name: trio.healthy(name))
    both_in_sync(trio, "b")
    trader.first("b")
    trio.gateway("a")
    trader.check("a")
    # The agents connect again within about a second.
    await_true("b finds nothing wrong", lambda: trio.status("b")["problems"] == [])


def bring_key(trio):
    """The owner's copy of the authority's key, put where joins are taken now."""
    shutil.copy(trio.folder / "pki" / "ca.key", trio.cluster("b") / "ca.key")


@pytest.mark.parametrize("disk", ["whole", "blank"])
def test_standby_and_witness_lost_the_primary_goes_on_alone(trio, disk):
    trader = Trader(trio)
    for _ in range(5):
        trader.first("a")
    # The witness first: with it a would go on without b by itself.
    for name in ("w", "b"):
        trio.lose(name)
    await_true("a cannot remove b", lambda: trio.document("a")["etcdFault"])
    assert not trader.place("a")
    began, _ = reopen(trio, "a", "standby", "remove", "--force")
    print(f"reopened in {until_open(trio, trader, 'a', began):.1f} s")
    trader.check("a")
    for name in ("w", "b"):
        if disk == "blank":
            trio.blank(name)
        trio.join(name, "a")
        trio.power(name)
        await_true(f"etcd on {name} takes part", lambda name=name: trio.healthy(name))
    both_in_sync(trio, "a")
    trio.gateway("b")
    trader.check("b")


def test_all_lost_and_back_with_whole_disks_goes_on_by_itself(trio):
    trader = Trader(trio)
    for _ in range(5):
        trader.first("a")
    for name in "abw":
        trio.lose(name)
    began = time.monotonic()
    for name in "wab":
        trio.power(name)
    for name in "ab":
        trio.gateway(name)

    def leads():
        trio.supervise()
        return next((name for name in "ab" if (trio.document(name) or {}).get(
            "role") == "primary"), None)
    primary = await_true("one leads", leads, REOPENS_SECONDS_MAX)
    print(f"reopened in {until_open(trio, trader, primary, began):.1f} s")
    trader.check(primary)
    both_in_sync(trio, primary)


def test_a_blank_standby_joins_again(trio):
    trader = Trader(trio)
    for _ in range(5):
        trader.first("a")
    trio.lose("b")
    trio.blank("b")
    trader.first("a")
    assert trio.status("a")["reopening"] is None
    trio.join("b", "a")
    trio.power("b")
    both_in_sync(trio, "a")
    trader.first("a")
    trio.gateway("b")
    trader.check("b")


@pytest.mark.parametrize("disk", ["whole", "blank"])
@pytest.mark.parametrize("lost", ["a", "b", "w"])
def test_one_host_lost_the_others_go_on_by_themselves(trio, lost, disk):
    trader = Trader(trio)
    for _ in range(5):
        trader.first("a")
    trio.lose(lost)
    began = time.monotonic()
    left = "b" if lost == "a" else "a"
    print(f"reopened in {until_open(trio, trader, left, began):.1f} s")
    assert trio.status(left)["reopening"] is None
    if disk == "blank":
        trio.blank(lost)
        if lost == "a":
            bring_key(trio)
        trio.join(lost, left)
    trio.power(lost)
    await_true(f"etcd on {lost} takes part", lambda: trio.healthy(lost))
    both_in_sync(trio, left)
    trader.first(left)
    trio.gateway("a")
    trio.gateway("b")
    trader.check("a")
    trader.check("b")


def test_an_old_etcd_that_comes_back_leads_nobody(trio):
    """b went on with an etcd made anew; a and the witness return with the old one, which has a
    majority: a leads neither by it, nor is it taken in before it joins the new one."""
    trader = Trader(trio)
    for _ in range(5):
        trader.first("a")
    for name in ("a", "w"):
        trio.lose(name)
    await_true("b waits", lambda: trio.document("b")["etcdFault"])
    began, _ = reopen(trio, "b", "failover", "b")
    until_open(trio, trader, "b", began)
    for name in ("w", "a"):
        trio.power(name)
    await_true("the old etcd has a majority", lambda: trio.healthy("a"))
    sentences, until = set(), time.monotonic() + QUIET_SECONDS

    def stays_back():
        """a follows b by the new etcd if it found that first, or says that it takes no role."""
        trio.supervise()
        found = trio.document("a")
        sentences.add(found and found["sentence"])
        assert not found or found["role"] in ("starting", "standby", "learner"), found
        return time.monotonic() > until and found and (
            "the etcd of b is newer" in found["sentence"] or found["primary"] == "b")

    try:
        await_true("a knows of the new etcd", stays_back)
    except ExchangeFault as fault:
        raise ExchangeFault(f"{fault}: {sentences} {trio.document('a')}") from None
    print(sentences)
    trader.first("b")
    trader.check("b")
    # It joins as the sentence says.
    bring_key(trio)
    for name in ("w", "a"):
        trio.join(name, "b")
        trio.power(name)
        await_true(f"etcd on {name} takes part", lambda name=name: trio.healthy(name))
    both_in_sync(trio, "b")
    trader.first("b")
    trio.gateway("a")
    trader.check("a")
