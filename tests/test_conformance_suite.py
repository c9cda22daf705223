"""The suite itself: it cannot be switched off quietly, and it says in one sentence what it misses."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, FrozenSet, List

import pytest

from asyncdictsqlite import registry
from asyncdictsqlite.errors import UnknownBackendError
from asyncdictsqlite.protocol import Capability
from asyncdictsqlite.testing import CHECKS, Bench, Check, Gap, Hang, conformance, run_check, suite
from asyncdictsqlite.testing import __main__ as command
from asyncdictsqlite.testing.coverage import CONTRACT, sentences, unknown, unmapped
from asyncdictsqlite.testing.runner import capabilities_of

ALL = frozenset(Capability)


def make(body: Any, *, needs: FrozenSet[Capability] = frozenset(), seconds: float = 5) -> Check:
    return Check(body.__name__, "It holds.", ("1.1",), needs, seconds, body)


async def passes(bench: Bench) -> None:
    pass


async def fails(bench: Bench) -> None:
    raise AssertionError("broken")


def case_names(backend: str) -> List[str]:
    return [case.name for case in arguments(conformance(backend))]


def arguments(test: Any) -> List[Any]:
    return list(test.pytestmark[0].args[1])


@pytest.fixture
def partial(monkeypatch: pytest.MonkeyPatch) -> str:
    """A backend that is `threads` but does not declare BACKUP."""
    factory = registry.load("threads")

    class Partial:
        capabilities = capabilities_of("threads") - {Capability.BACKUP}

        def __call__(self, opening: Any) -> Any:
            return factory(opening)

    monkeypatch.setattr(sys.modules[__name__], "partial_factory", Partial(), raising=False)
    backend = registry.Backend("partial", f"{__name__}:partial_factory", "nothing")
    monkeypatch.setattr(registry, "_third_party", lambda: {"partial": backend})
    return "partial"


def test_every_sentence_is_proven_by_a_check() -> None:
    assert unmapped(CHECKS) == []


def test_every_check_proves_a_sentence_that_is_there() -> None:
    assert unknown(CHECKS) == []


def test_an_unmapped_sentence_is_exit_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--coverage"]) == 0
    monkeypatch.setattr(command, "CHECKS", [check for check in CHECKS if "1.70" not in check.sentences])
    assert command.main(["--coverage"]) == 1
    assert "UNMAPPED 1.70" in capsys.readouterr().out


def test_a_claim_without_a_sentence_is_exit_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "CHECKS", [*CHECKS, Check("x", "x", ("99.1",), frozenset(), 1, passes)])
    assert command.main(["--coverage"]) == 1


def test_the_page_of_the_contract_is_the_suites() -> None:
    page = Path(__file__).parent.parent / "docs" / "contract.md"
    assert not page.exists() or page.read_text("utf-8") == CONTRACT.read_text("utf-8")
    assert len(sentences()) > 100


def test_a_capability_without_a_check_fails() -> None:
    everything_but_backup = [check for check in CHECKS if Capability.BACKUP not in check.needs]
    assert suite("threads", everything_but_backup).unchecked() == [Capability.BACKUP]
    assert suite("threads").unchecked() == []


def test_a_capability_without_a_check_fails_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "suite", lambda backend: suite(backend, [make(passes)]))
    assert command.main(["threads"]) == 1


def test_a_capability_without_a_check_fails_under_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncdictsqlite.testing.pytest_function.suite", lambda backend: suite(backend, [make(passes)]))
    counts = arguments(conformance("threads"))[-1]
    assert counts.name == "counts"
    with pytest.raises(AssertionError, match="no check ran for memory"):
        counts.run(0)


def test_a_declared_gap_that_passes_fails(partial: str) -> None:
    backup = frozenset({Capability.BACKUP})
    (case,) = suite(partial, [make(passes, needs=backup)]).cases
    assert case.name == "gap_backup"
    with pytest.raises(Gap, match="does not declare 'backup'"):
        case.run(0)


def test_a_declared_gap_that_is_one_passes(partial: str) -> None:
    backup = frozenset({Capability.BACKUP})
    (case,) = suite(partial, [make(passes, needs=backup), make(fails, needs=backup)]).cases
    case.run(0)


def test_a_check_that_needs_more_than_is_declared_does_not_run(partial: str) -> None:
    names = [case.name for case in suite(partial).cases]
    assert "backup_is_a_store" not in names
    assert "gap_backup" in names


def test_a_backend_that_cannot_be_loaded_fails() -> None:
    (case,) = arguments(conformance("nosuch"))
    with pytest.raises(UnknownBackendError, match="nosuch"):
        case.run(0)


def test_a_backend_that_cannot_be_loaded_fails_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["nosuch"]) == 1
    assert "'nosuch' is not registered" in capsys.readouterr().out


def test_each_check_is_a_test_id() -> None:
    test = conformance("threads", "rust")
    ids = test.pytestmark[0].kwargs["ids"]  # type: ignore[attr-defined]
    assert "threads-get_and_set" in ids
    assert any(one.startswith("rust-") for one in ids)
    assert len(ids) == len(set(ids))


def test_a_check_that_waits_for_ever_fails_with_its_stack() -> None:
    async def sleeps(bench: Bench) -> None:
        await asyncio.sleep(3600)

    with pytest.raises(Hang, match=r"(?s)sleeps hangs.*asyncio.sleep"):
        run_check(make(sleeps, seconds=0.1), "threads", ALL)


def test_a_check_that_blocks_the_loop_fails_with_its_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncdictsqlite.testing.runner.GRACE_S", 0.1)

    async def blocks(bench: Bench) -> None:
        time.sleep(1)

    with pytest.raises(Hang, match=r"(?s)blocks hangs.*in blocks"):
        run_check(make(blocks, seconds=0.1), "threads", ALL)
    time.sleep(1)


def test_an_error_that_nobody_awaited_fails_the_check() -> None:
    async def forgets(bench: Bench) -> None:
        async def breaks() -> None:
            raise ZeroDivisionError

        task = asyncio.ensure_future(breaks())
        await asyncio.sleep(0)
        del task

    with pytest.raises(AssertionError, match="nobody awaited"):
        run_check(make(forgets), "threads", ALL)


def test_what_a_check_opened_is_closed() -> None:
    opened: List[Any] = []

    async def opens(bench: Bench) -> None:
        opened.append(await bench.open().aopen())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_check(make(opens), "threads", ALL)
    assert opened[0].stats()["state"] == "closed"


def test_the_command_names_a_failure_with_its_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "suite", lambda backend: suite(backend, [make(passes), make(fails)]))
    assert command.main(["threads", "--seed", "7"]) == 1
    printed = capsys.readouterr().out
    assert "FAILED fails (seed 7): It holds." in printed
    assert "1 passed, 1 failed" in printed


def test_the_command_runs_what_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["threads", "--only", "setdefault_as_dict"]) == 0
    assert "1 passed, 0 failed" in capsys.readouterr().out
    assert command.main(["threads", "--only", "no such check"]) == 1
    assert command.main(["threads", "--list"]) == 0
    assert "setdefault_as_dict: setdefault returns" in capsys.readouterr().out


WITHOUT = """
import sys
sys.modules["pytest"] = sys.modules["hypothesis"] = sys.modules["fastapi"] = None
from asyncdictsqlite.testing import CHECKS, conformance, run_check
from asyncdictsqlite.testing.runner import capabilities_of
try:
    conformance("threads")
except ModuleNotFoundError as error:
    print(error)
for check in CHECKS:
    if check.name in ("memory_is_a_dict", "fastapi_depends", "get_and_set"):
        try:
            run_check(check, "threads", capabilities_of("threads"))
            print("passed")
        except AssertionError as error:
            print(error)
"""


def test_pytest_and_hypothesis_are_needed_only_where_they_are() -> None:
    child = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True, timeout=30, env=Bench.environment()
    )
    lines = sorted(child.stdout.splitlines())
    assert len(lines) == 4
    assert lines[0].startswith("conformance() needs pytest: install")
    assert lines[1] == "passed"
    assert lines[2].startswith("this check needs fastapi and httpx")
    assert lines[3].startswith("this check needs hypothesis: install")
