"""What is built is what is promised: pins, prerequisites, sdist, wheel, and how SQLite was compiled into it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

ROOT = Path(__file__).parents[1]
tomllib = pytest.importorskip("tomllib")

MOST_UNSAFE_FILES = 8
COUNT_SYNCS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
static int counted(const char *name, int fd) {
    FILE *log = fopen(getenv("SYNC_LOG"), "a");
    fprintf(log, "%s\n", name);
    fclose(log);
    return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}
int fsync(int fd) { return counted("fsync", fd); }
int fdatasync(int fd) { return counted("fdatasync", fd); }
"""
ONE_DURABLE_WRITE = """
import os, sys
from asyncdictsqlite import AsyncDictSQLite
with AsyncDictSQLite(sys.argv[1], persist_mode="writethrough", backend="rust") as db:
    os.truncate(os.environ["SYNC_LOG"], 0)
    db["key"] = 1
    print(open(os.environ["SYNC_LOG"]).read())
"""


def load(path: str) -> Dict[str, Any]:
    return tomllib.loads((ROOT / path).read_text())  # type: ignore[no-any-return]


def tracked_files() -> List[Path]:
    """List what git has or would take."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def run(*command: object, **options: Any) -> str:
    """Run a command in the checkout and return what it printed; a failure shows both its streams."""
    words = [str(word) for word in command]
    options.setdefault("cwd", ROOT)
    done = subprocess.run(words, check=False, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{words} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def bare_path(folder: Path, *tools: str) -> Dict[str, str]:
    """Make an environment in which only the tools named can be found."""
    for tool in tools:
        where = shutil.which(tool)
        assert where, tool
        (folder / tool).symlink_to(where)
    return {"PATH": str(folder), "HOME": str(folder), "CC": "cc"}


def test_both_ways_of_building_compile_sqlite_with_the_same_flags() -> None:
    plain_cargo = load(".cargo/config.toml")["env"]["LIBSQLITE3_FLAGS"]
    maturin = load("pyproject.toml")["tool"]["maturin"]["config"]
    assert maturin == [
        f"env.LIBSQLITE3_FLAGS.value='{plain_cargo['value']}'",
        f"env.LIBSQLITE3_FLAGS.force={str(plain_cargo['force']).lower()}",
    ]


def test_the_crates_are_pinned() -> None:
    assert ROOT / "rust_core/Cargo.lock" in tracked_files()


def test_unsafe_rust_stands_in_the_files_that_lib_rs_lists_alone() -> None:
    source = ROOT / "rust_core/src"
    lines = [line for line in (source / "lib.rs").read_text().splitlines() if line.startswith("//!")]
    listed = re.findall(r"^//! - `([\w/]+\.rs)`", "\n".join(lines), re.MULTILINE)
    texts = {path.relative_to(source).as_posix(): path.read_text() for path in source.rglob("*.rs")}
    code = {name: re.sub(r"//.*|\"(?:\\.|[^\"\\])*\"", "", text) for name, text in texts.items()}
    assert sorted(name for name in code if re.search(r"\bunsafe\b|\bunsafe_code\b", code[name])) == sorted(listed)
    assert len(listed) <= MOST_UNSAFE_FILES


def test_every_tool_is_pinned() -> None:
    pinned = {re.split(r"[=\s]", line)[0] for line in (ROOT / ".ci/constraints.txt").read_text().splitlines()}
    groups = load("pyproject.toml")["dependency-groups"]
    asked = [tool for group in groups.values() for tool in group if isinstance(tool, str)]
    assert {re.split(r"[<>=;\s]", tool)[0] for tool in asked} <= pinned


def test_nothing_is_required_at_run_time() -> None:
    assert load("pyproject.toml")["project"]["dependencies"] == []


def test_no_file_names_a_package_host() -> None:
    hosts = ["pythonhosted" + ".org", "pypi" + ".org/simple", "index.crates" + ".io", "static.crates" + ".io"]
    options = ["--index" + "-url", "--extra-index" + "-url", "--find" + "-links", "arti" + "factory"]
    named = re.compile("|".join(map(re.escape, hosts + options)))
    allowed = {ROOT / "Makefile"}  # `make lock` tells uv to leave hosts out
    found = [path for path in tracked_files() if named.search(path.read_text("utf-8", "ignore"))]
    assert set(found) <= allowed


def test_the_top_level_holds_what_the_architecture_names() -> None:
    folders = {".cargo", ".ci", "docs", "examples", "harness", "implementations", "notebooks", "results", "rust_core"}
    pages = {"CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md"}
    files = pages | {".gitignore", "Makefile", "asv.conf.json", "pyproject.toml"}
    assert {path.relative_to(ROOT).parts[0] for path in tracked_files()} <= folders | files | {"tests"}


def test_a_missing_cargo_is_one_sentence(tmp_path: Path) -> None:
    bare = bare_path(tmp_path, "sh", "sed", "cut", "sort", "head", "cc")
    done = subprocess.run(["sh", ".ci/rust.sh"], cwd=ROOT, env=bare, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(r"no cargo .*\n", done.stderr)


def test_a_missing_c_compiler_is_one_sentence(tmp_path: Path) -> None:
    bare = bare_path(tmp_path, "sh", "sed")
    done = subprocess.run(["sh", ".ci/rust.sh"], cwd=ROOT, env=bare, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(r"no C compiler.*\n", done.stderr)


@pytest.mark.parametrize(
    ("python", "sentence"),
    [("no-such-python", "is not Python 3.9 or newer"), ("python-without-venv", "has no venv")],
)
def test_a_missing_python_or_venv_is_one_sentence(tmp_path: Path, python: str, sentence: str) -> None:
    stand_in = tmp_path / "python-without-venv"
    stand_in.write_text('#!/bin/sh\ncase "$2" in *venv*) exit 1 ;; esac\n')
    stand_in.chmod(0o755)
    command = ["make", "--silent", "build", f"VENV={tmp_path / 'venv'}", f"PYTHON={tmp_path / python}"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert len(said) == 1
    assert sentence in said[0]


def test_the_bundled_sqlite_has_the_wal_reset_fix() -> None:
    from asyncdictsqlite import _rust

    assert tuple(map(int, _rust.sqlite_version().split("."))) >= (3, 51, 3)


def test_the_editable_build_can_hook_pread() -> None:
    from asyncdictsqlite import _rust

    assert _rust.pread_hookable()


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    run(Path(sys.executable).with_name("maturin"), "sdist", "--out", folder, env=with_cargo())
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the sdist, in a folder that is no checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet")
    run(*pip, "--no-build-isolation", "--no-deps", "--wheel-dir", folder, sdist, env=with_cargo(), cwd=folder)
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Install the wheel, and nothing else, into a fresh environment; its python."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, "install", "--quiet")
    run(*pip, "--no-deps", "--no-index", wheel)
    yield python
    shutil.rmtree(folder)


def with_cargo() -> Dict[str, str]:
    """Put the cargo that the Makefile would take, and this environment's tools, in front of PATH."""
    cargo = run("sh", ".ci/rust.sh").strip()
    tools = str(Path(sys.executable).parent)
    target = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "asyncdictsqlite" / "target"
    path = os.pathsep.join([tools, cargo, os.environ["PATH"]])
    return {"CARGO_TARGET_DIR": str(target), **os.environ, "PATH": path}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_sdist_holds_what_a_build_needs_and_no_more(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"LICENSE", "README.md", "PKG-INFO", "pyproject.toml", "rust_core/Cargo.toml", "rust_core/src/lib.rs"}
    assert needed <= names
    assert any(name.endswith("Cargo.lock") for name in names)
    assert "implementations/asyncdictsqlite/py.typed" in names
    assert {name.partition("/")[0] for name in names} <= {
        *("Cargo.lock", "Cargo.toml", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml"),
        *("implementations", "rust_core"),
    }
    assert not [name for name in names if name.endswith((".so", ".pyc"))]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_wheel_is_for_one_cpython_and_holds_the_package_alone(wheel: Path) -> None:
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    assert f"-{tag}-{tag}-" in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"asyncdictsqlite"}
    assert {"asyncdictsqlite/py.typed", "asyncdictsqlite/_rust.pyi"} <= set(names)
    assert [name for name in names if name.endswith("licenses/LICENSE")]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_sqlite_in_the_wheel_lets_pread_be_hooked(installed: Path) -> None:
    asked = "from asyncdictsqlite import _rust; print(_rust.pread_hookable(), _rust.__file__)"
    hookable, where = run(installed, "-I", "-c", asked).split()
    assert hookable == "True"
    assert where.startswith(str(installed.parents[1]))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(sys.platform != "linux", reason="counts by LD_PRELOAD")
def test_a_durable_write_of_the_wheel_is_synced_by_fdatasync(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "count.c").write_text(COUNT_SYNCS)
    (tmp_path / "log").touch()
    run("cc", "-shared", "-fPIC", "-o", tmp_path / "count.so", tmp_path / "count.c", "-ldl")
    traced = {**os.environ, "LD_PRELOAD": str(tmp_path / "count.so"), "SYNC_LOG": str(tmp_path / "log")}
    syncs = run(installed, "-I", "-c", ONE_DURABLE_WRITE, tmp_path / "store.db", env=traced).split()
    assert set(syncs) == {"fdatasync"}
