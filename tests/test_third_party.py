"""A backend from somebody else's package, found by its entry point; and a user's subclass on every backend."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from asyncdictsqlite import AsyncDictSQLite, registry

TOY = Path(__file__).with_name("toy_backend.py")
GAPS = (
    *("lazy", "writethrough", "backup", "readonly", "exclusive", "coherent", "cheap_coherence", "crash_safe", "synced"),
    *("group_commit", "format_v1", "switches"),
)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the toy backend as a package of its own: a module and its metadata in a folder on the path."""
    folder = tmp_path / "site"
    metadata = folder / "toy_backend-1.0.dist-info"
    metadata.mkdir(parents=True)
    shutil.copy(TOY, folder)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-backend\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{registry.GROUP}]\ntoy = toy_backend:ToyEngine\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.delitem(sys.modules, "toy_backend", raising=False)
    return folder


def run_suite(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the conformance suite in a child that finds what this process finds."""
    command = [sys.executable, "-m", "asyncdictsqlite.testing", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.run(command, capture_output=True, text=True, timeout=50, env=environment, check=False)


@pytest.mark.usefixtures("package")
def test_a_backend_of_another_package_is_found_by_its_entry_point(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncDictSQLite(tmp_path / "toy.db", backend="toy") as db:
            await db.aset("a", [1, 2])
            db["b"] = 2
            assert await db.abatch_get(["a", "b", "c"]) == [[1, 2], 2, None]
            assert await db.apop("b") == 2
            assert list(db) == ["a"]
            assert db.backend == "toy"

    assert "toy" in registry.names()
    asyncio.run(main())


@pytest.mark.usefixtures("package")
def test_the_suite_passes_on_it_and_each_declared_gap_fails() -> None:
    ended = run_suite("toy")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for gap in GAPS:
        assert f"gap_{gap}\n" in ended.stdout, f"no proof that {gap} is missing\n{ended.stdout}"


@pytest.mark.parametrize(
    ("declares", "only"),
    [
        ("{Capability.MEMORY, Capability.TABLES}", "gap_several_loops"),
        ("{Capability.MEMORY, Capability.TABLES, Capability.SEVERAL_LOOPS, Capability.BACKUP}", "backup_is_a_store"),
    ],
    ids=["hides what it has", "claims what it has not"],
)
def test_the_suite_fails_on_a_wrong_declaration(package: Path, declares: str, only: str) -> None:
    module = package / "toy_backend.py"
    declared = "{Capability.MEMORY, Capability.TABLES, Capability.SEVERAL_LOOPS}"
    text = module.read_text()
    assert declared in text
    module.write_text(text.replace(declared, declares))
    ended = run_suite("toy", "--only", only)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert f"FAILED {only} " in ended.stdout


class Shouting(AsyncDictSQLite):
    """A user's subclass."""

    async def aget(self, key: str, default: Any = None) -> Any:
        value = await super().aget(key, default)
        return value.upper() if isinstance(value, str) else value


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("backend", ["rust", "threads", "toy"])
def test_a_subclass_that_overrides_aget_wins_on_every_backend(tmp_path: Path, backend: str) -> None:
    async def main() -> None:
        async with Shouting(tmp_path / "store.db", backend=backend) as db:
            assert isinstance(db, Shouting)
            assert type(db).__name__ == "Shouting"
            await db.aset("k", "quiet")
            assert await db.aget("k") == "QUIET"
            assert await db.aget("missing", 1) == 1
            assert list(await asyncio.gather(db.aget("k"), db.aget("k"))) == ["QUIET", "QUIET"]
            assert await db.abatch_get(["k"]) == ["quiet"]

    asyncio.run(main())
