"""The tests; the helpers' own asserts are explained like those of the tests."""

import pytest

pytest.register_assert_rewrite("tests.table", "tests.dialogue")
