"""The contract, executed on each backend. One that cannot be loaded here fails."""

import pytest

from asyncdictsqlite.testing import conformance

pytestmark = pytest.mark.timeout(120)  # a check has its own, shorter limit

test_aiosqlite = conformance("aiosqlite")
test_threads = conformance("threads")
test_rust = conformance("rust")
