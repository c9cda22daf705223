"""The conformance suite: the contract, executed on any backend.

Under pytest one line runs it::

    from asyncdictsqlite.testing import conformance

    test_conformance = conformance("mybackend")

Without pytest one command does: ``python -m asyncdictsqlite.testing mybackend``. Each check is a plain coroutine
function, named by the sentence of ``contract.md`` that it proves and chosen by the capabilities that the backend
declares. A capability that is not declared must be missing: its checks must fail.
"""

from __future__ import annotations

import importlib
import pkgutil

from . import checks as _checks
from .check import CHECKS, Bench, Check, check
from .pytest_function import conformance
from .runner import Gap, Hang, run_check
from .suite import Suite, suite

for _module in sorted(pkgutil.iter_modules(_checks.__path__), key=lambda module: module.name):
    importlib.import_module(f"{_checks.__name__}.{_module.name}")

__all__ = ["CHECKS", "Bench", "Check", "Gap", "Hang", "Suite", "check", "conformance", "run_check", "suite"]
