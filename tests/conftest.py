"""What is explored or measured elsewhere is traced for coverage nowhere."""

import sys
from collections.abc import Iterator

import pytest


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Take the tracer away from a test that is marked `no_cover`.

    In a worker of pytest-xdist two coverages are started, and where pytest-cov stops the one the other goes on.
    """
    tracer = sys.gettrace() if item.get_closest_marker("no_cover") else None
    if tracer is None:
        return (yield)
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)
