"""etcd is made anew by an operator: with one host left, where the verb may be interrupted anywhere
and is given again; and with both hosts there, none of which loses anything."""
import shutil
import signal
import time

import pytest
from exchange import ExchangeFault
from pair import await_true
from test_failover import Trader

QUIET_SECONDS = 5      # so long nothing may change where nothing is to change
# Before and after each change that is made by a program: what is between them is files.
STEPS = [(program, word, moment) for program, word in (
    ("systemctl", "stop"), ("systemctl", "enable"), ("systemctl", "start"), ("etcdctl", "get"),
    ("etcdctl", "txn")) for moment in ("before", "after")]

KILLER = """#!/bin/sh
# Does what the program does, and kills the boursectl that calls it once, where `kill` says so.
cd "$(dirname "$0")" || exit 1
name=$(basename "$0")
if [ -f kill ] && [ "$(cat /proc/$PPID/comm)" = boursectl ]; then
    read -r program word moment <kill
    case "$name $* " in
    "$program "*"$word "*)
        rm kill
        [ "$moment" = before ] || "./$name.real" "$@"
        kill -9 $PPID
        exit 1 ;;
    esac
fi
exec "./$name.real" "$@"
"""


def lose_etcd(trio, *names):
    """The volumes of members of etcd are lost."""
    for name in names:
        trio.systemctl(name, "stop")
        shutil.rmtree(trio.cluster(name) / "etcd")


def may_be_killed(trio, name):
    for program in ("systemctl", "etcdctl"):
        path = trio.programs(name) / program
        path.rename(path.with_name(f"{program}.real"))
        path.write_text(KILLER)
        path.chmod(0o755)


@pytest.mark.parametrize("words", [("failover", "HOST"), ("standby", "remove", "--force")],
                         ids=" ".join)
def test_a_verb_that_makes_etcd_anew_is_killed_at_each_step_and_given_again(trio, words):
    trader = Trader(trio)
    leads, follows = trio.roles()
    for _ in range(3):
        trader.first(leads)
    name, gone = (follows, leads) if words[0] == "failover" else (leads, follows)
    words = [name if word == "HOST" else word for word in words]
    for lost in ("w", gone):
        trio.lose(lost)
    await_true("it waits", lambda: trio.document(name)["etcdFault"])
    may_be_killed(trio, name)
    again = [*words, "--peer-is-off", "--yes-name", name]
    for step in STEPS:
        (trio.programs(name) / "kill").write_text(" ".join(step) + "\n")
        done = trio.ctl(name, *again, check=False)
        assert done.returncode == -signal.SIGKILL, (step, done.stderr)
        if step[2] == "before":
            named = trio.status(name)["reopening"]
            assert named and " ".join(words) in named["verb"], (step, named)
            assert not trader.place(name), step
    done = trio.ctl(name, *again)
    assert f"{name} leads epoch" in done.stdout
    trader.first(name)
    trader.check(name)
    trio.bring_key(name)
    trio.rejoin("w", name)
    # It has an end: from now on the verb is what it was before.
    assert not (trio.cluster(name) / "etcd.remake").exists()
    if words[0] == "failover":
        assert "leads epoch" in trio.refusal(name, *again)


def test_a_lost_etcd_is_seeded_from_both_hosts(trio):
    trader = Trader(trio)
    a, b = trio.roles()
    trader.first(a)
    assert "a majority of etcd answers" in trio.refusal(a, "cluster", "seed")
    lose_etcd(trio, b, "w")
    await_true("nothing is changed", lambda: trio.document(a)["etcdFault"])
    trader.first(a)
    found = trio.status(a)
    assert found["reopening"] is None
    assert any("sudo boursectl cluster seed" in problem for problem in found["problems"])
    # Where one leads it is given there.
    said = trio.refusal(b, "cluster", "seed", "--yes-name", b)
    assert f"{a} leads" in said and "there: sudo boursectl cluster seed" in said, said
    assert f"add --yes-name {a}" in trio.refusal(a, "cluster", "seed")
    assert f"is not {a}" in trio.refusal(a, "cluster", "seed", "--yes-name", b)
    done = trio.ctl_json(a, "cluster", "seed", "--yes-name", a)
    assert done["host"] == a and done["epoch"] > 1000
    print(f"seeded in {done['milliseconds']} ms")
    trader.first(a)
    trio.in_sync(a)
    trio.rejoin(("w", b), a)
    trader.check(b)

    # Nobody leads, and one host has more than the other: that one.
    trio.lose(b)
    await_true("a is alone", lambda: trio.document(a)["inSync"] == [a])
    trader.first(a)
    for name in (a, "w"):
        trio.lose(name)
    for name in "abw":
        shutil.rmtree(trio.cluster(name) / "etcd")
    for name in "ab":
        trio.power(name)
    await_true("both know of each other", lambda: all(
        (found := trio.document(name)) and found["end"] and found["etcdFault"]
        and (found["peerAgent"]["document"] or {}).get("end") for name in "ab"))
    for name in "ab":
        named = trio.status(name)["reopening"]
        assert f"on {a}: sudo boursectl cluster seed" in named["verb"], named
        assert named["loses"] == "nothing"
    said = trio.refusal(b, "cluster", "seed", "--yes-name", b)
    assert f"{a} has records that {b} lacks" in said, said
    trio.ctl(a, "cluster", "seed", "--yes-name", a)
    trio.gateway(a)
    trader.first(a)
    trader.check(a)
    trio.in_sync(a)


def test_an_old_etcd_that_comes_back_leads_nobody(trio):
    """One host went on with an etcd made anew; the other and the witness return with the old one,
    which has a majority: it leads nobody, and nobody is taken in before it joins the new one."""
    trader = Trader(trio)
    a, b = trio.roles()
    for _ in range(3):
        trader.first(a)
    for name in ("w", a):
        trio.lose(name)
    await_true("it waits", lambda: trio.document(b)["etcdFault"])
    trio.ctl(b, "failover", b, "--peer-is-off", "--yes-name", b)
    trader.first(b)
    for name in ("w", a):
        trio.power(name)
    await_true("the old etcd has a majority", lambda: trio.healthy(a))
    sentences, until = set(), time.monotonic() + QUIET_SECONDS

    def stays_back():
        """It follows by the new etcd if it found that first, or says that it takes no role."""
        found = trio.document(a)
        sentences.add(found and found["sentence"])
        assert not found or found["role"] in ("starting", "standby", "learner"), found
        return time.monotonic() > until and found and (
            f"the etcd of {b} is newer" in found["sentence"] or found["primary"] == b)

    try:
        await_true("it knows of the new etcd", stays_back)
    except ExchangeFault as fault:
        raise ExchangeFault(f"{fault}: {sentences} {trio.document(a)}") from None
    trader.first(b)
    trader.check(b)
    # It joins as the sentence says.
    trio.bring_key(b)
    for name in ("w", a):
        trio.join(name, b)
        trio.power(name)
        trio.takes_part(name)
    trio.in_sync(b)
    trio.gateway(a)
    trader.check(a)


@pytest.mark.parametrize("left", ["", "garbage"])
def test_a_record_that_is_lost_or_damaged_is_seeded_and_never_begun_anew(trio, left):
    trader = Trader(trio)
    a, b = trio.roles()
    trader.first(a)
    if left:
        trio.etcdctl("w", "put", "/bourse/record", left)
    else:
        trio.etcdctl("w", "del", "/bourse/record")
    await_true("status names the verb", lambda: any(
        "sudo boursectl cluster seed" in problem for problem in trio.status(a)["problems"]))
    # The founder's own verb would name one host alone in sync, whoever led since.
    said = trio.refusal("a", "cluster", "init")
    assert "cluster seed" in said and (not left or "it is garbled" in said), said
    assert trio.etcdctl("w", "get", "--print-value-only", "/bourse/record").stdout.strip() == left
    said = trio.refusal(a, "cluster", "seed", "--yes-name", a)
    assert f"etcd on {b} runs" in said, said
    for name in (b, "w"):
        trio.systemctl(name, "stop")
    await_true("a's agent misses them", lambda: trio.document(a)["etcdFault"])
    done = trio.ctl_json(a, "cluster", "seed", "--yes-name", a)
    assert done["host"] == a
    trader.first(a)
    trio.rejoin(("w", b), a)
    trio.in_sync(a)
    for name in "ab":
        trader.check(name)
