"""What the suite's tests share: a helper that carries out one request, and what undoes it."""
import pytest
from agent import REQUEST, UNDO, Helper


@pytest.fixture
def helper(exchange):
    made = Helper(
        exchange.state / "helper.sock",
        lambda line: f"ok {UNDO}" if line == REQUEST else "ok" if line == UNDO else "failed no")
    yield made
    made.close()
