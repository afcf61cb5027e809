"""Events reach snmptrapd: in their order, each of them, whoever is away meanwhile."""
import os
import signal
import time

from world import await_true


def await_sequences(world, *numbers, seconds_max=60):
    await_true(f"events up to {numbers[-1]}", lambda: numbers[-1] in world.sequences(), seconds_max)
    return world.sequences()


def await_kept(world, sequence):
    await_true("the cursor", lambda: f"sequence {sequence}\n" in (
        (world.state / "cursor").read_text() if (world.state / "cursor").exists() else ""))


def test_an_alarm_is_raised_and_cleared(world):
    world.agent.note(True, "disk.free/nvme0n1", "nvme0n1", "warning", kind=301, value=-7,
                     text="it fills — quickly")
    world.agent.note(False, "disk.free/nvme0n1", "nvme0n1", "ok", kind=301)
    await_sequences(world, 1, 2)
    (raised, first), (cleared, second) = world.traps()
    assert (raised, cleared) == ("bourseAlarmRaisedEvent", "bourseAlarmClearedEvent")
    when = first.pop("bourseEventTime")
    assert when.startswith(time.strftime("%Y-%-m-%-d,", time.gmtime())), when
    assert first == {
        "bourseEventSequence": "1", "bourseHostName": "primary-1",
        "bourseEventName": "disk.free/nvme0n1", "bourseEventKind": "301",
        "bourseEventSubject": "nvme0n1", "bourseEventState": "2", "bourseEventValue": "-7",
        "bourseEventText": "it fills — quickly",
    }
    assert second["bourseEventState"] == "1" and second["bourseEventValue"] == ""
    await_true("it says how far", lambda: world.get("bourseEventsSent.0") == "2")
    assert world.get("bourseEventsNoted.0") == "2"


def test_events_from_before_the_start_are_sent_too(idle):
    for _ in range(3):
        idle.agent.note(True, "unit.state/a", "a", "critical")
    idle.start()
    assert await_sequences(idle, 1, 2, 3) == [1, 2, 3]


def test_nothing_is_lost_while_snmpd_is_down(world):
    world.agent.note(True, "unit.state/a", "a", "critical")
    await_sequences(world, 1)
    world.end("snmpd")
    for _ in range(5):
        world.agent.note(True, "unit.state/a", "a", "critical")
        world.agent.note(False, "unit.state/a", "a", "ok")
        time.sleep(0.3)
    assert world.sequences() == [1]
    world.start_snmpd()
    assert await_sequences(world, 11) == list(range(1, 12))
    world.await_served()
    time.sleep(1)
    assert world.sequences() == list(range(1, 12))


def test_snmpd_killed_while_events_flow(world):
    """However it falls: every event, in order, and at most one twice for each time it was killed
    (taken, and killed before it could say so)."""
    kills = 4
    for _ in range(kills):
        for _ in range(100):
            world.agent.note(True, "unit.state/a", "a", "critical")
        reached = len(world.sequences())
        await_true("some of them", lambda: len(world.sequences()) > reached)
        world.end("snmpd")
        world.start_snmpd()
    got = await_sequences(world, 100 * kills, seconds_max=60)
    assert sorted(set(got)) == list(range(1, 100 * kills + 1))
    assert got == sorted(got) and len(got) <= 100 * kills + kills


def test_a_hung_snmpd_is_left_and_found_again(world):
    os.kill(world.running["snmpd"].pid, signal.SIGSTOP)
    world.agent.note(True, "unit.state/a", "a", "critical")
    await_true("it notices", lambda: "lost the master agent" in world.log("bourse-snmp"))
    os.kill(world.running["snmpd"].pid, signal.SIGCONT)
    assert set(await_sequences(world, 1)) == {1}
    assert len(world.sequences()) <= 2
    world.await_served()


def test_a_subagent_that_is_killed_loses_nothing(world):
    """kill -9 at any moment: every event, in order, and at most one twice for each time (taken,
    and killed before that was on the disk)."""
    kills = 5
    for _ in range(kills):
        for _ in range(100):
            world.agent.note(True, "unit.state/a", "a", "critical")
        reached = len(world.sequences())
        await_true("some of them", lambda: len(world.sequences()) > reached)
        world.end("bourse-snmp")
        world.start_subagent()
    got = await_sequences(world, 100 * kills, seconds_max=60)
    assert sorted(set(got)) == list(range(1, 100 * kills + 1))
    assert got == sorted(got) and len(got) <= 100 * kills + kills


def test_sent_events_are_not_repeated_after_a_restart(world):
    world.agent.note(True, "unit.state/a", "a", "critical")
    await_kept(world, 1)
    assert world.end("bourse-snmp", signal.SIGTERM) == 0
    world.start_subagent()
    world.agent.note(False, "unit.state/a", "a", "ok")
    assert await_sequences(world, 2) == [1, 2]


def test_lost_events_are_reported(world):
    world.agent.note(True, "unit.state/a", "a", "critical")
    await_kept(world, 1)
    world.end("bourse-snmp")
    for _ in range(9):
        world.agent.note(True, "unit.state/a", "a", "critical")
    world.agent.forget(7)
    world.start_subagent()
    assert await_sequences(world, 10) == [1, 7, 8, 9, 10]
    names = [name for name, _ in world.traps()]
    assert names[1] == "bourseEventsLostEvent" and names.count("bourseEventsLostEvent") == 1
    lost = world.traps()[1][1]
    assert (lost["bourseEventLostFirst"], lost["bourseEventLostLast"]) == ("2", "6")


def test_the_loss_of_all_events_is_reported(world):
    world.agent.note(True, "unit.state/a", "a", "critical")
    await_kept(world, 1)
    world.agent.last = 20
    world.agent.forget(21)
    await_kept(world, 20)
    name, lost = world.traps()[-1]
    assert name == "bourseEventsLostEvent"
    assert (lost["bourseEventLostFirst"], lost["bourseEventLostLast"]) == ("2", "20")


def test_an_agent_that_restarts_its_count_is_followed(world):
    for _ in range(5):
        world.agent.note(True, "unit.state/a", "a", "critical")
    await_kept(world, 5)
    world.agent.events, world.agent.last = [], 0
    world.agent.note(True, "unit.state/b", "b", "critical")
    await_true("sent", lambda: world.sequences() == [1, 2, 3, 4, 5, 1])
    name, lost = world.traps()[5]
    assert name == "bourseEventsLostEvent"
    assert (lost["bourseEventLostFirst"], lost["bourseEventLostLast"]) == ("0", "0")
    await_kept(world, 1)


def test_a_damaged_cursor_repeats_and_never_loses(world):
    for _ in range(3):
        world.agent.note(True, "unit.state/a", "a", "critical")
    await_kept(world, 3)
    world.end("bourse-snmp")
    (world.state / "cursor").write_text("sequence 99")
    world.start_subagent()
    await_true("sent again", lambda: world.sequences() == [1, 2, 3, 1, 2, 3])
    assert "is damaged" in world.log("bourse-snmp")


def test_many_events_come_in_order(world):
    """More than an answer holds, and more than wait here at once."""
    for _ in range(1_600):
        world.agent.note(True, "unit.state/a", "a", "critical")
    assert await_sequences(world, 1_600, seconds_max=60) == list(range(1, 1_601))


def test_a_new_role_is_sent_once(world):
    exchange = world.agent.state["exchange"]
    exchange.update(role="primary", epoch=5)
    await_true("sent", world.traps)
    time.sleep(1.5)
    [(name, change)] = world.traps()
    assert name == "bourseRoleChangedEvent"
    assert change["bourseEventFormerRole"] == "2" and change["bourseExchangeRole"] == "3"
    assert change["bourseExchangeEpoch"] == "5" and change["bourseEventSequence"] == "0"
    # It changes while nobody is there to hear, or to see.
    world.end("snmpd")
    world.end("bourse-snmp")
    exchange.update(role="standby", epoch=6)
    world.start_subagent().start_snmpd()
    await_true("sent", lambda: len(world.traps()) == 2)
    name, change = world.traps()[1]
    assert (name, change["bourseEventFormerRole"], change["bourseExchangeRole"]) == (
        "bourseRoleChangedEvent", "3", "4")
    await_true("kept", lambda: "role standby\nepoch 6\n" in (world.state / "cursor").read_text())


def test_a_state_directory_has_one_subagent(world):
    world.running["first"] = world.running.pop("bourse-snmp")
    world.start_subagent()
    assert world.running.pop("bourse-snmp").wait(10) == 1
    assert "is locked by process" in world.log("bourse-snmp")
    world.check_alive("first")


def test_malformed_events_do_no_harm(world):
    """While the state is good and the events are not, the values are served; then they come."""
    def bad_events(handler):
        if "events" in handler.path:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n{\"first\":1}")
        else:
            world.agent.answer(handler)

    world.agent.instead = bad_events
    world.agent.note(True, "unit.state/a", "a", "critical")
    await_true("it says so", lambda: "the agent's events lack something" in world.log("bourse-snmp"))
    time.sleep(6)
    assert world.get("bourseAgentAnswers.0") == "1" and world.sequences() == []
    world.agent.instead = None
    assert await_sequences(world, 1) == [1]
