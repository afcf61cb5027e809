"""What several files of this suite start with."""
import pytest
from trio import Trio


@pytest.fixture
def trio(tmp_path):
    """Three hosts, both with the exchange in sync."""
    made = Trio(tmp_path)
    try:
        made.start_all()
        yield made
    finally:
        made.end()
