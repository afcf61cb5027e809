"""One bench for the suite; a failed test shows the last lines of its hosts' journals."""
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tools")]

from appliance import make_debs  # noqa: E402
from bench import Bench, BenchFault  # noqa: E402

JOURNAL_LINES = 40
the_bench = None


@pytest.fixture(scope="session")
def bench():
    """The bench; it and its hosts are gone when the suite ends, however it ends."""
    global the_bench
    with Bench() as made:
        the_bench = made
        yield made


@pytest.fixture(scope="session")
def debs():
    """The packages of this tree."""
    return make_debs()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if not report.failed or the_bench is None:
        return
    for host in the_bench.running.values():
        if not host.pid:
            continue
        try:
            host.thaw()
            said = "\n".join(host.journal().splitlines()[-JOURNAL_LINES:])
        except (BenchFault, OSError) as fault:
            said = f"no journal: {fault}\n{host.console_tail()}"
        report.sections.append((f"the journal of host {host.name}", said))


def pytest_terminal_summary(terminalreporter):
    if the_bench is None:
        return
    seconds = the_bench.base.seconds
    made = f"made in {seconds:.0f} s" if seconds else "there already"
    boots = ", ".join(f"{name} {took:.1f} s" for name, took in the_bench.boots)
    terminalreporter.write_line(f"base {made}; boots: {boots}")
    for figure in the_bench.figures:
        terminalreporter.write_line(figure)
