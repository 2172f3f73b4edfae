"""What every test of the server has: a log in which a busy machine leaves no line."""

import pytest

from callfsm.server import loop_watch


@pytest.fixture(autouse=True)
def patient_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that is late because other tests run beside is no news."""
    monkeypatch.setattr(loop_watch, "TOO_LATE_S", 60.0)
