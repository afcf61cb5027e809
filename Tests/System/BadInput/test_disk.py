"""Disks that are full, read-only or damaged. On small file systems made for the test, so these
need root to mount them."""
import os
import subprocess
import time

import pytest
from exchange import Exchange, ExchangeFault
from spot import Refusal, Spot, Unknown

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root")

MIB = 1 << 20
ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
         "quantity": "0.01", "price": "30000"}


@pytest.fixture
def disk(tmp_path):
    """Mounts a file system of some MiB; unmounted afterwards."""
    mounts = []

    def mount(mib):
        place = tmp_path / "disk"
        place.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(place)], check=True
        )
        mounts.append(place)
        return place

    yield mount
    for place in mounts:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def small(state):
    """An exchange that fits a small disk: short segments, little reserve."""
    settings = {("matchd", "segment_mib"): 4, ("matchd", "reserve_mib"): 24}
    made = Exchange(state, settings=settings)
    made.logs = state.parent.parent / "logs"  # what daemons say must not need the small disk
    return made


def fill(place, leave_mib):
    """Takes all space but some MiB; returns the file to remove."""
    free = os.statvfs(place)
    take = free.f_bavail * free.f_frsize - leave_mib * MIB
    file = place / "other-data"
    with open(file, "wb") as data:
        os.posix_fallocate(data.fileno(), 0, take)
    return file


def client_of(exchange):
    row = exchange.demo()["accounts"][0]
    return Spot(exchange.port, row["keyID"], row["secret"])


def try_place(client, **terms):
    """Places an order; returns the answer, or None when it was not taken."""
    try:
        return client.place(**(ORDER | terms))
    except (Refusal, Unknown):
        return None


def test_takes_only_cancels_below_the_reserve_and_orders_again_above_it(disk):
    place = disk(160)
    exchange = small(place / "state")
    try:
        exchange.init().start()
        client = client_of(exchange)
        first = client.place(**ORDER)
        other = fill(place, leave_mib=8)
        refused = None
        for _ in range(50):  # the disk is looked at every so often, not at each command
            if (refused := try_place(client)) is None:
                break
            time.sleep(0.1)
        assert refused is None, "orders are still taken on a full disk"
        answer = client.cancel(symbol="BTCUSDT", orderId=first["orderId"])
        assert answer["status"] == "CANCELED"
        exchange.check_alive()
        os.remove(other)
        taken = None
        for _ in range(50):
            if (taken := try_place(client, newClientOrderId="after")) is not None:
                break
            time.sleep(0.1)
        assert taken is not None, "no order is taken after space was made"
        exchange.stop_all()
        exchange.start()
        rows = client.all_orders("BTCUSDT")
        states = {row["orderId"]: row["status"] for row in rows}
        assert states[first["orderId"]] == "CANCELED" and states[taken["orderId"]] == "NEW"
    finally:
        exchange.end()


def test_starts_on_a_full_disk_where_its_journal_has_its_space_and_takes_no_more_than_cancels(disk):
    place = disk(160)
    exchange = small(place / "state").init()
    try:
        other = fill(place, leave_mib=0)
        exchange.start("matchd")
        refused = exchange.ctl("account", "open", "late", check=False)
        assert refused.returncode != 0 and "below its reserve" in refused.stderr, refused
        os.remove(other)
        exchange.stop_all()
        exchange.start("matchd")
        exchange.ctl("account", "open", "late")
    finally:
        exchange.end()


def test_explains_a_read_only_disk_and_loses_nothing(disk):
    place = disk(160)
    exchange = small(place / "state")
    try:
        exchange.init().start()
        client = client_of(exchange)
        order = client.place(**ORDER)
        exchange.stop_all()
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        with pytest.raises(ExchangeFault) as fault:
            exchange.start("matchd")
        assert "read-only" in str(fault.value).lower()
        exchange.end()
        subprocess.run(["mount", "-o", "remount,rw", str(place)], check=True)
        exchange.start()
        rows = client.all_orders("BTCUSDT")
        assert [row["orderId"] for row in rows] == [order["orderId"]]
    finally:
        exchange.end()
