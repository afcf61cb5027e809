"""What vanishes or hangs under a running agent: what can no longer be seen is unknown, never well; all
else goes on; and what comes back is seen again."""
import os
import threading

from agent import Agent

# /sys shows the network of whoever mounted it.
NETWORK = "mount -t sysfs sysfs /sys\nip link set lo up\n"
ADD = ("ip link add watch0 type veth peer name watch1 && ip link set watch0 up"
       " && ip link set watch1 up")


def test_an_interface_that_vanishes_is_missed_until_it_is_back(exchange):
    agent = Agent(exchange, shell=NETWORK + ADD, interfaces="watch0").start()
    agent.until(lambda: agent.check("nic.link/watch0")["state"] == "ok", "sees it", 15)
    agent.within("ip", "link", "del", "watch0")
    link = agent.until(
        lambda: (c := agent.check("nic.link/watch0"))["state"] == "critical" and c, "misses it", 15)
    assert link["text"] == "there is no interface watch0"
    # What else was known of it is known no more.
    agent.until(
        lambda: {c["state"] for n, c in agent.checks().items()
                 if n.endswith("/watch0") and n != "nic.link/watch0"} <= {"unknown"},
        "takes nothing of it for good", 15)
    rounds(agent)
    agent.within("sh", "-c", ADD)
    agent.until(lambda: agent.check("nic.link/watch0")["state"] == "ok", "sees it again", 15)


def test_a_file_that_hangs_is_unknown_and_stops_nothing(exchange, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    agent = Agent(exchange, shell="true").start()
    read = agent.until(
        lambda: {n for n, c in agent.checks().items()
                 if c["source"].startswith("/proc/vmstat") and c["state"] != "unknown"},
        "reads it", 15)
    # Whoever opens a pipe that nobody writes to waits, for ever.
    agent.within("mount", "--bind", str(pipe), "/proc/vmstat")
    hung = agent.until(
        lambda: (c := agent.check("kernel.slow-sources")) and c["state"] != "ok" and c, "hangs", 25)
    assert "/proc/vmstat" in hung["text"]
    agent.until(
        lambda: {agent.checks()[name]["state"] for name in read} == {"unknown"}, "is blind", 15)
    rounds(agent)
    agent.within("umount", "-l", "/proc/vmstat")
    # The thread that waits is let go; it takes no more than one.
    threading.Thread(target=lambda: open(pipe, "wb").close(), daemon=True).start()
    agent.until(
        lambda: "unknown" not in {agent.checks()[name]["state"] for name in read}, "sees again", 15)
    agent.until(lambda: agent.check("kernel.slow-sources")["state"] == "ok", "has no more that hangs", 25)


def rounds(agent):
    """Waits for three rounds, each of them in time."""
    first = agent.state()["time"]
    agent.until(lambda: agent.state()["time"] > first + 3_000_000_000, "goes on")
