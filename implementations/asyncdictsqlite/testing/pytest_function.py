"""The suite as one parametrised pytest function."""

from __future__ import annotations

from typing import Any, Callable, List

from .. import registry
from .suite import Case, Suite, count_table, suite


def conformance(*backends: str, seed: int = 0) -> Callable[..., None]:
    """Make a pytest function that runs the suite on each backend, as ``backend-check``.

    A backend that cannot be loaded fails; nothing is ever skipped.

    Raises:
        ModuleNotFoundError: pytest is not installed.
    """
    parametrize = _pytest().mark.parametrize
    cases = [(backend, case) for backend in backends for case in _cases(backend)]

    def test_conformance(case: Case) -> None:
        case.run(seed)

    ids = [f"{backend}-{case.name}" for backend, case in cases]
    return parametrize("case", [case for _, case in cases], ids=ids)(test_conformance)  # type: ignore[no-any-return]


def _cases(backend: str) -> List[Case]:
    try:
        chosen = suite(backend)
    except Exception:
        return [Case("loads", "The backend can be loaded.", frozenset(), lambda seed: _load(backend))]
    return [*chosen.cases, Case("counts", "Each capability has a check.", frozenset(), lambda seed: _count(chosen))]


def _load(backend: str) -> None:
    registry.load(backend)
    suite(backend)


def _count(chosen: Suite) -> None:
    print(count_table(chosen.counts()))
    assert not chosen.unchecked(), f"no check ran for {', '.join(one.value for one in chosen.unchecked())}"


def _pytest() -> Any:
    try:
        import pytest
    except ModuleNotFoundError as error:
        message = (
            "conformance() needs pytest: install asyncdictsqlite[testing], or run python -m asyncdictsqlite.testing"
        )
        raise ModuleNotFoundError(message, name="pytest") from error
    return pytest
