"""Two trees side by side: a wheel for each commit, built once, and each installed into an environment of its own."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, List, Optional

from harness.gate.bodies import Project


class TreeError(Exception):
    """A revision is unknown, or its tree does not build; the message is one line."""


@dataclass(frozen=True)
class Patch:
    """A change of the tree before it is built; the name tells the wheels apart."""

    name: str
    apply: Callable[[Path], None]


@dataclass(frozen=True)
class Tree:
    """An installed commit; ``dirty`` where it was patched."""

    revision: str
    commit: str
    dirty: bool
    folder: Path
    python: Path
    package_hash: str

    def lay_out_anew(self) -> None:
        """Copy what is mapped as code: a file stays where it lies in memory, for good or ill, as long as it is used.

        Equal extensions have differed by some percent in every process of one run, and not in the next one.
        """
        for path in self.folder.glob("lib/python*/site-packages/**/*.so"):
            copy = path.with_suffix(".copy")
            shutil.copy2(path, copy)
            copy.replace(path)

    def holds(self, file: str) -> bool:
        """Whether a module's file is of this tree."""
        return self.folder.resolve() in Path(file).resolve().parents


def resolve(repository: Path, revision: str) -> str:
    """Return the full name of a commit.

    Raises:
        TreeError: there is no such commit.
    """
    done = _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if done.returncode:
        raise TreeError(f"no commit {revision!r} in {repository.name}: name a branch, a tag or a commit of it")
    return done.stdout.strip()


def installed(project: Project, revision: str, folder: Path, cache: Path, patch: Optional[Patch] = None) -> Tree:
    """Install a commit into an environment in ``folder``; its wheel is taken from the cache or built.

    Raises:
        TreeError: there is no such commit, or it does not build, or it has not the package.
    """
    commit = resolve(project.repository, revision)
    wheels = _wheels(project, commit, cache, patch)
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)], f"no environment for {revision}")
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
    found = sorted(map(str, wheels.glob("*.whl")))
    _run([*install, "install", "--no-deps", "--no-index", *found], f"{revision} does not install")
    package = next(folder.glob(f"lib/python*/site-packages/{project.package}"), None)
    if package is None:
        raise TreeError(f"the wheel of {revision} has no package {project.package}")
    return Tree(revision, commit, patch is not None, folder, python, _hash(package))


def _wheels(project: Project, commit: str, cache: Path, patch: Optional[Patch]) -> Path:
    name = "-".join([commit, str(sys.implementation.cache_tag), *([patch.name] if patch else [])])
    wheels = cache / "wheels" / name
    if not wheels.is_dir():
        unfinished = wheels.with_name(f"{name}.part")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        with _checkout(project.repository, commit, cache) as tree:
            if patch is not None:
                patch.apply(tree)
            command = ["sh", "-c", project.build]
            _run(command, f"{commit[:10]} does not build", tree, PYTHON=sys.executable, WHEELS=str(unfinished))
        if not any(unfinished.glob("*.whl")):
            raise TreeError(f"{commit[:10]} was built, but left no wheel in $WHEELS")
        unfinished.rename(wheels)
    return wheels


@contextmanager
def _checkout(repository: Path, commit: str, cache: Path) -> Iterator[Path]:
    """Make a worktree while a wheel is built: always the same folder, so that equal trees give equal bytes."""
    tree = cache / "tree"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove(repository, tree)  # an interrupted build may have left it
        done = _git(repository, "worktree", "add", "--quiet", "--force", "--detach", str(tree), commit)
        if done.returncode:
            raise TreeError(f"no worktree of {commit[:10]}: {_last(done.stderr)}")
        try:
            yield tree
        finally:
            _remove(repository, tree)


def _remove(repository: Path, tree: Path) -> None:
    _git(repository, "worktree", "remove", "--force", "--force", str(tree))
    shutil.rmtree(tree, ignore_errors=True)


def _hash(package: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _git(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(repository), *arguments], check=False, capture_output=True, text=True)


def _run(command: List[str], failed: str, cwd: Optional[Path] = None, **variables: str) -> None:
    """Run a command in a process group of its own, with the compiled crates of `make` at hand."""
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "asyncdictsqlite" / "target"
    environment = {"CARGO_TARGET_DIR": str(cached), **os.environ, **variables}
    done = subprocess.run(command, check=False, cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise TreeError(f"{failed}: {_last(done.stderr or done.stdout)}")


def _last(text: str) -> str:
    """Return the line of an output that says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    wrong = [line for line in lines if line.lower().startswith(("error", "fatal"))]
    return (wrong or lines or ["it said nothing"])[-1]
